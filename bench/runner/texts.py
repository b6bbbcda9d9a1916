"""Real English texts that every machine has: documentation in Python sources, manual pages, READMEs and package notes.

Called by `vectors_data`, once a cache folder. Reads files only. A text is a piece of a paragraph, at most PIECE_MAX_CHARS long
and PIECE_MIN_WORDS words or more; of pieces that differ in case, digits and punctuation alone, the first one counts.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import itertools
import os
import re
import sys
import sysconfig
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.runner import corpus

PIECE_MAX_CHARS = 280
"""About 64 tokens of the model: short texts embed several times faster than long ones, and are as real."""
PIECE_MIN_WORDS = 6
PIECES_PER_FILE_MAX = 200
MANUALS_PER_PROGRAM_MAX = 200
_FILE_MAX_BYTES = 2_000_000
_LETTERS_MIN_SHARE = 0.75
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_NOT_LETTERS = re.compile(r"[^a-z]+")
_PROGRAM_END = re.compile(r"[^A-Za-z0-9]")
_COMMAND_LINES = ("$", ">", "#")
_LIST_ITEM = re.compile(r"\n\s*[-*+] ")
_BLANK_LINES = re.compile(r"\n[ \t]*\n")
_NOTES = re.compile(r"README|NEWS|CHANGES|CHANGELOG|HISTORY|FAQ|NOTES|METADATA$", re.IGNORECASE)
_NOTE_SUFFIXES = {".md", ".rst", ".txt", ".gz", ""}
_ESCAPES = re.compile(r"\\f(?:\[[^]]*\]|\([A-Z]{2}|.)|\\s[+-]?\d|\\[&|^/,%ce]|\\\([a-z]{2}")
_FONT_MACROS = re.compile(r"^\.(?:B|I|BR|RB|BI|IB|IR|RI|SM|SB)\s+")


def collect(limit: int = 0) -> tuple[list[str], dict[str, int]]:
    """Distinct texts ordered by their hash, so that any beginning of the list is a random sample; and how many of each kind.

    Takes a minute or two. `limit` > 0 stops at the first so many: for tests, all of one kind.
    """
    seen: set[str] = set()
    found: list[str] = []
    counts: Counter[str] = Counter()
    for kind, text in _pieces():
        sameness = _NOT_LETTERS.sub(" ", text.lower()).strip()
        if sameness in seen:
            continue
        seen.add(sameness)
        found.append(text)
        counts[kind] += 1
        if len(found) == limit:
            break
    found.sort(key=lambda text: hashlib.sha256(text.encode()).digest())
    return found, dict(counts)


def _pieces() -> Iterator[tuple[str, str]]:
    """(kind, piece). No file gives more than PIECES_PER_FILE_MAX: a kernel's changelog would be a set of its own."""
    for kind, files, paragraphs in (
        ("docstrings of the Python standard library", corpus.sources(), _docstrings),
        ("docstrings of Python packages", _package_sources(), _docstrings),
        ("manual pages", _manual_pages(), _prose_of_manual),
        ("READMEs and notes of packages", _package_notes(), _paragraphs_of_note),
    ):
        for file in files:
            pieces = (piece for paragraph in paragraphs(file) for piece in _split(" ".join(paragraph.split())))
            yield from ((kind, piece) for piece in itertools.islice(pieces, PIECES_PER_FILE_MAX))


def _split(paragraph: str) -> Iterator[str]:
    """The paragraph in pieces that end with sentences; a sentence that is too long is cut at a word."""
    piece = ""
    for whole in _SENTENCE_END.split(paragraph):
        sentence = whole if len(whole) <= PIECE_MAX_CHARS else whole[:PIECE_MAX_CHARS].rpartition(" ")[0]
        if len(piece) + 1 + len(sentence) > PIECE_MAX_CHARS:
            if _is_prose(piece):
                yield piece
            piece = ""
        piece = f"{piece} {sentence}".strip()
    if _is_prose(piece):
        yield piece


def _is_prose(text: str) -> bool:
    if not text.isascii() or text.startswith(_COMMAND_LINES) or len(text.split()) < PIECE_MIN_WORDS:
        return False
    letters = sum(character.isalpha() or character == " " for character in text)
    return letters >= _LETTERS_MIN_SHARE * len(text)


def _docstrings(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _BLANK_LINES.split(ast.get_docstring(node) or "")


def _package_sources() -> Iterator[Path]:
    for folder in _package_folders():
        yield from _files(folder, lambda name: name.endswith(".py"))


def _package_folders() -> list[Path]:
    """Where this interpreter, the one it was made from and the distribution keep packages."""
    base = sysconfig.get_path("purelib", vars={"base": sys.base_prefix})
    folders = [sysconfig.get_path("purelib"), base, "/usr/lib/python3/dist-packages"]
    return [Path(folder) for folder in dict.fromkeys(folders) if Path(folder).is_dir()]


def _manual_pages() -> Iterator[Path]:
    """Of a program with very many, one for each of its commands, the first MANUALS_PER_PROGRAM_MAX: they are all alike."""
    pages: Counter[str] = Counter()
    for folder in sorted(Path("/usr/share/man").glob("man[1-9]")):
        for file in _files(folder, bool):
            program = _PROGRAM_END.split(file.name, maxsplit=1)[0]
            pages[program] += 1
            if pages[program] <= MANUALS_PER_PROGRAM_MAX:
                yield file


def _prose_of_manual(file: Path) -> Iterator[str]:
    """Paragraphs of a page written with man(7): lines that are macros end a paragraph, those that set a font belong to it.

    None of one written with mdoc(7), which puts half of a sentence into macros.
    """
    text = _read(file)
    if "\n.Dd" in text:
        return
    lines: list[str] = []
    for raw in text.splitlines():
        line = _FONT_MACROS.sub("", raw)
        if line.startswith((".", "'")) or not line.strip():
            yield " ".join(lines)
            lines = []
        else:
            lines.append(_ESCAPES.sub("", line.replace("\\-", "-").replace("\\(aq", "'")))
    yield " ".join(lines)


def _package_notes() -> Iterator[Path]:
    for place in (Path("/usr/share/doc"), *_package_folders(), *_node_folders()):
        yield from _files(place, lambda name: bool(_NOTES.match(name)) and Path(name).suffix.lower() in _NOTE_SUFFIXES)


def _paragraphs_of_note(file: Path) -> Iterator[str]:
    for paragraph in _BLANK_LINES.split(_read(file)):
        yield from (item.strip("#*-+=> \n") for item in _LIST_ITEM.split(paragraph))


def _node_folders() -> list[Path]:
    places = ("/usr/share/nodejs", "/usr/lib/node_modules", "/usr/local/lib/node_modules")
    return [Path(place) for place in places if Path(place).is_dir()]


def _files(folder: Path, wanted: Callable[[str], bool]) -> Iterator[Path]:
    for parent, names, files in os.walk(folder):
        names.sort()
        yield from (Path(parent) / name for name in sorted(files) if wanted(name))


def _read(file: Path) -> str:
    """The text of a file, unpacked; empty when it is too large or cannot be read."""
    try:
        if file.stat().st_size > _FILE_MAX_BYTES:
            return ""
        content = file.read_bytes()
        return (gzip.decompress(content) if file.suffix == ".gz" else content).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error):
        return ""
