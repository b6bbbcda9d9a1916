"""Pages of searches: together the one long answer, whatever their sizes and the way they are found; tokens; changes."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.search.test_search_text import READY_S, put
from tests.search.test_search_vectors import Served as ServedVectors
from tests.search.test_search_vectors import no_model, query
from tests.views.dense.volumes import VECTOR, delete_points, make_collection, new_volume, put_points, wait_until, write
from vexfs.core import content, files
from vexfs.core.errors import InvalidRequest
from vexfs.core.filters import Equals, Filter, Metadata, Name, Range
from vexfs.core.search import SearchAnswer, SearchEngine, TextSearch, VectorSearch, cursors
from vexfs.core.search.cursors import HITS_MAX, Cursor
from vexfs.core.types import ROOT_INO
from vexfs.store.volume import Volume
from vexfs.views.embedding.model import Embedder

FEW = 300
COMMON = "the lantern keeper walks the pier"
LATER = (1, 3, 31)
"""These files get their words last, so that the word index does not know those that are alike in the order of their ids."""
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=4)
HARD = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Ask = Callable[[int, Cursor | None], SearchAnswer]
Key = tuple[int, float]


def keys(answer: SearchAnswer) -> list[Key]:
    return [(hit.node.ino, hit.score) for hit in answer.hits]


def pages(ask: Ask, sizes: Sequence[int]) -> list[SearchAnswer]:
    """All pages; the sizes take turns."""
    found: list[SearchAnswer] = []
    after = None
    while not found or after is not None:
        limit = sizes[len(found) % len(sizes)]
        found.append(ask(limit, after))
        assert len(found[-1].hits) <= limit and not found[-1].partial
        after = found[-1].next
    return found


def joined(ask: Ask, sizes: Sequence[int]) -> list[Key]:
    return [key for page in pages(ask, sizes) for key in keys(page)]


class Points:
    """A volume with a collection of few points that is searched exactly; every vector is there three times."""

    def __init__(self, folder: Path) -> None:
        self.volume = new_volume(folder)
        self.collection = make_collection(self.volume, b"c", 4)
        self.vectors = np.repeat(np.random.default_rng(5).normal(size=(FEW // 3, 4)).astype(np.float32), 3, axis=0)
        payloads = [b'{"n": %d}' % number for number in range(FEW)]
        self.inos = put_points(self.volume, self.collection, self.vectors, metadata=payloads)
        self.engine = SearchEngine(self.volume, no_model)
        self.engine.dense.start()

    def asking(self, vector: np.ndarray, **options: object) -> Ask:
        request = VectorSearch(self.collection.ino, vector.astype(np.float32).tobytes(), **options)

        def ask(limit: int, after: Cursor | None) -> SearchAnswer:
            asked = request._replace(limit=limit, after=after)
            return self.engine.search_vectors(asked, min_revision=self.volume.head(), deadline_s=time.monotonic() + READY_S)

        return ask

    def close(self) -> None:
        self.engine.stop()
        self.volume.close()


class Texts:
    """A volume of ordinary files, most of them alike in words, its indexer, and an engine."""

    def __init__(self, data: Path) -> None:
        self.volume = Volume.open(data / "volumes" / "main", "api", create=True)
        self.docs = write(self.volume, lambda txn: files.make_directory(txn, ROOT_INO, b"docs", mode=0o40755, uid=0, gid=0)).ino
        inos = []
        for number in range(160):
            text = COMMON if number % 4 else f"{COMMON} at {number} o'clock.\n\n" + f"number {number} " * (number % 7)
            inos.append(put(self.volume, self.docs, f"{number:03}.txt", "soon" if number in LATER else text))
        self.indexer = subprocess.Popen([sys.executable, "-m", "vexfs.views.indexer", "--data", str(data)])
        self.engine = SearchEngine(self.volume, Embedder.load)
        self.engine.start()
        assert self.engine.queries.wait(READY_S), self.engine.queries.unavailable
        self.engine.wait_for_views(0, time.monotonic() + READY_S)
        prepared = content.prepare(self.volume.blobs, [(0, COMMON.encode())], whole=True)
        for number in LATER:
            write(self.volume, lambda txn, number=number: content.replace(txn, inos[number], prepared))
        self.engine.wait_for_views(0, time.monotonic() + READY_S)

    def asking(self, mode: str, **options: object) -> Ask:
        request = TextSearch("lantern keeper", mode, **options)
        return lambda limit, after: self.engine.search(request._replace(limit=limit, after=after))

    def close(self) -> None:
        self.engine.stop()
        self.indexer.terminate()
        self.indexer.wait(30)
        self.volume.close()


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Points]:
    opened = Points(tmp_path_factory.mktemp("points"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVectors]:
    opened = ServedVectors(tmp_path_factory.mktemp("vectors"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Texts]:
    opened = Texts(tmp_path_factory.mktemp("texts"))
    yield opened
    opened.close()


# -- the pages together --------------------------------------------------------------------------------


@HARD
@given(sizes=SIZES, number=st.integers(0, FEW - 1), condition=st.sampled_from([None, 7, 150]), excluded=st.integers(0, 2))
def test_pages_of_an_exact_search_are_the_one_answer(
    points: Points, sizes: list[int], number: int, condition: int | None, excluded: int
) -> None:
    passing: Filter | None = None if condition is None else Metadata("n", Range(lt=condition))
    ask = points.asking(points.vectors[number], filter=passing, exclude=tuple(points.inos[:excluded]))
    whole = keys(ask(1000, None))
    assert len(whole) == (condition or FEW) - excluded
    assert whole == sorted(whole, key=lambda key: (-key[1], key[0]))
    assert joined(ask, sizes) == whole


@HARD
@given(sizes=st.lists(st.integers(20, 300), min_size=1, max_size=4), number=st.integers(0, 7_999))
@pytest.mark.parametrize("condition", [None, Metadata("n", Range(lt=2_000)), Metadata("percent", Equals(42))])
def test_pages_of_an_approximate_search_bring_no_hit_twice_and_overlook_little(
    many: ServedVectors, condition: Filter | None, sizes: list[int], number: int
) -> None:
    def ask(limit: int, after: Cursor | None) -> SearchAnswer:
        return many.search(query(many, number), limit=limit, after=after, filter=condition)

    found: list[Key] = []
    after = None
    for size in sizes * 2:
        answer = ask(size, after)
        assert len(answer.hits) == size or answer.next is None
        found += keys(answer)
        after = answer.next
        if after is None:
            break
    assert found == sorted(set(found), key=lambda key: (-key[1], key[0]))
    exact = many.search(query(many, number), limit=min(1000, len(found)), exact=True, filter=condition)
    assert len(set(keys(exact)) & set(found)) >= 0.95 * len(exact.hits)


@HARD
@given(sizes=SIZES)
@pytest.mark.parametrize("mode", ["dense", "lexical"])
@pytest.mark.parametrize("condition", [None, Name("1*.txt")])
def test_pages_of_one_ranking_of_text_are_the_one_answer(
    texts: Texts, mode: str, condition: Filter | None, sizes: list[int]
) -> None:
    ask = texts.asking(mode, filter=condition)
    whole = keys(ask(1000, None))
    assert len(whole) == (160 if condition is None else 60)
    assert whole == sorted(whole, key=lambda key: (-key[1], key[0]))
    assert joined(ask, sizes) == whole


@HARD
@given(sizes=SIZES)
@pytest.mark.parametrize("condition", [None, Name("1*.txt")])
def test_pages_of_a_hybrid_search_hold_every_file_once(texts: Texts, condition: Filter | None, sizes: list[int]) -> None:
    ask = texts.asking("hybrid", filter=condition)
    found = pages(ask, sizes)
    assert sorted(ino for page in found for ino, _ in keys(page)) == sorted(ino for ino, _ in keys(ask(1000, None)))
    for page in found:
        assert keys(page) == sorted(keys(page), key=lambda key: (-key[1], key[0]))
    # The first page fixes the order: more pages of its size, or one larger page, hold the same.
    first = sizes[0]
    assert joined(ask, [first, 7]) == joined(ask, [first, first, 40])


@HARD
@given(sizes=SIZES)
def test_pages_of_a_hybrid_search_that_reads_everything_at_once_are_the_one_answer(texts: Texts, sizes: list[int]) -> None:
    ask = texts.asking("hybrid")
    assert joined(ask, [60, *sizes]) == keys(ask(1000, None))


# -- changes in between --------------------------------------------------------------------------------


def test_what_comes_and_goes_between_two_pages_brings_no_hit_twice(tmp_path: Path) -> None:
    points = Points(tmp_path)
    try:
        ask = points.asking(points.vectors[0])
        whole = keys(ask(1000, None))
        first = ask(50, None)
        put_points(points.volume, points.collection, points.vectors[:9], first=FEW)  # before, and equal to, what was shown
        delete_points(points.volume, points.collection, [points.inos.index(ino) for ino, _ in whole[45:60]])
        found = keys(first)
        after = first.next
        while after is not None:
            answer = ask(50, after)
            found, after = found + keys(answer), answer.next
        assert len(set(found)) == len(found)
        kept = whole[:50] + whole[60:]
        assert [key for key in found if key in set(whole)] == kept
    finally:
        points.close()


def test_another_engine_goes_on_with_a_token(points: Points) -> None:
    request = VectorSearch(points.collection.ino, points.vectors[9].tobytes(), limit=100)
    first = points.asking(points.vectors[9])(100, None)
    assert first.next is not None
    token = cursors.pack(first.next, request)
    other = SearchEngine(points.volume, no_model)
    other.dense.start()
    try:
        wait_until(lambda: other.dense.loaded, READY_S, "the vectors are read")
        second = other.search_vectors(request._replace(after=cursors.unpack(token, request)))
    finally:
        other.stop()
    assert keys(first) + keys(second) == keys(points.asking(points.vectors[9])(200, None))


# -- tokens and bounds ---------------------------------------------------------------------------------


def test_a_token_is_small_and_of_its_question_only() -> None:
    asked = VectorSearch(ROOT_INO, bytes(16), limit=3, filter=Metadata("n", Equals(1)))
    cursor = Cursor(answered=3, score=0.25, ino=77)
    token = cursors.pack(cursor, asked)
    assert len(token) < 48
    assert cursors.unpack(token, asked._replace(limit=500, after=cursor)) == cursor
    assert cursors.unpack(b"", asked) is None
    others: list[VectorSearch | TextSearch] = [
        asked._replace(vector=bytes(15) + b"\1"),
        asked._replace(filter=None),
        asked._replace(filter=Metadata("n", Equals("1"))),
        asked._replace(exact=True),
        asked._replace(vector_name=VECTOR),
        TextSearch("", vector=bytes(16)),
    ]
    for other in others:
        with pytest.raises(InvalidRequest, match="another question"):
            cursors.unpack(token, other)
    for wrong in (token[:-1], token + b"\0", b"x"):
        with pytest.raises(InvalidRequest, match="not one that this server gave"):
            cursors.unpack(wrong, asked)
    for forged in (cursor._replace(score=float("nan")), cursor._replace(depth=2**31)):
        with pytest.raises(InvalidRequest, match="not one that this server gave"):
            cursors.unpack(cursors.pack(forged, asked), asked)


def test_pages_end_with_an_error_after_so_many_hits(points: Points) -> None:
    ask = points.asking(points.vectors[3])
    first = ask(10, None)
    assert first.next is not None
    last = ask(10, first.next._replace(answered=HITS_MAX - 4))
    assert keys(last) == keys(ask(20, None))[10:14]
    assert last.next is not None and last.next.answered == HITS_MAX
    with pytest.raises(InvalidRequest, match="10,000 hits in all") as raised:
        ask(10, last.next)
    assert raised.value.details["limit"] == "10000"


def test_the_last_page_says_so_even_when_it_is_full(points: Points) -> None:
    ask = points.asking(points.vectors[3], filter=Metadata("n", Range(lt=20)))
    first = ask(10, None)
    assert first.next is not None
    assert ask(10, first.next).next is None and ask(20, None).next is None
