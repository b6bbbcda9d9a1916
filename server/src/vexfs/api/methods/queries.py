"""PointsService, queries: the points nearest to a vector, to another point, or to several examples."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vexfs.api.context import CallContext
from vexfs.api.methods import examples, messages, points
from vexfs.api.methods.defaults import SEARCH_LIMIT_DEFAULT
from vexfs.api.methods.filters import filter_of
from vexfs.api.methods.search import reached
from vexfs.api.registry import Handler, TwoWays
from vexfs.contract.v1 import points_pb2 as pb
from vexfs.core import collections
from vexfs.core import points as core_points
from vexfs.core.attributes import NO_METADATA
from vexfs.core.errors import InvalidRequest, VexfsError
from vexfs.core.search.engine import SearchEngine
from vexfs.core.search.types import Hit, SearchAnswer, VectorSearch
from vexfs.core.types import Point
from vexfs.store import versioned
from vexfs.store.reader import Reader, Snapshot

if TYPE_CHECKING:
    from vexfs.api.application import Application


def query_points_at_once(
    context: CallContext, request: pb.QueryPointsRequest
) -> "asyncio.Future[pb.QueryPointsResponse | None] | None":
    """The answer, or None if it takes more time than is worth a visit to a thread, whose way there and back costs a tenth."""
    if request.WhichOneof("query") != "vector" or request.HasField("filter") or request.with_vectors:
        return None
    if request.min_revision > context.application.engine.progress.vector_revision():
        return None
    return context.application.gathering(_brief_answers).ask((context.application, request))


def _brief_answers(
    calls: "Sequence[tuple[Application, pb.QueryPointsRequest]]",
) -> list[pb.QueryPointsResponse | VexfsError | None]:
    """Of queries that have arrived together, all on one snapshot."""
    application = calls[0][0]
    engine = application.engine
    answers: list[pb.QueryPointsResponse | VexfsError | None] = [None] * len(calls)
    asked: dict[int, VectorSearch] = {}
    with application.volume.snapshot() as view:
        for place, (_, request) in enumerate(calls):
            try:
                asked[place] = question(engine, view, request)
            except VexfsError as error:
                answers[place] = error
        found = engine.search_briefly(view, list(asked.values()))
        for (place, search), answer in zip(asked.items(), found, strict=True):
            if answer is not None:
                answers[place] = response_of(view, calls[place][1], search, answer)
    return answers


async def query_points(context: CallContext, request: pb.QueryPointsRequest) -> pb.QueryPointsResponse:
    engine, volume = context.application.engine, context.application.volume

    def run(deadline_s: float | None) -> pb.QueryPointsResponse:
        # All in one visit to a thread, on one snapshot: either costs as much as a tenth of the search.
        if request.min_revision:
            with volume.snapshot() as view:
                question(engine, view, request)  # who asks for what is not there is told so without a wait
            engine.wait_for_vectors(request.min_revision, deadline_s)
        with volume.snapshot() as view:
            asked = question(engine, view, request)
            return response_of(view, request, asked, engine.search_vectors_in(view, asked))

    return await reached(context, request.min_revision, run)


def response_of(
    view: Reader, request: pb.QueryPointsRequest, asked: VectorSearch, answer: SearchAnswer
) -> pb.QueryPointsResponse:
    """An answer as the contract shows it, with the vectors of `view` if the request asks for them."""
    vectors = _vectors(view, answer.hits) if request.with_vectors else {}
    response = pb.QueryPointsResponse(
        revision=answer.revision,
        generation=answer.generation,
        exact=answer.exact,
        strategy=answer.strategy,
        partial=answer.partial,
        partial_reasons=answer.partial_reasons,
        pending=answer.pending,
        next_page_token=messages.cursor_token(answer.next, asked),
    )
    for hit in answer.hits:
        _fill(response.hits.add(), hit, vectors.get(hit.node.ino, {}))
    return response


def _vectors(view: Reader, hits: Sequence[Hit]) -> dict[int, dict[str, bytes]]:
    """The vectors of the hits, by file and name."""
    found = versioned.vectors_of(view, [hit.node.ino for hit in hits])
    return {ino: {row.name: bytes(row.data or b"") for row in rows} for ino, rows in found.items()}


def question(engine: SearchEngine, view: Snapshot, request: pb.QueryPointsRequest) -> VectorSearch:
    """What a request asks for, as things are in `view`.

    Raises NotFound, CollectionNotFound, PointNotFound, InvalidRequest, InvalidFilter, InvalidVector, DimensionMismatch.
    """
    compiled = filter_of(request.filter) if request.HasField("filter") else None
    reference = request.collection
    collection = engine.known(view, ("reference", reference.SerializeToString()), lambda: points.find(view, reference))
    known = [spec.name for spec in collection.schema.vectors]
    name = request.vector_name or (known[0] if known else "")
    if name not in known:
        raise InvalidRequest(f"the collection has no vector named {name[:64]!r}; it has: {', '.join(known) or 'none'}")
    limit = request.limit or SEARCH_LIMIT_DEFAULT
    asked = VectorSearch(
        collection.ino, request.vector.values, name, limit, filter=compiled, with_metadata=True, exact=request.exact
    )
    spec = collections.vector_spec(collection, name)
    kind = request.WhichOneof("query")
    if kind == "point_id":
        point = core_points.get(view, collection, request.point_id)
        asked = asked._replace(vector=examples.vector_named(point, name), exclude=(point.ino,))
    elif kind == "examples":
        vector, exclude = examples.resolve(view, collection, spec, request.examples)
        asked = asked._replace(vector=vector, exclude=exclude)
    core_points.check_vector(spec, asked.vector)
    return asked._replace(after=messages.cursor(request.page_token, asked))


def _fill(message: pb.PointHit, hit: Hit, vectors: dict[str, bytes]) -> None:
    # A file deeper in the collection is found too; the id of a point is its name in the collection's directory.
    id = core_points.id_of(hit.path.rpartition(b"/")[2])
    points.fill(message.point, Point(hit.node.ino, id, hit.metadata or NO_METADATA, vectors, hit.node.revision))
    message.score = hit.score


HANDLERS: dict[str, Handler | TwoWays] = {"vexfs.v1.PointsService.QueryPoints": TwoWays(query_points_at_once, query_points)}
