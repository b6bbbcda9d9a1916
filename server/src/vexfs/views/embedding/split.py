"""Splitting: a text becomes passages of a size the embedding model reads whole, cut where the text's structure has its joints.

Second step of the pipeline, called by the indexer. The passages are a partition: in order, without gap or overlap, so every
character of the text lies in exactly one. Pure and deterministic: the same text in the same language is always cut alike,
which is why a copy finds its embeddings done.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from vexfs.views.embedding.boundaries import SECTION, strengths

MAX_TOKENS = 240
"""A passage's estimated length at most; the model reads 256 with its two marks, and the estimate is a little rough."""
TARGET_TOKENS = 200
"""Neighbours are joined up to this."""
TINY_TOKENS = 48
"""A piece below this joins its neighbour even where something new begins."""

_TOKEN = re.compile(r"[a-z]{1,6}|[A-Z][a-z]{0,5}|[0-9]{1,3}|[^\sA-Za-z0-9]")
_CUT = re.compile(r"[.!?;,]\s+|\s+")


class Span(NamedTuple):
    """text[start:end]."""

    start: int
    end: int


def estimate_tokens(text: str) -> int:
    """About as many as the model's tokenizer makes, at a fraction of the cost."""
    return len(_TOKEN.findall(text))


def split(text: str, language: str, headings: Mapping[int, int] | None = None) -> list[Span]:
    """The passages of a text; none for the empty text."""
    if not text:
        return []
    lines = text.splitlines(keepends=True)
    joints = strengths(lines, language, headings or {})
    units = _Units(lines, joints)
    groups = _divide(units, 0, len(units.costs))
    return [Span(units.starts[first], units.starts[last]) for first, last in groups]


class _Units:
    """Lines, the longest cut into pieces: where each starts, what it costs, how strong its beginning is."""

    def __init__(self, lines: Sequence[str], joints: Sequence[int]) -> None:
        self.costs: list[int] = []
        self.joints: list[int] = []
        lengths: list[int] = []
        for line, joint in zip(lines, joints, strict=True):
            cost = estimate_tokens(line)
            if cost <= MAX_TOKENS:
                parts = [(len(line), cost)]
            else:
                parts = [(len(part), estimate_tokens(part)) for part in _cut_line(line)]
            lengths.extend(length for length, _ in parts)
            self.costs.extend(cost for _, cost in parts)
            self.joints.extend([joint, *([3] * (len(parts) - 1))])
        self.starts = [0, *accumulate(lengths)]
        self.sums = [0, *accumulate(self.costs)]

    def cost(self, first: int, last: int) -> int:
        return self.sums[last] - self.sums[first]


def _cut_line(line: str) -> list[str]:
    """A line that is too long for a passage, cut after sentences or words, else anywhere; each part has at most MAX_TOKENS."""
    parts: list[str] = []
    position = 0
    while position < len(line):
        end = _end_within(line, position)
        if end < len(line):
            gaps = [gap.end() for gap in _CUT.finditer(line, position + (end - position) // 2, end)]
            end = gaps[-1] if gaps else end
        parts.append(line[position:end])
        position = end
    return parts


def _end_within(line: str, start: int) -> int:
    """How far from `start` one passage reaches."""
    for count, token in enumerate(_TOKEN.finditer(line, start), 1):
        if count == MAX_TOKENS:
            return token.end()
    return len(line)


def _divide(units: _Units, first: int, last: int) -> list[tuple[int, int]]:
    """Cuts units[first:last] at its strongest joints, each part again while it is too long, and joins small neighbours."""
    result: list[tuple[int, int]] = []
    # A stack instead of recursion: a pathological text could nest as deep as it has lines.
    waiting = [(first, last)]
    while waiting:
        begin, end = waiting.pop()
        if end - begin == 1 or units.cost(begin, end) <= MAX_TOKENS:
            result.append((begin, end))
            continue
        strongest = max(units.joints[begin + 1 : end])
        cuts = [begin, *(index for index in range(begin + 1, end) if units.joints[index] == strongest), end]
        parts = list(pairwise(cuts))
        joined = _join(units, parts)
        waiting.extend(reversed(joined if len(joined) > 1 else parts))
    return _join(units, result)


def _join(units: _Units, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Joins neighbours while they fit the target, over a strong joint only when one of them is tiny."""
    result: list[tuple[int, int]] = []
    for begin, end in parts:
        if result and _belong_together(units, result[-1], (begin, end)):
            result[-1] = (result[-1][0], end)
        else:
            result.append((begin, end))
    return result


def _belong_together(units: _Units, left: tuple[int, int], right: tuple[int, int]) -> bool:
    together = units.cost(left[0], right[1])
    if together == 0 or units.cost(*right) == 0 or units.cost(*left) == 0:
        return True
    if together > TARGET_TOKENS:
        return False
    if units.joints[right[0]] < SECTION:
        return True
    return min(units.cost(*left), units.cost(*right)) < TINY_TOKENS
