"""A batch of searches by vectors answers each as it would be answered alone, some of them together, on a real index."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.views.dense.vectors import DIMENSION, text_vectors
from tests.views.dense.volumes import VECTOR, delete_points, make_collection, new_volume, put_points, wait_until
from vexfs.core.errors import DimensionMismatch, ViewUnavailable
from vexfs.core.filters import Metadata, Range
from vexfs.core.search import SearchAnswer, SearchEngine, VectorSearch
from vexfs.core.search import engine as search_engine
from vexfs.core.search.cursors import Cursor
from vexfs.core.search.moments import VectorMoment
from vexfs.core.search.together import TOGETHER_MAX
from vexfs.core.search.vector_batch import GROUP_HITS_MAX, VectorBatch
from vexfs.core.types import Collection

COUNT, COPIES, SMALL_COUNT = 4000, 30, 50
VECTORS = text_vectors(20_200)


def no_model() -> object:
    raise ViewUnavailable("these searches need no model")


class Served:
    """Two collections, and an engine that remembers no answers: each is found anew.

    The large one has a generation with vectors that are equal and points that are gone, and a tail with more equal ones. The
    small one has no generation.
    """

    def __init__(self, folder: Path) -> None:
        self.volume = new_volume(folder)
        self.large = make_collection(self.volume, b"large", DIMENSION)
        self.small = make_collection(self.volume, b"small", DIMENSION)
        base = np.concatenate([VECTORS[:COUNT], np.repeat(VECTORS[:1], COPIES, axis=0)])
        put_points(self.volume, self.large, base, metadata=[b'{"n": %d}' % number for number in range(len(base))])
        put_points(self.volume, self.small, VECTORS[:SMALL_COUNT])
        self.engine = SearchEngine(self.volume, no_model, result_cache_bytes=0)
        self.engine.dense.start()
        wait_until(lambda: self.has_generation, 90, "a generation")
        put_points(self.volume, self.large, np.repeat(VECTORS[:1], COPIES, axis=0), first=20_000)
        put_points(self.volume, self.large, VECTORS[COUNT : COUNT + 100], first=30_000)
        delete_points(self.volume, self.large, range(40, 80))
        wait_until(lambda: self.engine.dense.revision >= self.volume.head(), 20, "all that was written")
        state = self.engine.dense.index_state(self.large.ino, VECTOR)
        assert state is not None and self.has_generation
        assert len(state.tail.keys) == COPIES + 100
        assert state.base.live_count == len(state.base.keys) - 40

    @property
    def has_generation(self) -> bool:
        state = self.engine.dense.index_state(self.large.ino, VECTOR)
        return state is not None and state.generation != ""

    def close(self) -> None:
        self.engine.stop()
        self.volume.close()

    def in_a_batch(self, searches: Sequence[VectorSearch]) -> list[SearchAnswer]:
        with self.volume.snapshot() as view:
            batch = VectorBatch(self.engine, self.engine.vector_moment(view, searches), dict(enumerate(searches)))
            return [batch.answer(place) for place in range(len(searches))]

    def alone(self, search: VectorSearch) -> SearchAnswer:
        with self.volume.snapshot() as view:
            return self.engine.search_vectors_in(view, search)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    opened = Served(tmp_path_factory.mktemp("vectors"))
    yield opened
    opened.close()


@pytest.fixture
def sizes(served: Served, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many were searched for at a time from here on."""
    noted: list[int] = []
    search: Callable[[VectorMoment, Sequence[VectorSearch]], list[SearchAnswer]] = served.engine.search_vectors_at

    def noting(moment: VectorMoment, requests: Sequence[VectorSearch]) -> list[SearchAnswer]:
        noted.append(len(requests))
        return search(moment, requests)

    monkeypatch.setattr(served.engine, "search_vectors_at", noting)
    return noted


def asked(collection: Collection, number: int, **options: object) -> VectorSearch:
    """For a vector near a point, but of no point; for that of many points, if the number is 0."""
    vector = VECTORS[number] + (0.5 * VECTORS[number * 7 + 1] if number else 0)
    return VectorSearch(collection.ino, vector.astype("<f4").tobytes(), VECTOR, **options)


def test_each_of_a_batch_is_answered_as_if_it_were_alone(served: Served, sizes: list[int]) -> None:
    (first, *_), last = served.alone(asked(served.large, 0)).hits, served.alone(asked(served.large, 0, limit=3)).next
    assert isinstance(last, Cursor)
    options: list[dict[str, object]] = [
        {},
        {"limit": 3, "with_metadata": True},
        {"limit": 100},
        {"exclude": (first.node.ino,)},
        {"limit": 150},
        {"exact": True},
        {"filter": Metadata("n", Range(lt=400))},
        {"scope": served.large.ino},
    ]
    searches = [
        asked(collection, number, **some)
        for number in (0, 1, 2, 45, 0, 700)  # equal vectors, and one whose nearest point is gone
        for some in options
        for collection in (served.large, served.small, served.large)
    ]
    searches += [asked(served.large, 0, limit=3, after=last)] * 2
    answers = served.in_a_batch(searches)
    assert len(sizes) < len(searches) and max(sizes) > 5
    for search, answer in zip(searches, answers, strict=True):
        assert answer == served.alone(search), search
    assert {(answer.strategy, answer.exact) for answer in answers} == {("scann", False), ("exact", True)}


