"""Searching: by meaning, by words, by vectors. Which files answer this best, and how far can the answer be trusted?

Made and started by the API process, once a volume; its surfaces call `search`, `search_vectors` and `progress`. Any thread may
search; a search runs in its caller's thread, takes some milliseconds, and never waits for indexing unless it is given a
revision to wait for. Never writes. A half that cannot answer makes the answer partial, with the reason; a request is refused
only when nothing it asked for can be looked through.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from vexfs.core import collections, filters
from vexfs.core.errors import InvalidRequest, RevisionNotReached
from vexfs.core.search.answers import Answers, Order, Page, Shown
from vexfs.core.search.caches import RESULTS_DEFAULT_MIB
from vexfs.core.search.cursors import HITS_MAX, Cursor
from vexfs.core.search.matcher import MatchCache, Matcher
from vexfs.core.search.moments import TextMoment, VectorMoment, halves_of
from vexfs.core.search.queries import Embedder, QueryVectors
from vexfs.core.search.rankings import TextRanking, VectorRanking
from vexfs.core.search.reranking import Reranking
from vexfs.core.search.results import Results
from vexfs.core.search.together import Together
from vexfs.core.search.types import (
    HYBRID,
    LEXICAL,
    LIMIT_MAX,
    MODES,
    TEXT_MAX_BYTES,
    WEIGHT_MAX,
    WEIGHT_MIN,
    SearchAnswer,
    TextSearch,
    VectorSearch,
)
from vexfs.core.status import Progress
from vexfs.core.types import Collection, Ino, VectorSpec
from vexfs.store.reader import Snapshot
from vexfs.store.volume import Volume
from vexfs.views.dense.compact import CompactMatrix
from vexfs.views.dense.index import IndexState
from vexfs.views.dense.view import DenseView
from vexfs.views.derived import LEXICAL_FOLDER, DerivedReader, derived_folder
from vexfs.views.lexical import LexicalReader

T = TypeVar("T")

BRIEF_FLOATS_MAX = 2_000_000
"""A search that compares no more numbers than this exactly takes some 0.3 ms for it; a tail that is being coded has as many."""
BRIEF_LIMIT_MAX = 100
CATCH_UP_S = 0.5
"""How long a search of vectors in a process that writes nothing waits for changed vectors that its snapshot shows."""


class SearchEngine:
    """Everything that answers searches of one volume. `start`, search from any thread, `stop`; close the volume after that."""

    def __init__(
        self,
        volume: Volume,
        load_embedder: Callable[[], Embedder],
        *,
        load_again: Callable[[str, str], Embedder] | None = None,
        reranking: Reranking | None = None,
        result_cache_bytes: int = RESULTS_DEFAULT_MIB << 20,
        vectors_only: bool = False,
    ) -> None:
        """`load_again` loads the model of that name from where it was, for vectors of another than `load_embedder` loads.

        `reranking` orders the first hits of text searches anew; started and stopped with the engine. With `vectors_only` the
        engine is one of a process beside the one that keeps the views: it loads no model, follows client vectors alone, and a
        search of them waits up to CATCH_UP_S for what has changed.
        """
        folder = derived_folder(volume.folder)
        self._volume = volume
        self._derived = DerivedReader(folder)
        self._lexical = LexicalReader(folder / LEXICAL_FOLDER)
        self._cache = MatchCache()
        self._results = Results(result_cache_bytes)
        self._vectors_only = vectors_only
        self.dense = DenseView(volume, vectors_only=vectors_only)
        self.queries = QueryVectors(load_embedder, None if load_again is None else self._load_served)
        self._load_again = load_again
        self._reranking = reranking
        self.progress = Progress(volume, self.dense, self._derived)
        self._answers = Answers(self._derived, self._lexical)
        self._together: Together[VectorSearch, SearchAnswer | None] = Together(self._answer_briefly)

    def start(self) -> None:
        """Begin to follow the volume and to load the model; returns at once."""
        self.dense.start()
        if self._vectors_only:
            return
        self.queries.start()
        if self._reranking is not None:
            self._reranking.start()

    def stop(self) -> None:
        """End the view's thread and a running builder. Idempotent."""
        self.queries.stop()
        if self._reranking is not None:
            self._reranking.stop()
        self.dense.stop()
        self._derived.close()

    def _load_served(self, model: str) -> Embedder:
        assert self._load_again is not None
        return self._load_again(model, self._derived.model_state().source)

    def search(self, request: TextSearch, *, min_revision: int = 0, deadline_s: float | None = None) -> SearchAnswer:
        """The files whose text answers the question.

        With `min_revision`, wait for the views until `deadline_s` (of time.monotonic()). Raises RevisionNotReached,
        InvalidRequest, InvalidFilter, InvalidVector, DimensionMismatch, NotFound (the scope), and ViewUnavailable when no view
        that was asked for can answer.
        """
        check(request)
        self.wait_for([request], min_revision, deadline_s)
        with self._volume.snapshot() as view:
            return self.search_at(self.text_moment(view, [request]), request)

    def text_moment(self, view: Snapshot, requests: Iterable[TextSearch]) -> TextMoment:
        """What these searches look through from now on, with a snapshot of the present."""
        trusts = {halves: self.progress.of_text(**halves._asdict()) for halves in {halves_of(one) for one in requests}}
        state, model = self.dense.text_served()
        by_words = any(halves.lexical for halves in trusts)
        lexical = self._lexical.at_one_commit() if by_words else self._lexical
        words = lexical.commit_id() if by_words else None
        seen = (view.revision, _generation(state), model, self.queries.model, self.dense.text_position)
        return TextMoment(view, trusts, state, model, lexical, words, seen)

    def search_at(self, moment: TextMoment, request: TextSearch) -> SearchAnswer:
        """As `search`, at a moment that was made for this search, too, without a wait."""
        check(request)
        compiled = None if request.filter is None else filters.compile(request.filter)
        matcher = Matcher(moment.view, self._volume.snapshot, self._cache, request.scope, compiled)
        halves = halves_of(request)
        trust = moment.trusts[halves]

        seen = (*moment.seen, moment.words if halves.lexical else None, trust)
        known = self._results.find(request, seen)
        if known is not None:
            return known
        ranking = TextRanking(moment.state, moment.model, self.queries, moment.lexical, request)
        shown = Shown(request.text, reranking=self._reranking_of(request))
        order = Order(matcher, ranking, Page(request.limit, request.after), trust, shown)
        return self._results.keep(request, seen, self._answers.assemble(moment.view, [order])[0])

    def search_vectors(self, request: VectorSearch, *, min_revision: int = 0, deadline_s: float | None = None) -> SearchAnswer:
        """The files of a collection whose vector is nearest.

        Raises RevisionNotReached, InvalidRequest, InvalidSchema (no such vector), CollectionNotFound, InvalidFilter,
        InvalidVector, DimensionMismatch, NotFound (the scope).
        """
        check(request)
        self.wait_for([request], min_revision, deadline_s)
        answer = self._together.ask(request) if may_be_brief(request) else None
        if answer is not None:
            return answer
        with self._volume.snapshot() as view:
            return self.search_vectors_in(view, request)

    def _answer_briefly(self, requests: Sequence[VectorSearch]) -> list[SearchAnswer | None]:
        with self._volume.snapshot() as view:
            return self.search_briefly(view, requests)

    def search_vectors_in(self, view: Snapshot, request: VectorSearch) -> SearchAnswer:
        """As `search_vectors`, on a snapshot of the present that the caller has for more than the search, without a wait."""
        return self.search_vectors_at(self.vector_moment(view, [request]), [request])[0]

    def search_briefly(self, view: Snapshot, requests: Sequence[VectorSearch]) -> list[SearchAnswer | None]:
        """As `search_vectors_in` each, or None where that takes more than a millisecond or waits: for who must not be kept.

        Several take less than one after another do. Raises what any of them raises.
        """
        trust = self.progress.of_vectors()
        if self._vectors_only and trust.reasons:
            return [None] * len(requests)
        moment = VectorMoment(view, trust, self._indexes(self._specs(view, requests)))
        brief = [place for place, request in enumerate(requests) if is_brief_at(moment, request)]
        answers: list[SearchAnswer | None] = [None] * len(requests)
        found = self.search_vectors_at(moment, [requests[place] for place in brief])
        for place, answer in zip(brief, found, strict=True):
            answers[place] = answer
        return answers

    def vector_moment(self, view: Snapshot, requests: Iterable[VectorSearch]) -> VectorMoment:
        """What these searches look through from now on, with a snapshot of the present.

        In a process beside the one that keeps the views it waits for what has changed. Raises CollectionNotFound,
        InvalidSchema.
        """
        specs = self._specs(view, requests)
        trust = self.progress.of_vectors()
        if self._vectors_only and trust.reasons:
            self.dense.wait(lambda: self.dense.revision >= view.revision, time.monotonic() + CATCH_UP_S)
            trust = self.progress.of_vectors()
        return VectorMoment(view, trust, self._indexes(specs))

    def _specs(self, view: Snapshot, requests: Iterable[VectorSearch]) -> dict[tuple[Ino, str], VectorSpec]:
        """What the searches compare with, by collection and the name that was asked for."""
        one_of_each = {(request.collection, request.vector_name): request for request in requests}
        return {key: self.vector_spec(view, request) for key, request in one_of_each.items()}

    def _indexes(self, specs: dict[tuple[Ino, str], VectorSpec]) -> dict[tuple[Ino, str], tuple[VectorSpec, IndexState | None]]:
        """The same with the indexes as they are now."""
        return {key: (spec, self.dense.index_state(key[0], spec.name)) for key, spec in specs.items()}

    def search_vectors_at(self, moment: VectorMoment, requests: Sequence[VectorSearch]) -> list[SearchAnswer]:
        """As `search_vectors` each, at a moment that was made for these searches, too, without a wait."""
        view, trust = moment.view, moment.trust
        answers: dict[int, SearchAnswer] = {}
        orders: dict[int, Order] = {}
        seen: dict[int, Hashable] = {}
        plain: list[VectorRanking] = []
        for place, request in enumerate(requests):
            check(request)
            spec, state = moment.indexes[request.collection, request.vector_name]
            seen[place] = (view.revision, trust, _generation(state))
            known = self._results.find(request, seen[place])
            if known is not None:
                answers[place] = known
                continue
            compiled = None if request.filter is None else filters.compile(request.filter)
            matcher = Matcher(view, self._volume.snapshot, self._cache, request.scope, compiled)
            ranking = VectorRanking(state, spec, request)
            if matcher.trivial:
                plain.append(ranking)
            shown = Shown(metadata=request.with_metadata)
            orders[place] = Order(matcher, ranking, Page(request.limit, request.after), trust, shown)
        VectorRanking.look_ahead(plain)
        for place, answer in zip(orders, self._answers.assemble(view, list(orders.values())), strict=True):
            answers[place] = self._results.keep(requests[place], seen[place], answer)
        return [answers[place] for place in range(len(requests))]

    def vector_spec(self, view: Snapshot, request: VectorSearch) -> VectorSpec:
        """The vector that a search compares with. Raises CollectionNotFound, InvalidSchema (no such vector)."""
        return collections.vector_spec(self.collection(view, request.collection), request.vector_name)

    def collection(self, view: Snapshot, ino: Ino) -> Collection:
        """The collection of that directory, which stays known while the revision is the same. Raises CollectionNotFound."""
        return self.known(view, ("collection", ino), lambda: collections.get(view, ino))

    def known(self, view: Snapshot, key: Hashable, read: Callable[[], T]) -> T:
        """What `read` answers of the present; remembered under the key from search to search, until anything is written."""
        return self._cache.obtain(key, view.revision, read)

    def wait_for_vectors(self, revision: int, deadline_s: float | None) -> None:
        """Wait until the views have every client vector up to `revision` (0: no wait). Raises RevisionNotReached."""
        self._reach(revision, deadline_s, self.progress.vector_revision)

    def wait_for(self, requests: Iterable[TextSearch | VectorSearch], revision: int, deadline_s: float | None) -> None:
        """Wait until these searches find everything up to `revision` (0: no wait). Raises RevisionNotReached."""
        if not revision:
            return
        asked = list(requests)
        halves = [halves_of(request) for request in asked if isinstance(request, TextSearch)]
        dense, lexical = any(half.dense for half in halves), any(half.lexical for half in halves)
        positions: list[Callable[[], int]] = []
        if halves:
            positions.append(lambda: self.progress.text_revision(dense=dense, lexical=lexical))
        if len(halves) < len(asked):
            positions.append(self.progress.vector_revision)
        self._reach(revision, deadline_s, lambda: min(position() for position in positions))

    def _reranking_of(self, request: TextSearch) -> Reranking | None:
        """For a question in words; unless more hits are wanted than are scored, since scores of two kinds have no order.

        The first page decides for the others.
        """
        reranking = self._reranking
        if reranking is None or request.vector is not None or request.like is not None:
            return None
        asked = request.limit <= reranking.hits if request.after is None else request.after.reranked
        return reranking if asked else None

    def wait_for_views(self, revision: int, deadline_s: float | None) -> int:
        """Wait until all views have `revision` (0: the newest now); the revision they have. Raises RevisionNotReached."""
        wanted = revision or self._volume.head()
        return self._reach(wanted, deadline_s, self.progress.revision)

    def _reach(self, wanted: int, deadline_s: float | None, position: Callable[[], int]) -> int:
        reached = position()
        if not wanted:
            return reached
        end = float("inf") if deadline_s is None else deadline_s
        if reached >= wanted or self.dense.wait(lambda: position() >= wanted, end):
            self.progress.forget_waiting()
            return position()
        pending = self.progress.pending()
        raise RevisionNotReached(
            f"the views have revision {position()} and revision {wanted} was asked for; {pending} items are pending",
            revision=str(position()),
            min_revision=str(wanted),
            pending=str(pending),
        )


