"""What the Connect protocol looks like in bytes: codecs, headers, envelopes, errors. No knowledge of methods or dispatching.

Used by `connect.py`. The protocol: https://connectrpc.com/docs/protocol. Stateless; what cannot be read raises
MalformedRequest, UnsupportedMediaType, UnsupportedEncoding or TooLarge.
"""

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from vexfs.api import binary, json_writer, transcoding
from vexfs.api.compression import Unzip, encoding_of
from vexfs.api.errors import MalformedRequest, UnsupportedMediaType, VerbNotAllowed, to_status
from vexfs.api.http import answer_expectation, broken_off
from vexfs.api.limits import BODY_MAX_BYTES, MESSAGE_MAX_BYTES
from vexfs.api.registry import Method
from vexfs.core.errors import VexfsError

STREAM_PREFIX: Final = "application/connect+"
NO_CALL: Final = (UnsupportedMediaType, VerbNotAllowed)
"""Errors of HTTP itself: they keep HTTP's status, and have no stream to end."""
_HEAD_BYTES = 5
_COMPRESSED, _END_STREAM = 1, 2
_TIMEOUT = re.compile(r"\d{1,10}")

_HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
"""The protocol's own table; REST's has finer ones, which a Connect client would misread."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How the messages of a call are written, by its content type."""

    content_type: str
    max_bytes: int
    """The largest request message."""
    read: Callable[[Method, bytes], Message]
    write: Callable[[Message], bytes]


def _read_json(method: Method, data: bytes) -> Message:
    request = method.request_class()
    transcoding.parse_json(data, request)
    return request


def _write_binary(message: Message) -> bytes:
    return message.SerializeToString()


def _codecs(prefix: str) -> dict[str, Codec]:
    codecs = (
        Codec(f"{prefix}proto", MESSAGE_MAX_BYTES, binary.parse, _write_binary),
        Codec(f"{prefix}json", BODY_MAX_BYTES, _read_json, json_writer.encode),
    )
    return {codec.content_type: codec for codec in codecs}


UNARY_CODECS: Final = _codecs("application/")
STREAM_CODECS: Final = _codecs(STREAM_PREFIX)


def content_type_of(request: web.BaseRequest) -> str:
    """The request's content type without its parameters; empty when it says none."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def codec_of(request: web.BaseRequest, codecs: Mapping[str, Codec]) -> Codec:
    """The codec the request's content type names. Raises UnsupportedMediaType."""
    kind = content_type_of(request)
    codec = codecs.get(kind)
    if codec is None:
        raise UnsupportedMediaType(f"this method takes {' or '.join(codecs)}, not {kind[:100] or 'a body of no type'}")
    return codec


def timeout_seconds(request: web.BaseRequest) -> float | None:
    """The deadline of `Connect-Timeout-Ms`; None when there is none. Checks the protocol's version on the way."""
    version = request.headers.get("Connect-Protocol-Version")
    if version is not None and version.strip() != "1":
        raise MalformedRequest(f"Connect-Protocol-Version is 1, not {version[:20]!r}")
    text = request.headers.get("Connect-Timeout-Ms")
    if text is None:
        return None
    if not _TIMEOUT.fullmatch(text.strip()):
        raise MalformedRequest("Connect-Timeout-Ms is a whole number of at most 10 digits, such as 2500")
    return int(text) / 1000


async def read_envelopes(request: web.BaseRequest, max_bytes: int) -> AsyncGenerator[bytes]:
    """The messages of a streaming request, unpacked, each at most `max_bytes`."""
    encoding = encoding_of(request, "Connect-Content-Encoding")
    await answer_expectation(request)
    while True:
        with broken_off():
            try:
                head = await request.content.readexactly(_HEAD_BYTES)
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise MalformedRequest("the body ends inside the head of a message") from error
                return
            flags, size_bytes = head[0], int.from_bytes(head[1:], "big")
            binary.check_size(size_bytes, max_bytes)
            if flags not in (0, _COMPRESSED) or (flags and encoding == "identity"):
                raise MalformedRequest(f"a message has the flags {flags:#04x}, which make no sense in this request")
            try:
                data = await request.content.readexactly(size_bytes)
            except asyncio.IncompleteReadError as error:
                raise MalformedRequest("the body ends inside a message") from error
        yield _unzip(data, max_bytes) if flags and data else data


def envelope(data: bytes) -> bytes:
    """A message of a streaming response."""
    return b"\0" + len(data).to_bytes(4, "big") + data


def end_of_stream(error: VexfsError | None) -> bytes:
    """The last message of a streaming response, which says how it ended."""
    data = _json({} if error is None else {"error": error_object(error)})
    return bytes((_END_STREAM,)) + len(data).to_bytes(4, "big") + data


def error_object(error: VexfsError) -> dict[str, Any]:
    """Connect's error: code, message and details, each with the JSON form beside the encoded one."""
    status = to_status(error)
    code = "canceled" if error.code == "CANCELLED" else error.code.lower()
    return {"code": code, "message": error.message, "details": [_detail(detail) for detail in status.details]}


def error_body(error: VexfsError) -> bytes:
    """The body of a unary error."""
    return _json(error_object(error))


def http_status(error: VexfsError) -> int:
    """The status of a unary error: the protocol's for its code, HTTP's own for a request that is no call at all."""
    if isinstance(error, NO_CALL):
        return error.http_status
    return _HTTP_STATUS[error.code]


def _detail(packed: Any) -> dict[str, Any]:
    name: str = packed.TypeName()
    unpacked = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name)).FromString(packed.value)
    value = b64encode(packed.value).decode("ascii").rstrip("=")
    return {"type": name, "value": value, "debug": json_format.MessageToDict(unpacked)}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _unzip(data: bytes, max_bytes: int) -> bytes:
    unzip, plain = Unzip(), bytearray()
    for piece in unzip.unpack(data):
        plain += piece
        binary.check_size(len(plain), max_bytes)
    unzip.finish()
    return bytes(plain)
