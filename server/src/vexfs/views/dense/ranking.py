"""Searching one index state: exactly, approximately, or among given files. Which rows are nearest?

Called by `vexfs.core.search`, from any thread. Every way ends alike: candidates are scored exactly and ordered by score, then
by key, so that the same state gives the same answer and equal rows have a stable order. Never changes a state.
"""

from typing import NamedTuple

import numpy as np

from vexfs.views.dense import metrics
from vexfs.views.dense.index import IndexState, Part
from vexfs.views.dense.metrics import Query, Scores
from vexfs.views.dense.rows import Keys, RowIds, contains, files_of, rows_of_files

CANDIDATES_MIN = 200
"""ScaNN is asked for at least so many rows, whatever is wanted of them: recall@10 over 50,000 vectors of text is .976 with 60,
.988 with 100, .992 with 200, and 200 cost 90 µs more than 60."""
CANDIDATES_PER_ROW = 2


class Ranked(NamedTuple):
    """Rows, best first."""

    keys: Keys
    scores: Scores
    complete: bool
    """These are all live rows there are (among the given files): asking for more brings nothing."""
    exact: bool
    """No nearer row can be missing."""


def nearest(state: IndexState, query: Query, depth: int, *, exhaustive: bool = False) -> Ranked:
    """The `depth` nearest rows: approximately when the index has a generation (unless `exhaustive`), else exactly.

    An approximate answer can be shorter than `depth` although there are more rows; `complete` tells.
    """
    if state.searcher is None or exhaustive:
        found = _scan(state.base, query, state.spec.metric, depth)
    else:
        wanted = _wanted(state, depth)
        found = state.searcher.candidates(query, wanted)
        found = found[state.base.live[found]]
    tail = _scan(state.tail, query, state.spec.metric, depth)
    exact = state.searcher is None or exhaustive or len(found) == state.base.live_count
    return _ranked(state, query, found, tail, depth, state.live_count, exact)


def nearest_among(state: IndexState, query: Query, depth: int, files: Keys) -> Ranked:
    """The `depth` nearest rows of the given files (ids ascending), exactly."""
    base, tail = rows_among(state, files)
    return _ranked(state, query, base, tail, depth, len(base) + len(tail), exact=True)


def rows_among(state: IndexState, files: Keys) -> tuple[RowIds, RowIds]:
    """The live rows of the given files (ids ascending), in the base and in the tail."""
    base = rows_of_files(state.base.keys, files)
    tail = np.flatnonzero(contains(files, files_of(state.tail.keys)) & state.tail.live)
    return base[state.base.live[base]], tail


def _wanted(state: IndexState, depth: int) -> int:
    """How many candidates to ask for, so that dead rows among them do not leave too few."""
    rows = len(state.base.keys)
    alive = max(state.base.live_count / rows, 0.05) if rows else 1.0
    return min(rows, int(max(CANDIDATES_MIN, CANDIDATES_PER_ROW * depth) / alive) + 1)


def _scan(part: Part, query: Query, metric: str, depth: int) -> RowIds:
    """Every live row that can be among the `depth` nearest of this part: rounding and ties at the edge included."""
    if part.live_count <= depth:
        return np.flatnonzero(part.live)
    scores = metrics.approximate(part.matrix, query, metric, part.squared)
    if part.live_count < len(part.keys):
        scores = np.where(part.live, scores, np.float32(-np.inf))
    edge = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    margin = metrics.rounding_margin(part.matrix, query, metric, part.squared)
    return np.flatnonzero(scores >= edge - margin)


def _ranked(state: IndexState, query: Query, base: RowIds, tail: RowIds, depth: int, available: int, exact: bool) -> Ranked:
    keys = np.concatenate([state.base.keys[base], state.tail.keys[tail]])
    rows = np.concatenate([state.base.matrix[base], state.tail.matrix[tail]])
    scores = metrics.exact(rows, query, state.spec.metric)
    order = np.lexsort((keys, -scores))[:depth]
    return Ranked(keys[order], scores[order], complete=len(order) >= available, exact=exact)
