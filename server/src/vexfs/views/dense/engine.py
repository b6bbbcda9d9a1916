"""ScaNN: how an approximate searcher is made, stored and opened. The only module that imports it.

`build` and `save` are called by the builder process, `open_searcher` and `code` by the API. A searcher is never changed after
it was made: ScaNN's own upsert races with searches, lets NaN kill the process and shifts ids. ScaNN keeps the quantised codes
only; rows are re-scored by `vexfs.views.dense.ranking` from the one float32 matrix, so neither memory nor `k` is bound to its
reordering. Searching is thread-safe; it releases the interpreter's lock, and so does training.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scann import scann_ops_pybind  # type: ignore[import-untyped]  # ships no types

from vexfs.views.dense import calibration, instructions, metrics
from vexfs.views.dense.calibration import Calibrated, Effort
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.rows import Matrix, RowIds

instructions.use_avx2(scann_ops_pybind.scann_pybind.__file__)

# What the numbers below rest on: `python -m bench.runner.searcher grid 5000 10000 20000 50000`, vectors of text of 384
# dimensions, 100 questions that were never stored; recall@10 and median CPU µs a search, on a machine with other work as well:
#
#                                               5,000        10,000         20,000          50,000
#     exact                               1.000 / 388   1.000 / 670   1.000 / 1,268   1.000 / 4,231
#     no tree, 2 a block, depth 100       1.000 /  79   1.000 / 126   1.000 /   201   1.000 /   372
#     no tree, 4 a block, depth 100        .997 /  60    .997 /  78    .996 /   120    .992 /   256
#     no tree, 6 a block, depth 200        .996 /  89    .996 / 104    .996 /   139    .989 /   230
#     tree, 2 a block, 1/8 of the leaves   .898 /  70    .937 /  86    .966 /   118    .977 /   220   (depth 100)
#     tree, 3 a block, 1/8 of the leaves   .854 /  64    .941 /  75    .966 /    97    .974 /   168   (depth 100)
#     tree, 4 a block, 1/8 of the leaves   .878 /  95    .943 / 108    .964 /   127    .974 /   192   (depth 200)
#     tree, 3 a block, 1/4 of the leaves   .960 /  72    .979 /  94    .991 /   128    .991 /   246   (depth 100)
#
# Without a tree the time is that of reading the codes, so it grows with rows and blocks; a hundred candidates more add 40 µs,
# mostly for scoring them, and ScaNN's own reordering changes nothing. Coarser blocks want more candidates. √n leaves, with
# every row in two of them, find as much as twice as many leaves do, in less time at 50,000 rows (.985 in 153 instead of 165 µs)
# and in the same at 200,000, and are trained in 70 % of the time; a threshold for anisotropic quantisation gains nothing where
# rows are scored again.
APPROXIMATE_FROM_ROWS = 2_500
"""Below, scoring every row exactly takes some 200 µs at most, and misses nothing."""
TREE_FROM_ROWS = 30_000
"""Below, hashing alone is nearly as fast, and it is trained in a third of the time."""
EXACT, HASH, TREE = "exact", "hash", "tree"
_BLOCKS_MIN = 16
_TREE_DIMENSIONS_PER_BLOCK = 3
_HASH_DIMENSIONS_PER_BLOCK = (4, 2)
"""Cheapest first."""
_SOAR_LAMBDA = 1.0
TREE_TRAINING_ROWS_MAX = 100_000
"""Half as many made trees, at 200,000 rows, that search twice the leaves; a fifth of them codes that find a little less."""
_HASH_TRAINING_ROWS_MAX = 5_000
"""Of 20,000 rows .9955 are found instead of .9960, and training takes a third of the time."""
_LEAVES_SHARES = (24, 16, 12, 10, 9, 8, 7, 6, 5, 4)
"""The shares of all leaves that may be searched; a tree that needs more than a fourth does not pay."""
_SEVERAL_MAX = 16
"""So many queries at once find what each finds by itself; of 40 ScaNN picks the leaves in a way of its own."""
_NEIGHBOURS = 10
_CODE_NS, _CANDIDATE_NS = 0.045, 450.0
"""What a block of a coded row and a candidate cost a search, about: efforts are compared by it."""


class Layout(NamedTuple):
    """How rows are coded and grouped."""

    leaves: int
    """0 without a tree: every row is looked at."""
    dimensions_per_block: int


class Settings(NamedTuple):
    """How a searcher was made and how it is asked, as the manifest keeps it."""

    kind: str
    """"hash" (asymmetric hashing of all rows), "tree" (of the rows in the nearest leaves) or "exact" (there is no searcher)."""
    leaves: int
    dimensions_per_block: int
    near: Effort
    """How far to look for 10 rows."""
    far: Effort
    """How far to look for 100 rows."""
    measured_recall: float
    """Recall@10 as the builder has verified it; see `calibration`."""
    measured_far_recall: float
    """Recall@100, likewise."""


EXACT_SETTINGS = Settings(EXACT, 0, 0, Effort(0, 0), Effort(0, 0), 1.0, 1.0)


class ScannSearcher:
    """An opened searcher over the rows of one generation."""

    def __init__(self, searcher: Any, settings: Settings, dimension: int) -> None:
        self._searcher = searcher
        self._settings = settings
        self._dimension = dimension
        self._rows = int(searcher.size())

    def candidates(self, query: Query, wanted: int) -> RowIds:
        """Rows among which the `wanted` nearest are, as far as the measured recall says; the most promising first."""
        return _candidates(self._searcher, query, self._effort(wanted))

    def candidates_of_each(self, queries: Sequence[Query], wanted: int) -> list[RowIds]:
        """The same of several queries, in three quarters of the time."""
        effort = self._effort(wanted)
        starts = range(0, len(queries), _SEVERAL_MAX)
        return [
            found for start in starts for found in _candidates_of_each(self._searcher, queries[start:][:_SEVERAL_MAX], effort)
        ]

    def cost_ns(self, wanted: int) -> float:
        """As `effort_ns`."""
        layout = Layout(self._settings.leaves, self._settings.dimensions_per_block)
        return effort_ns(self._rows, self._dimension, layout, self._effort(wanted))

    def _effort(self, wanted: int) -> Effort:
        effort = calibration.effort_for(self._settings.near, self._settings.far, wanted)
        return Effort(min(effort.leaves, self._settings.leaves), min(effort.depth, self._rows))

    @property
    def row_count(self) -> int:
        return self._rows


def build(matrix: Matrix, metric: str) -> tuple[Any, Settings]:
    """Train over prepared rows with one thread, until a layout reaches the recall; takes seconds to minutes.

    The layouts are tried cheapest first. What comes out goes to `save`; None, with EXACT_SETTINGS, if none is good enough.
    """
    return _first_good(matrix, metric, _layouts(matrix))


def code(matrix: Matrix, metric: str) -> ScannSearcher | None:
    """A searcher without a tree over some ten thousand prepared rows, trained in some tenths of a second; None if none is good
    enough."""
    searcher, settings = _first_good(matrix, metric, _hash_layouts(matrix))
    return None if searcher is None else ScannSearcher(searcher, settings, matrix.shape[1])


def _first_good(matrix: Matrix, metric: str, layouts: Iterable[Layout]) -> tuple[Any, Settings]:
    if len(matrix) <= calibration.FAR:
        return None, EXACT_SETTINGS
    truth = calibration.sample(matrix, metric)
    for layout in layouts:
        searcher = train(matrix, metric, layout)
        found = calibrate(searcher, truth, layout)
        if found is not None:
            kind = TREE if layout.leaves else HASH
            return searcher, Settings(kind, *layout, found.near, found.far, found.recall, found.far_recall)
    return None, EXACT_SETTINGS


def train(matrix: Matrix, metric: str, layout: Layout) -> Any:
    """A searcher of ScaNN's over prepared rows."""
    measure = "squared_l2" if metric == metrics.EUCLIDEAN else "dot_product"
    builder = scann_ops_pybind.builder(matrix, _NEIGHBOURS, measure).set_n_training_threads(1)
    sample = min(len(matrix), TREE_TRAINING_ROWS_MAX if layout.leaves else _HASH_TRAINING_ROWS_MAX)
    if layout.leaves:
        # Spilling every row into a second leaf needs inner products; spherical leaves need unit length.
        spill = {} if metric == metrics.EUCLIDEAN else {"soar_lambda": _SOAR_LAMBDA}
        builder = builder.tree(
            layout.leaves,
            max(1, layout.leaves // 8),
            training_sample_size=sample,
            spherical=metric == metrics.COSINE,
            **spill,
        )
    return builder.score_ah(layout.dimensions_per_block, training_sample_size=sample).build()


def calibrate(searcher: Any, truth: calibration.Sample, layout: Layout) -> Calibrated | None:
    """How far to look in a trained searcher, or None when it does not reach the recall."""

    def candidates_of(query: Query, leaves: int, depth: int) -> RowIds:
        return _candidates(searcher, query, Effort(leaves, depth))

    leaves = {max(1, layout.leaves // share) for share in _LEAVES_SHARES} if layout.leaves else {0}
    rows, dimension = truth.matrix.shape
    return calibration.calibrate(truth, candidates_of, leaves, lambda effort: effort_ns(rows, dimension, layout, effort))


def effort_ns(rows: int, dimension: int, layout: Layout, effort: Effort) -> float:
    """What a search of so many rows costs, about, in ns of CPU: reading the codes of its leaves, and scoring its candidates."""
    blocks = math.ceil(dimension / layout.dimensions_per_block)
    codes = rows * blocks * (2 * effort.leaves / layout.leaves if layout.leaves else 1.0)
    return _CODE_NS * codes + _CANDIDATE_NS * effort.depth


def save(searcher: Any, folder: Path) -> None:
    """Write the searcher's files into an existing folder, not synced; they name each other relative to it."""
    searcher.serialize(str(folder), relative_path=True)


def open_searcher(folder: Path, settings: Settings, dimension: int) -> ScannSearcher:
    """Read a stored searcher into memory. The caller has checked the files."""
    return ScannSearcher(scann_ops_pybind.load_searcher(str(folder), assets_backcompat_shim=False), settings, dimension)


def _layouts(matrix: Matrix) -> Iterable[Layout]:
    """What to try, cheapest to search first."""
    if len(matrix) >= TREE_FROM_ROWS:
        yield Layout(math.isqrt(len(matrix)), min(_TREE_DIMENSIONS_PER_BLOCK, _coarsest(matrix)))
    yield from _hash_layouts(matrix)


def _hash_layouts(matrix: Matrix) -> Iterable[Layout]:
    for size in sorted({min(size, _coarsest(matrix)) for size in _HASH_DIMENSIONS_PER_BLOCK}, reverse=True):
        yield Layout(0, size)


def _coarsest(matrix: Matrix) -> int:
    """The most dimensions a block: a vector of few dimensions needs finer blocks."""
    return max(1, int(matrix.shape[1]) // _BLOCKS_MIN)


def _candidates(searcher: Any, query: Query, effort: Effort) -> RowIds:
    found, _ = searcher.search(query, effort.depth, effort.depth, effort.leaves or -1)
    return np.asarray(found, dtype=np.int64)


def _candidates_of_each(searcher: Any, queries: Sequence[Query], effort: Effort) -> list[RowIds]:
    found, distances = searcher.search_batched(np.stack(queries), effort.depth, effort.depth, effort.leaves or -1)
    rows = found.astype(np.int64)
    # What is found of a query is filled up with row 0, without a distance, where it is less than `depth`.
    missing = np.isnan(distances)
    return [row[~gap] for row, gap in zip(rows, missing, strict=True)] if missing.any() else list(rows)
