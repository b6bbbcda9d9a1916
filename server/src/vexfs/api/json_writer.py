"""Messages as protojson, compiled once for each message type. The same output as protobuf's json_format, several times as fast.

Used by the REST surface for every response. The rules are protojson's with default values shown: lowerCamelCase names,
int64 as text, bytes as base64, enums by name, times as RFC 3339; a field with presence appears when it is set. What is
rare (such as Any) goes through json_format itself. Thread-safe.
"""

import math
import struct
import time
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Write: TypeAlias = Callable[[Any], Any]
"""From a field's value to what the JSON encoder takes."""

_NS_DIGITS = ((1_000_000, 3), (1_000, 6), (1, 9))
_LONG = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
    }
)
_PLAIN = frozenset(
    {
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_SINT32,
        FieldDescriptor.TYPE_FIXED32,
        FieldDescriptor.TYPE_SFIXED32,
        FieldDescriptor.TYPE_BOOL,
        FieldDescriptor.TYPE_STRING,
    }
)

_FLOAT32 = struct.Struct("<f")

_writers: dict[str, Write] = {}


def encode(message: Message, response_body: str = "") -> bytes:
    """A message as JSON in UTF-8; `response_body` names the one field that is the body."""
    value = writer(message.DESCRIPTOR)(message)
    if response_body:
        value = value.get(message.DESCRIPTOR.fields_by_name[response_body].json_name)
    return msgspec.json.encode(value)


def writer(descriptor: Any) -> Write:
    """The writer of a message type."""
    name: str = descriptor.full_name
    found = _writers.get(name)
    if found is None:
        found = _WELL_KNOWN.get(name)
        if found is None and name.startswith("google.protobuf."):
            found = _by_json_format
        if found is None:
            found = _compile(descriptor)
        _writers[name] = found
    return found


def _compile(descriptor: Any) -> Write:
    always: list[tuple[str, str, Write | None]] = []
    when_set: list[tuple[str, str, Write | None]] = []
    compiled = False

    def write(message: Any) -> dict[str, Any]:
        nonlocal compiled
        if not compiled:  # at the first use, because a message may hold its own kind
            for field in descriptor.fields:
                has_presence = field.has_presence and not field.is_repeated
                (when_set if has_presence else always).append((field.name, field.json_name, _field(field)))
            compiled = True
        value: dict[str, Any] = {}
        for name, json_name, convert in always:
            raw = getattr(message, name)
            value[json_name] = raw if convert is None else convert(raw)
        for name, json_name, convert in when_set:
            if message.HasField(name):
                raw = getattr(message, name)
                value[json_name] = raw if convert is None else convert(raw)
        return value

    return write


def _field(field: Any) -> Write | None:
    """The writer of a field; None when the value is JSON already."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        convert = _single(field.message_type.fields_by_name["value"])
        if convert is None:
            return lambda entries: {_key(key): value for key, value in entries.items()}
        return lambda entries: {_key(key): convert(value) for key, value in entries.items()}
    single = _single(field)
    if not field.is_repeated:
        return single
    if single is None:
        return list
    return lambda values: [single(value) for value in values]


def _single(field: Any) -> Write | None:
    kind = field.type
    if kind in _PLAIN:
        return None
    if kind in _LONG:
        return str
    if kind == FieldDescriptor.TYPE_BYTES:
        return _bytes
    if kind == FieldDescriptor.TYPE_DOUBLE:
        return _double
    if kind == FieldDescriptor.TYPE_FLOAT:
        return _float
    if kind == FieldDescriptor.TYPE_ENUM:
        return _enum(field.enum_type)
    return writer(field.message_type)


def _enum(descriptor: Any) -> Write:
    if descriptor.full_name == "google.protobuf.NullValue":
        return lambda _: None
    names = {value.number: value.name for value in reversed(descriptor.values)}
    return lambda number: names.get(number, number)


def _key(key: Any) -> str:
    return ("true" if key else "false") if isinstance(key, bool) else str(key)


def _bytes(value: bytes) -> str:
    return b64encode(value).decode("ascii")


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _float(value: float) -> float | str:
    if not math.isfinite(value):
        return _double(value)
    for digits in (6, 7, 8):  # the shortest text that is the same number in 32 bits
        short = float(f"{value:.{digits}g}")
        if _FLOAT32.unpack(_FLOAT32.pack(short))[0] == value:
            return short
    return value


@lru_cache(4096)
def _second(seconds: int) -> str:
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


def _timestamp(message: Any) -> str:
    nanos = message.nanos
    if not nanos:
        return f"{_second(message.seconds)}Z"
    for unit, digits in _NS_DIGITS:
        if nanos % unit == 0:
            return f"{_second(message.seconds)}.{nanos // unit:0{digits}d}Z"
    raise AssertionError("every number is a multiple of one")


def _value(message: Any) -> Any:
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        return _struct(message.struct_value)
    if kind == "list_value":
        return [_value(inner) for inner in message.list_value.values]
    if kind == "number_value":
        number = message.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(message, kind)


def _struct(message: Any) -> dict[str, Any]:
    return {key: _value(inner) for key, inner in message.fields.items()}


def _by_json_format(message: Message) -> Any:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


_WELL_KNOWN: dict[str, Write] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": lambda message: [_value(inner) for inner in message.values],
}
