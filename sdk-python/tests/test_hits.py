"""All hits of a search and of a query of points, page after page: against a real server and a scripted one."""

import itertools
from collections.abc import Iterable

import grpc
import pytest

from vexfs_client import (
    AsyncClient,
    Client,
    InvalidArgumentError,
    PointHit,
    PointInput,
    PointsQuery,
    Reason,
    SearchQuery,
    VectorSpec,
    VexfsError,
)
from vexfs_client._generated.vexfs import v1

from .faulty import Failure, Peer, Scripted
from .server import Server

POINTS = 25
FILES = 7
HITS_MAX = 10_000


@pytest.fixture
def collection(client: Client, folder: str) -> str:
    """Points `p00` and so on, each a little further from the direction [1, 0] than the one before."""
    path = client.collections.create(f"{folder}/c", vectors=[VectorSpec("v", 2)]).path
    put = client.points.upsert(path, [PointInput(f"p{number:02}", {"v": [10, number]}) for number in range(POINTS)])
    client.wait_for_views(min_revision=put.revision)
    return path


@pytest.fixture
def notes(client: Client, folder: str) -> str:
    for number in range(FILES):
        client.files.write(f"{folder}/{number}.md", b"The harbour opens at noon. " + b"Fog is rare. " * number)
    client.wait_for_views()
    return folder


def ids(hits: Iterable[PointHit]) -> list[str]:
    return [hit.point.id for hit in hits]


def test_all_points_come_once_and_in_order(client: Client, collection: str) -> None:
    wanted = [f"p{number:02}" for number in range(POINTS)]
    query = PointsQuery(collection=collection, vector=[1, 0])
    assert ids(client.points.query_hits(query)) == wanted
    hits = client.points.query_hits(query, page_size=4)
    assert ids(hits) == wanted
    assert ids(hits) == wanted, "each iteration begins anew"
    whole = client.points.query(collection, [1, 0], limit=POINTS)
    assert list(hits) == whole.hits
    for limit in (1, 4, 6, POINTS, POINTS + 1):
        limited = PointsQuery(collection=collection, vector=[1, 0], limit=limit)
        assert ids(client.points.query_hits(limited, page_size=4)) == wanted[:limit]
    page = hits.page()
    assert len(page.items) == 4
    behind = PointsQuery(collection=collection, vector=[1, 0], page_token=page.next_page_token, limit=3)
    assert ids(client.points.query_hits(behind)) == wanted[4:7]


def test_examples_that_can_be_read_once_ask_every_page(client: Client, collection: str) -> None:
    query = PointsQuery(collection=collection, positive=(name for name in ["p00"]), negative=iter([[0.0, 1.0]]))
    assert len(list(client.points.query_hits(query, page_size=5))) == POINTS - 1


def test_all_files_come_once_and_in_order(client: Client, notes: str) -> None:
    for mode in ("dense", "lexical", "hybrid"):
        search = SearchQuery(text="when does the harbour open?", scope=notes, mode=mode)
        hits = [hit.file.name for hit in client.search_hits(search, page_size=2)]
        assert sorted(hits) == [f"{number}.md" for number in range(FILES)], mode
        if mode != "hybrid":  # whose first page is how deep it is fused
            assert hits == [hit.file.name for hit in client.search(search.text, scope=notes, mode=mode, limit=FILES).hits]
        first = SearchQuery(text=search.text, scope=notes, mode=mode, limit=3)
        assert [hit.file.name for hit in client.search_hits(first, page_size=2)] == hits[:3]


async def test_hits_come_to_asyncio_too(async_client: AsyncClient, folder: str) -> None:
    collection = (await async_client.collections.create(f"{folder}/c", vectors=[VectorSpec("v", 1)])).path
    put = await async_client.points.upsert(collection, [PointInput(f"p{number}", {"v": [1]}) for number in range(5)])
    hits = async_client.points.query_hits(
        PointsQuery(collection=collection, vector=[1]), page_size=2, min_revision=put.revision
    )
    assert [hit.point.id async for hit in hits] == [f"p{number}" for number in range(5)]
    search = SearchQuery(vector=[1], vector_name="v", scope=collection, limit=3)
    found = [hit.file.name async for hit in async_client.search_hits(search, page_size=2)]
    assert found == ["p0", "p1", "p2"]


def test_what_is_behind_the_last_page_is_an_error_and_a_limit_ends_before_it(server: Server) -> None:
    with Client(address=server.address, token=server.token, timeout=120) as client:
        collection = client.collections.create("/many-hits", vectors=[VectorSpec("v", 1)]).path
        numbers = range(HITS_MAX + 5)
        for some in (numbers[:HITS_MAX], numbers[HITS_MAX:]):
            put = client.points.upsert(collection, [PointInput(f"{number:05}", {"v": [1]}) for number in some])
        query = PointsQuery(collection=collection, vector=[1], limit=HITS_MAX, exact=True)
        hits = client.points.query_hits(query, page_size=1000, min_revision=put.revision)
        assert ids(hits) == [f"{number:05}" for number in numbers[:HITS_MAX]]
        came = 0
        with pytest.raises(InvalidArgumentError, match="10,000 hits"):
            for _ in client.points.query_hits(PointsQuery(collection=collection, vector=[1], exact=True), page_size=1000):
                came += 1
        assert came == HITS_MAX


def found(number: int, count: int, next_page_token: str) -> v1.SearchResponse:
    """A page of hits, with ids from `number`."""
    hits = [v1.SearchHit(file=v1.File(id=number + more, path="/a")) for more in range(count)]
    return v1.SearchResponse(revision=7, hits=hits, next_page_token=next_page_token)


def asked(server: Scripted) -> list[tuple[int, str]]:
    """The limit and the token of each request."""
    requests = [seen.request.of(v1.SearchRequest) for seen in server.seen]
    return [(request.limit, request.page_token) for request in requests]


def test_a_page_is_asked_for_when_it_is_needed(peer: Peer) -> None:
    with peer(found(1, 3, "b"), found(4, 3, "c"), found(7, 1, "d")) as server, Client(**server.reach, token="t") as client:
        hits = client.search_hits(SearchQuery(text="x"), page_size=3)
        assert asked(server) == []
        assert [hit.file.id for hit in itertools.islice(hits, 3)] == [1, 2, 3]
        assert asked(server) == [(3, "")]
    with peer(found(1, 3, "b"), found(4, 3, "c"), found(7, 1, "d")) as server, Client(**server.reach, token="t") as client:
        assert [hit.file.id for hit in client.search_hits(SearchQuery(text="x", limit=7), page_size=3)] == [*range(1, 8)]
        assert asked(server) == [(3, ""), (3, "b"), (1, "c")], "no more than is wanted, and nothing behind it"
    with peer(found(1, 2, "")) as server, Client(**server.reach, token="t") as client:
        assert len(list(client.search_hits(SearchQuery(text="x")))) == 2
        assert asked(server) == [(100, "")]


def test_an_error_in_the_middle_comes_after_the_hits_before_it(peer: Peer) -> None:
    refusal = Failure(code=grpc.StatusCode.FAILED_PRECONDITION, reason="VIEW_UNAVAILABLE")
    with peer(found(1, 2, "b"), refusal) as server, Client(**server.reach, token="t", max_attempts=1) as client:
        hits = iter(client.search_hits(SearchQuery(text="x"), page_size=2))
        assert [next(hits).file.id, next(hits).file.id] == [1, 2]
        with pytest.raises(VexfsError) as error:
            next(hits)
        assert error.value.reason == Reason.VIEW_UNAVAILABLE
        assert next(hits, None) is None
