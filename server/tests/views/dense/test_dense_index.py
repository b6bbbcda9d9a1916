"""An index against brute force: whatever is put, replaced, removed, packed or adopted, a search finds what is there."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vexfs.views.dense import metrics, quantization, ranking
from vexfs.views.dense.compact import CompactRows, open_compact
from vexfs.views.dense.index import DenseIndex, IndexSpec
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.rows import RowIds, Rows, files_of, key_of, rows_from

DIMENSION = 4
RUN_ROWS = 5
_SMALL = st.integers(-3, 3).map(float)
_VECTORS = st.lists(_SMALL, min_size=DIMENSION, max_size=DIMENSION).map(lambda values: np.array(values, np.float32))
_FILES = st.dictionaries(st.integers(1, 12), st.lists(_VECTORS, max_size=4), min_size=1, max_size=4)


def rows(ino: int, vectors: list[np.ndarray], metric: str = metrics.COSINE) -> Rows:
    raw = rows_from([key_of(ino, place) for place in range(len(vectors))], [vector.tobytes() for vector in vectors], DIMENSION)
    return Rows(raw.keys, metrics.prepare_rows(raw.matrix, metric))


def brute_force(content: Mapping[int, list[np.ndarray]], query: Query, metric: str) -> list[tuple[float, int]]:
    """(score, key), best first, computed one by one."""
    found = []
    for ino, vectors in content.items():
        prepared = rows(ino, vectors, metric)
        for key, row in zip(prepared.keys.tolist(), prepared.matrix, strict=True):
            distance = -float(np.sqrt(((row - query) ** 2).sum()))
            found.append((distance if metric == metrics.EUCLIDEAN else float(row @ query), key))
    return sorted(found, key=lambda pair: (-pair[0], pair[1]))


class EveryRow:
    """A searcher whose candidates are all rows: what it leaves out is the index's doing."""

    def __init__(self, count: int) -> None:
        self.count = count

    def candidates(self, query: Query, depth: int) -> RowIds:  # the protocol has them
        return np.arange(self.count)


class IndexMachine(RuleBasedStateMachine):
    metric = metrics.COSINE
    storage = quantization.FLOAT32

    def __init__(self) -> None:
        super().__init__()
        self.index = DenseIndex(IndexSpec(1, "v", DIMENSION, self.metric))
        self.model: dict[int, list[np.ndarray]] = {}
        self.position = 0
        self.frozen: tuple[int, Rows | CompactRows] | None = None
        self.coding: tuple[object, int] | None = None
        self.published = self.index.state
        self.published_answer = self.answer(self.published)

    def answer(self, state: object, depth: int = 7) -> list[tuple[int, float]]:
        query = metrics.prepare_query(np.array([1, 2, -1, 0.5], np.float32).tobytes(), DIMENSION, self.metric)
        found = ranking.nearest(state, query, depth)
        return list(zip(found.keys.tolist(), found.scores.tolist(), strict=True))

    @rule(changed=_FILES)
    def change(self, changed: dict[int, list[np.ndarray]]) -> None:
        self.position += 1
        self.published, self.published_answer = self.index.state, self.answer(self.index.state)
        self.index.apply({ino: rows(ino, vectors, self.metric) for ino, vectors in changed.items()}, self.position)
        self.model.update(changed)

    @rule()
    def compact(self) -> None:
        self.index.compact(self.position)

    @rule()
    def freeze(self) -> None:
        self.frozen = (self.position, self.kept(self.index.live_rows()))

    def kept(self, rows: Rows) -> Rows | CompactRows:
        """The rows as a generation brings them."""
        if self.storage == quantization.FLOAT32:
            return rows
        with tempfile.TemporaryDirectory() as folder:  # it goes before the rows do: so may a generation
            np.save(Path(folder) / "vectors.npy", rows.matrix)
            matrix, _, _ = open_compact(Path(folder) / "vectors.npy", len(rows), DIMENSION, self.metric, self.storage)
            return CompactRows(rows.keys, matrix)

    @precondition(lambda self: self.frozen is not None)
    @rule()
    def adopt(self) -> None:
        position, frozen = self.frozen
        adopted = self.index.adopt(frozen, position, EveryRow(len(frozen)), "g")
        assert adopted == (position >= self.index.known_since)
        self.frozen = None

    @precondition(lambda self: len(self.index.state.tail.keys) > 0)
    @rule()
    def code_tail(self) -> None:
        self.coding = (self.index.tail, len(self.index.state.tail.keys))

    @precondition(lambda self: self.coding is not None)
    @rule()
    def adopt_codes(self) -> None:
        tail, count = self.coding
        # The first run stays as it is once it is full, and a second one grows.
        is_full = tail is self.index.tail and any(run.end == RUN_ROWS for run in self.index.state.coded)
        rows = range(RUN_ROWS, max(RUN_ROWS, count)) if is_full else range(min(count, RUN_ROWS))
        adopted = self.index.adopt_codes(tail, EveryRow(len(rows)), rows)
        assert adopted == (tail is self.index.tail)
        if adopted:
            assert self.index.state.coded_rows == rows.stop
            assert [run.first for run in self.index.state.coded] == ([0, RUN_ROWS] if is_full else [0])
        self.coding = None

    @rule()
    def demote(self) -> None:
        self.index.demote()

    @invariant()
    def a_search_finds_the_nearest_of_what_is_there(self) -> None:
        query = metrics.prepare_query(np.array([1, 2, -1, 0.5], np.float32).tobytes(), DIMENSION, self.metric)
        expected = brute_force(self.model, query, self.metric)
        for depth in (1, 7, 100):
            found = ranking.nearest(self.index.state, query, depth)
            assert len(found.keys) == min(depth, len(expected))
            assert found.scores.tolist() == pytest.approx([score for score, _ in expected[:depth]], abs=1e-5)
            assert found.complete == (depth >= len(expected))
            assert len(set(found.keys.tolist())) == len(found.keys)
        everything = ranking.nearest(self.index.state, query, 100)
        assert sorted(everything.keys.tolist()) == sorted(key for _, key in expected)
        assert everything.keys.tolist() == [key for _, key in sorted(zip(-everything.scores, everything.keys, strict=True))]

    @invariant()
    def a_search_among_files_finds_theirs_and_no_others(self) -> None:
        query = metrics.prepare_query(np.array([0, 1, 0, 0], np.float32).tobytes(), DIMENSION, self.metric)
        files = np.array([2, 3, 5, 40], np.int64)
        subset = ranking.subset_of(self.index.state, files)
        found = ranking.nearest_among(self.index.state, query, 100, subset)
        expected = [key for _, key in brute_force({ino: self.model.get(ino, []) for ino in files.tolist()}, query, self.metric)]
        assert sorted(found.keys.tolist()) == sorted(expected)
        assert found.exact and found.complete and subset.rows == len(expected)

    @invariant()
    def a_search_among_candidates_finds_the_subset_or_says_that_it_cannot(self) -> None:
        query = metrics.prepare_query(np.array([0, 1, 0, 0], np.float32).tobytes(), DIMENSION, self.metric)
        files = np.array([2, 3, 5, 40], np.int64)
        subset = ranking.subset_of(self.index.state, files)
        expected = brute_force({ino: self.model.get(ino, []) for ino in files.tolist()}, query, self.metric)
        for depth in (1, 100):
            found = ranking.nearest_sifted(self.index.state, query, depth, subset, wanted=100)
            if self.index.state.searcher is None:
                assert found is None
            else:
                assert found is not None and len(found.keys) == min(depth, len(expected))
                assert found.scores.tolist() == pytest.approx([score for score, _ in expected[:depth]], abs=1e-5)
                assert set(files_of(found.keys).tolist()) <= set(files.tolist())

    @invariant()
    def a_state_taken_before_a_change_still_answers_as_before(self) -> None:
        assert self.answer(self.published) == self.published_answer


