"""The compiled JSON writer says exactly what protobuf's own json_format says."""

import json
import math
import random
from typing import Any

import pytest
from google.protobuf import descriptor_pool, json_format
from google.protobuf.descriptor import FieldDescriptor

from vexfs.api import json_writer
from vexfs.contract import descriptors

NUMBERS = [0, 1, -1, 7, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 2**32 - 1, 2**64 - 1]
DOUBLES = [0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, 123456789.125, math.inf, -math.inf, math.nan]
LIMITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def scalar(field: Any, choose: random.Random) -> Any:
    if field.cpp_type in LIMITS:
        low, high = LIMITS[field.cpp_type]
        return min(max(choose.choice(NUMBERS), low), high)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return choose.randbytes(choose.randrange(5))
    if field.type == FieldDescriptor.TYPE_STRING:
        return choose.choice(["", "a", 'ä\n"\\', "\u2028", "😀"])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return choose.random() < 0.5
    if field.type == FieldDescriptor.TYPE_ENUM:
        return choose.choice(field.enum_type.values).number
    return choose.choice(DOUBLES)


def fill(message: Any, choose: random.Random, depth: int) -> None:
    """Random values in random fields."""
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds, message.nanos = (
            choose.choice([-1, 0, 1_700_000_000]),
            choose.choice([0, 5, 5000, 5_000_000, 999_999_999]),
        )
        return
    if name == "google.protobuf.Duration":
        message.seconds, message.nanos = choose.choice([(0, 0), (1, 500_000_000), (-3, -1)])
        return
    if name == "google.protobuf.Struct":
        message.update(choose.choice([{}, {"a": [1, 2.5, None, {"b": "x"}], "": True, "big": 1e15}]))
        return
    for field in message.DESCRIPTOR.fields:
        if choose.random() < 0.3:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            entries = getattr(message, field.name)
            key, value = (field.message_type.fields_by_name[part] for part in ("key", "value"))
            if value.message_type is not None:
                fill(entries[scalar(key, choose)], choose, depth - 1)
            else:
                entries[scalar(key, choose)] = scalar(value, choose)
        elif field.message_type is not None:
            if depth == 0 or field.message_type.full_name in ("google.protobuf.Value", "google.protobuf.ListValue"):
                continue
            if field.is_repeated:
                for _ in range(choose.randrange(3)):
                    fill(getattr(message, field.name).add(), choose, depth - 1)
            else:
                getattr(message, field.name).SetInParent()
                fill(getattr(message, field.name), choose, depth - 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(scalar(field, choose) for _ in range(choose.randrange(3)))
        else:
            setattr(message, field.name, scalar(field, choose))


def assert_same(message: Any) -> None:
    expected = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    assert json.loads(json_writer.encode(message)) == json.loads(json.dumps(expected))


@pytest.mark.parametrize("method", list(descriptors.methods()), ids=lambda method: method.name)
def test_messages_of_the_contract_are_written_as_protobuf_writes_them(method: descriptors.Method) -> None:
    choose = random.Random(method.name)
    for kind in (method.request_class, method.response_class):
        assert_same(kind())
        for _ in range(50):
            message = kind()
            fill(message, choose, 4)
            assert_same(message)


def test_every_shape_of_field_is_written_as_protobuf_writes_it() -> None:
    import echo_server

    echo_server.load_contract()
    choose = random.Random(1)
    for _ in range(500):
        message = echo_server.message("EchoRequest")()
        fill(message, choose, 4)
        assert_same(message)


def test_well_known_types_are_written_as_protobuf_writes_them() -> None:
    from google.protobuf import any_pb2, duration_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2

    packed = any_pb2.Any()
    packed.Pack(duration_pb2.Duration(seconds=3))
    value = struct_pb2.Value()
    json_format.Parse('{"a": [1, 2.5, null, {"b": []}]}', value)
    messages = [
        packed,
        value,
        struct_pb2.Value(),
        struct_pb2.ListValue(),
        wrappers_pb2.Int64Value(value=2**60),
        wrappers_pb2.FloatValue(value=0.1),
        field_mask_pb2.FieldMask(paths=["a_b.c", "d"]),
        timestamp_pb2.Timestamp(seconds=-62135596800),
        timestamp_pb2.Timestamp(seconds=253402300799, nanos=999999999),
    ]
    for message in messages:
        assert_same(message)
    assert descriptor_pool.Default().FindMessageTypeByName("google.protobuf.Any")
