"""PointsService, queries: the points nearest to a vector, or to another point."""

from vexfs.api.context import CallContext
from vexfs.api.methods import points
from vexfs.api.methods.defaults import SEARCH_LIMIT_DEFAULT
from vexfs.api.methods.filters import filter_of
from vexfs.api.methods.search import reached
from vexfs.api.registry import Handler
from vexfs.contract.v1 import points_pb2 as pb
from vexfs.core import collections
from vexfs.core import points as core_points
from vexfs.core.errors import InvalidRequest
from vexfs.core.search.types import Hit, SearchAnswer, VectorSearch
from vexfs.store.reader import Reader


async def query_points(context: CallContext, request: pb.QueryPointsRequest) -> pb.QueryPointsResponse:
    compiled = filter_of(request.filter) if request.HasField("filter") else None
    engine = context.application.engine
    asked = await context.read(lambda view, _: _question(view, request))
    asked = asked._replace(filter=compiled)

    def run(deadline_s: float | None) -> SearchAnswer:
        return engine.search_vectors(asked, min_revision=request.min_revision, deadline_s=deadline_s)

    answer = await reached(context, request.min_revision, run)
    response = pb.QueryPointsResponse(
        revision=answer.revision,
        generation=answer.generation,
        exact=answer.exact,
        strategy=answer.strategy,
        partial=answer.partial,
        partial_reasons=answer.partial_reasons,
        pending=answer.pending,
    )
    hits = await context.read(lambda view, _: [_hit(view, hit, request.with_vectors) for hit in answer.hits])
    response.hits.extend(hits)
    return response


def _question(view: Reader, request: pb.QueryPointsRequest) -> VectorSearch:
    collection = points.find(view, request.collection)
    known = [spec.name for spec in collection.schema.vectors]
    name = request.vector_name or (known[0] if known else "")
    if name not in known:
        raise InvalidRequest(f"the collection has no vector named {name[:64]!r}; it has: {', '.join(known) or 'none'}")
    limit = request.limit or SEARCH_LIMIT_DEFAULT
    asked = VectorSearch(collection.ino, request.vector.values, name, limit)
    if request.WhichOneof("query") == "point_id":
        point = core_points.get(view, collection, request.point_id)
        if name not in point.vectors:
            raise InvalidRequest(f"the point {request.point_id!r} has no vector named {name!r} to compare with")
        asked = asked._replace(vector=point.vectors[name], exclude=point.ino)
    core_points.check_vector(collections.vector_spec(collection, name), asked.vector)
    return asked


def _hit(view: Reader, hit: Hit, with_vectors: bool) -> pb.PointHit:
    # A file deeper in the collection is found too; the id of a point is its name in the collection's directory.
    name = hit.path.rpartition(b"/")[2].decode("utf-8", "backslashreplace")
    point = core_points.from_node(view, hit.node, name)
    return pb.PointHit(point=points.message(point, with_vectors), score=hit.score)


HANDLERS: dict[str, Handler] = {"vexfs.v1.PointsService.QueryPoints": query_points}
