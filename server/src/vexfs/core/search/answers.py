"""From candidates to an answer: files that still exist, their paths and passages. What does the caller get?

Used by the engine, on one snapshot a search. Goes deeper into the rankings until the answer is full or nothing is left: files
that vanished, or lost their passage, since the views saw them are passed over and others take their place.
"""

from collections.abc import Sequence
from typing import NamedTuple

from vexfs.core import attributes
from vexfs.core.errors import ViewUnavailable
from vexfs.core.search.cursors import HITS_MAX, Cursor
from vexfs.core.search.fusion import Candidate
from vexfs.core.search.listing import listing_of
from vexfs.core.search.matcher import Matcher
from vexfs.core.search.rankings import Ranking
from vexfs.core.search.reranking import SUFFIX, Reranking
from vexfs.core.search.types import DENSE, LEXICAL, Hit, Match, PassageText, SearchAnswer
from vexfs.core.status import Trust
from vexfs.store import found_files
from vexfs.store.found_files import FoundFile
from vexfs.store.reader import Snapshot
from vexfs.views.derived import DerivedReader
from vexfs.views.lexical import LexicalReader, Spotter

_NO_METADATA = attributes.NO_METADATA.decode()


class Page(NamedTuple):
    """Which part of an answer."""

    limit: int
    after: Cursor | None


class Shown(NamedTuple):
    """What hits show beside the file."""

    question: str | None = None
    """The text whose passages and words are shown; None shows none."""
    metadata: bool = False
    reranking: Reranking | None = None
    """Orders the first hits anew, by the question."""


class Order(NamedTuple):
    """One answer to put together."""

    matcher: Matcher
    ranking: Ranking
    page: Page
    trust: Trust
    shown: Shown


class Answers:
    """Puts answers together for one volume; any thread."""

    def __init__(self, derived: DerivedReader, lexical: LexicalReader) -> None:
        self._derived = derived
        self._lexical = lexical

    def assemble(self, view: Snapshot, orders: Sequence[Order]) -> list[SearchAnswer]:
        """For each the hits of its page, and where the next one begins.

        All are searched before the files of any are read: what does the same work is then at hand in the processor, and the
        files come in one statement.
        """
        files = _Files(view, with_metadata=any(order.shown.metadata for order in orders))
        under_way = [_UnderWay(order, files, self._derived, self._lexical) for order in orders]
        files.read([ino for one in under_way for ino in one.search()])
        return [one.finish(view) for one in under_way]


class _Files:
    """Files of one snapshot, read many at once."""

    def __init__(self, view: Snapshot, *, with_metadata: bool) -> None:
        self._view = view
        self._with_metadata = with_metadata
        self._known: dict[int, FoundFile] = {}
        self._looked_for: set[int] = set()

    def read(self, inos: Sequence[int]) -> dict[int, FoundFile]:
        """Those of the files that exist; what was read before is not read again."""
        unknown = [ino for ino in inos if ino not in self._looked_for]
        if unknown:
            self._looked_for.update(unknown)
            self._known |= found_files.read(self._view, unknown, with_metadata=self._with_metadata)
        known = self._known
        return {ino: known[ino] for ino in inos if ino in known}


