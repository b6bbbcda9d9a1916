"""From an HTTP request to a message, by descriptors alone. The way back is `json_writer`.

Used by the REST surface. The mapping is protojson's: lowerCamelCase or proto names in, lowerCamelCase out, int64 as
text, bytes as base64, times as RFC 3339. Stateless; raises MalformedRequest for whatever cannot be read.
"""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from vexfs.api.errors import MalformedRequest
from vexfs.api.routes import Route

QUERY_FIELDS_MAX = 1000
DEPTH_MAX = 64
"""Messages inside messages."""
_TEXT_MESSAGES = frozenset(
    {
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "google.protobuf.FieldMask",
        "google.protobuf.StringValue",
        "google.protobuf.BytesValue",
        "google.protobuf.Int32Value",
        "google.protobuf.Int64Value",
        "google.protobuf.UInt32Value",
        "google.protobuf.UInt64Value",
        "google.protobuf.FloatValue",
        "google.protobuf.DoubleValue",
    }
)
"""Messages whose JSON is one text or number."""


def read_request(route: Route, variables: Mapping[str, str], query: str, body: bytes) -> Message:
    """The request message of a call: its body, then the query, then the variables of its path, each over the one before."""
    request = route.method.request_class()
    if route.body == "*":
        parse_json(body, request)
    elif route.body:
        _parse_body_field(route.body, body, request)
    elif body:
        raise MalformedRequest("this route takes no body; its parameters stand in the address")
    if query:
        if route.body == "*":
            raise MalformedRequest("this route takes its parameters in the body, not in the query of the address")
        _merge(request, _nested(request.DESCRIPTOR, parse_query(query), taken=variables))
    if variables:
        _merge(request, _nested(request.DESCRIPTOR, [(name, text) for name, text in variables.items()]))
    return request


def parse_json(body: bytes, message: Message) -> None:
    """Read protojson into `message`; an empty body is an empty object."""
    if not body:
        return
    value = _decode(body)
    name = message.DESCRIPTOR.name
    if not isinstance(value, dict) and message.DESCRIPTOR.file.package != "google.protobuf":
        raise MalformedRequest(f"the body is no {name}: a message is an object in JSON")
    try:
        json_format.ParseDict(value, message, max_recursion_depth=DEPTH_MAX)
    except (json_format.Error, ValueError, TypeError, RecursionError) as error:
        raise MalformedRequest(f"the body is no {name}: {_said(error)}") from error


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"the body is no JSON: {_said(error)}") from error


def parse_query(query: str) -> list[tuple[str, str]]:
    """The pairs of a raw query string, in order."""
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX)
    except UnicodeDecodeError as error:
        raise MalformedRequest("the query of the address is not UTF-8") from error
    except ValueError as error:
        raise MalformedRequest(f"the query of the address cannot be read: {error}") from error


def _parse_body_field(name: str, body: bytes, request: Message) -> None:
    field = request.DESCRIPTOR.fields_by_name[name]
    if field.message_type is not None and not field.is_repeated:
        target = getattr(request, name)
        target.SetInParent()
        parse_json(body, target)
        return
    _merge(request, {name: _decode(body)})


def _nested(message: Any, pairs: list[tuple[str, str]], taken: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Pairs of dotted field paths and texts as the JSON object they describe."""
    root: dict[str, Any] = {}
    for path, text in pairs:
        if taken and path in taken:
            raise MalformedRequest(f"{path} stands in the path of the address already")
        holder: dict[str, Any] = root
        descriptor: Any = message
        *outer, last = path.split(".")
        for name in outer:
            field = _field(descriptor, name, path)
            if field.message_type is None or field.is_repeated:
                raise MalformedRequest(f"{path}: {name} has no parts that the address can name")
            holder, descriptor = holder.setdefault(field.name, {}), field.message_type
        field = _field(descriptor, last, path)
        value = _value(field, text, path)
        if field.is_repeated:
            holder.setdefault(field.name, []).append(value)
        elif field.name in holder:
            raise MalformedRequest(f"{path} is given twice")
        else:
            holder[field.name] = value
    return root


def _field(message: Any, name: str, path: str) -> FieldDescriptor:
    field = message.fields_by_name.get(name) or message.fields_by_camelcase_name.get(name)
    if field is None:
        raise MalformedRequest(f"unknown parameter {path}", field=path[:255])
    return cast(FieldDescriptor, field)


def _value(field: FieldDescriptor, text: str, path: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        lower = text.lower()
        if lower not in ("true", "false", "1", "0", ""):
            raise MalformedRequest(f"{path} is true or false, not {text[:64]!r}")
        return lower != "false" and lower != "0"
    if field.message_type is None or field.message_type.full_name in _TEXT_MESSAGES:
        return text
    if field.message_type.full_name == "google.protobuf.BoolValue":
        return text.lower() in ("true", "1", "")
    raise MalformedRequest(f"{path} has parts: name them as {path}.PART, or send the request with a body")


def _merge(request: Message, value: dict[str, Any]) -> None:
    try:
        json_format.ParseDict(value, request)
    except (json_format.Error, ValueError, TypeError) as error:
        raise MalformedRequest(f"a parameter of the address cannot be read: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return str(error)[:500]
