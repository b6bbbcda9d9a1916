"""Batches of queries: each answer is that of a single query, all of one revision; a batch ends with its caller or deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_process import InProcess
from running import Client, refused, running, status_of

from vexfs.api.application import Settings, open_application
from vexfs.api.limits import READER_THREADS
from vexfs.api.methods.defaults import BATCH_HITS_MAX
from vexfs.contract.v1.collections_pb2 import CollectionSchema, VectorSpec
from vexfs.contract.v1.common_pb2 import FileRef, Vector
from vexfs.contract.v1.filter_pb2 import Filter, MetadataCondition, NumberRange
from vexfs.contract.v1.points_pb2 import (
    BatchQueryPointsRequest,
    BatchQueryPointsResponse,
    DeletePointsRequest,
    Example,
    Examples,
    PointInput,
    QueryPointsRequest,
    UpsertPointsRequest,
)
from vexfs.core.errors import DeadlineExceeded, InvalidRequest, PointNotFound, RevisionNotReached, TooLarge, VexfsError
from vexfs.core.search.engine import BRIEF_LIMIT_MAX
from vexfs.core.search.together import TOGETHER_MAX
from vexfs.observability.metrics import REGISTRY

COUNT, DIMENSION = 120, 6
ROWS = np.random.default_rng(23).standard_normal((COUNT, DIMENSION)).astype("<f4")
POINTS, OTHERS = FileRef(path="/points"), FileRef(path="/others")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with two collections, of all rows and of a few; it remembers no answers, so that each is found by itself."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VEXFS_RESULT_CACHE_MIB", "0")
            server = stack.enter_context(running(tmp_path_factory.mktemp("batches"), ["-m", "vexfs.api"]))
        client = Client(server)
        for collection, count in ((POINTS, COUNT), (OTHERS, 20)):
            specs = [VectorSpec(name=name, dimension=DIMENSION) for name in ("v", "w")]
            client.create_collection(collection=collection, schema=CollectionSchema(vectors=specs))
            made = [point(number) for number in range(count)]
            revision = client.upsert_points(collection=collection, points=made).revision
            client.query_points(collection=collection, point_id="0", min_revision=revision)
        yield client
        client.close()


def packed(row: np.ndarray) -> Vector:
    return Vector(values=row.astype("<f4").tobytes())


def point(number: int) -> PointInput:
    made = PointInput(id=str(number), vectors={"v": packed(ROWS[number]), "w": packed(-ROWS[number])})
    made.metadata.update({"number": number})
    return made


def single_of(api: Client, query: QueryPointsRequest) -> Any:
    return api.query_points(**{field.name: value for field, value in query.ListFields()})


ids = st.integers(0, 19).map(str)
vectors = st.integers(0, COUNT - 1).map(lambda number: packed(ROWS[number] + ROWS[0]))
examples = st.builds(Example, point_id=ids) | st.builds(Example, vector=vectors)
queried = st.fixed_dictionaries({"vector": vectors}) | st.fixed_dictionaries({"point_id": ids})
ranges = st.builds(lambda low: NumberRange(gte=low), st.integers(0, 20))
filters = st.builds(lambda allowed: Filter(metadata=MetadataCondition(key="number", range=allowed)), ranges)
asked = st.builds(
    lambda query, fields: QueryPointsRequest(**query, **fields),
    queried | st.builds(lambda shown: {"examples": Examples(positive=shown)}, st.lists(examples, min_size=1, max_size=3)),
    st.fixed_dictionaries(
        {"collection": st.sampled_from([POINTS, OTHERS])},
        optional={
            "vector_name": st.sampled_from(["v", "w"]),
            "filter": filters,
            "limit": st.integers(0, 30),
            "with_vectors": st.booleans(),
            "exact": st.booleans(),
        },
    ),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(asked, min_size=1, max_size=12))
def test_a_batch_answers_what_its_queries_answer_one_by_one(api: Client, queries: list[QueryPointsRequest]) -> None:
    answer: BatchQueryPointsResponse = api.batch_query_points(queries=queries)
    singles = [single_of(api, query) for query in queries]
    assert list(answer.answers) == singles
    assert {answer.revision} == {single.revision for single in singles}


def test_the_query_that_is_wrong_is_named(api: Client) -> None:
    good = QueryPointsRequest(collection=POINTS, point_id="1")
    wrong = {
        "POINT_NOT_FOUND": QueryPointsRequest(collection=POINTS, point_id="none"),
        "FILE_NOT_FOUND": QueryPointsRequest(collection=FileRef(path="/nowhere"), point_id="1"),
        "DIMENSION_MISMATCH": QueryPointsRequest(collection=POINTS, vector=Vector(values=b"\0\0\0\0")),
        "INVALID_ARGUMENT": QueryPointsRequest(collection=POINTS, point_id="1", limit=1001),
    }
    for reason, query in wrong.items():
        with pytest.raises(grpc.RpcError) as caught:
            api.batch_query_points(queries=[good, good, query, good])
        status, info = status_of(caught.value)
        assert (info.reason, info.metadata["index"]) == (reason, "2")
        assert status.message.startswith("queries[2]")


def test_what_a_batch_may_not_be(api: Client) -> None:
    one = QueryPointsRequest(collection=POINTS, point_id="1")
    assert len(api.batch_query_points(queries=[one] * 100).answers) == 100
    for queries in ([], [one] * 101, [QueryPointsRequest(collection=POINTS, point_id="1", min_revision=1)]):
        with refused("INVALID_ARGUMENT"):
            api.batch_query_points(queries=queries)
    many = QueryPointsRequest(collection=POINTS, point_id="1", limit=1000)
    assert len(api.batch_query_points(queries=[many] * 10).answers[9].hits) == COUNT - 1
    with refused("TOO_LARGE"):
        api.batch_query_points(queries=[many] * 10 + [one])


def test_a_batch_has_what_min_revision_says_or_says_that_it_has_not(api: Client) -> None:
    revision = api.upsert_points(collection=OTHERS, points=[point(77)]).revision
    query = QueryPointsRequest(collection=OTHERS, vector=packed(ROWS[77]), limit=1)
    answer = api.batch_query_points(queries=[query, query], min_revision=revision)
    assert answer.revision >= revision and [found.hits[0].point.id for found in answer.answers] == ["77", "77"]
    with refused("REVISION_NOT_REACHED"):
        api.batch_query_points(queries=[query], min_revision=1 << 50, timeout=0.5)
    gone = api.delete_points(collection=OTHERS, ids=["77"]).revision
    assert api.query_points(collection=OTHERS, point_id="1", min_revision=gone).revision >= gone


def test_over_rest_the_answers_are_the_same(api: Client) -> None:
    answer = api.server.http(
        "POST", "/v1/points:batchQuery", {"queries": [{"collection": {"path": "/others"}, "pointId": "3", "limit": 2}] * 2}
    )
    single = api.server.http("POST", "/v1/points:query", {"collection": {"path": "/others"}, "pointId": "3", "limit": 2})
    assert answer.status == single.status == 200
    assert answer.json == {"revision": single.json["revision"], "answers": [single.json] * 2}


# ---- In a process's own parts: what happens in the middle of a batch.


class Way(NamedTuple):
    """How the queries of a batch are searched for, and how long each time is made to take."""

    limit: int
    queries_at_a_time: int
    slow_seconds: float

    def times(self, count: int) -> int:
        """How often something is searched for in a batch of so many queries."""
        return -(-count // self.queries_at_a_time)


TOGETHER, ALONE = Way(3, TOGETHER_MAX, 0.15), Way(BRIEF_LIMIT_MAX + 1, 1, 0.03)
BATCH_MAX = BATCH_HITS_MAX // ALONE.limit
"""So many queries can be in a batch either way."""
either_way = pytest.mark.parametrize("way", [TOGETHER, ALONE], ids=["together", "alone"])


class Slowed(InProcess):
    """An application whose searches of vectors take a while, and the revisions at which it has begun any."""

    def slow_down(self, monkeypatch: pytest.MonkeyPatch, way: Way = TOGETHER) -> None:
        self.begun: list[int] = []
        engine = self.application.engine
        search_vectors_at = engine.search_vectors_at

        def slow(moment: Any, requests: Any) -> Any:
            assert len(requests) <= way.queries_at_a_time
            self.begun.append(moment.view.revision)
            time.sleep(way.slow_seconds)
            return search_vectors_at(moment, requests)

        monkeypatch.setattr(engine, "search_vectors_at", slow)

    async def batch(
        self, count: int, way: Way = TOGETHER, timeout_seconds: float = 20.0, **more: Any
    ) -> BatchQueryPointsResponse:
        rows = map(packed, ROWS[:count])
        queries = [QueryPointsRequest(collection=POINTS, vector=row, limit=way.limit) for row in rows]
        request = BatchQueryPointsRequest(queries=queries, **more)
        answer: BatchQueryPointsResponse = await self.call("PointsService.BatchQueryPoints", request, timeout_seconds)
        return answer

    async def single(self, **fields: Any) -> Any:
        return await self.call("PointsService.QueryPoints", QueryPointsRequest(**{"collection": POINTS, "limit": 3, **fields}))

    async def until_begun(self, count: int) -> None:
        while len(self.begun) < count:
            await asyncio.sleep(0.002)


def in_process(folder: Path, test: Callable[[Slowed], Awaitable[None]]) -> None:
    async def opened() -> None:
        application = await open_application(Settings(folder, "127.0.0.1", 0, 0, None, None))
        try:
            server = Slowed(application)
            await server.single(point_id="0", min_revision=await server.put_points(POINTS, ROWS))
            await asyncio.wait_for(test(server), 60)
        finally:
            await application.close()

    asyncio.run(opened())


@either_way
def test_what_is_written_meanwhile_is_in_none_of_the_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    async def test(server: Slowed) -> None:
        server.slow_down(monkeypatch, way)
        running = asyncio.ensure_future(server.batch(BATCH_MAX, way))
        await server.until_begun(2)
        delete = DeletePointsRequest(collection=POINTS, ids=[str(number) for number in range(COUNT)])
        deleted = (await server.call("PointsService.DeletePoints", delete)).revision
        assert not (await server.single(vector=packed(ROWS[0]), min_revision=deleted)).hits
        assert not running.done()
        answer = await running
        assert {answer.revision} == {found.revision for found in answer.answers} == {deleted - 1}
        assert [found.hits[0].point.id for found in answer.answers] == [str(number) for number in range(BATCH_MAX)]
        assert len(server.begun) == way.times(BATCH_MAX) + 1  # and the single one

    in_process(tmp_path, test)


@either_way
def test_other_calls_are_answered_while_batches_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    async def test(server: Slowed) -> None:
        server.slow_down(monkeypatch, way)
        count = READER_THREADS + 2
        batches = [asyncio.ensure_future(server.batch(BATCH_MAX, way)) for _ in range(count)]
        await server.until_begun(count)
        for number in range(2):
            before = len(server.begun)
            single = await server.single(vector=packed(ROWS[number]), limit=ALONE.limit)  # in a reader's thread, too
            assert single.hits[0].point.id == str(number)
            assert len(server.begun) - before <= 4 * count
        assert not any(batch.done() for batch in batches)
        for batch in batches:
            batch.cancel()
        await asyncio.gather(*batches, return_exceptions=True)

    in_process(tmp_path, test)


@either_way
@pytest.mark.parametrize("how", ["cancelled", "too late"])
def test_a_batch_ends_with_its_caller_or_its_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, way: Way
) -> None:
    async def test(server: Slowed) -> None:
        server.slow_down(monkeypatch, way)
        closed = closed_snapshots(server, monkeypatch)
        if how == "cancelled":
            running = asyncio.ensure_future(server.batch(BATCH_MAX, way))
            await server.until_begun(3)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        else:
            with pytest.raises(DeadlineExceeded):
                await server.batch(BATCH_MAX, way, timeout_seconds=0.4)
        begun = len(server.begun)
        assert 0 < begun < way.times(BATCH_MAX)
        await asyncio.sleep(5 * way.slow_seconds)
        assert len(server.begun) <= begun + 1
        assert closed == {server.begun[0]}

    in_process(tmp_path, test)


def closed_snapshots(server: Slowed, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Fills with the revisions of the snapshots that are closed from here on."""
    closed: set[int] = set()
    open_snapshot = server.application.volume.snapshot

    def snapshot(at_revision: int | None = None) -> Any:
        view = open_snapshot(at_revision)
        close = view.close

        def noting() -> None:
            close()
            closed.add(view.revision)

        view.close = noting  # type: ignore[method-assign]
        return view

    monkeypatch.setattr(server.application.volume, "snapshot", snapshot)
    return closed


