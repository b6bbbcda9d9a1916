"""Coded tails: what is searched approximately, how well, and when."""

import numpy as np
import pytest

from dense.vectors import DIMENSION, text_vectors
from vexfs.core.search import planner
from vexfs.views.dense import coding, engine, metrics, ranking
from vexfs.views.dense.coding import Coder
from vexfs.views.dense.index import DenseIndex, IndexSpec
from vexfs.views.dense.rows import Rows, files_of, key_of

SPEC = IndexSpec(2, "v", DIMENSION, metrics.COSINE)
ASKED = 200


def row(ino: int, vector: np.ndarray) -> Rows:
    return Rows(np.array([key_of(ino, 0)], np.int64), metrics.prepare_rows(vector[None, :], metrics.COSINE))


def put(index: DenseIndex, vectors: np.ndarray, first: int, position: int) -> None:
    index.apply({first + place: row(first + place, vector) for place, vector in enumerate(vectors)}, position)


def code(coder: Coder, index: DenseIndex) -> None:
    """Have the coder look, and take in what it has made, if anything."""
    coder.tend([index])
    coder.stop()
    coder.tend([index])


def recall(index: DenseIndex, queries: np.ndarray) -> float:
    hits = 0
    for vector in queries:
        query = metrics.prepare_query(vector.tobytes(), DIMENSION, metrics.COSINE)
        near, exact = ranking.nearest(index.state, query, 10), ranking.nearest(index.state, query, 10, exhaustive=True)
        assert not near.exact and exact.exact
        hits += len(set(near.keys.tolist()) & set(exact.keys.tolist()))
    return hits / (10 * len(queries))


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return text_vectors(8_000 + ASKED)


def test_a_large_tail_is_coded_and_finds_what_an_exact_search_finds(vectors: np.ndarray) -> None:
    index, coder = DenseIndex(SPEC), Coder()
    put(index, vectors[: coding.CODE_ROWS_MIN], 1, 1)
    code(coder, index)
    assert not index.state.coded, "so few are compared"
    put(index, vectors[coding.CODE_ROWS_MIN : 6_000], coding.CODE_ROWS_MIN + 1, 2)
    code(coder, index)
    assert index.state.coded_rows == 6_000 and coder.coded_count == 1
    assert recall(index, vectors[8_000:]) >= 0.98

    put(index, vectors[6_000:8_000], 6_001, 3)
    code(coder, index)
    assert index.state.coded_rows == 6_000, "so few more are compared"
    query = metrics.prepare_query(vectors[7_000].tobytes(), DIMENSION, metrics.COSINE)
    assert files_of(ranking.nearest(index.state, query, 1).keys).tolist() == [7_001], "what has just come is found"
    index.apply({ino: Rows(np.empty(0, np.int64), np.empty((0, DIMENSION), np.float32)) for ino in range(1, 3_001)}, 4)
    assert recall(index, vectors[8_000:]) >= 0.98
    for vector in vectors[:3_000:100]:
        query = metrics.prepare_query(vector.tobytes(), DIMENSION, metrics.COSINE)
        assert files_of(ranking.nearest(index.state, query, 50).keys).min() > 3_000, "what was deleted is not found"


def test_a_condition_is_met_by_coded_rows_too(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "RUN_ROWS_MAX", 2_600)
    monkeypatch.setattr(coding, "CODE_ROWS_MIN", 2_000)
    index, coder = DenseIndex(SPEC), Coder()
    put(index, vectors[:3_000], 1, 1)
    base = index.live_rows()
    searcher = engine.code(base.matrix, metrics.COSINE)
    assert searcher is not None
    index.load(base, 1, searcher, "g")
    put(index, vectors[3_000:8_000], 3_001, 2)
    code(coder, index)
    code(coder, index)
    assert len(index.state.coded) == 2
    subset = ranking.subset_of(index.state, np.arange(1, 8_001, 2))
    hits = sifted = 0
    for vector in vectors[8_000:]:
        query = metrics.prepare_query(vector.tobytes(), DIMENSION, metrics.COSINE)
        exact = ranking.nearest_among(index.state, query, 10, subset)
        near = planner.among(index.state, query, 10, subset)
        hits += len(set(near.keys.tolist()) & set(exact.keys.tolist()))
        sifted += not near.exact
        assert set((files_of(near.keys) % 2).tolist()) == {1} and len(near.keys) == 10
    assert hits >= 0.98 * 10 * ASKED and sifted > 0.9 * ASKED


def test_a_run_that_is_full_is_not_coded_again(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "RUN_ROWS_MAX", 3_000)
    index, coder = DenseIndex(SPEC), Coder()
    put(index, vectors[:7_000], 1, 1)
    code(coder, index)
    assert [(run.first, run.end) for run in index.state.coded] == [(0, 3_000)]
    full = index.state.coded[0].searcher
    code(coder, index)
    assert [(run.first, run.end) for run in index.state.coded] == [(0, 3_000), (3_000, 6_000)]
    assert index.state.coded[0].searcher is full
    code(coder, index)
    assert index.state.coded_rows == 6_000, "so few are compared"
    put(index, vectors[7_000:8_000], 7_001, 2)
    put(index, vectors[:1_000], 8_001, 3)
    code(coder, index)
    assert [(run.first, run.end) for run in index.state.coded] == [(0, 3_000), (3_000, 6_000), (6_000, 9_000)]
    assert recall(index, vectors[8_000:]) >= 0.98


def test_a_full_run_that_cannot_be_coded_is_not_tried_again(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "RUN_ROWS_MAX", 3_000)
    asked: list[int] = []
    monkeypatch.setattr(engine, "code", lambda matrix, metric: asked.append(len(matrix)))
    index, coder = DenseIndex(SPEC), Coder()
    put(index, vectors[:7_000], 1, 1)
    for _ in range(3):
        code(coder, index)
    assert asked == [3_000] and not index.state.coded
    query = metrics.prepare_query(vectors[6_500].tobytes(), DIMENSION, metrics.COSINE)
    assert files_of(ranking.nearest(index.state, query, 1).keys).tolist() == [6_501]


def test_codes_of_a_tail_that_is_gone_are_dropped(vectors: np.ndarray) -> None:
    index, coder = DenseIndex(SPEC), Coder()
    put(index, vectors[:3_000], 1, 1)
    coder.tend([index])
    index.compact(1)
    put(index, vectors[3_000:3_010], 3_001, 2)
    code(coder, index)
    assert not index.state.coded and coder.coded_count == 0
    query = metrics.prepare_query(vectors[3_005].tobytes(), DIMENSION, metrics.COSINE)
    assert files_of(ranking.nearest(index.state, query, 1).keys).tolist() == [3_006]


def test_what_no_searcher_can_find_is_compared_and_tried_again_only_when_there_is_more(
    vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.calibration, "DEPTH_MAX", 120)
    scattered = np.random.default_rng(8).standard_normal((3_000, DIMENSION)).astype(np.float32)
    index, coder = DenseIndex(SPEC), Coder()
    put(index, scattered, 1, 1)
    code(coder, index)
    assert not index.state.coded
    asked: list[int] = []
    monkeypatch.setattr(engine, "code", lambda matrix, metric: asked.append(len(matrix)))
    code(coder, index)
    assert asked == []
    put(index, scattered[: coding.CODE_ROWS_MIN + 1], 4_000, 2)
    code(coder, index)
    assert asked == [3_000 + coding.CODE_ROWS_MIN + 1]
    query = metrics.prepare_query(scattered[5].tobytes(), DIMENSION, metrics.COSINE)
    assert ranking.nearest(index.state, query, 10).exact
