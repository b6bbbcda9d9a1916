"""How many SQL statements QueryPoints takes, from the dispatcher to the answer: in a process's own parts, without a surface."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest
from google.protobuf import struct_pb2
from in_process import InProcess

from vexfs.api.application import Application, Settings, open_application
from vexfs.contract.v1 import collections_pb2, common_pb2, filter_pb2, points_pb2
from vexfs.core.errors import CollectionNotFound, DimensionMismatch, InvalidRequest, NotFound, VexfsError
from vexfs.core.search import engine

COLLECTION = common_pb2.FileRef(path="/c")
ROWS = np.random.default_rng(7).standard_normal((40, 8)).astype("<f4")
STATEMENTS = 4
"""BEGIN, the revision, the hits with their names and metadata, ROLLBACK."""


LOOP, READER = "the event loop's thread", "a reader thread"


class Caught(InProcess):
    """An application, and what its event loop and its reader threads have executed: (thread, statement)."""

    def __init__(self, application: Application, statements: list[tuple[str, str]]) -> None:
        super().__init__(application)
        self.statements = statements

    async def query(self, **more: Any) -> Any:
        vector = common_pb2.Vector(values=ROWS[3].tobytes())
        request = points_pb2.QueryPointsRequest(collection=COLLECTION, vector=vector, limit=10, **more)
        return await self.call("PointsService.QueryPoints", request)

    def threads(self) -> set[str]:
        """In which threads the statements ran, which are forgotten now."""
        found = {thread for thread, _ in self.statements}
        self.statements.clear()
        return found

    async def fill(self) -> int:
        """The revision of the points."""
        return await self.put_points(COLLECTION, ROWS)


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, test: Callable[[Caught], Awaitable[None]]) -> None:
    statements: list[tuple[str, str]] = []

    def trace(_: Any, sql: str, __: Any) -> bool:
        thread = threading.current_thread()
        if thread is threading.main_thread():
            statements.append((LOOP, sql))
        elif thread.name.startswith("vexfs-read"):
            statements.append((READER, sql))
        return True

    def hook(connection: apsw.Connection) -> None:
        connection.exec_trace = trace

    async def opened() -> None:
        application = await open_application(Settings(folder, "127.0.0.1", 0, 0, None, None))
        try:
            await test(Caught(application, statements))
        finally:
            # A process that ends while a model is on its way into memory may end by a signal.
            await asyncio.to_thread(application.engine.queries.wait, 60)
            await application.close()

    monkeypatch.setenv("VEXFS_RESULT_CACHE_MIB", "0")
    monkeypatch.setattr(apsw, "connection_hooks", [*apsw.connection_hooks, hook])
    asyncio.run(opened())


def test_a_query_takes_as_few_statements_as_its_hits_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(caught: Caught) -> None:
        revision = await caught.fill()
        assert (await caught.query(min_revision=revision)).hits[0].point.id == "3"
        caught.statements.clear()
        answer = await caught.query()
        assert len(caught.statements) == STATEMENTS, caught.statements
        assert len(answer.hits) == 10 and answer.revision == revision and not answer.partial
        caught.statements.clear()
        answer = await caught.query(with_vectors=True)
        assert len(caught.statements) == STATEMENTS + 1, caught.statements
        assert answer.hits[0].point.vectors["v"].values == ROWS[3].tobytes()

    run(tmp_path, monkeypatch, test)


def test_a_brief_query_is_answered_on_the_event_loop_and_any_other_in_a_reader_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(caught: Caught) -> None:
        revision = await caught.fill()
        await caught.query(min_revision=revision)
        caught.threads()
        for brief in ({}, {"min_revision": revision}, {"exact": True}):
            assert len((await caught.query(**brief)).hits) == 10
            assert caught.threads() == {LOOP}, brief
        named = filter_pb2.Filter(metadata=filter_pb2.MetadataCondition(key="n", equals=struct_pb2.Value(number_value=1)))
        for longer in ({"filter": named}, {"with_vectors": True}):
            await caught.query(**longer)
            assert caught.threads() == {READER}, longer
        monkeypatch.setattr(engine, "BRIEF_FLOATS_MAX", ROWS.size - 1)
        assert len((await caught.query()).hits) == 10
        assert READER in caught.threads()

    run(tmp_path, monkeypatch, test)


def test_a_batch_takes_one_snapshot_for_all_of_its_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(caught: Caught) -> None:
        await caught.query(min_revision=await caught.fill())
        caught.statements.clear()
        one = points_pb2.QueryPointsRequest(collection=COLLECTION, vector=common_pb2.Vector(values=ROWS[3].tobytes()))
        answer = await caught.call("PointsService.BatchQueryPoints", points_pb2.BatchQueryPointsRequest(queries=[one] * 5))
        assert len(caught.statements) == STATEMENTS, caught.statements
        assert [caught.statements[0][1], caught.statements[-1][1]] == ["BEGIN", "ROLLBACK"]
        assert {found.hits[0].point.id for found in answer.answers} == {"3"}

    run(tmp_path, monkeypatch, test)


def test_queries_that_come_together_share_a_snapshot_and_have_their_own_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(caught: Caught) -> None:
        await caught.query(min_revision=await caught.fill())
        caught.statements.clear()

        def one(vector: bytes) -> Awaitable[Any]:
            request = points_pb2.QueryPointsRequest(collection=COLLECTION, vector=common_pb2.Vector(values=vector), limit=4)
            return caught.call("PointsService.QueryPoints", request)

        wrong = one(ROWS[0, :3].tobytes())
        answers = await asyncio.gather(*(one(row.tobytes()) for row in ROWS[:7]), wrong, return_exceptions=True)
        assert [answer.hits[0].point.id for answer in answers[:7]] == [str(number) for number in range(7)]
        assert isinstance(answers[7], DimensionMismatch)
        assert len(caught.statements) == STATEMENTS, caught.statements

    run(tmp_path, monkeypatch, test)


def test_what_is_known_of_a_collection_ends_with_the_next_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(caught: Caught) -> None:
        revision = await caught.fill()
        await caught.query(min_revision=revision)
        ids = [str(number) for number in range(len(ROWS))]
        await caught.call("PointsService.DeletePoints", points_pb2.DeletePointsRequest(collection=COLLECTION, ids=ids))
        assert not (await caught.query()).hits
        await caught.call("CollectionsService.DeleteCollection", collections_pb2.DeleteCollectionRequest(collection=COLLECTION))
        with pytest.raises(CollectionNotFound):
            await caught.query()

    run(tmp_path, monkeypatch, test)


def test_a_wrong_question_is_refused_before_the_views_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(caught: Caught) -> None:
        revision = await caught.fill()
        caught.application.engine.dense.stop()  # it will never have what is written from here on
        await caught.call("PointsService.DeletePoints", points_pb2.DeletePointsRequest(collection=COLLECTION, ids=["3"]))

        async def refused(collection: str) -> VexfsError:
            vector = common_pb2.Vector(values=ROWS[3].tobytes())
            request = points_pb2.QueryPointsRequest(
                collection=common_pb2.FileRef(path=collection), vector=vector, min_revision=revision + 1
            )
            with pytest.raises(VexfsError) as caught_error:
                await asyncio.wait_for(caught.call("PointsService.QueryPoints", request), 5)
            return caught_error.value

        assert isinstance(await refused("/nowhere"), NotFound)
        assert isinstance(await refused("/"), InvalidRequest)

    run(tmp_path, monkeypatch, test)