class DotMachine(IndexMachine):
    metric = metrics.DOT


class EuclideanMachine(IndexMachine):
    metric = metrics.EUCLIDEAN


class CosineBfloat16Machine(IndexMachine):
    storage = quantization.BFLOAT16


class DotBfloat16Machine(DotMachine):
    storage = quantization.BFLOAT16


class EuclideanBfloat16Machine(EuclideanMachine):
    storage = quantization.BFLOAT16


class CosineInt8Machine(IndexMachine):
    storage = quantization.INT8


class DotInt8Machine(DotMachine):
    storage = quantization.INT8


class EuclideanInt8Machine(EuclideanMachine):
    storage = quantization.INT8


_SETTINGS = settings(max_examples=40, stateful_step_count=15)
TestCosine = IndexMachine.TestCase
TestDot = DotMachine.TestCase
TestEuclidean = EuclideanMachine.TestCase
TestCosineBfloat16 = CosineBfloat16Machine.TestCase
TestDotBfloat16 = DotBfloat16Machine.TestCase
TestEuclideanBfloat16 = EuclideanBfloat16Machine.TestCase
TestCosineInt8 = CosineInt8Machine.TestCase
TestDotInt8 = DotInt8Machine.TestCase
TestEuclideanInt8 = EuclideanInt8Machine.TestCase
for case in (
    *(TestCosine, TestDot, TestEuclidean),
    *(TestCosineBfloat16, TestDotBfloat16, TestEuclideanBfloat16),
    *(TestCosineInt8, TestDotInt8, TestEuclideanInt8),
):
    case.settings = _SETTINGS


def test_many_equal_rows_at_the_edge_are_ordered_by_key() -> None:
    index = DenseIndex(IndexSpec(1, "v", DIMENSION, metrics.COSINE))
    index.apply({ino: rows(ino, [np.array([1, 0, 0, 0], np.float32)]) for ino in range(500, 0, -1)}, 1)
    query = metrics.prepare_query(np.array([1, 1, 0, 0], np.float32).tobytes(), DIMENSION, metrics.COSINE)
    assert files_of(ranking.nearest(index.state, query, 3).keys).tolist() == [1, 2, 3]


def test_applying_the_same_rows_again_adds_nothing() -> None:
    index = DenseIndex(IndexSpec(1, "v", DIMENSION, metrics.COSINE))
    change = {1: rows(1, [np.array([1, 0, 0, 0], np.float32), np.array([0, 1, 0, 0], np.float32)])}
    index.apply(change, 1)
    index.apply(change, 2)
    assert len(index.state.tail.keys) == 2 and index.dead_count == 0