class _UnderWay:
    """One answer: its candidates, and the hits that are made of them."""

    def __init__(self, order: Order, files: _Files, derived: DerivedReader, lexical: LexicalReader) -> None:
        self._order = order
        self._files = files
        self._derived = derived
        show, page = order.shown, order.page
        self._show = show
        self._spotter = lexical.spotter(show.question) if show.question else None
        self._after = page.after or Cursor()
        self._begin = self._after.place if self._after.reranked else 0
        self._end = self._begin + min(page.limit, HITS_MAX - self._after.answered)
        self._wanted = self._end if show.reranking is None else show.reranking.hits
        self._listing = listing_of(order.ranking, order.matcher, page.after)
        self._passed_over: set[int] = set()

    def search(self) -> list[int]:
        """Read the candidates as deep as it takes if all are still there; the files that are probably shown."""
        self._candidates = self._listing.read()
        return [candidate.ino for candidate in self._candidates[: self._wanted]]

    def finish(self, view: Snapshot) -> SearchAnswer:
        """The answer, after `search`; goes deeper where candidates are there no more."""
        _, ranking, _, trust, show = self._order
        found, more = self._first()
        hits = [hit for hit, _ in found]
        end = min(self._end, len(hits))
        next_page = None
        if end and (end < len(hits) or more):
            next_page = self._listing.cursor(found[end - 1][1])
        reasons = [*trust.reasons, *ranking.reasons]
        strategy = ranking.strategy
        if show.reranking is not None and hits:
            try:
                hits = show.reranking.ordered(show.question or "", hits)
                strategy += SUFFIX
                next_page = self._listing.reranked(end) if end < len(hits) else next_page
            except ViewUnavailable as error:
                reasons.append(error.message)
        shown = tuple(hits[self._begin : end])
        return SearchAnswer(
            shown,
            # The views go on after the snapshot: vectors of later revisions are seen, names and metadata are not.
            min(trust.revision, view.revision),
            ranking.generation,
            strategy,
            ranking.exact,
            bool(reasons),
            tuple(reasons),
            trust.pending,
            None if next_page is None else next_page._replace(answered=self._after.answered + len(shown)),
        )

    def _first(self) -> tuple[list[tuple[Hit, int]], bool]:
        """The hits of the first candidates that are still there, each with its place among them; whether others follow."""
        listing, wanted = self._listing, self._wanted
        while True:
            candidates = self._candidates
            hits = self._those_there(candidates, wanted)
            left = hits[-1][1] + 1 < len(candidates) if hits else False
            full = len(hits) == wanted and left
            if full or listing.complete or not listing.deepen(len(hits)):
                return hits, left or not listing.complete
            self._candidates = listing.read()

    def _those_there(self, candidates: Sequence[Candidate], limit: int) -> list[tuple[Hit, int]]:
        hits: list[tuple[Hit, int]] = []
        passed_over = self._passed_over
        left = [place for place, candidate in enumerate(candidates) if candidate.ino not in passed_over]
        begin = 0
        while part := left[begin : begin + limit - len(hits)]:
            begin += len(part)
            made = self._make([candidates[place] for place in part])
            for place in part:
                hit = made.get(candidates[place].ino)
                if hit is None:
                    passed_over.add(candidates[place].ino)
                else:
                    hits.append((hit, place))
        return hits

    def _make(self, candidates: Sequence[Candidate]) -> dict[int, Hit]:
        """By file, in their order; without those whose file, or passage, is there no more."""
        shows_metadata = self._show.metadata
        files = self._files.read([candidate.ino for candidate in candidates])
        paths = self._order.matcher.paths_of(files.values())
        passages = self._passages([candidate for candidate in candidates if candidate.ino in paths])
        hits = {}
        for candidate in candidates:
            ino = candidate.ino
            path = paths.get(ino)
            if path is None or (passages is not None and ino not in passages):
                continue
            passage = None if passages is None else passages[ino]
            node, _, metadata = files[ino]
            payload = (metadata or _NO_METADATA).encode() if shows_metadata else None
            hits[ino] = Hit(node, path, candidate.score, passage, _matches(candidate, passage, self._spotter), payload)
        return hits

    def _passages(self, candidates: Sequence[Candidate]) -> dict[int, PassageText] | None:
        """What each file shows of its text, by file; None when no text is shown."""
        if self._show.question is None or not candidates:
            return None
        try:
            found = self._derived.passages_at([(candidate.ino, candidate.ordinal) for candidate in candidates])
        except ViewUnavailable:
            return None  # the files were found all the same; that the text is not there makes the answer partial
        return {ino: PassageText(text, *passage[2:6]) for (ino, _), (passage, text) in found.items()}


def _matches(candidate: Candidate, passage: PassageText | None, spotter: Spotter | None) -> tuple[Match, ...]:
    dense, lexical = candidate.dense, candidate.lexical
    by_meaning = () if dense is None else (Match(DENSE, dense.rank, dense.score),)
    if lexical is None:
        return by_meaning
    terms = () if passage is None or spotter is None else tuple(spotter.terms(passage.text))
    return (*by_meaning, Match(LEXICAL, lexical.rank, lexical.score, terms))
