"""What searches remember: within its memory, only while it is true, and counted."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.search.test_search_text import READY_S, Served, names, put
from tests.views.dense.volumes import delete_points, make_collection, put_points, wait_until, write
from vexfs.core import files
from vexfs.core.errors import InvalidRequest
from vexfs.core.filters import Name, SizeBytes
from vexfs.core.filters import Range as NumberRange
from vexfs.core.search import SearchEngine, TextSearch, VectorSearch
from vexfs.core.search.caches import ENTRY_OVERHEAD_BYTES, ENV_RESULTS_MIB, BoundedCache, result_cache_bytes
from vexfs.core.search.queries import QueryVectors
from vexfs.observability.metrics import REGISTRY
from vexfs.store.volume import Volume
from vexfs.views.derived import LEXICAL_FOLDER, derived_folder
from vexfs.views.embedding.model import Embedder


def counted(cache: str) -> tuple[float, float]:
    """Hits and misses."""
    return (
        REGISTRY.get_sample_value("vexfs_search_cache_hits_total", {"cache": cache}) or 0.0,
        REGISTRY.get_sample_value("vexfs_search_cache_misses_total", {"cache": cache}) or 0.0,
    )


def change(function: Callable[[], object], cache: str = "results") -> tuple[float, float]:
    """How many hits and misses a call makes."""
    before = counted(cache)
    function()
    after = counted(cache)
    return after[0] - before[0], after[1] - before[1]


# -- the cache itself


def test_an_entry_is_answered_for_its_state_only() -> None:
    cache: BoundedCache[str] = BoundedCache("test", 10_000)
    cache.put("key", "value", 5, valid_for=1)
    assert change(lambda: cache.get("key", 1), "test") == (1, 0)
    assert (cache.get("key", 1), cache.get("key", 2), cache.get("other", 1)) == ("value", None, None)
    assert change(lambda: cache.get("key", 2), "test") == (0, 1)
    cache.put("key", "newer", 5, valid_for=2)
    assert (cache.get("key", 1), cache.get("key", 2)) == (None, "newer")


def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    size = 1000 - ENTRY_OVERHEAD_BYTES
    cache: BoundedCache[str] = BoundedCache("bounded", 3000)
    for key in "abc":
        cache.put(key, key, size)
    assert cache.get("a") == "a"
    cache.put("d", "d", size)
    assert [cache.get(key) for key in "abcd"] == ["a", None, "c", "d"]
    assert REGISTRY.get_sample_value("vexfs_search_cache_bytes", {"cache": "bounded"}) == 3000
    cache.put("d", "D", size)
    assert REGISTRY.get_sample_value("vexfs_search_cache_bytes", {"cache": "bounded"}) == 3000
    cache.put("huge", "huge", 3000)
    assert cache.get("huge") is None and cache.get("a") == "a"


def test_without_memory_nothing_is_kept_or_counted() -> None:
    cache: BoundedCache[str] = BoundedCache("none", 0)
    cache.put("a", "a", 1)
    assert change(lambda: cache.get("a"), "none") == (0, 0)
    assert cache.get("a") is None


@pytest.mark.parametrize(("given", "expected"), [("", 32 << 20), ("0", 0), ("0.5", 1 << 19), ("64", 64 << 20)])
def test_the_setting_is_in_mebibytes(monkeypatch: pytest.MonkeyPatch, given: str, expected: int) -> None:
    monkeypatch.setenv(ENV_RESULTS_MIB, given)
    assert result_cache_bytes() == expected


@pytest.mark.parametrize("given", ["many", "-1", "nan", "1e9"])
def test_a_setting_that_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(ENV_RESULTS_MIB, given)
    with pytest.raises(InvalidRequest, match=ENV_RESULTS_MIB):
        result_cache_bytes()


# -- vectors of questions


class Counting:
    """The real model, and how often it was asked."""

    def __init__(self) -> None:
        self._real = Embedder.load()
        self.name, self.dimension = self._real.name, self._real.dimension
        self.asked: list[str] = []

    def embed(self, texts: list[str], /) -> np.ndarray:
        self.asked += texts
        return self._real.embed(texts)


def test_a_question_is_embedded_once_however_it_is_spaced() -> None:
    model = Counting()
    queries = QueryVectors(lambda: model)
    queries.start()
    assert queries.wait(READY_S)
    first = queries.vector_of("where is  the café?")
    assert change(lambda: queries.vector_of(" where is the\ncafe\u0301?  "), "query_vectors") == (1, 0)
    assert queries.vector_of("where is the café?") == first == model.embed(["where is  the café?"])[0].tobytes()
    assert model.asked[:-1] == ["where is the café?"]
    assert change(lambda: queries.vector_of("where is the bar?"), "query_vectors") == (0, 1)
    model.name = "another"
    assert change(lambda: queries.vector_of("where is the café?"), "query_vectors") == (0, 1), "another model, another vector"


# -- answers


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    opened = Served(tmp_path_factory.mktemp("caches"))
    yield opened
    opened.close()


@pytest.fixture
def still(served: Served) -> Served:
    """Nothing is going on any more: two equal searches see the same."""
    settle(served)
    return served


def settle(served: Served) -> None:
    served.ready()
    wait_until(lambda: change(lambda: served.search("moon"))[0] == 1, READY_S, "two equal searches see the same")


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_an_equal_search_gets_the_same_answer_again(still: Served, mode: str) -> None:
    first = still.search("the striped animals", mode)
    assert not first.partial
    assert change(lambda: still.search("the striped animals", mode)) == (1, 0)
    assert still.search("the striped animals", mode) == first


def test_another_search_is_another(still: Served) -> None:
    def asked(**options: object) -> object:
        return still.search("animals with stripes", **options)

    different: list[dict[str, object]] = [
        {},
        {"limit": 3},
        {"mode": "dense"},
        {"scope": still.docs},
        {"filter": Name("*.txt")},
        {"filter": Name("*.py")},
        {"filter": SizeBytes(NumberRange(gt=1))},
        {"filter": SizeBytes(NumberRange(gte=1))},
    ]
    for options in different:
        assert change(lambda options=options: asked(**options)) == (0, 1), options
    for options in different:
        assert change(lambda options=options: asked(**options)) == (1, 0), options


def test_a_write_between_two_equal_searches_is_seen_at_once(still: Served) -> None:
    def ask() -> list[bytes]:
        return [hit.path for hit in still.search("tomatoes and roses", "lexical").hits]

    assert ask() == ask() == [b"/docs/garden.txt"]
    write(still.volume, lambda txn: files.rename(txn, still.docs, b"garden.txt", still.docs, b"plot.txt"))
    assert ask() == [b"/docs/plot.txt"]
    write(still.volume, lambda txn: files.rename(txn, still.docs, b"plot.txt", still.docs, b"garden.txt"))
    assert ask() == [b"/docs/garden.txt"]

    settle(still)
    ask()
    assert change(ask) == (1, 0)
    second = put(still.volume, still.docs, "second.txt", "Roses, and again roses, tomatoes")
    still.engine.search(TextSearch("x"), min_revision=still.volume.head(), deadline_s=time.monotonic() + READY_S)
    assert ask() == [b"/docs/second.txt", b"/docs/garden.txt"]

    settle(still)
    ask()
    assert change(ask) == (1, 0)
    before = still.search("tomatoes and roses", "lexical")
    assert before.hits[0].node.mode & 0o777 == 0o644
    write(still.volume, lambda txn: files.set_attributes(txn, second, mode=0o600))
    assert still.search("tomatoes and roses", "lexical").hits[0].node.mode & 0o777 == 0o600

    settle(still)
    ask()
    assert change(ask) == (1, 0)
    write(still.volume, lambda txn: files.remove(txn, still.docs, b"second.txt"))
    assert ask() == [b"/docs/garden.txt"]


def test_another_connections_write_is_seen_as_soon(still: Served) -> None:
    """As the mount writes, in a process of its own."""
    assert names(still.search("tomatoes", "lexical")) == names(still.search("tomatoes", "lexical")) == ["garden.txt"]
    with Volume.open(still.volume.folder, "mount") as other:
        write(other, lambda txn: files.rename(txn, still.docs, b"garden.txt", still.docs, b"plot.txt"))
        assert names(still.search("tomatoes", "lexical")) == ["plot.txt"]
        write(other, lambda txn: files.rename(txn, still.docs, b"plot.txt", still.docs, b"garden.txt"))
    assert names(still.search("tomatoes", "lexical")) == ["garden.txt"]


def test_an_answer_that_lacks_something_is_not_kept(still: Served) -> None:
    still.indexer.send_signal(signal.SIGSTOP)
    try:
        put(still.volume, still.docs, "late.txt", "Late tomatoes")
        assert still.search("tomatoes", "lexical").partial
        assert change(lambda: still.search("tomatoes", "lexical")) == (0, 1)
    finally:
        still.indexer.send_signal(signal.SIGCONT)
    still.ready()
    assert set(names(still.search("tomatoes", "lexical"))) == {"garden.txt", "late.txt"}
    write(still.volume, lambda txn: files.remove(txn, still.docs, b"late.txt"))


def test_a_lost_word_index_is_missed_at_once(still: Served) -> None:
    assert change(lambda: (still.search("quagga", "lexical"), still.search("quagga", "lexical"))) == (1, 1)
    shutil.rmtree(derived_folder(still.volume.folder) / LEXICAL_FOLDER)
    assert still.search("quagga", "lexical").partial
    wait_until(lambda: not still.search("quagga", "lexical").partial, READY_S, "the words are there again")
    assert names(still.search("quagga", "lexical")) == ["zebra.py"]


def test_it_can_be_switched_off(still: Served) -> None:
    engine = SearchEngine(still.volume, Embedder.load, result_cache_bytes=0)
    engine.start()
    try:
        assert engine.queries.wait(READY_S)
        wait_until(lambda: not engine.search(TextSearch("moon")).partial, READY_S, "the engine has read everything")
        assert change(lambda: (engine.search(TextSearch("moon")), engine.search(TextSearch("moon")))) == (0, 0)
    finally:
        engine.stop()


def test_nearest_vectors_are_remembered_from_the_second_time_on_and_a_new_one_is_seen(still: Served) -> None:
    collection = make_collection(still.volume, b"vectors", 4)
    put_points(still.volume, collection, np.eye(4, dtype=np.float32))
    asked = VectorSearch(collection.ino, np.eye(4, dtype=np.float32)[0].tobytes(), limit=2)

    def nearest() -> list[str]:
        answer = still.engine.search_vectors(asked, min_revision=still.volume.head(), deadline_s=time.monotonic() + READY_S)
        return names(answer)

    assert nearest()[0] == "p00000"
    assert change(nearest) == (0, 1)
    assert change(nearest) == (1, 0)
    delete_points(still.volume, collection, [0])
    assert "p00000" not in nearest()
    put_points(still.volume, collection, np.eye(4, dtype=np.float32)[:1], first=7)
    assert nearest()[0] == "p00007"
