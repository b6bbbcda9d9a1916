"""The part of a passage that a hit shows a person, with the words of the question marked.

Pure functions. The words are those the server names (`Match.terms`): stretches of the passage, each a word or a part of a name,
or several words with single spaces for whatever stands between them.
"""

import re
from collections.abc import Sequence

import click

from vexfs.cli.records import printable
from vexfs.core.words import Span, identifiers, without_overlap

LINES = 3
COLUMNS = 100
_BEFORE = 30
"""So much is left of the first marked word when a long line is cut at its beginning."""


def excerpt(text: str, terms: Sequence[str]) -> list[str]:
    """The lines that have most of the words, or the first ones; the words in bold, for whatever terminal shows them."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marks = [marked(line, terms) for line in lines]
    starts = range(max(1, len(lines) - LINES + 1))
    first = max(starts, key=lambda start: (sum(map(len, marks[start : start + LINES])), -start))
    return [_styled(line, spans) for line, spans in list(zip(lines, marks, strict=True))[first : first + LINES]]


def marked(line: str, terms: Sequence[str]) -> list[Span]:
    """Where the words stand in the line; a word is never marked inside another."""
    found = identifiers(line)
    starts = {start for one in found for start in one.starts}
    ends = {start + len(part) for one in found for part, start in zip(one.parts, one.starts, strict=True)}
    patterns = [r"\s+".join(map(re.escape, term.split())) for term in terms if term.strip()]
    spans = [Span(*match.span()) for pattern in patterns for match in re.finditer(pattern, line)]
    return without_overlap(span for span in spans if span.start in starts and span.end in ends)


def _styled(line: str, spans: Sequence[Span]) -> str:
    """One line, cut to COLUMNS."""
    left = max(0, spans[0].start - _BEFORE) if spans and spans[0].end > COLUMNS else 0
    right = left + COLUMNS
    pieces = ["…"] if left else []
    position = left
    for span in spans:
        if span.start < right:
            bold = click.style(printable(line[span.start : min(span.end, right)]), bold=True)
            pieces += [printable(line[position : span.start]), bold]
            position = span.end
    return "".join([*pieces, printable(line[position:right])])
