"""Messages to the JSON of the contract and back: protojson, as betterproto2 reads and writes it. Pure."""

import json
from typing import Any

import betterproto2
from betterproto2 import Message

from vexfs_client._methods import ResponseT


def to_json(message: Message) -> dict[str, Any]:
    """The message as a JSON object: int64 as text, bytes as base64, what is not set left out."""
    value: dict[str, Any] = message.to_dict()
    return value


def encode(value: object) -> bytes:
    """JSON in UTF-8, on one line. Raises UnicodeEncodeError for text that is none, as the binary form does."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def from_json(kind: type[ResponseT], value: Any) -> ResponseT:
    """The message in a JSON object; what only a newer server knows is passed over. Raises ValueError for what is none."""
    if not isinstance(value, dict):
        raise ValueError(f"no {kind.__name__}: a message is an object")
    try:
        try:
            return kind.from_dict(value, ignore_unknown_fields=True)
        except ValueError:
            # Perhaps an enum has a name that came later; to look at each beforehand would cost every answer time.
            _forget_unknown_names(kind, value)
            return kind.from_dict(value, ignore_unknown_fields=True)
    except (TypeError, AttributeError, AssertionError, ValueError) as error:
        raise ValueError(f"no {kind.__name__}: {error}") from error


def _forget_unknown_names(kind: Any, value: Any) -> None:
    """Take away the values of enums that this release does not know; the field is UNSPECIFIED then."""
    if not isinstance(value, dict):
        return
    fields = kind._betterproto
    for key, inside in [*value.items()]:
        name = betterproto2.casing.safe_snake_case(key)
        meta = fields.meta_by_field_name.get(name)
        if meta is None:
            continue
        field = fields.cls_by_field[f"{name}.value" if meta.proto_type == betterproto2.TYPE_MAP else name]
        if meta.proto_type == betterproto2.TYPE_ENUM:
            if isinstance(inside, str) and not _knows(field, inside):
                del value[key]
        elif isinstance(field, type) and issubclass(field, Message):
            for one in (
                inside.values() if meta.proto_type == betterproto2.TYPE_MAP and isinstance(inside, dict) else _each(inside)
            ):
                _forget_unknown_names(field, one)


def _knows(enum: Any, name: str) -> bool:
    return name in enum.betterproto_renamed_proto_names_to_value() or name in enum.__members__


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