def _generation(state: IndexState | None) -> str | None:
    return None if state is None else state.generation


def may_be_brief(request: VectorSearch) -> bool:
    """Whether it is worth asking for a brief answer: the rest is for the index to say."""
    is_plain = request.filter is None and request.scope is None and request.after is None
    return is_plain and request.limit <= BRIEF_LIMIT_MAX


def _is_brief(request: VectorSearch, state: IndexState) -> bool:
    if not may_be_brief(request):
        return False
    if isinstance(state.base.matrix, CompactMatrix):
        return False  # it reads from the disk
    approximate = state.searcher is not None and not request.exact
    coded = 0 if request.exact else state.coded_rows
    compared = len(state.tail.keys) - coded + (0 if approximate else len(state.base.keys))
    return compared * state.spec.dimension <= BRIEF_FLOATS_MAX


def is_brief_at(moment: VectorMoment, request: VectorSearch) -> bool:
    """Whether a search that the moment was made for takes no more than a millisecond: then it can be answered with others."""
    state = moment.indexes[request.collection, request.vector_name][1]
    return state is not None and _is_brief(request, state)


def check(request: TextSearch | VectorSearch) -> None:
    """Raise InvalidRequest for a search that nobody can answer."""
    _check_page(request.limit, request.after)
    if isinstance(request, VectorSearch):
        return
    if request.mode not in MODES:
        raise InvalidRequest(f"the mode {request.mode!r} is none of {', '.join(MODES)}")
    by_text = request.vector is None and request.like is None
    if not by_text and request.mode == LEXICAL:
        raise InvalidRequest("a vector or a file is compared by meaning only: leave the mode out, or ask for dense")
    if request.weights != (1.0, 1.0):
        _check_weights(request)
    if by_text and not request.text.strip():
        raise InvalidRequest("the question is empty")
    if len(request.text.encode("utf-8", "surrogatepass")) > TEXT_MAX_BYTES:
        raise InvalidRequest(f"the question is longer than {TEXT_MAX_BYTES} bytes", limit=str(TEXT_MAX_BYTES))


def _check_weights(request: TextSearch) -> None:
    if request.mode != HYBRID or request.vector is not None or request.like is not None:
        raise InvalidRequest("weights are for the fusion of two rankings: leave them out, or ask for a hybrid search by text")
    if not all(WEIGHT_MIN <= weight <= WEIGHT_MAX for weight in request.weights):
        raise InvalidRequest(f"a weight is {WEIGHT_MIN} to {WEIGHT_MAX:g}, or 0 for 1")


def _check_page(limit: int, after: Cursor | None) -> None:
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidRequest(f"a search answers 1 to {LIMIT_MAX} files, not {limit}", limit=str(LIMIT_MAX))
    if after is not None and after.answered >= HITS_MAX:
        raise InvalidRequest(
            f"the pages of a search have {HITS_MAX:,} hits in all, which were answered: narrow it by a filter or a scope",
            limit=str(HITS_MAX),
        )
