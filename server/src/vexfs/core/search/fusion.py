"""From rows to files: each ranking grouped by file, and two rankings fused. In which order are files answered?

Used by the engine. Pure functions. A file stands in a ranking at the place of its best passage. Fusion is reciprocal rank
fusion, scaled so that being first in both rankings scores 1; equal scores are ordered by file id.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

RRF_K = 10
"""By `make bench NAME=quality`: nDCG@10 0.62 and recall@10 0.81 with 10, 0.61 and 0.78 with the usual 60. With 60 a file that
only the meaning finds, and finds first, comes 25th on average, behind all that stand somewhere in both; with 10, 6th."""


class Place(NamedTuple):
    """A file's place in one ranking, by its best passage."""

    rank: int
    """From 1."""
    ordinal: int
    score: float


class Candidate(NamedTuple):
    """A file that may be answered."""

    ino: int
    score: float
    dense: Place | None
    lexical: Place | None

    @property
    def ordinal(self) -> int:
        """The passage to show: that of the ranking where the file stands higher, of the dense one if they are equal."""
        dense, lexical = self.dense, self.lexical
        if dense is not None and (lexical is None or dense.rank <= lexical.rank):
            return dense.ordinal
        assert lexical is not None
        return lexical.ordinal


def by_file(rows: Iterable[tuple[int, int, float]]) -> dict[int, Place]:
    """(file, ordinal, score), best first → each file's place, in the same order."""
    places: dict[int, Place] = {}
    for ino, ordinal, score in rows:
        if ino not in places:
            places[ino] = Place(len(places) + 1, ordinal, score)
    return places


def one_ranking(dense: dict[int, Place] | None, lexical: dict[int, Place] | None) -> list[Candidate]:
    """The files of the only ranking there is, with its own scores."""
    if dense is not None:
        return _ordered([Candidate(ino, place.score, place, None) for ino, place in dense.items()])
    return _ordered([Candidate(ino, place.score, None, place) for ino, place in (lexical or {}).items()])


def fused(dense: dict[int, Place], lexical: dict[int, Place], weights: tuple[float, float] = (1.0, 1.0)) -> list[Candidate]:
    """The files of both rankings, by reciprocal rank fusion; `weights` says how much the dense and the lexical one count."""
    scale = (RRF_K + 1) / sum(weights)
    found = []
    for ino in {**dense, **lexical}:
        places = (dense.get(ino), lexical.get(ino))
        parts = [weight / (RRF_K + place.rank) for place, weight in zip(places, weights, strict=True) if place is not None]
        score = scale * sum(parts)
        found.append(Candidate(ino, score, *places))
    return _ordered(found)


def _ordered(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda candidate: (-candidate.score, candidate.ino))
