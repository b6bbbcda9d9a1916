"""From bytes to characters and back: decoding a file's content, and finding the bytes and lines a piece of its text came from.

Called by `vexfs.views.embedding.extract`. Pure functions over values; a `SourceMap` keeps a cursor and belongs to one thread.
"""

import codecs
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_CONTROL_SHARE_MAX = 0.02
"""Text with more control characters than this is something else."""
_FOREIGN_SHARE_MAX = 0.3
"""Bytes above 127 that a text in an unknown 8-bit encoding may have."""
_STEPWISE_MAX_BYTES = 1 << 20


class Decoded(NamedTuple):
    """A content as characters. `source` re-encodes to the bytes after the BOM; `text` is as long and always valid Unicode."""

    source: str
    encoding: str
    errors: str
    bom_bytes: int
    offsets: Sequence[int] | None
    """Byte offset of each character and of the end, for encodings whose characters do not stand for themselves."""

    @property
    def text(self) -> str:
        return _SURROGATES.sub("�", self.source) if self.errors == "surrogateescape" else self.source


_SURROGATES = re.compile("[\ud800-\udfff]")


def decode(content: bytes, declared: str | None) -> Decoded | None:
    """Decodes by BOM, else as declared, else as UTF-8, else as Windows-1252 or Latin-1 when it looks like text; else None."""
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _strictly(content[len(bom) :], encoding, len(bom))
    if b"\0" in content or len(_CONTROL.findall(content)) > _CONTROL_SHARE_MAX * len(content):
        return None
    for candidate in (declared, "utf-8"):
        if candidate is not None and (found := _strictly(content, candidate, 0)) is not None:
            return found
    return _mostly_utf8(content) or _eight_bit(content)


def _strictly(body: bytes, encoding: str, bom_bytes: int) -> Decoded | None:
    try:
        name = codecs.lookup(encoding).name
        source = body.decode(name)
        if source.encode(name) == body and not name.startswith(("iso2022", "hz", "utf-7", "utf-16", "utf-32")):
            return Decoded(source, name, "strict", bom_bytes, None)
        if name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be") and source.encode(name) == body:
            return Decoded(source, name, "strict", bom_bytes, None)
    except (LookupError, UnicodeError, ValueError):
        return None
    return _stepwise(body, name, bom_bytes)


def _stepwise(body: bytes, encoding: str, bom_bytes: int) -> Decoded | None:
    """For an encoding with states or several spellings of a character: decodes byte by byte and notes where each one began."""
    if len(body) > _STEPWISE_MAX_BYTES:
        return None
    decoder = codecs.getincrementaldecoder(encoding)()
    characters: list[str] = []
    offsets: list[int] = []
    begin = 0
    for index in range(len(body)):
        part = decoder.decode(body[index : index + 1], final=index == len(body) - 1)
        if part:
            characters.append(part)
            offsets.extend([begin] * len(part))
            begin = index + 1
    offsets.append(len(body))
    source = "".join(characters)
    return Decoded(source, encoding, "strict", bom_bytes, offsets) if not _SURROGATES.search(source) else None


def _mostly_utf8(content: bytes) -> Decoded | None:
    """UTF-8 with some damage: more characters of several bytes than bytes that fit none."""
    source = content.decode("utf-8", "surrogateescape")
    damaged = len(_SURROGATES.findall(source))
    several = sum(1 for character in source if character > "\x7f") - damaged
    return Decoded(source, "utf-8", "surrogateescape", 0, None) if several > 2 * damaged else None


def _eight_bit(content: bytes) -> Decoded | None:
    foreign = sum(1 for byte in content if byte > 127)
    if foreign > _FOREIGN_SHARE_MAX * len(content):
        return None
    return _strictly(content, "cp1252", 0) or _strictly(content, "latin-1", 0)


class Piece(NamedTuple):
    """A stretch of extracted text and the characters of the source it came from.

    With equal lengths character by character; else (an HTML entity, or a separator with no source at all) as a whole.
    """

    text_start: int
    text_length: int
    source_start: int
    source_length: int


class Location(NamedTuple):
    """Where a stretch of text lies in the file's content: end byte excluded; lines from 1, both ends included, 0 is none."""

    start_byte: int
    end_byte: int
    start_line: int
    end_line: int


class Source(Protocol):
    """The way back from extracted text to a file's content."""

    def locate(self, start: int, end: int) -> Location:
        """The location of text[start:end]; the stretch must not be empty."""


class WholeContent:
    """Of a document whose bytes are no text: every stretch may come from anywhere in it, and from no line."""

    def __init__(self, size_bytes: int) -> None:
        self._location = Location(0, size_bytes, 0, 0)

    def locate(self, start: int, end: int) -> Location:
        del start, end
        return self._location


class SourceMap:
    """Finds the location of stretches of extracted text. Ask in order of the text: then the whole costs one pass."""

    def __init__(self, decoded: Decoded, pieces: Sequence[Piece] | None = None) -> None:
        self._decoded = decoded
        self._pieces = pieces
        self._starts = [piece.text_start for piece in pieces] if pieces is not None else []
        self._plain = len(decoded.source) if decoded.source.isascii() and decoded.encoding == "utf-8" else -1
        self._cursor = (0, decoded.bom_bytes, 1)

    def locate(self, start: int, end: int) -> Location:
        """The location of text[start:end]; the stretch must not be empty."""
        first, last = self._source_start(start), self._source_end(end - 1)
        start_byte, start_line = self._advance(first)
        end_byte, end_line = self._advance(max(first, last))
        if last > first and self._decoded.source[last - 1] == "\n":
            end_line -= 1  # the newline belongs to the line it ends
        return Location(start_byte, end_byte, start_line, end_line)

    def _source_start(self, index: int) -> int:
        if self._pieces is None:
            return index
        piece = self._piece_at(index)
        return piece.source_start + (index - piece.text_start if piece.text_length == piece.source_length else 0)

    def _source_end(self, index: int) -> int:
        """Just after the source of the character at `index`."""
        if self._pieces is None:
            return index + 1
        piece = self._piece_at(index)
        inside = index - piece.text_start + 1 if piece.text_length == piece.source_length else piece.source_length
        return piece.source_start + inside

    def _piece_at(self, index: int) -> Piece:
        assert self._pieces is not None
        return self._pieces[max(0, bisect_right(self._starts, index) - 1)]

    def _advance(self, index: int) -> tuple[int, int]:
        """(byte, line) of the source's character `index`, going on from the last one asked for."""
        decoded = self._decoded
        at, byte, line = self._cursor if self._cursor[0] <= index else (0, decoded.bom_bytes, 1)
        line += decoded.source.count("\n", at, index)
        if decoded.offsets is not None:
            byte = decoded.bom_bytes + decoded.offsets[index]
        elif self._plain >= 0:
            byte += index - at
        else:
            byte += len(decoded.source[at:index].encode(decoded.encoding, decoded.errors))
        self._cursor = (index, byte, line)
        return byte, line
