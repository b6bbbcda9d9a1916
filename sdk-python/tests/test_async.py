"""The asynchronous client against a real server: each group, streams, lists and many calls at the same time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from vexfs_client import AsyncClient, NotFoundError, PointInput, Reason, UnauthenticatedError, VectorSpec

from .server import Server

BIG = bytes(range(256)) * 20_000


async def test_files(async_client: AsyncClient, folder: str) -> None:
    written = await async_client.files.write(f"{folder}/a/b", b"hello", make_parents=True)
    assert await async_client.files.stat(written) == written
    assert await async_client.files.read(written, offset=1, length=2) == b"el"
    await async_client.files.set_metadata(written, {"a": 1})
    assert await async_client.files.get_metadata(written) == {"a": 1}
    await async_client.files.copy(folder, f"{folder}2", recursive=True)
    assert (await async_client.files.remove(f"{folder}2", recursive=True)).removed == 3
    with pytest.raises(NotFoundError):
        await async_client.files.stat(f"{folder}2")


async def test_content_in_pieces(async_client: AsyncClient, folder: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(BIG), 1_500_000):
            await asyncio.sleep(0)
            yield BIG[start : start + 1_500_000]

    for content in (pieces(), BIG, iter([BIG])):
        assert (await async_client.files.write(f"{folder}/big", content)).size_bytes == len(BIG)
        assert await async_client.files.read(f"{folder}/big") == BIG
        await async_client.files.remove(f"{folder}/big")


async def test_pieces_that_fail_or_are_cancelled_leave_nothing(async_client: AsyncClient, folder: str) -> None:
    waiting = asyncio.Event()

    async def failing() -> AsyncIterator[bytes]:
        yield BIG
        raise KeyError

    async def endless() -> AsyncIterator[bytes]:
        yield BIG
        waiting.set()
        await asyncio.Event().wait()

    with pytest.raises(KeyError):
        await async_client.files.write(f"{folder}/f", failing())
    task = asyncio.create_task(async_client.files.write(f"{folder}/f", endless()))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(NotFoundError):
        await async_client.files.stat(f"{folder}/f")
    with pytest.raises(NotFoundError):
        await async_client.files.write(f"{folder}/none/f", iter([BIG] * 20))


async def test_points_come_asynchronously_and_end_with_their_source(async_client: AsyncClient, folder: str) -> None:
    await async_client.collections.create(f"{folder}/c", vectors=[VectorSpec("v", 2)])

    async def points(count: int, failure: Exception | None = None) -> AsyncIterator[PointInput]:
        for number in range(count):
            yield PointInput(f"{number}", {"v": [1.0, number]})
        if failure is not None:
            raise failure

    assert (await async_client.points.upsert_stream(f"{folder}/c", points(600))).upserted == 600
    assert (await async_client.points.upsert_stream(f"{folder}/c", [PointInput("one")])).upserted == 1
    with pytest.raises(KeyError):
        await async_client.points.upsert_stream(f"{folder}/c", points(700, KeyError("the source")))


async def test_a_stream_that_is_refused_while_it_is_written_says_why(server: Server, transport: str) -> None:
    async with AsyncClient(**server.reach(transport), token="wrong") as stranger:
        for _ in range(100):
            with pytest.raises(UnauthenticatedError) as error:
                await stranger.files.write("/x", iter([b"x"] * 5))
            assert error.value.reason == Reason.UNAUTHENTICATED


async def test_lists_page_by_themselves(async_client: AsyncClient, folder: str) -> None:
    await asyncio.gather(*(async_client.files.write(f"{folder}/{number:02}", b"") for number in range(25)))
    items = async_client.files.list(folder, page_size=10)
    assert [file.name async for file in items] == [f"{number:02}" for number in range(25)]
    page = await items.page()
    assert len(page.items) == 10
    assert (await items.page(page.next_page_token)).items[0].name == "10"
    async for file in items:
        assert file.name == "00"
        break


async def test_points_and_search(async_client: AsyncClient, folder: str) -> None:
    collection = await async_client.collections.create(f"{folder}/c", vectors=[VectorSpec("v", 2)])
    assert [one async for one in async_client.collections.list()]
    put = await async_client.points.upsert(collection.id, [PointInput("a", {"v": [1, 0]}), PointInput("b", {"v": [0, 1]})])
    result = await async_client.points.query(collection.id, [0, 1], limit=1, min_revision=put.revision)
    assert [hit.point.id for hit in result.hits] == ["b"]
    await async_client.files.write(f"{folder}/penguin.md", b"Penguins cannot fly.")
    await async_client.wait_for_views()
    found = await async_client.search("penguin", scope=folder)
    assert found.hits[0].file.name == "penguin.md"
    assert (await async_client.server_info()).revision >= found.revision