@pytest.mark.parametrize("limit", [1, 2 * COPIES, 2 * COPIES + 1, 70])
def test_equal_vectors_stand_in_the_order_of_their_files_in_a_batch_too(served: Served, limit: int, sizes: list[int]) -> None:
    """Of the generation and the tail, with the border of the answer among them, at their end and behind it."""
    answers = served.in_a_batch([asked(served.large, 0, limit=limit)] * 3)
    assert sizes[0] > 1
    for answer in answers:
        equal = [hit.node.ino for hit in answer.hits if hit.score == answer.hits[0].score]
        assert len(equal) == min(limit, 2 * COPIES + 1) and equal == sorted(equal)
        assert answer == served.alone(asked(served.large, 0, limit=limit))


def test_how_many_are_searched_for_at_a_time(served: Served, sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_engine, "BRIEF_FLOATS_MAX", DIMENSION * COUNT // 2)

    def sizes_of(searches: Sequence[VectorSearch]) -> list[int]:
        sizes.clear()
        assert len(served.in_a_batch(searches)) == len(searches)
        return list(sizes)

    brief, other = asked(served.large, 1), asked(served.small, 1)
    assert sizes_of([brief]) == [1]
    assert sizes_of([brief] * 40) == [TOGETHER_MAX, TOGETHER_MAX, 40 - 2 * TOGETHER_MAX]
    assert sizes_of([brief, other] * 10) == [10, 10]
    assert sizes_of([asked(served.large, 1, limit=100)] * 5) == [GROUP_HITS_MAX // 100, GROUP_HITS_MAX // 100, 1]
    longer = [{"exact": True}, {"limit": 101}, {"filter": Metadata("n", Range(lt=400))}, {"scope": served.large.ino}]
    for options in longer:
        assert sizes_of([brief, asked(served.large, 1, **options)] * 3) == [3, 1, 1, 1]


def test_a_search_is_done_when_it_or_one_of_its_group_is_asked_for(served: Served, sizes: list[int]) -> None:
    searches = [asked(served.large, number) for number in range(TOGETHER_MAX + 2)]
    with served.volume.snapshot() as view:
        batch = VectorBatch(served.engine, served.engine.vector_moment(view, searches), dict(enumerate(searches)))
        done = []
        for place in range(len(searches)):
            batch.answer(place)
            done.append(sum(sizes))
    assert done == [TOGETHER_MAX] * TOGETHER_MAX + [len(searches)] * 2


def test_what_is_wrong_with_one_of_a_group_is_said_where_it_is_asked_for(served: Served, sizes: list[int]) -> None:
    good, wrong = asked(served.large, 3), asked(served.large, 4)._replace(vector=bytes(4))
    searches = {5: good, 7: good, 9: wrong, 11: good, 12: wrong}
    with served.volume.snapshot() as view:
        batch = VectorBatch(served.engine, served.engine.vector_moment(view, searches.values()), searches)
        expected = served.alone(good)
        sizes.clear()
        for place, search in searches.items():
            if search is good:
                assert batch.answer(place) == expected
            else:
                with pytest.raises(DimensionMismatch):
                    batch.answer(place)
    assert sizes == [5, 1, 1, 1, 1, 1]


def test_all_of_a_batch_show_one_moment(served: Served) -> None:
    searches = [asked(served.large, number, exact=bool(number % 2)) for number in range(1, 41)]
    with served.volume.snapshot() as view:
        batch = VectorBatch(served.engine, served.engine.vector_moment(view, searches), dict(enumerate(searches)))
        first = batch.answer(0)
        near = np.stack([np.frombuffer(search.vector, "<f4") for search in searches])
        added = put_points(served.volume, served.large, near, first=40_000)
        try:
            end = time.monotonic() + 20
            assert served.engine.dense.wait(lambda: served.engine.dense.revision >= served.volume.head(), end)
            assert {served.alone(search).hits[0].node.ino for search in searches} == set(added)
            answers = [first, *(batch.answer(place) for place in range(1, len(searches)))]
        finally:
            delete_points(served.volume, served.large, range(40_000, 40_040))
    assert {answer.revision for answer in answers} == {first.revision}
    assert not {hit.node.ino for answer in answers for hit in answer.hits} & set(added)
