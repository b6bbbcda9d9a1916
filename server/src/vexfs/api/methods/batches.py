"""Several questions in one call: BatchQueryPoints and BatchSearch. What do they see together, and what if one is wrong?

All questions of a batch are read and answered on one snapshot of the volume and at one moment of the views, one after another,
in turns with other calls (`vexfs.api.turns`); the snapshot is open for as long. All are read before the first is answered, and
an error names the question it is about. Each uses and fills the same caches as a single one. Brief ones by vectors are searched
for some at a time, when the first of them is to be answered (`vexfs.core.search.vector_batch`).
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from prometheus_client import Counter

from vexfs.api.context import CallContext
from vexfs.api.methods import queries, references, search
from vexfs.api.methods.defaults import BATCH_HITS_MAX, SEARCH_LIMIT_DEFAULT, VECTORS_MAX_BYTES
from vexfs.api.registry import Handler
from vexfs.api.turns import Steps
from vexfs.contract.v1 import points_pb2, search_pb2
from vexfs.core.errors import TooLarge, VexfsError
from vexfs.core.search.engine import check
from vexfs.core.search.types import TextSearch, VectorSearch
from vexfs.core.search.vector_batch import VectorBatch
from vexfs.observability.metrics import REGISTRY
from vexfs.store.reader import Snapshot

_ANSWERED = Counter(
    "vexfs_batch_queries",
    "Questions answered in batches, by operation; the batch itself counts as one operation.",
    ("operation",),
    registry=REGISTRY,
)


class _Question(Protocol):
    limit: int


class _Answer(Protocol):
    def ByteSize(self) -> int: ...


T = TypeVar("T")
Q = TypeVar("Q", bound=_Question)
S = TypeVar("S", bound=TextSearch | VectorSearch)
R = TypeVar("R", bound=_Answer)


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Q, S, R]):
    """Questions as they came, and how they are answered."""

    field: str
    """Of the request: errors say it."""
    questions: Sequence[Q]
    read: Callable[[Snapshot, Q], S]
    answer: Callable[[Snapshot, Sequence[S]], Callable[[int], R]]
    """Looks once at what the views have for these searches, and answers any of them from that."""


async def batch_query_points(
    context: CallContext, request: points_pb2.BatchQueryPointsRequest
) -> points_pb2.BatchQueryPointsResponse:
    engine, asked = context.application.engine, request.queries

    def answer(view: Snapshot, searches: Sequence[VectorSearch]) -> Callable[[int], points_pb2.QueryPointsResponse]:
        vectors = VectorBatch(engine, engine.vector_moment(view, searches), dict(enumerate(searches)))

        def find(index: int) -> points_pb2.QueryPointsResponse:
            return queries.response_of(view, asked[index], searches[index], vectors.answer(index))

        return find

    batch = _Batch("queries", asked, lambda view, query: queries.question(engine, view, query), answer)
    answers = await _answered(context, batch, request.min_revision)
    return points_pb2.BatchQueryPointsResponse(revision=answers[0].revision, answers=answers)


async def batch_search(context: CallContext, request: search_pb2.BatchSearchRequest) -> search_pb2.BatchSearchResponse:
    engine = context.application.engine

    def read(view: Snapshot, one: search_pb2.SearchRequest) -> TextSearch | VectorSearch:
        asked = search.question(one, lambda reference: references.find(view, reference).node.ino)
        check(asked)
        if isinstance(asked, VectorSearch):
            engine.vector_spec(view, asked)
        return asked

    def answer(view: Snapshot, searches: Sequence[TextSearch | VectorSearch]) -> Callable[[int], search_pb2.SearchResponse]:
        texts = engine.text_moment(view, [one for one in searches if isinstance(one, TextSearch)])
        by_vector = {index: one for index, one in enumerate(searches) if isinstance(one, VectorSearch)}
        vectors = VectorBatch(engine, engine.vector_moment(view, by_vector.values()), by_vector)

        def find(index: int) -> search_pb2.SearchResponse:
            one = searches[index]
            if isinstance(one, TextSearch):
                return search.response_of(one, engine.search_at(texts, one))
            return search.response_of(one, vectors.answer(index))

        return find

    answers = await _answered(context, _Batch("searches", request.searches, read, answer), request.min_revision)
    return search_pb2.BatchSearchResponse(revision=min(one.revision for one in answers), answers=answers)


async def _answered(context: CallContext, batch: _Batch[Q, S, R], min_revision: int) -> list[R]:
    """The answers, in the order of the questions. Raises what a single question raises, with its place, and TooLarge."""
    context.noted["queries"] = len(batch.questions)
    hits = sum(question.limit or SEARCH_LIMIT_DEFAULT for question in batch.questions)
    if hits > BATCH_HITS_MAX:
        raise TooLarge(f"the {batch.field} ask for {hits:,} hits, and a batch has {BATCH_HITS_MAX:,} at most: split it")
    engine, volume = context.application.engine, context.application.volume
    answered = _ANSWERED.labels(context.method.name)

    def read(view: Snapshot) -> Steps[list[S]]:
        return _each(batch.field, len(batch.questions), lambda index: batch.read(view, batch.questions[index]))

    def look() -> Steps[list[S]]:
        with volume.snapshot() as view:
            return (yield from read(view))

    def answer() -> Steps[list[R]]:
        left_bytes = VECTORS_MAX_BYTES
        with volume.snapshot() as view:
            find = batch.answer(view, (yield from read(view)))

            def answer_one(index: int) -> R:
                nonlocal left_bytes
                found = find(index)
                answered.inc()
                left_bytes -= found.ByteSize()
                if left_bytes < 0:
                    raise TooLarge(f"up to here the answers are larger than {VECTORS_MAX_BYTES:,} bytes: split the batch")
                return found

            return (yield from _each(batch.field, len(batch.questions), answer_one))

    if min_revision:
        asked = await context.in_turns(look())  # who asks for what is not there is told so without a wait
        await search.reached(context, min_revision, lambda until: engine.wait_for(asked, min_revision, until))
    return await context.in_turns(answer())


def _each(field: str, count: int, do: Callable[[int], T]) -> Steps[list[T]]:
    """What `do` makes of each place, with a chance for others after each."""
    done = []
    for index in range(count):
        with _naming(field, index):
            done.append(do(index))
        yield
    return done


@contextlib.contextmanager
def _naming(field: str, index: int) -> Iterator[None]:
    """An error of one question says which."""
    try:
        yield
    except VexfsError as error:
        error.message = f"{field}[{index}]: {error.message}"
        error.details["index"] = str(index)
        raise


HANDLERS: dict[str, Handler] = {
    "vexfs.v1.PointsService.BatchQueryPoints": batch_query_points,
    "vexfs.v1.SearchService.BatchSearch": batch_search,
}
