# Made from _async/points.py by scripts/make-sync.
"""The group `client.points`: every method of PointsService."""

from collections.abc import Iterable
from dataclasses import replace

from vexfs_client import _convert, _methods
from vexfs_client._filters import Filter
from vexfs_client._generated.vexfs import v1
from vexfs_client._packing import PointInputs, packs, to_message
from vexfs_client._queries import HITS_AT_ONCE, PointsQuery, query_message
from vexfs_client._request import new_request_id
from vexfs_client._types import Deleted, Page, Point, PointHit, PointInput, QueryResult, Upserted, VectorLike
from vexfs_client._values import FileName, check_32_bits, to_ref

from .paging import Items
from .transport import Transport

list_ = list


class Points:
    """Vectors with a payload: the files of a collection. Reached as `client.points`.

    `timeout`, `request_id` and `min_revision` are as for `client.files`. All methods raise VexfsError, among them NotFoundError
    (COLLECTION_NOT_FOUND).
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upsert(
        self,
        collection: FileName,
        points: Iterable[PointInput],
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Upserted:
        """Make points, or replace those of the same id; at most 10,000, and 16 MiB in all.

        More than 250 are put in steps, in order: a failure leaves those before it. Raises InvalidArgumentError (INVALID_VECTOR,
        DIMENSION_MISMATCH, INVALID_METADATA), ResourceExhaustedError (TOO_LARGE).
        """
        request = v1.UpsertPointsRequest(
            collection=to_ref(collection),
            points=[*map(to_message, points)],
            request_id=new_request_id(request_id),
        )
        answer = self._transport.unary(_methods.UPSERT_POINTS, request, timeout=timeout, request_id=request.request_id)
        return Upserted(answer.revision, answer.upserted)

    def upsert_stream(
        self,
        collection: FileName,
        points: PointInputs,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Upserted:
        """Make points, or replace those of the same id, as they come: any number, in messages of up to 250 or about 1 MiB.

        `points` is taken from no faster than the server puts them, so memory stays small. They are put in order; a failure
        leaves those before it, and `upserted` of the error's `metadata` says how many. When this returns all are durable.
        `timeout` is for the whole stream (None: no limit). It is sent once, and not tried again; the same points may be sent
        again. Raises as `upsert` does; what `points` raises ends the call.
        """
        request_id = new_request_id(request_id)
        method = _methods.UPSERT_POINTS_STREAM
        with self._transport.upload(method, timeout=timeout or 0, request_id=request_id) as upload:
            upload.send(v1.UpsertPointsStreamRequest(collection=to_ref(collection), request_id=request_id))
            for pack in packs(points):
                upload.send(v1.UpsertPointsStreamRequest(points=pack))
            answer = upload.finish()
        return Upserted(answer.revision, answer.upserted)

    def get(
        self,
        collection: FileName,
        ids: Iterable[str],
        *,
        with_vectors: bool = False,
        min_revision: int = 0,
        timeout: float | None = None,
    ) -> list_[Point]:
        """The points with these ids, in this order; those that are not there are left out."""
        request = v1.GetPointsRequest(
            collection=to_ref(collection), ids=[*ids], with_vectors=with_vectors, min_revision=min_revision
        )
        answer = self._transport.unary(_methods.GET_POINTS, request, timeout=timeout)
        return [_convert.point(point, answer.revision) for point in answer.points]

    def delete(
        self, collection: FileName, ids: Iterable[str], *, request_id: str | None = None, timeout: float | None = None
    ) -> Deleted:
        """Delete the points with these ids; one that is not there is passed over."""
        request = v1.DeletePointsRequest(collection=to_ref(collection), ids=[*ids], request_id=new_request_id(request_id))
        answer = self._transport.unary(_methods.DELETE_POINTS, request, timeout=timeout, request_id=request.request_id)
        return Deleted(answer.revision, answer.deleted)

    def list(
        self,
        collection: FileName,
        *,
        page_size: int = 0,
        with_vectors: bool = False,
        min_revision: int = 0,
        timeout: float | None = None,
    ) -> Items[Point]:
        """The points of a collection in byte order of their ids; an iterator that pages by itself (0: 1,000 at once)."""

        def fetch(page_token: str, page_size: int) -> Page[Point]:
            check_32_bits(page_size=page_size)
            request = v1.ListPointsRequest(
                collection=to_ref(collection),
                page_size=page_size,
                page_token=page_token,
                with_vectors=with_vectors,
                min_revision=min_revision,
            )
            answer = self._transport.unary(_methods.LIST_POINTS, request, timeout=timeout)
            return Page(
                answer.revision, [_convert.point(point, answer.revision) for point in answer.points], answer.next_page_token
            )

        return Items(fetch, page_size)

    def query(
        self,
        collection: FileName,
        vector: VectorLike | None = None,
        *,
        point_id: str | None = None,
        positive: Iterable[str | VectorLike] = (),
        negative: Iterable[str | VectorLike] = (),
        vector_name: str = "",
        filter: Filter | None = None,
        limit: int = 0,
        with_vectors: bool = False,
        exact: bool = False,
        page_token: str = "",
        min_revision: int = 0,
        timeout: float | None = None,
    ) -> QueryResult:
        """The points nearest to `vector`, to the point `point_id`, or to what examples have in common; give one of the three.

        `positive` and `negative` are examples of what points shall be like, and not: ids of points, or vectors, up to 100 each.
        What is compared is the mean of the positive ones, with negative ones twice that less the mean of those; under cosine
        every example is brought to length 1 before. Points that are named are left out of the answer.

        `vector_name` is the named vector to compare (empty: the collection's first), `limit` how many hits at most (0: 10;
        up to 1,000). `exact` compares with every vector that may be answered, so that none is missed, however long that takes.
        `page_token` asks for the hits that follow an answer, by its `next_page_token`; the other arguments stay, but for
        `limit`. Raises InvalidArgumentError (DIMENSION_MISMATCH, INVALID_FILTER …), NotFoundError (POINT_NOT_FOUND),
        UnavailableError (VIEW_UNAVAILABLE).
        """
        query = PointsQuery(
            collection=collection,
            vector=vector,
            point_id=point_id,
            positive=positive,
            negative=negative,
            vector_name=vector_name,
            filter=filter,
            limit=limit,
            with_vectors=with_vectors,
            exact=exact,
            page_token=page_token,
        )
        request = query_message(query, min_revision)
        return _convert.query_result(self._transport.unary(_methods.QUERY_POINTS, request, timeout=timeout))

    def query_hits(
        self, query: PointsQuery, *, page_size: int = 0, min_revision: int = 0, timeout: float | None = None
    ) -> Items[PointHit]:
        """All points that are near, nearest first; an iterator that pages by itself (0: 100 at once; up to 1,000).

        The query's `limit` is how many hits there are in all (0: no limit), its `page_token` where they begin. The pages have
        10,000 hits in all: an iterator without a limit that comes to their end, where there are more, raises
        InvalidArgumentError.
        """
        asked = replace(query, positive=[*query.positive], negative=[*query.negative])

        def fetch(page_token: str, limit: int) -> Page[PointHit]:
            request = query_message(replace(asked, limit=limit, page_token=page_token), min_revision)
            found = _convert.query_result(self._transport.unary(_methods.QUERY_POINTS, request, timeout=timeout))
            return Page(found.revision, found.hits, found.next_page_token)

        return Items(fetch, page_size or HITS_AT_ONCE, limit=query.limit, page_token=query.page_token)

    def batch_query(
        self, queries: Iterable[PointsQuery], *, min_revision: int = 0, timeout: float | None = None
    ) -> list_[QueryResult]:
        """What `query` would answer to each of these, at most 100, in their order and all of the same revision.

        Their limits may be 10,000 together, the answers 3 MiB (TOO_LARGE). If one query cannot be answered all fail; the error
        names it, in its message and as `index` of its `metadata`.
        """
        request = v1.BatchQueryPointsRequest(queries=[*map(query_message, queries)], min_revision=min_revision)
        answer = self._transport.unary(_methods.BATCH_QUERY_POINTS, request, timeout=timeout)
        return [_convert.query_result(one) for one in answer.answers]
