"""The readable text of an HTML page, with the place each piece of it has in the source.

Called by `vexfs.views.embedding.extract`. Tolerant of anything: what is no markup is text. Blocks (paragraphs, headings, list
items, table rows …) are separated by an empty line, so that the splitter sees the page's structure; scripts, styles and
comments are left out, `title`, `alt` text and preformatted text stay.
"""

import html
import re
from html.parser import HTMLParser
from itertools import accumulate
from typing import NamedTuple

from vexfs.views.embedding.source import Piece

_HIDDEN = frozenset(("script", "style", "template", "noscript", "svg", "math"))
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "legend",
    "li", "main", "menu", "nav", "ol", "option", "p", "pre", "section", "select", "summary", "table", "tbody", "tfoot", "thead",
    "title", "tr", "ul",
))  # fmt: skip
_HEADING = re.compile(r"h[1-6]$")
_SPACES = re.compile(r"[^\S ]\s*| \s+")
"""White space that is not just one space."""


class Page(NamedTuple):
    text: str
    pieces: list[Piece]
    headings: dict[int, int]
    """Level (1 to 6) by the position in the text where the heading begins."""


def read_page(source: str) -> Page:
    """The text of a page. Never raises for bad markup."""
    reader = _PageReader(source)
    reader.feed(source)
    reader.close()
    return Page("".join(reader.parts), reader.pieces, reader.headings)


class _PageReader(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self.pieces: list[Piece] = []
        self.headings: dict[int, int] = {}
        self._length = 0
        self._hidden = 0
        self._preformatted = 0
        self._separator = ""
        self._heading = 0
        lines = source.split("\n")
        self._line_starts = [0, *accumulate(len(line) + 1 for line in lines)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        if tag == "pre":
            self._preformatted += 1
        self._boundary(tag)
        if _HEADING.match(tag):
            self._heading = int(tag[1])
        if tag == "img":
            alt = dict(attrs).get("alt")
            if alt:
                self._add(f" {alt} ", len(self.get_starttag_text() or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _HIDDEN:
            self.handle_starttag(tag, attrs)
        if tag == "pre":
            self._preformatted -= 1

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN and self._hidden:
            self._hidden -= 1
        if tag == "pre" and self._preformatted:
            self._preformatted -= 1
        self._boundary(tag)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._preformatted:
            self._add(data, len(data))
            return
        offset = self._offset()
        position = 0
        for gap in _SPACES.finditer(data):
            self._add(data[position : gap.start()], gap.start() - position, offset + position)
            self._add(" ", len(gap.group()), offset + gap.start())
            position = gap.end()
        self._add(data[position:], len(data) - position, offset + position)

    def handle_entityref(self, name: str) -> None:
        self._reference(f"&{name}")

    def handle_charref(self, name: str) -> None:
        self._reference(f"&#{name}")

    def unknown_decl(self, data: str) -> None:
        """CDATA and the like are no text of the page."""

    def _reference(self, written: str) -> None:
        offset = self._offset()
        line_end = self._line_starts[self.getpos()[0]] - 1
        if self._source_at(offset + len(written), line_end) == ";":
            written += ";"
        self._add(html.unescape(written), len(written))

    def _source_at(self, offset: int, line_end: int) -> str:
        """The source's character at `offset` when it lies on the same line."""
        return self._source[offset] if offset < min(line_end, len(self._source)) else ""

    def feed(self, data: str) -> None:
        self._source = data
        super().feed(data)

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column

    def _boundary(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._separator = "\n\n"
        elif tag == "br":
            self._separator = self._separator or "\n"
        elif tag in ("td", "th"):
            self._separator = self._separator or " "

    def _add(self, text: str, source_length: int, offset: int | None = None) -> None:
        """Appends text that came from `source_length` characters at `offset` (where the parser is, unless given)."""
        place = self._offset() if offset is None else offset
        fresh = bool(self._separator) or not self.parts or self.parts[-1][-1].isspace()
        if fresh and not self._preformatted and text.startswith(" "):
            trimmed = text.lstrip(" ")
            if source_length == len(text):
                place += len(text) - len(trimmed)
                source_length = len(trimmed)
            text = trimmed
        if self._hidden or not text:
            return
        if self._separator and self.parts:
            self._append(self._separator, place, 0)
        self._separator = ""
        if self._heading:
            self.headings[self._length] = self._heading
            self._heading = 0
        self._append(text, place, source_length)

    def _append(self, text: str, place: int, source_length: int) -> None:
        self.parts.append(text)
        last = self.pieces[-1] if self.pieces else None
        linear = source_length == len(text)
        if last and linear and last.text_length == last.source_length and last.source_start + last.source_length == place:
            self.pieces[-1] = last._replace(
                text_length=last.text_length + len(text), source_length=last.source_length + len(text)
            )
        else:
            self.pieces.append(Piece(self._length, len(text), place, source_length))
        self._length += len(text)
