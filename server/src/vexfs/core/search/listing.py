"""What a ranking holds after a cursor, read as deep as it takes. Which candidates can the next page have?

Made by `answers` for one page. A ranking by vectors is followed by key: a file's score is its own, so what comes after a score
and a file is the same however deep one reads, and whatever has come or gone before it. With words in it, a ranking is followed
by place: a word's weight depends on all files, and a fused score on the ranks of others. How deep it is read is then fixed by
the first page; what lies deeper follows behind what was read, without what was there already. Used by one thread.
"""

from typing import Protocol

from vexfs.core.search.cursors import Cursor
from vexfs.core.search.fusion import Candidate
from vexfs.core.search.matcher import Matcher
from vexfs.core.search.rankings import Ranking

_DEEPER = 4


class Listing(Protocol):
    """Candidates after a cursor, best first."""

    complete: bool
    """Whether there are no others, as far as was read."""

    def read(self) -> list[Candidate]:
        """The candidates as deep as it is now."""

    def deepen(self, hits: int) -> bool:
        """Go deeper, unless a page with so many hits is better ended here; whether it did."""

    def cursor(self, last: int) -> Cursor:
        """The end of a page whose last hit is the candidate at that index of what was read; `answered` is not set."""

    def reranked(self, place: int) -> Cursor:
        """The end of a page after so many hits that a reranker orders, which are the first of this listing."""


def listing_of(ranking: Ranking, matcher: Matcher, after: Cursor | None) -> Listing:
    """What follows the cursor; everything without one. What a reranker orders is listed from its beginning."""
    if not ranking.by_place:
        return _ByKey(ranking, matcher, None if after is not None and after.reranked else after)
    return _ByPlace(ranking, matcher, after)


class _ByKey:
    def __init__(self, ranking: Ranking, matcher: Matcher, after: Cursor | None) -> None:
        self.complete = False
        self._ranking = ranking
        self._matcher = matcher
        self._after = after
        self._depth = ranking.first_depth
        self._listed: list[Candidate] = []

    def read(self) -> list[Candidate]:
        found, self.complete = self._ranking.candidates(self._matcher, self._depth)
        after = self._after
        if after is not None:
            key = (-after.score, after.ino)
            found = [candidate for candidate in found if (-candidate.score, candidate.ino) > key]
            best = self._ranking.best_scores([candidate.ino for candidate in found])
            # An approximate search may have seen a better passage of the file before, which it overlooks now.
            found = [one for one in found if (-best.get(one.ino, one.score), one.ino) > key]
        self._listed = found
        return found

    def deepen(self, hits: int) -> bool:
        del hits
        self._depth *= _DEEPER
        return True

    def cursor(self, last: int) -> Cursor:
        return Cursor(score=self._listed[last].score, ino=self._listed[last].ino)

    def reranked(self, place: int) -> Cursor:
        return Cursor(place=place, reranked=True)


class _ByPlace:
    def __init__(self, ranking: Ranking, matcher: Matcher, after: Cursor | None) -> None:
        self.complete = False
        self._ranking = ranking
        self._matcher = matcher
        self._is_first = after is None
        self._place = 0 if after is None or after.reranked else after.place
        self._first_depth = self._depth = ranking.first_depth if after is None else max(1, after.depth)
        self._listed: list[Candidate] = []
        self._seen: set[int] = set()

    def read(self) -> list[Candidate]:
        while True:
            found, self.complete = self._ranking.candidates(self._matcher, self._depth)
            new = [candidate for candidate in found if candidate.ino not in self._seen]
            self._listed += new
            self._seen.update(candidate.ino for candidate in new)
            if self.complete or self._place < len(self._listed):
                return self._listed[self._place :]
            self._depth *= _DEEPER

    def deepen(self, hits: int) -> bool:
        if self._is_first:
            self._first_depth = self._depth * _DEEPER
            self._listed, self._seen = [], set()
        elif hits and self._ranking.is_fused:
            return False  # fused scores of two depths have no order
        self._depth *= _DEEPER
        return True

    def cursor(self, last: int) -> Cursor:
        return Cursor(place=self._place + last + 1, depth=self._first_depth)

    def reranked(self, place: int) -> Cursor:
        return Cursor(place=place, depth=self._first_depth, reranked=True)
