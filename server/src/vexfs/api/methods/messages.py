"""Core values as messages of the contract, and the few conversions that go the other way.

Used by every module of `vexfs.api.methods`. Pure functions.
"""

import base64
import binascii
import math
import stat
from collections.abc import Iterable
from typing import Any

import msgspec
from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from vexfs.api.errors import MalformedRequest
from vexfs.contract.v1 import common_pb2
from vexfs.core.errors import InvalidMetadata
from vexfs.core.search import cursors
from vexfs.core.search.cursors import Cursor
from vexfs.core.search.types import TextSearch, VectorSearch
from vexfs.core.types import Node

_NS = 1_000_000_000
_DEPTH_MAX = 64
_KINDS = {
    stat.S_IFREG: common_pb2.FILE_KIND_REGULAR,
    stat.S_IFDIR: common_pb2.FILE_KIND_DIRECTORY,
    stat.S_IFLNK: common_pb2.FILE_KIND_SYMLINK,
    stat.S_IFIFO: common_pb2.FILE_KIND_FIFO,
    stat.S_IFSOCK: common_pb2.FILE_KIND_SOCKET,
    stat.S_IFCHR: common_pb2.FILE_KIND_CHARACTER_DEVICE,
    stat.S_IFBLK: common_pb2.FILE_KIND_BLOCK_DEVICE,
}


def timestamp(time_ns: int) -> Timestamp:
    """A time in nanoseconds since 1970 as a Timestamp."""
    return Timestamp(seconds=time_ns // _NS, nanos=time_ns % _NS)


def nanoseconds(time: Timestamp) -> int:
    """A Timestamp in nanoseconds since 1970."""
    return time.seconds * _NS + time.nanos


def path_fields(path: bytes | None) -> dict[str, Any]:
    """`path`, or `path_bytes` when it is not UTF-8, as the fields of a message; nothing for a file without a path."""
    if path is None:
        return {}
    try:
        return {"path": path.decode("utf-8")}
    except UnicodeDecodeError:
        return {"path_bytes": path}


def file(node: Node, path: bytes | None) -> common_pb2.File:
    """A node, and the path it was reached by, as a File."""
    return common_pb2.File(
        id=node.ino,
        kind=_KINDS[stat.S_IFMT(node.mode)],
        mode=stat.S_IMODE(node.mode),
        nlink=node.nlink,
        uid=node.uid,
        gid=node.gid,
        rdev=node.rdev,
        size_bytes=node.size_bytes,
        atime=timestamp(node.atime_ns),
        mtime=timestamp(node.mtime_ns),
        ctime=timestamp(node.ctime_ns),
        btime=timestamp(node.btime_ns),
        revision=node.revision,
        content_revision=node.content_revision,
        **path_fields(path),
    )


def metadata_json(struct: Struct) -> bytes:
    """A Struct as JSON; whole numbers are written without a fraction. Raises InvalidMetadata for NaN, infinity, or too
    deep nesting."""
    return msgspec.json.encode({key: _plain(value, 1) for key, value in struct.fields.items()})


def metadata_struct(json: bytes) -> Struct:
    """Stored metadata as a Struct."""
    struct = Struct()
    fill_metadata(struct, json)
    return struct


def fill_metadata(struct: Struct, json: bytes) -> None:
    """Put stored metadata into an empty Struct, which may be a field of a message: that spares copies of it."""
    struct.SetInParent()  # an object without keys is there, too
    _fill(struct, msgspec.json.decode(json))


def _fill(struct: Struct, document: dict[str, Any]) -> None:
    fields = struct.fields
    for key, inner in document.items():
        _put(fields[key], inner)


def _put(value: Value, plain: Any) -> None:
    kind = type(plain)  # JSON has no subclasses; the commonest come first, for a search shows many
    if kind is float or kind is int:
        value.number_value = plain
    elif kind is str:
        value.string_value = plain
    elif plain is None:
        value.null_value = NULL_VALUE
    elif kind is bool:
        value.bool_value = plain
    elif kind is dict:
        value.struct_value.SetInParent()
        _fill(value.struct_value, plain)
    else:
        value.list_value.SetInParent()
        for element in plain:
            _put(value.list_value.values.add(), element)


def plain_value(value: Value) -> Any:
    """A Value as a Python value. Raises InvalidMetadata as `metadata_json`."""
    return _plain(value, 0)


def _plain(value: Value, depth: int) -> Any:
    if depth > _DEPTH_MAX:
        raise InvalidMetadata(f"metadata nests deeper than {_DEPTH_MAX} levels")
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            if not math.isfinite(number):
                raise InvalidMetadata("metadata holds NaN or infinity, which JSON does not have")
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return {key: _plain(inner, depth + 1) for key, inner in value.struct_value.fields.items()}
        case "list_value":
            return [_plain(inner, depth + 1) for inner in value.list_value.values]
    return None


def plain_values(values: Iterable[Value]) -> list[Any]:
    """Values as Python values."""
    return [_plain(value, 1) for value in values]


def page_token(position: bytes) -> str:
    """Where the next page begins, opaque to callers."""
    return base64.urlsafe_b64encode(position).decode("ascii").rstrip("=")


def page_position(token: str) -> bytes:
    """The position in a page token; empty for none. Raises MalformedRequest for what is no token of ours."""
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise MalformedRequest("page_token is not one that this server gave") from None


def cursor(token: str, question: TextSearch | VectorSearch) -> Cursor | None:
    """Where the page of a search begins that a token asks for; None without a token. Raises InvalidRequest for a wrong one."""
    return cursors.unpack(page_position(token), question)


def cursor_token(end: Cursor | None, question: TextSearch | VectorSearch) -> str:
    """The token that asks for what follows; empty when nothing does."""
    return "" if end is None else page_token(cursors.pack(end, question))
