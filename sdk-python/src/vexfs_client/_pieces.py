"""Content to write: what callers may give, and how it becomes pieces of a stream. Pure."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import BinaryIO

Content = bytes | bytearray | memoryview | BinaryIO | Iterable[bytes]
"""Content to write: bytes, a file open for reading bytes, or pieces of bytes one after another."""
AsyncContent = Content | AsyncIterable[bytes]
"""The same, or pieces that come asynchronously."""

PIECE_BYTES = 1024 * 1024
"""The longest piece of a stream."""
UNARY_MAX_BYTES = 3 * 1024 * 1024
"""Bytes up to this go in one message. Every server takes them (`ServerInfo.limits.content_size_bytes` is never less)."""


def pieces(content: Content) -> Iterator[bytes]:
    """The content in pieces of at most PIECE_BYTES, none empty. Raises TypeError for what is no content."""
    if isinstance(content, (bytes, bytearray, memoryview)):
        yield from split(memoryview(content))
        return
    if isinstance(content, str):
        raise TypeError("content is bytes: encode the text, such as text.encode()")
    read = getattr(content, "read", None)
    source = content if read is None else iter(lambda: read(PIECE_BYTES), b"")
    for piece in source:
        yield from split(piece)


async def async_pieces(content: AsyncContent) -> AsyncIterator[bytes]:
    """The same for content that may come asynchronously."""
    if isinstance(content, AsyncIterable):
        async for piece in content:
            for part in split(piece):
                yield part
    else:
        for part in pieces(content):
            yield part


def split(data: bytes | bytearray | memoryview) -> Iterator[bytes]:
    """Pieces of one run of bytes."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"content is bytes, not {type(data).__name__}")
    view = memoryview(data).cast("B")
    for start in range(0, len(view), PIECE_BYTES):
        yield bytes(view[start : start + PIECE_BYTES])
