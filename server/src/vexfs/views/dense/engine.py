"""ScaNN: how an approximate searcher is made, stored and opened. The only module that imports it.

`build` and `save` are called by the builder process, `open_searcher` by the API. A searcher is never changed after it was made:
ScaNN's own upsert races with searches, lets NaN kill the process and shifts ids. ScaNN keeps the quantised codes only; rows are
re-scored by `vexfs.views.dense.ranking` from the one float32 matrix, so neither memory nor `k` is bound to its reordering.
Searching is thread-safe and releases the interpreter's lock.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scann import scann_ops_pybind  # type: ignore[import-untyped]  # ships no types

from vexfs.views.dense import metrics
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.rows import Matrix, RowIds

APPROXIMATE_FROM_ROWS = 5_000
"""Below, scoring every row exactly is as fast: 240 µs at 5,000 × 384 against 150; at 12,000 it is 2,100 against 160."""
TREE_FROM_ROWS = 50_000
"""Below, hashing alone is fast enough (570 µs at 50,000) and needs no choice of leaves."""
DIMENSIONS_PER_BLOCK = 2
_ANISOTROPIC_THRESHOLD = 0.2
_TRAINING_ROWS_MAX = 100_000
_CALIBRATION_QUERIES = 64
_CALIBRATION_RECALL = 0.99
_CALIBRATION_DEPTH = 200
_NEIGHBOURS = 10


class Settings(NamedTuple):
    """How a searcher was made, as the manifest keeps it."""

    kind: str
    """"hash" (asymmetric hashing of all rows) or "tree" (of the rows in the nearest leaves)."""
    leaves: int
    leaves_to_search: int
    """0 without a tree."""
    measured_recall: float
    """Recall@10 on rows of the index itself, measured by the builder; 0 when not measured."""


class ScannSearcher:
    """An opened searcher over the rows of one generation."""

    def __init__(self, searcher: Any, leaves_to_search: int) -> None:
        self._searcher = searcher
        self._leaves_to_search = leaves_to_search or -1

    def candidates(self, query: Query, depth: int) -> RowIds:
        found, _ = self._searcher.search(query, depth, depth, self._leaves_to_search)
        return np.asarray(found, dtype=np.int64)

    @property
    def row_count(self) -> int:
        return int(self._searcher.size())


def build(matrix: Matrix, metric: str) -> tuple[Any, Settings]:
    """Train over prepared rows with one thread; takes seconds to minutes. The answer goes to `save`."""
    if len(matrix) >= TREE_FROM_ROWS:
        searcher, settings = _build_tree(matrix, metric)
        if settings.measured_recall >= _CALIBRATION_RECALL:
            return searcher, settings
    return _train(_builder(matrix, metric), matrix, metric), Settings("hash", 0, 0, 0.0)


def save(searcher: Any, folder: Path) -> None:
    """Write the searcher's files into an existing folder, not synced; they name each other relative to it."""
    searcher.serialize(str(folder), relative_path=True)


def open_searcher(folder: Path, settings: Settings) -> ScannSearcher:
    """Read a stored searcher into memory. The caller has checked the files."""
    return ScannSearcher(scann_ops_pybind.load_searcher(str(folder), assets_backcompat_shim=False), settings.leaves_to_search)


def _builder(matrix: Matrix, metric: str) -> Any:
    measure = "squared_l2" if metric == metrics.EUCLIDEAN else "dot_product"
    return scann_ops_pybind.builder(matrix, _NEIGHBOURS, measure).set_n_training_threads(1)


def _train(builder: Any, matrix: Matrix, metric: str) -> Any:
    threshold = _ANISOTROPIC_THRESHOLD if metric == metrics.COSINE else math.nan
    sample = min(len(matrix), _TRAINING_ROWS_MAX)
    return builder.score_ah(
        DIMENSIONS_PER_BLOCK, anisotropic_quantization_threshold=threshold, training_sample_size=sample
    ).build()


def _build_tree(matrix: Matrix, metric: str) -> tuple[Any, Settings]:
    """A tree of about √n leaves, of which as few are searched as give the recall; a tree that needs over half does not pay."""
    leaves = int(math.sqrt(len(matrix)))
    sample = min(len(matrix), _TRAINING_ROWS_MAX)
    builder = _builder(matrix, metric).tree(leaves, max(1, leaves // 8), training_sample_size=sample)
    searcher = _train(builder, matrix, metric)
    recall = 0.0
    for share in (16, 8, 4, 2):
        to_search = max(1, leaves // share)
        recall = _recall(ScannSearcher(searcher, to_search), matrix, metric)
        if recall >= _CALIBRATION_RECALL:
            return searcher, Settings("tree", leaves, to_search, recall)
    return searcher, Settings("tree", leaves, leaves // 2, recall)


def _recall(searcher: ScannSearcher, matrix: Matrix, metric: str) -> float:
    """Recall@10 of candidates for evenly spread rows of the index, each row itself not counted."""
    squared = metrics.squared_lengths(matrix) if metric == metrics.EUCLIDEAN else None
    hits = 0
    places = np.linspace(0, len(matrix) - 1, _CALIBRATION_QUERIES).astype(np.int64)
    for place in places.tolist():
        query = Query(matrix[place])
        scores = metrics.approximate(matrix, query, metric, squared)
        scores[place] = -np.inf
        nearest = np.argpartition(scores, -_NEIGHBOURS)[-_NEIGHBOURS:]
        hits += int(np.isin(nearest, searcher.candidates(query, _CALIBRATION_DEPTH)).sum())
    return hits / (_NEIGHBOURS * len(places))
