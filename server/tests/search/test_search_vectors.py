"""Searching client vectors through the engine: filters of any selectivity, deletes, scopes, waiting, bad input."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.views.dense.vectors import DIMENSION, text_vectors
from tests.views.dense.volumes import VECTOR, delete_points, make_collection, new_volume, put_points, wait_until, write
from vexfs.core import files
from vexfs.core.errors import (
    CollectionNotFound,
    DimensionMismatch,
    InvalidRequest,
    InvalidSchema,
    InvalidVector,
    NotFound,
    RevisionNotReached,
    ViewUnavailable,
)
from vexfs.core.filters import Equals, Metadata, Not, Range
from vexfs.core.search import SearchAnswer, SearchEngine, VectorSearch
from vexfs.core.types import ROOT_INO, Collection, Ino
from vexfs.store.volume import Volume

COUNT = 8000


def no_model() -> object:
    raise ViewUnavailable("these searches need no model")


class Served:
    """A volume with one collection of 8,000 vectors of text in it, and an engine with a generation of it."""

    def __init__(self, folder: Path) -> None:
        self.volume: Volume = new_volume(folder)
        self.collection: Collection = make_collection(self.volume, b"c", DIMENSION)
        self.vectors = text_vectors(20_200)[:COUNT]
        payloads = [b'{"n": %d, "percent": %d}' % (number, number % 100) for number in range(COUNT)]
        self.inos = put_points(self.volume, self.collection, self.vectors, metadata=payloads)
        self.engine = SearchEngine(self.volume, no_model)
        self.engine.dense.start()
        wait_until(lambda: self.generation() != "", 90, "a generation")

    def generation(self) -> str:
        state = self.engine.dense.index_state(self.collection.ino, VECTOR)
        return "" if state is None else state.generation

    def search(self, vector: np.ndarray, **options: object) -> SearchAnswer:
        request = VectorSearch(self.collection.ino, vector.astype(np.float32).tobytes(), **options)
        return self.engine.search_vectors(request, min_revision=self.volume.head(), deadline_s=time.monotonic() + 20)

    def close(self) -> None:
        self.engine.stop()
        self.volume.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    opened = Served(tmp_path_factory.mktemp("vectors"))
    yield opened
    opened.close()


def files_in(answer: SearchAnswer) -> list[int]:
    return [hit.node.ino for hit in answer.hits]


def best(served: Served, vector: np.ndarray, allowed: np.ndarray, count: int) -> list[int]:
    """The nearest points among the allowed numbers, computed by brute force."""
    scores = served.vectors[allowed] @ (vector / np.linalg.norm(vector))
    return [served.inos[number] for number in allowed[np.argsort(-scores, kind="stable")][:count]]


def query(served: Served, number: int) -> np.ndarray:
    """Something near a point, but no point."""
    return served.vectors[number] + 0.5 * served.vectors[(number * 7 + 1) % COUNT]


def test_an_answer_says_how_it_was_found(served: Served) -> None:
    answer = served.search(served.vectors[5], limit=3)
    assert (answer.strategy, answer.generation, answer.exact) == ("scann", served.generation(), False)
    assert answer.revision >= served.volume.head() and not answer.partial and answer.pending == 0
    hit = answer.hits[0]
    assert (hit.node.ino, hit.path, hit.passage) == (served.inos[5], b"/c/p00005", None)
    assert hit.score == pytest.approx(1.0, abs=1e-5)
    assert [match.rank for match in (hit.matches[0], answer.hits[2].matches[0])] == [1, 3]


@pytest.mark.parametrize("share", [0.0003, 0.01, 0.05, 0.1, 0.5, 1.0])
def test_filters_of_any_selectivity_answer_in_full_and_with_high_recall(served: Served, share: float) -> None:
    below = int(share * COUNT)
    allowed = np.arange(below)
    condition = Metadata("n", Range(lt=below))
    hits = total = 0
    for number in range(0, COUNT, 400):
        found = files_in(served.search(query(served, number), limit=10, filter=condition))
        expected = best(served, query(served, number), allowed, 10)
        assert len(found) == min(10, below) and set(found) <= {served.inos[place] for place in allowed}
        hits, total = hits + len(set(found) & set(expected)), total + len(expected)
    assert hits >= 0.98 * total


def test_scattered_matches_are_all_found(served: Served) -> None:
    answer = served.search(query(served, 3), limit=1000, filter=Metadata("percent", Equals(42)))
    assert sorted(files_in(answer)) == sorted(served.inos[42::100])
    assert answer.exact


def test_a_filter_that_nothing_passes_answers_nothing(served: Served) -> None:
    assert served.search(query(served, 3), filter=Metadata("n", Equals("no number"))).hits == ()


def test_the_largest_limit_is_filled(served: Served) -> None:
    assert len(served.search(query(served, 9), limit=1000).hits) == 1000


def test_the_same_search_twice_gives_the_same_answer(served: Served) -> None:
    first, second = (served.search(query(served, 77), limit=50, filter=Not(Metadata("percent", Equals(3)))) for _ in range(2))
    assert first == second
    assert [-hit.score for hit in first.hits] == sorted(-hit.score for hit in first.hits)


def test_the_excluded_file_is_replaced_by_the_next(served: Served) -> None:
    with_it = files_in(served.search(served.vectors[8], limit=11))
    without = files_in(served.search(served.vectors[8], limit=10, exclude=(served.inos[8],)))
    assert with_it[0] == served.inos[8] and without == with_it[1:]


def test_a_scope_keeps_to_the_files_below_it_however_they_are_moved(served: Served) -> None:
    volume, collection = served.volume, served.collection
    inner = write(volume, lambda txn: files.make_directory(txn, collection.ino, b"inner", mode=0o40755, uid=0, gid=0)).ino
    deep = write(volume, lambda txn: files.make_directory(txn, inner, b"deep", mode=0o40755, uid=0, gid=0)).ino
    moved = {served.inos[number]: b"p%05d" % number for number in (100, 200, 300)}
    for ino, name in moved.items():
        write(volume, lambda txn, name=name: files.rename(txn, collection.ino, name, deep, name))
        assert served.search(served.vectors[100], limit=10, scope=inner).hits, ino
    answer = served.search(served.vectors[100], limit=10, scope=inner)
    assert sorted(files_in(answer)) == sorted(moved) and answer.hits[0].path == b"/c/inner/deep/p00100"
    write(volume, lambda txn: files.rename(txn, collection.ino, b"inner", collection.ino, b"outer"))
    assert served.search(served.vectors[100], limit=1, scope=inner).hits[0].path == b"/c/outer/deep/p00100"
    for name in moved.values():
        write(volume, lambda txn, name=name: files.rename(txn, deep, name, collection.ino, name))
    assert served.search(served.vectors[100], limit=10, scope=inner).hits == ()


def test_deleted_points_are_never_answered(served: Served) -> None:
    gone = range(COUNT - 300, COUNT)
    extra = put_points(served.volume, served.collection, served.vectors[-300:], first=50_000)
    assert set(files_in(served.search(served.vectors[-1], limit=1000))) & set(extra)
    delete_points(served.volume, served.collection, range(50_000, 50_300))
    for number in list(gone)[::30]:
        assert not set(files_in(served.search(served.vectors[number], limit=1000))) & set(extra)


def test_a_write_is_found_by_whoever_waits_for_its_revision(served: Served) -> None:
    # Not the opposites of stored ones: two texts of a standard library may be alike, and so would be their opposites.
    fresh = np.random.default_rng(11).standard_normal((20, served.vectors.shape[1])).astype(np.float32)
    fresh /= np.linalg.norm(fresh, axis=1, keepdims=True)
    for step in range(20):
        (ino,) = put_points(served.volume, served.collection, fresh[step : step + 1], first=60_000 + step)
        assert files_in(served.search(fresh[step], limit=1)) == [ino]
    delete_points(served.volume, served.collection, range(60_000, 60_020))


def test_a_revision_that_does_not_come_ends_the_wait_at_the_deadline(served: Served) -> None:
    request = VectorSearch(served.collection.ino, served.vectors[0].tobytes())
    started = time.monotonic()
    with pytest.raises(RevisionNotReached):
        served.engine.search_vectors(request, min_revision=served.volume.head() + 1000, deadline_s=started + 0.2)
    assert time.monotonic() - started < 20


def test_a_brief_search_answers_as_any_other_and_leaves_what_takes_longer(served: Served) -> None:
    def briefly(**options: object) -> SearchAnswer | None:
        request = VectorSearch(served.collection.ino, query(served, 5).astype(np.float32).tobytes(), VECTOR, **options)
        with served.volume.snapshot() as view:
            [answer] = served.engine.search_briefly(view, [request])
            return answer

    served.search(query(served, 5))  # the view has everything
    for options in ({}, {"limit": 100}, {"exclude": (served.inos[5],)}):
        assert briefly(**options) == served.search(query(served, 5), vector_name=VECTOR, **options)
    longer = ({"exact": True}, {"limit": 101}, {"filter": Metadata("percent", Equals(42))}, {"scope": served.collection.ino})
    for options in longer:
        assert briefly(**options) is None


def test_several_brief_searches_answer_together_as_each_by_itself(served: Served) -> None:
    def asked(number: int, **options: object) -> VectorSearch:
        return VectorSearch(served.collection.ino, query(served, number).astype(np.float32).tobytes(), VECTOR, **options)

    requests = [
        asked(1),
        asked(2, limit=3, with_metadata=True),
        asked(3, filter=Metadata("percent", Equals(42))),  # takes longer
        asked(4, limit=100, exclude=(served.inos[4],)),
        asked(1),
    ]
    served.search(query(served, 5))  # the view has everything
    with served.volume.snapshot() as view:
        together = served.engine.search_briefly(view, requests)
        assert served.engine.search_briefly(view, []) == []
    assert [answer is None for answer in together] == [False, False, True, False, False]
    for request, answer in zip(requests, together, strict=True):
        assert answer is None or answer == served.engine.search_vectors(request)
    assert [hit.metadata is None for answer in together if answer for hit in answer.hits[:1]] == [True, False, True, True]


def test_bad_requests_are_refused_by_their_reason(served: Served) -> None:
    nan = np.full(DIMENSION, np.nan, np.float32)
    for vector, error in (
        (served.vectors[0][:100], DimensionMismatch),
        (nan, InvalidVector),
        (np.full(DIMENSION, np.inf, np.float32), InvalidVector),
        (np.zeros(DIMENSION, np.float32), InvalidVector),
    ):
        with pytest.raises(error):
            served.search(vector)
    with pytest.raises(InvalidVector):
        served.engine.search_vectors(VectorSearch(served.collection.ino, b"12345"))
    for options, error in (
        ({"limit": 0}, InvalidRequest),
        ({"limit": 1001}, InvalidRequest),
        ({"vector_name": "other"}, InvalidSchema),
        ({"scope": Ino(999_999)}, NotFound),
    ):
        with pytest.raises(error):
            served.search(served.vectors[0], **options)
    with pytest.raises(CollectionNotFound):
        directory = write(served.volume, lambda txn: files.make_directory(txn, ROOT_INO, b"d", mode=0o40755, uid=0, gid=0))
        served.engine.search_vectors(VectorSearch(directory.ino, served.vectors[0].tobytes()))


def test_a_view_that_lags_says_so(tmp_path: Path) -> None:
    with new_volume(tmp_path) as volume:
        collection = make_collection(volume, b"c", 4)
        engine = SearchEngine(volume, no_model)  # not started: nothing follows the log
        put_points(volume, collection, np.eye(4, dtype=np.float32))
        answer = engine.search_vectors(VectorSearch(collection.ino, np.eye(4, dtype=np.float32)[0].tobytes()))
        assert answer.hits == () and answer.partial and answer.partial_reasons
        engine.dense.start()
        answer = engine.search_vectors(
            VectorSearch(collection.ino, np.eye(4, dtype=np.float32)[0].tobytes()),
            min_revision=volume.head(),
            deadline_s=time.monotonic() + 10,
        )
        assert len(answer.hits) == 4 and not answer.partial and answer.exact and answer.strategy == "exact"
        engine.stop()


def test_an_answer_promises_no_revision_that_its_snapshot_does_not_show(tmp_path: Path) -> None:
    with new_volume(tmp_path) as volume:
        collection = make_collection(volume, b"c", 4)
        vectors = np.eye(4, dtype=np.float32)
        put_points(volume, collection, vectors[:1])
        engine = SearchEngine(volume, no_model)
        engine.dense.start()
        engine.wait_for_vectors(volume.head(), time.monotonic() + 30)
        with volume.snapshot() as view:
            put_points(volume, collection, vectors[1:2], first=1)
            engine.wait_for_vectors(volume.head(), time.monotonic() + 30)  # the view goes on beside the search
            answer = engine.search_vectors_in(view, VectorSearch(collection.ino, vectors[1].tobytes()))
            assert len(answer.hits) == 1 and answer.revision == view.revision < volume.head()
        engine.stop()


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        (None, np.arange(COUNT)),
        (Metadata("n", Range(lt=5000)), np.arange(5000)),
        (Metadata("percent", Equals(42)), np.arange(42, COUNT, 100)),
    ],
    ids=["everything", "most", "few"],
)
def test_an_exact_answer_is_that_of_comparing_everything(
    served: Served, condition: Metadata | None, allowed: np.ndarray
) -> None:
    for number in range(0, COUNT, 400):
        answer = served.search(query(served, number), limit=50, filter=condition, exact=True)
        expected = best(served, query(served, number), allowed, 50)
        assert (answer.exact, answer.strategy, answer.generation) == (True, "exact", served.generation())
        # Two scores may be nearer to each other than float32 can tell: then either order is right.
        numbers = [served.inos.index(ino) for ino in files_in(answer)]
        assert len(set(numbers)) == 50 and set(numbers) <= set(allowed.tolist())
        wanted = [served.inos.index(ino) for ino in expected]
        scores = served.vectors.astype(np.float64) @ query(served, number)
        np.testing.assert_allclose(scores[numbers], scores[wanted], atol=1e-5)
