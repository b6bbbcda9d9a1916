"""Searching under a condition whose rows are known: whichever way is taken, the nearest that pass are found."""

from pathlib import Path

import numpy as np
import pytest

from tests.views.dense.vectors import DIMENSION, text_vectors
from tests.views.dense.volumes import new_volume
from vexfs.core.errors import ViewUnavailable
from vexfs.core.search import TextSearch, planner
from vexfs.core.search.matcher import MatchCache, Matcher
from vexfs.core.search.queries import QueryVectors
from vexfs.core.search.rankings import TextRanking
from vexfs.views.dense import engine, metrics, ranking
from vexfs.views.dense.index import DenseIndex, IndexSpec, IndexState
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.rows import Rows, files_of, key_of
from vexfs.views.lexical import LexicalReader

COUNT, TAIL, WANTED = 8000, 400, 10
VECTORS = metrics.prepare_rows(text_vectors(20_200)[: COUNT + TAIL + 200], metrics.COSINE)
QUERIES = [Query(row) for row in VECTORS[COUNT + TAIL :]]


def rows(start: int, end: int) -> Rows:
    return Rows(np.array([key_of(ino, 0) for ino in range(start + 1, end + 1)], np.int64), VECTORS[start:end])


@pytest.fixture(scope="module")
def state() -> IndexState:
    """8,000 rows in a searcher, of which 100 have died, and 400 in the tail."""
    trained, settings = engine.build(VECTORS[:COUNT], metrics.COSINE)
    assert trained is not None
    index = DenseIndex(IndexSpec(1, "v", DIMENSION, metrics.COSINE))
    index.load(rows(0, COUNT), 1, engine.ScannSearcher(trained, settings, VECTORS.shape[1]), "g")
    index.apply({number + 1: rows(number, number + 1) for number in range(COUNT, COUNT + TAIL)}, 2)
    index.apply({ino: rows(0, 0) for ino in range(1, 101)}, 3)
    return index.state


def are_nearest(found: list[int], files: np.ndarray, query: Query) -> np.ndarray:
    """Which of these are as near as the nearest `WANTED` of the files: some texts have the same words, and equal vectors."""
    edge = np.sort(VECTORS[files - 1] @ query)[-min(WANTED, len(files))]
    return VECTORS[np.array(found, dtype=np.int64) - 1] @ query >= edge - 1e-6


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.1, 0.5, 0.9])
def test_the_nearest_that_pass_are_found_at_any_selectivity(state: IndexState, share: float) -> None:
    passing = np.flatnonzero(np.random.default_rng(3).random(COUNT + TAIL) < share) + 1
    alive = passing[passing > 100]
    subset = ranking.subset_of(state, passing)
    assert subset.rows == len(alive)
    hits = 0
    for query in QUERIES:
        found = planner.among(state, query, WANTED, subset)
        assert found.exact == (share <= 0.1), "few rows are compared, many are picked out of the searcher's"
        files = files_of(found.keys).tolist()
        assert len(files) == min(WANTED, len(alive)) and set(files) <= set(alive.tolist())
        hits += int(are_nearest(files, alive, query).sum())
    assert hits >= 0.98 * len(QUERIES) * min(WANTED, len(alive))


def test_rows_that_pass_but_are_all_far_away_are_compared(state: IndexState) -> None:
    for query in QUERIES[::20]:
        far = np.sort(np.argsort(VECTORS[100 : COUNT + TAIL] @ query)[: COUNT // 2]) + 101
        found = planner.among(state, query, WANTED, ranking.subset_of(state, far))
        nearest = files_of(found.keys).tolist()
        assert found.exact and len(set(nearest)) == WANTED and are_nearest(nearest, far, query).all()


def test_a_text_search_that_asks_for_it_compares_every_passage(state: IndexState, tmp_path: Path) -> None:
    def no_model() -> object:
        raise ViewUnavailable("a vector needs no model")

    volume = new_volume(tmp_path)
    try:
        with volume.snapshot() as view:
            matcher = Matcher(view, volume.snapshot, MatchCache(), None, None)
            for query in QUERIES[::20]:
                asked = TextSearch("", "dense", WANTED, vector=query.tobytes())
                found = []
                for exact in (False, True):
                    request = asked._replace(exact=exact)
                    ranking = TextRanking(state, "m", QueryVectors(no_model), LexicalReader(tmp_path / "none"), request)
                    found.append([file.ino for file in ranking.candidates(matcher, WANTED)[0]])
                    assert (ranking.exact, ranking.strategy) == ((True, "exact") if exact else (False, "scann"))
                assert are_nearest(found[1][:WANTED], np.arange(101, COUNT + TAIL + 1), query).all()
    finally:
        volume.close()
