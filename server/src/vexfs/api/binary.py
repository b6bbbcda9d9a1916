"""From bytes to a message in protobuf's binary encoding, within the limit of a message. Used by gRPC and Connect.

Stateless; raises TooLarge and MalformedRequest.
"""

from google.protobuf.message import DecodeError, Message

from vexfs.api.errors import MalformedRequest
from vexfs.api.limits import MESSAGE_MAX_BYTES
from vexfs.api.registry import Method
from vexfs.core.errors import TooLarge


def parse(method: Method, data: bytes) -> Message:
    """The request of `method` in `data`."""
    check_size(len(data))
    try:
        return method.request_class.FromString(data)
    except DecodeError as error:
        name = method.request_class.DESCRIPTOR.name
        raise MalformedRequest(f"the bytes are no {name}: broken encoding, or a text that is not UTF-8") from error


def check_size(size_bytes: int, limit_bytes: int = MESSAGE_MAX_BYTES) -> None:
    """Raise TooLarge for a message above the limit."""
    if size_bytes > limit_bytes:
        raise TooLarge(
            f"the message has {size_bytes:,} bytes; the limit is {limit_bytes:,}: send large content as a stream",
            limit_bytes=str(limit_bytes),
        )
