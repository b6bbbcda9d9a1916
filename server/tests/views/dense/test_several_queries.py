"""Several queries at once find what each finds by itself."""

import numpy as np
import pytest
from tests.views.dense.vectors import text_vectors

from vexfs.views.dense import engine, metrics, ranking
from vexfs.views.dense.calibration import Effort
from vexfs.views.dense.engine import Layout, ScannSearcher, Settings
from vexfs.views.dense.index import DenseIndex, IndexSpec, IndexState
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.rows import Matrix, Rows, key_of

COUNT, QUERIES, TAIL, CODED = 4_000, 40, 900, 600
VECTORS = metrics.prepare_rows(text_vectors(20_200)[: COUNT + TAIL + QUERIES], metrics.COSINE)


def rows(start: int, end: int) -> Rows:
    return Rows(np.array([key_of(ino, 0) for ino in range(start + 1, end + 1)], np.int64), VECTORS[start:end])


@pytest.fixture(scope="module", params=[Layout(0, 3), Layout(60, 3)], ids=["hash", "tree"])
def state(request: pytest.FixtureRequest) -> IndexState:
    """A searcher of which a query of a tree reads few rows, with 50 dead rows, and a tail with 20."""
    layout: Layout = request.param
    trained = engine.train(VECTORS[:COUNT], metrics.COSINE, layout)
    effort = Effort(2 if layout.leaves else 0, 300)
    settings = Settings("tree" if layout.leaves else "hash", *layout, effort, effort, 1.0, 1.0)
    index = DenseIndex(IndexSpec(1, "v", VECTORS.shape[1], metrics.COSINE))
    index.load(rows(0, COUNT), 1, ScannSearcher(trained, settings, VECTORS.shape[1]), "g")
    index.apply({number + 1: rows(number, number + 1) for number in range(COUNT, COUNT + TAIL)}, 2)
    index.apply({ino: rows(0, 0) for ino in [*range(1, 51), *range(COUNT + 1, COUNT + TAIL, TAIL // 20)]}, 3)
    return index.state


def hashed(matrix: Matrix, metric: str) -> ScannSearcher:
    effort = Effort(0, 300)
    settings = Settings("hash", 0, 3, effort, effort, 1.0, 1.0)
    return ScannSearcher(engine.train(matrix, metric, Layout(0, 3)), settings, matrix.shape[1])


def test_several_queries_find_what_each_finds_by_itself(state: IndexState) -> None:
    queries = [Query(row) for row in VECTORS[COUNT + TAIL :]]
    for depth in (1, 11, 250):
        for query, found in zip(queries, ranking.nearest_of_each(state, queries, depth), strict=True):
            alone = ranking.nearest(state, query, depth)
            assert found.keys.tolist() == alone.keys.tolist() and found.scores.tolist() == alone.scores.tolist()
            assert (found.complete, found.exact) == (alone.complete, alone.exact)


@pytest.mark.parametrize("count", [2, QUERIES])
@pytest.mark.parametrize("is_coded", [False, True])
@pytest.mark.parametrize("metric", [metrics.COSINE, metrics.DOT, metrics.EUCLIDEAN])
def test_several_queries_of_a_tail_find_what_each_finds_by_itself(metric: str, is_coded: bool, count: int) -> None:
    index = DenseIndex(IndexSpec(1, "v", VECTORS.shape[1], metric))
    index.load(rows(0, CODED), 1, hashed(VECTORS[:CODED], metric), "g")
    index.apply({number + 1: rows(number, number + 1) for number in range(CODED, CODED + TAIL)}, 2)
    index.apply({ino: rows(0, 0) for ino in range(1, CODED + TAIL, 9)}, 3)
    if is_coded:
        assert index.adopt_codes(index.tail, hashed(index.tail_matrix[:CODED], metric), range(CODED))
    state = index.state
    queries = [Query(row) for row in VECTORS[COUNT + TAIL :]][:count]
    for depth in (1, 11, TAIL):
        for query, found in zip(queries, ranking.nearest_of_each(state, queries, depth), strict=True):
            alone = ranking.nearest(state, query, depth)
            assert found.keys.tolist() == alone.keys.tolist() and found.scores.tolist() == alone.scores.tolist()


def test_rows_that_are_not_there_are_not_found(state: IndexState) -> None:
    """Two leaves have fewer rows than the 300 asked for; what fills up the answer is no row."""
    assert state.searcher is not None
    queries = [Query(row) for row in VECTORS[COUNT + TAIL :]]
    several = state.searcher.candidates_of_each(queries, 300)
    alone = [state.searcher.candidates(query, 300) for query in queries]
    assert [sorted(found.tolist()) for found in several] == [sorted(found.tolist()) for found in alone]
    if state.searcher._settings.leaves:  # type: ignore[attr-defined]
        assert min(map(len, several)) < 300
