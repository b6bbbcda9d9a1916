"""Search, waiting, skipped files and the server's own words, against a real server."""

from datetime import UTC, datetime, timedelta

import pytest

from vexfs_client import Client, DeadlineExceededError, Filter, InvalidArgumentError, Reason, SearchMode, SearchQuery, ViewState
from vexfs_client._generated.vexfs import v1

from .faulty import Peer

DOCUMENTS = {
    "keys.md": b"Access keys are rotated every ninety days by the security team.",
    "lunch.md": b"The canteen serves lunch between noon and two o'clock.",
    "deploy.md": b"Deployments go out on Tuesdays after the release meeting.",
}


@pytest.fixture
def documents(client: Client, folder: str) -> str:
    for name, text in DOCUMENTS.items():
        client.files.set_metadata(client.files.write(f"{folder}/{name}", text), {"letters": len(text)})
    client.files.write(f"{folder}/noise.bin", bytes(range(256)) * 10)
    positions = client.wait_for_views()
    assert {view.view: view.state for view in positions.views} == dict.fromkeys(("text", "dense", "lexical"), ViewState.READY)
    return folder


def test_search_by_meaning_and_by_words(client: Client, documents: str) -> None:
    result = client.search("how often do we change our credentials?", scope=documents)
    best = result.hits[0]
    assert best.file.path == f"{documents}/keys.md"
    assert best.file.at_revision == result.revision
    assert best.passage is not None
    assert best.passage.text.encode() == DOCUMENTS["keys.md"]
    assert (best.passage.start_byte, best.passage.end_byte, best.passage.start_line) == (0, len(DOCUMENTS["keys.md"]), 1)
    assert result.strategy == "hybrid"
    assert (result.partial, result.partial_reasons) == (False, [])
    like = client.search(like=f"{documents}/keys.md", scope=documents)
    assert like.hits
    assert "keys.md" not in {hit.file.name for hit in like.hits}
    weighed = client.search("canteen", scope=documents, dense_weight=0.5, lexical_weight=2)
    assert weighed.hits[0].file.name == "lunch.md"
    with pytest.raises(InvalidArgumentError, match="weights"):
        client.search("canteen", mode="lexical", lexical_weight=2)
    words = client.search("canteen", scope=documents, mode="lexical")
    assert [hit.file.name for hit in words.hits] == ["lunch.md"]
    assert words.hits[0].matches[0].mode is SearchMode.LEXICAL
    assert words.hits[0].matches[0].terms
    assert len(client.search("release", scope=documents, mode=SearchMode.DENSE, limit=2).hits) == 2


def test_a_batch_of_searches(client: Client, documents: str) -> None:
    searches = [
        SearchQuery(text="how often do we change our credentials?", scope=documents),
        SearchQuery(text="canteen", scope=documents, mode="lexical"),
        SearchQuery(like=f"{documents}/keys.md", scope=documents, limit=1),
        SearchQuery(text="security", scope=documents, filter=Filter.metadata("letters", lt=56), dense_weight=2.0),
    ]
    meaning, words, like, filtered = client.batch_search(searches)
    assert meaning.hits[0].file.path == f"{documents}/keys.md"
    assert [hit.file.name for hit in words.hits] == ["lunch.md"]
    assert (words.strategy, len(like.hits)) == ("lexical", 1)
    assert [hit.file.name for hit in filtered.hits] == ["lunch.md"]
    with pytest.raises(InvalidArgumentError, match=r"searches\[1\]"):
        client.batch_search([searches[0], SearchQuery(text=" ")])
    with pytest.raises(ValueError, match="psychic"):
        client.batch_search([SearchQuery(text="x", mode="psychic")])


def test_search_with_a_filter_or_a_vector(client: Client, documents: str) -> None:
    short = Filter.metadata("letters", lt=56) & Filter.mtime(since=datetime.now(UTC) - timedelta(days=1))
    assert [hit.file.name for hit in client.search("security", scope=documents, filter=short).hits] == ["lunch.md"]
    dimension = client.server_info().embedding.dimension
    assert len(client.search(vector=[1.0] * dimension, scope=documents).hits) == 3
    with pytest.raises(InvalidArgumentError) as error:
        client.search(vector=[1.0, 2.0])
    assert error.value.reason == Reason.DIMENSION_MISMATCH
    with pytest.raises(InvalidArgumentError):
        client.search()
    with pytest.raises(ValueError, match="psychic"):
        client.search("x", mode="psychic")


def test_skipped_files(client: Client, documents: str) -> None:
    (skipped,) = client.list_skipped_files(scope=documents)
    assert skipped.file.path == f"{documents}/noise.bin"
    assert "binary" in skipped.reason
    assert client.list_skipped_files(page_size=1).page().items


def test_waiting_ends_at_the_deadline(client: Client) -> None:
    revision = client.server_info().revision
    with pytest.raises(DeadlineExceededError):
        client.wait_for_views(min_revision=revision + 1_000_000, timeout=0.5)
    with pytest.raises(DeadlineExceededError):
        client.files.stat("/", min_revision=revision + 1_000_000, timeout=0.5)


def test_server_info(client: Client) -> None:
    info = client.server_info()
    assert {"files", "collections", "points", "search.dense", "search.lexical"} <= set(info.capabilities)
    assert info.version
    assert info.store.revision >= info.store.oldest_revision
    assert info.limits.content_size_bytes > 3 * 1024 * 1024
    assert info.embedding.dimension > 0
    assert {view.view for view in info.views} == {"text", "dense", "lexical"}


def test_a_build_that_was_put_off_is_told(peer: Peer) -> None:
    dense = v1.ViewPosition(view="dense", revision=7, state=v1.ViewState.READY, put_off="20 MiB are available")
    told = v1.GetServerInfoResponse(revision=7, views=[dense])
    waited = v1.WaitForViewsResponse(revision=7, views=[dense])
    with peer(told, waited) as server, Client(**server.reach, token="t") as client:
        assert [view.put_off for view in client.server_info().views] == ["20 MiB are available"]
        assert [view.put_off for view in client.wait_for_views().views] == ["20 MiB are available"]
