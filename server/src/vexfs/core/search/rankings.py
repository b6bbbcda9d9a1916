"""The rankings of one search: by passages' meaning and words, or by client vectors. Which files stand where?

Made by the engine for one search and asked by `answers`, deeper each time the answer is not full. Each says how it searched:
strategy, generation, whether exact, and why a half could not answer.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from vexfs.core.errors import ViewUnavailable
from vexfs.core.search import fusion, planner, recommend
from vexfs.core.search.fusion import Candidate, Place
from vexfs.core.search.matcher import Matcher
from vexfs.core.search.queries import QueryVectors
from vexfs.core.search.types import DENSE, HYBRID, LEXICAL, TextSearch, VectorSearch
from vexfs.core.types import VectorSpec
from vexfs.views.dense import metrics, ranking
from vexfs.views.dense.index import IndexState
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.ranking import Ranked
from vexfs.views.dense.rows import ORDINAL_MAX, files_of
from vexfs.views.lexical import LexicalHit, LexicalReader
from vexfs.views.lexical.question import parse

EXACT = "exact"
SCANN = "scann"
_TIES_MAX = 5_000
"""Up to this depth passages of equal scores are read to their end, since the word index answers them in no order of ours."""


class Ranking(Protocol):
    """An ordered set of files, as deep as one asks."""

    first_depth: int
    by_place: bool
    """Whether pages follow each other by place; else by key. See `listing`."""
    is_fused: bool
    """Whether scores depend on how deep one goes."""
    strategy: str
    generation: str
    exact: bool
    reasons: list[str]

    def candidates(self, matcher: Matcher, depth: int) -> tuple[list[Candidate], bool]:
        """The best files that pass, going `depth` rows deep; and whether there are no others."""

    def best_scores(self, inos: Sequence[int]) -> dict[int, float]:
        """The scores of files by their best rows, as far as `candidates` may have overlooked one."""


class _DenseHalf:
    """The nearest rows of one index state; all are compared if `exact` asks for it."""

    def __init__(self, state: IndexState, query: Query, exact: bool) -> None:
        # Without a searcher every way through the planner compares each row that may be answered.
        self.state = state.exactly() if exact else state
        self.query = query
        self.ahead: dict[int, Ranked] = {}
        """What `ranking.nearest` finds, by depth, as far as that is known."""
        self.exact = True

    def rows(self, matcher: Matcher, depth: int) -> Ranked:
        found = planner.dense(self.state, self.query, depth, matcher, self.ahead.get(depth))
        self.exact = found.exact
        return found

    def places(self, matcher: Matcher, depth: int) -> tuple[dict[int, Place], bool]:
        found = self.rows(matcher, depth)
        return fusion.by_file(_triples(found)), found.complete

    def best_scores(self, inos: Sequence[int]) -> dict[int, float]:
        """The scores of files by their best rows; none are overlooked."""
        found = ranking.nearest_among(self.state, self.query, self.state.live_count, self._rows_of(inos))
        return {ino: place.score for ino, place in fusion.by_file(_triples(found)).items()}

    def _rows_of(self, inos: Sequence[int]) -> ranking.Subset:
        return ranking.subset_of(self.state, np.array(sorted(inos), dtype=np.int64))

    @property
    def strategy(self) -> str:
        """How the last answer was found."""
        return EXACT if self.exact else SCANN

    @property
    def generation(self) -> str:
        return self.state.generation


class VectorRanking:
    """The files of a collection by one named vector. Raises InvalidVector and DimensionMismatch when made."""

    by_place = False
    is_fused = False

    def __init__(self, state: IndexState | None, spec: VectorSpec, request: VectorSearch) -> None:
        query = metrics.prepare_query(request.vector, spec.dimension, spec.metric)
        usable = state is not None and (state.spec.dimension, state.spec.metric) == (spec.dimension, spec.metric)
        self._half = _DenseHalf(state, query, request.exact) if usable and state is not None else None
        self._exclude = request.exclude
        answered = 0 if request.after is None else request.after.answered
        # One more than is shown tells whether there is a next page; an approximate search this deep may find some
        # that belong before the page and were overlooked then.
        self.first_depth = answered + answered // 8 + request.limit + len(request.exclude) + 1
        self.reasons = [] if usable else ["the collection is new, and its index not there yet"]
        self.strategy = EXACT
        self.generation = "" if self._half is None else self._half.generation
        self.exact = True

    @staticmethod
    def look_ahead(rankings: "Iterable[VectorRanking]") -> None:
        """Search for several, of which nothing is excluded by a scope or a filter, at once: that takes less."""
        alike: dict[tuple[int, int], list[_DenseHalf]] = {}
        for one in rankings:
            if one._half is not None:
                alike.setdefault((id(one._half.state), one.first_depth), []).append(one._half)
        for (_, depth), halves in alike.items():
            state = halves[0].state
            if len(halves) > 1 and state.searcher is not None:
                found = ranking.nearest_of_each(state, [half.query for half in halves], depth)
                for half, nearest in zip(halves, found, strict=True):
                    half.ahead[depth] = nearest

    def candidates(self, matcher: Matcher, depth: int) -> tuple[list[Candidate], bool]:
        if self._half is None:
            return [], True
        found = self._half.rows(matcher, depth)
        self.exact, self.strategy = self._half.exact, self._half.strategy
        # A file has one row here, and equal scores are in the order of the files already.
        rows = zip(files_of(found.keys).tolist(), found.scores.tolist(), strict=True)
        candidates = [Candidate(ino, score, Place(rank, 0, score), None) for rank, (ino, score) in enumerate(rows, 1)]
        if self._exclude:
            candidates = [candidate for candidate in candidates if candidate.ino not in self._exclude]
        return candidates, found.complete

    def best_scores(self, inos: Sequence[int]) -> dict[int, float]:
        del inos
        return {}  # a file has one vector of that name


class TextRanking:
    """Files by their passages. Raises ViewUnavailable when made, if the only half that was asked for cannot be used."""

    def __init__(
        self, state: IndexState | None, model: str, queries: QueryVectors, lexical: LexicalReader, request: TextSearch
    ) -> None:
        self._request = request
        self._lexical = lexical
        self.mode = DENSE if request.vector is not None or request.like is not None else request.mode
        self.reasons: list[str] = []
        self._half = self._dense_half(state, model, queries) if self.mode != LEXICAL else None
        answered = 0 if request.after is None else request.after.answered
        self.first_depth = max(100, 8 * request.limit + 2 * answered)
        self.by_place = self.mode != DENSE
        self.is_fused = self.mode == HYBRID
        self.strategy = EXACT if self.mode == DENSE else self.mode
        self.generation = "" if self._half is None else self._half.generation
        self.exact = self.mode != LEXICAL

    def candidates(self, matcher: Matcher, depth: int) -> tuple[list[Candidate], bool]:
        dense, dense_complete = ({}, True) if self._half is None else self._half.places(matcher, depth)
        self.exact = self._half is not None and self._half.exact
        if self.mode == DENSE:
            self.strategy = EXACT if self._half is None else self._half.strategy
            return [found for found in fusion.one_ranking(dense, None) if found.ino != self._request.like], dense_complete
        lexical, lexical_complete = self._words(matcher, depth)
        if self.mode == LEXICAL:
            return fusion.one_ranking(None, lexical), lexical_complete
        return fusion.fused(dense, lexical, self._request.weights), dense_complete and lexical_complete

    def _words(self, matcher: Matcher, depth: int) -> tuple[dict[int, Place], bool]:
        try:
            hits, complete = planner.lexical(self._lexical, self._request.text, depth, matcher)
        except ViewUnavailable as error:
            self._cannot(error.message)
            return {}, True
        if self.mode == LEXICAL and not complete and depth < _TIES_MAX:
            hits = _settled(hits)
        return fusion.by_file((int(hit.ino), hit.ordinal, hit.score) for hit in hits), complete

    def best_scores(self, inos: Sequence[int]) -> dict[int, float]:
        return {} if self._half is None or self.exact else self._half.best_scores(inos)

    def _dense_half(self, state: IndexState | None, model: str, queries: QueryVectors) -> _DenseHalf | None:
        vector = self._request.vector
        if self._request.like is not None:
            vector = None if state is None else recommend.vector_of_file(state, self._request.like)
            if vector is None:
                self._cannot("no text of the file is indexed, so it has no vectors to compare; ListSkippedFiles may say why")
                return None
        elif vector is None:
            try:
                vector = queries.vector_of(parse(self._request.text).text, model if state is not None else "")
            except ViewUnavailable as error:
                if self.mode == HYBRID:
                    self._cannot(error.message)
                    return None
                raise
        elif state is None and queries.model is not None:
            metrics.prepare_query(vector, queries.model[1], metrics.COSINE)
        if state is None:
            return None
        query = metrics.prepare_query(vector, state.spec.dimension, state.spec.metric)
        return _DenseHalf(state, query, self._request.exact)

    def _cannot(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)


def _settled(hits: list[LexicalHit]) -> list[LexicalHit]:
    """Without those of the last score: others of that score were not read, and may come before them."""
    return [hit for hit in hits if hit.score > hits[-1].score]


def _triples(found: Ranked) -> list[tuple[int, int, float]]:
    ordinals = (found.keys & ORDINAL_MAX).tolist()
    return list(zip(files_of(found.keys).tolist(), ordinals, found.scores.tolist(), strict=True))
