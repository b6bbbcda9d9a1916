"""Extraction: from a file's name and bytes to its readable text, or to the reason why there is none.

First step of the pipeline, called by the indexer for every file it reads (`document_process` is, for PDF and docx). Pure: looks
at nothing but its arguments, raises nothing for bad content, never returns text whose place in the file it cannot name.
"""

import re
from dataclasses import dataclass, field

from vexfs.views.embedding.html import read_page
from vexfs.views.embedding.languages import family_of, language_of
from vexfs.views.embedding.source import Decoded, Source, SourceMap, decode

MAX_CONTENT_BYTES = 8 << 20
"""A larger file is skipped."""

_MAGIC = (
    (b"%PDF-", "PDF document"),
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip archive"),
    (b"\x7fELF", "ELF binary"),
    (b"SQLite format 3\0", "SQLite database"),
    (b"\0asm", "WebAssembly binary"),
)
_PYTHON_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_PYTHON_BLANK = re.compile(rb"^[ \t\f]*(?:#|$)")
_HTML_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([-\w.:]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]+encoding\s*=\s*[\"']([-\w.:]+)", re.IGNORECASE)
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class ExtractedText:
    """The readable text of a file, what it was taken for, and the way back to the file's bytes."""

    text: str
    """Empty when the file has nothing but white space."""
    language: str
    source: Source
    headings: dict[int, int] = field(default_factory=dict)
    """Of HTML and docx: level by position in the text."""


@dataclass(frozen=True)
class Skipped:
    """Why a file has no text, in a few words."""

    reason: str


def too_large(size_bytes: int, limit_bytes: int = MAX_CONTENT_BYTES) -> Skipped | None:
    """For a look before the content is read."""
    if size_bytes <= limit_bytes:
        return None
    return Skipped(f"larger than {limit_bytes >> 20} MiB")


def extract(name: bytes, content: bytes) -> ExtractedText | Skipped:
    """The text of a file with that name and content."""
    if (skipped := too_large(len(content))) is not None:
        return skipped
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return Skipped(f"not text: {kind}")
    language = language_of(name, content)
    decoded = decode(content, _declared_encoding(language, content[:_HEAD_BYTES]))
    if decoded is None:
        return Skipped("not text: binary content or an unknown encoding")
    return _text_of(decoded, language)


def _text_of(decoded: Decoded, language: str) -> ExtractedText:
    if family_of(language) == "html":
        page = read_page(decoded.text)
        text = page.text if page.text.strip() else ""
        return ExtractedText(text, language, SourceMap(decoded, page.pieces), page.headings)
    text = decoded.text
    return ExtractedText(text if text.strip() else "", language, SourceMap(decoded))


def _declared_encoding(language: str, head: bytes) -> str | None:
    """What the content itself says of its encoding."""
    if language == "python":
        lines = head.split(b"\n", 2)
        found = _PYTHON_COOKIE.match(lines[0])
        if found is None and len(lines) > 1 and _PYTHON_BLANK.match(lines[0]):
            found = _PYTHON_COOKIE.match(lines[1])
    else:
        found = _XML_ENCODING.match(head) or (_HTML_CHARSET.search(head) if language == "html" else None)
    return found.group(1).decode("ascii", "replace") if found is not None else None
