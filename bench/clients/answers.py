"""The files of `grpcload`: requests it sends, answers it kept."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path


def write_requests(messages: Iterable[bytes], file: Path) -> None:
    with file.open("wb") as out:
        for message in messages:
            out.write(struct.pack("<I", len(message)))
            out.write(message)


def read_requests(file: Path) -> Iterator[bytes]:
    content, at = file.read_bytes(), 0
    while at < len(content):
        (size,) = struct.unpack_from("<I", content, at)
        yield content[at + 4 : at + 4 + size]
        at += 4 + size


def answers_of(file: Path) -> Iterator[tuple[int, bytes]]:
    """(place among the requests, message) of each answered call, in the order of their ends."""
    content, at = file.read_bytes(), 0
    while at < len(content):
        place, size, _ = struct.unpack_from("<III", content, at)
        yield place, content[at + 12 : at + 12 + size]
        at += 12 + size
