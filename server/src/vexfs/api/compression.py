"""Packed requests (gzip): unpacking piece by piece, so that a small body that becomes a large one is noticed in time.

Used wherever a request's bytes are read. Raises MalformedRequest for what is no gzip and UnsupportedEncoding for what is packed
in another way. An Unzip belongs to one body.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from aiohttp import web

from vexfs.api.errors import MalformedRequest, UnsupportedEncoding

ENCODINGS: Final = ("gzip", "identity")
"""How a request may be packed. Answers never are: every client takes identity."""
_PIECE_BYTES = 256 * 1024
_GZIP_WINDOW = 31


class Unzip:
    """Unpacks one body, of one or several gzip members."""

    def __init__(self) -> None:
        self._inflating = zlib.decompressobj(_GZIP_WINDOW)
        self._begun = False

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """What `data`, the next bytes of the body, holds, in pieces of a limited size."""
        self._begun = self._begun or bool(data)
        if data and self._inflating.eof:
            self._inflating = zlib.decompressobj(_GZIP_WINDOW)
        while True:
            try:
                plain = self._inflating.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise MalformedRequest(f"the body is no gzip: {error}") from error
            if plain:
                yield plain
            if self._inflating.eof:
                data = self._inflating.unused_data
                if not data:
                    return
                self._inflating = zlib.decompressobj(_GZIP_WINDOW)
            else:
                data = self._inflating.unconsumed_tail
                if not data and len(plain) < _PIECE_BYTES:
                    return

    def finish(self) -> None:
        """Raise MalformedRequest when the body ends before its gzip does. No bytes at all are an empty body."""
        if self._begun and not self._inflating.eof:
            raise MalformedRequest("the body is no whole gzip: it ends too early")


def encoding_of(request: web.BaseRequest, header: str) -> str:
    """How `header` says that the request is packed. Raises UnsupportedEncoding with the encodings there are."""
    encoding = request.headers.get(header, "identity").strip().lower()
    if encoding not in ENCODINGS:
        raise UnsupportedEncoding(f"{header} is one of {', '.join(ENCODINGS)}, not {encoding[:50]!r}")
    return encoding