def test_a_query_of_a_batch_uses_and_fills_the_cache_of_answers(tmp_path: Path) -> None:
    def count(name: str) -> float:
        return REGISTRY.get_sample_value(f"vexfs_search_cache_{name}_total", {"cache": "results"}) or 0.0

    async def test(server: Slowed) -> None:
        for _ in range(2):  # the answer to a vector is remembered when it is asked for again
            await server.single(vector=packed(ROWS[1]))
        hits, misses = count("hits"), count("misses")
        await server.batch(4)
        assert (count("hits") - hits, count("misses") - misses) == (1, 3)
        await server.batch(4)
        assert (count("hits") - hits, count("misses") - misses) == (2, 6)
        await server.batch(4)
        await server.single(vector=packed(ROWS[2]))
        assert (count("hits") - hits, count("misses") - misses) == (7, 6)

    in_process(tmp_path, test)


def test_a_batch_is_counted_once_and_its_queries_beside_it(tmp_path: Path) -> None:
    def count(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    def counts() -> tuple[float, float]:
        answered = count("vexfs_batch_queries_total", operation="BatchQueryPoints")
        return answered, count("vexfs_operations_total", surface="grpc", operation="BatchQueryPoints", outcome="OK")

    async def test(server: Slowed) -> None:
        before = counts()
        await server.batch(7)
        assert tuple(now - then for now, then in zip(counts(), before, strict=True)) == (7, 1)

    in_process(tmp_path, test)


def test_the_slow_log_says_how_many_queries_it_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VEXFS_SLOW_SECONDS", "0")

    async def test(server: Slowed) -> None:
        caplog.clear()
        await server.batch(9)
        slow = [record for record in caplog.records if record.getMessage() == "slow operation"]
        assert [(vars(record)["operation"], vars(record)["queries"]) for record in slow] == [("BatchQueryPoints", 9)]

    in_process(tmp_path, test)


def test_a_wrong_batch_is_refused_before_anything_is_waited_for_or_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refusal(server: Slowed, query: QueryPointsRequest, **more: Any) -> VexfsError:
        good = QueryPointsRequest(collection=POINTS, point_id="1", limit=1000)
        request = BatchQueryPointsRequest(queries=[good, query], **more)
        with pytest.raises(VexfsError) as caught:
            await server.call("PointsService.BatchQueryPoints", request, 3.0)
        return caught.value

    async def test(server: Slowed) -> None:
        server.slow_down(monkeypatch)
        server.application.engine.dense.stop()  # it will never have what is written from here on
        delete = DeletePointsRequest(collection=POINTS, ids=["3"])
        revision = (await server.call("PointsService.DeletePoints", delete)).revision
        wrong = await refusal(server, QueryPointsRequest(collection=FileRef(path="/"), point_id="1"), min_revision=revision)
        assert isinstance(wrong, InvalidRequest) and wrong.details["index"] == "1"
        assert isinstance(
            await refusal(server, QueryPointsRequest(collection=POINTS, point_id="3"), min_revision=revision), PointNotFound
        )
        good = QueryPointsRequest(collection=POINTS, point_id="1")
        assert isinstance(await refusal(server, good, min_revision=revision), RevisionNotReached)
        assert not server.begun

    in_process(tmp_path, test)


def test_answers_that_no_client_could_receive_end_the_batch(tmp_path: Path) -> None:
    async def test(server: Slowed) -> None:
        big = PointInput(id="big", vectors={"v": packed(ROWS[0])})
        big.metadata.update({"text": "x" * 60_000})
        upsert = server.call("PointsService.UpsertPoints", _upsert(big))
        await server.single(point_id="0", min_revision=(await upsert).revision)
        assert len((await server.batch(1)).answers) == 1
        queries = [QueryPointsRequest(collection=POINTS, vector=packed(ROWS[0]), limit=2)] * 100
        with pytest.raises(TooLarge) as caught:
            await server.call("PointsService.BatchQueryPoints", BatchQueryPointsRequest(queries=queries))
        assert 40 < int(caught.value.details["index"]) < 60

    in_process(tmp_path, test)


def _upsert(*points: PointInput) -> Any:
    return UpsertPointsRequest(collection=POINTS, points=points)
