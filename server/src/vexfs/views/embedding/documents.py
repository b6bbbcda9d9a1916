"""Text of documents whose bytes are no text: PDF and docx.

Runs in the process of `document_process` and nowhere else: what it parses may be made to hurt. Every size it follows has a
limit; time and memory are bounded by that process. Pure: bytes in, text and headings out, or `Unreadable` with the reason.
"""

import io
import re
import zipfile
from typing import NamedTuple

from lxml import etree  # type: ignore[import-untyped]  # ships no types

TEXT_MAX_CHARACTERS = 8 << 20
PART_MAX_BYTES = 64 << 20
"""Of an unpacked part of a docx."""
PAGES_MAX = 5_000
HEADINGS_MAX = 20_000
"""Headings beyond that are text like any other."""

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_DOCX_MAIN = re.compile(r"word/document\d*\.xml")
_DOCX_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
_HEADING = re.compile(r"(?:heading|berschrift)\s?([1-6])$", re.IGNORECASE)
_UNWANTED = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\u00ad\ud800-\udfff]")
_MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


class Unreadable(Exception):
    """Why a document gives no text, in a few words."""


class DocumentText(NamedTuple):
    text: str
    headings: dict[int, int]
    """Level by position in the text."""


class _Collected:
    """Text that grows within its limit."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.length = 0
        self.headings: dict[int, int] = {}

    def add(self, text: str, level: int = 0) -> None:
        text = _UNWANTED.sub("", text)
        if level and text.strip() and len(self.headings) < HEADINGS_MAX:
            self.headings[self.length] = level
        self._pieces.append(text)
        self.length += len(text)
        if self.length > TEXT_MAX_CHARACTERS:
            raise Unreadable(f"its text is longer than {TEXT_MAX_CHARACTERS >> 20} million characters")

    def result(self) -> DocumentText:
        text = "".join(self._pieces)
        if not text.strip():
            raise Unreadable("it holds no text, only pictures perhaps")
        return DocumentText(text, self.headings)


def read(kind: str, content: bytes) -> DocumentText:
    """The text of a "pdf" or "docx". Raises Unreadable; MemoryError and whatever a parser comes to at its limits."""
    return {"pdf": _read_pdf, "docx": _read_docx}[kind](content)


def _read_pdf(content: bytes) -> DocumentText:
    import pypdf
    from pypdf import errors

    # Its own limits are good: 75 MB a stream, two million pieces a page, sixteen filters.
    collected = _Collected()
    try:
        reader = pypdf.PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("it is encrypted")
        pages = len(reader.pages)
    except errors.DependencyError:
        raise Unreadable("it is encrypted") from None
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # a parser of such a format has no common base for what damage can come to
        raise Unreadable(damaged(error)) from error
    if pages > PAGES_MAX:
        raise Unreadable(f"it has {pages} pages, more than {PAGES_MAX}")
    failed = 0
    for number in range(pages):
        try:
            collected.add(reader.pages[number].extract_text() + "\n\n")
        except errors.DependencyError:
            raise Unreadable("it is encrypted") from None
        except (Unreadable, MemoryError):
            raise
        except Exception:  # the other pages may be whole
            failed += 1
    if failed and failed == pages:
        raise Unreadable("it is damaged: none of its pages can be read")
    return collected.result()


def _read_docx(content: bytes) -> DocumentText:
    collected = _Collected()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            main = next(filter(_DOCX_MAIN.fullmatch, names), None)
            if main is None:
                raise Unreadable("it is no Word document")
            for part in (main, *(part for part in _DOCX_NOTES if part in names)):
                _read_part(_unpacked(archive, part), collected)
    except (Unreadable, MemoryError, RecursionError):
        raise
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from error
        raise Unreadable(damaged(error)) from error
    except Exception as error:  # an archive's damage shows as an error of any of the layers below
        raise Unreadable(damaged(error)) from error
    return collected.result()


def _unpacked(archive: zipfile.ZipFile, part: str) -> bytes:
    if archive.getinfo(part).flag_bits & 1:
        raise Unreadable("it is encrypted")
    with archive.open(part) as file:
        content = file.read(PART_MAX_BYTES + 1)  # what the archive says of the size is not to be believed
    if len(content) > PART_MAX_BYTES:
        raise Unreadable(f"it unpacks to more than {PART_MAX_BYTES >> 20} MiB")
    return content


def _read_part(content: bytes, collected: _Collected) -> None:
    events = etree.iterparse(
        io.BytesIO(content), events=("end",), tag=f"{_WORD}p", resolve_entities=False, no_network=True, huge_tree=False
    )
    for _, paragraph in events:
        if next(paragraph.iterancestors(_FALLBACK), None) is None:  # the same once more, for older programs
            inside_table = next(paragraph.iterancestors(f"{_WORD}tc"), None) is not None
            collected.add(_text_of(paragraph) + ("\n" if inside_table else "\n\n"), _level_of(paragraph))
        paragraph.clear(keep_tail=True)
        while paragraph.getprevious() is not None:  # what has been read need not stay
            del paragraph.getparent()[0]


def _text_of(paragraph: "etree._Element") -> str:
    pieces = []
    for node in paragraph.iter(f"{_WORD}t", *(f"{_WORD}{name}" for name in _MARKS)):
        name = etree.QName(node).localname
        pieces.append(node.text or "" if name == "t" else _MARKS[name])
    return "".join(pieces)


def _level_of(paragraph: "etree._Element") -> int:
    """1 to 6 for a heading, else 0."""
    outline = paragraph.find(f"{_WORD}pPr/{_WORD}outlineLvl")
    if outline is not None and (value := outline.get(f"{_WORD}val", "")).isdecimal() and int(value) < 6:
        return int(value) + 1
    style = paragraph.find(f"{_WORD}pPr/{_WORD}pStyle")
    name = "" if style is None else style.get(f"{_WORD}val", "")
    found = _HEADING.search(name)
    return int(found[1]) if found is not None else int(name.lower() == "title")


def damaged(error: Exception) -> str:
    """The reason, from what a parser says."""
    said = (str(getattr(error, "msg", error)).strip().splitlines() or [type(error).__name__])[0]
    return f"it is damaged: {said[:200]}"
