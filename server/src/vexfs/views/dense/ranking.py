"""Searching one index state: exactly, approximately, or among given files. Which rows are nearest?

Called by `vexfs.core.search`, from any thread. Every way ends alike: candidates are scored exactly and ordered by score, then
by key, so that the same state gives the same answer and equal rows have a stable order. Of a compact base the few rows that can
be answers are read from the disk for that: everything here raises ViewUnavailable when they cannot be. Never changes a state.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vexfs.views.dense import metrics
from vexfs.views.dense.compact import CompactMatrix
from vexfs.views.dense.index import Coded, IndexState, Part, Searcher
from vexfs.views.dense.metrics import Query, Scores
from vexfs.views.dense.quantization import Bounds
from vexfs.views.dense.rows import Keys, Mask, RowIds, contains, files_of, marked, rows_of_files

_NO_ROWS: RowIds = np.empty(0, dtype=np.int64)
_READ_ROWS = 4_096
"""So many exact rows of a compact base are in memory at a time: where quantized ones tell little, all of them may be read."""


class Subset(NamedTuple):
    """The live rows of some files, of one index state: their ids in the base and in the tail, ascending."""

    base: RowIds
    tail: RowIds

    @property
    def rows(self) -> int:
        return len(self.base) + len(self.tail)

    @property
    def size_bytes(self) -> int:
        """Memory that this takes."""
        return self.base.nbytes + self.tail.nbytes


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
    if exhaustive:
        state = state.exactly()
    searcher = state.searcher
    found = None if searcher is None else searcher.candidates(query, _with_dead(state.base, depth))
    return _nearest_with(state, query, found, _nearest_of_tail(state, [query], depth)[0], depth)


def nearest_of_each(state: IndexState, queries: Sequence[Query], depth: int) -> list[Ranked]:
    """As `nearest`, of several queries of an index with a generation, which takes less than one after another."""
    assert state.searcher is not None
    found = state.searcher.candidates_of_each(queries, _with_dead(state.base, depth))
    tails = _nearest_of_tail(state, queries, depth)
    return [_nearest_with(state, *one, depth) for one in zip(queries, found, tails, strict=True)]


def _nearest_with(state: IndexState, query: Query, candidates: RowIds | None, tail: RowIds, depth: int) -> Ranked:
    """The nearest of the base's candidates, or of the whole base without, and of these rows of the tail."""
    if candidates is None:
        found, all_of_base = _scan(state.base, query, state.spec.metric, depth), True
    else:
        found = _alive(state.base, candidates)
        all_of_base = len(found) == state.base.live_count
        found = _worth_reading(state.base, found, query, depth)
    exact = all_of_base and not state.coded
    return _ranked(state, query, found, tail, depth, state.live_count, exact)


def _nearest_of_tail(state: IndexState, queries: Sequence[Query], depth: int) -> list[RowIds]:
    """Of each query, approximately of those that are coded, exactly of the rest."""
    if not state.coded:
        return _scan_for_each(state.tail, queries, state.spec.metric, depth)
    runs = [_nearest_of_run(state.tail, run, queries, depth) for run in state.coded]
    rows = state.coded_rows
    rest = _scan_for_each(_slice(state.tail, slice(rows, None)), queries, state.spec.metric, depth)
    return [np.concatenate([*found, other + rows]) for *found, other in zip(*runs, rest, strict=True)]


def _nearest_of_run(tail: Part, run: Coded, queries: Sequence[Query], depth: int) -> list[RowIds]:
    part = _slice(tail, slice(run.first, run.end))
    wanted = _with_dead(part, depth)
    if len(queries) > 1:
        found = run.searcher.candidates_of_each(queries, wanted)
    else:
        found = [run.searcher.candidates(queries[0], wanted)]
    return [_alive(part, rows) + run.first for rows in found]


def _alive(part: Part, rows: RowIds) -> RowIds:
    return rows if part.live_count == len(part.keys) else rows[part.live[rows]]


def nearest_among(state: IndexState, query: Query, depth: int, subset: Subset) -> Ranked:
    """The `depth` nearest rows of the subset, exactly, by comparing all of them."""
    base, tail = (
        _scan_some(part, rows, query, state.spec.metric, depth)
        for part, rows in ((state.base, subset.base), (state.tail, subset.tail))
    )
    return _ranked(state, query, base, tail, depth, subset.rows, exact=True)


def nearest_sifted(state: IndexState, query: Query, depth: int, subset: Subset, wanted: int) -> Ranked | None:
    """The `depth` nearest rows of the subset, out of the `wanted` nearest rows of all, approximately.

    None when too few of those belong to the subset, or there is no searcher.
    """
    if state.searcher is None:
        return None
    found = _sifted(state.searcher, state.base, subset.base, query, depth, wanted)
    if found is None:
        return None
    tail = _sifted_tail(state, query, depth, subset, wanted)
    ranked = _ranked(state, query, _worth_reading(state.base, found, query, depth), tail, depth, subset.rows, exact=False)
    return ranked if len(ranked.keys) == min(depth, subset.rows) else None


def _sifted_tail(state: IndexState, query: Query, depth: int, subset: Subset, wanted: int) -> RowIds:
    """Like `_nearest_of_tail`, of the subset; exactly of a run where too few of the rows that are found belong to it."""
    passing = state.tail._replace(live=marked(len(state.tail.keys), subset.tail), live_count=len(subset.tail))
    found = []
    for run in state.coded:
        rows = slice(run.first, run.end)
        inside = subset.tail[slice(*np.searchsorted(subset.tail, (run.first, run.end)))] - run.first
        sifted = _sifted(run.searcher, _slice(state.tail, rows), inside, query, depth, wanted)
        found.append(run.first + (_scan(_slice(passing, rows), query, state.spec.metric, depth) if sifted is None else sifted))
    rest = slice(state.coded_rows, None)
    return np.concatenate([*found, _scan(_slice(passing, rest), query, state.spec.metric, depth) + rest.start])


def _sifted(searcher: Searcher, part: Part, passing: RowIds, query: Query, depth: int, wanted: int) -> RowIds | None:
    """Those of the `wanted` nearest rows that are among those that pass; None when these are too few."""
    asked = _with_dead(part, wanted)
    found = searcher.candidates(query, asked)
    passed = contains(passing, found)
    # What lies beyond the rows that were asked for is incomplete, so it only serves to better what is found.
    if int(passed[:asked].sum()) < min(depth, len(passing)):
        return None
    return found[passed]


def subset_of(state: IndexState, files: Keys) -> Subset:
    """The live rows of the given files (ids ascending)."""
    base = _alive(state.base, rows_of_files(state.base.keys, files))
    tail = np.flatnonzero(contains(files, files_of(state.tail.keys)) & state.tail.live)
    return Subset(base, tail)


def _slice(part: Part, rows: slice) -> Part:
    live = part.live[rows]
    squared = None if part.squared is None else part.squared[rows]
    return Part(part.keys[rows], part.matrix[rows], live, int(np.count_nonzero(live)), squared)


def _with_dead(part: Part, wanted: int) -> int:
    """How many rows to ask for, so that the dead among them do not leave too few."""
    rows = len(part.keys)
    if part.live_count == rows:
        return min(rows, wanted)
    alive = max(part.live_count / rows, 0.05) if rows else 1.0
    return min(rows, math.ceil(wanted / alive))


def _scan(part: Part, query: Query, metric: str, depth: int) -> RowIds:
    """Every live row that can be among the `depth` nearest of this part: rounding and ties at the edge included."""
    return _scan_for_each(part, [query], metric, depth)[0]


def _scan_for_each(part: Part, queries: Sequence[Query], metric: str, depth: int) -> list[RowIds]:
    """As `_scan`, of each query."""
    if not len(part.keys):
        return [_NO_ROWS] * len(queries)
    if part.live_count <= depth:
        return [np.flatnonzero(part.live)] * len(queries)
    if isinstance(part.matrix, CompactMatrix):
        return [_within_reach(part.matrix.quantized.bounds(query), depth, part.live) for query in queries]
    all_scores = metrics.approximate_of_each(part.matrix, queries, metric, part.squared)
    margins = [metrics.rounding_margin(part.matrix, query, metric, part.squared) for query in queries]
    return [_at_the_top(part, *one, depth) for one in zip(all_scores, margins, strict=True)]


def _at_the_top(part: Part, scores: Scores, margin: float, depth: int) -> RowIds:
    """The live rows whose scores are the `depth` best, or below them by no more than the margin."""
    if part.live_count < len(part.keys):
        scores = np.where(part.live, scores, np.float32(-np.inf))
    edge = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    return np.flatnonzero(scores >= edge - margin)


def _scan_some(part: Part, rows: RowIds, query: Query, metric: str, depth: int) -> RowIds:
    """Of these rows all that can be among their `depth` nearest."""
    if len(rows) <= depth:
        return rows
    if isinstance(part.matrix, CompactMatrix):
        return _worth_reading(part, rows, query, depth)
    squared = None if part.squared is None else part.squared[rows]
    matrix = part.matrix.take(rows, axis=0)
    gathered = Part(part.keys[rows], matrix, np.ones(len(rows), dtype=np.bool_), len(rows), squared)
    return rows[_scan(gathered, query, metric, depth)]


def _ranked(state: IndexState, query: Query, base: RowIds, tail: RowIds, depth: int, available: int, exact: bool) -> Ranked:
    keys, scores = _scored(state.base, base, query, state.spec.metric, depth)
    if len(tail):
        tail_keys, tail_scores = _scored(state.tail, tail, query, state.spec.metric, depth)
        keys, scores = np.concatenate([keys, tail_keys]), np.concatenate([scores, tail_scores])
    order = _order(keys, scores)[:depth]
    return Ranked(keys[order], scores[order], complete=len(order) >= available, exact=exact)


def _scored(part: Part, rows: RowIds, query: Query, metric: str, depth: int) -> tuple[Keys, Scores]:
    """Keys and exact scores of these rows; of many rows of a compact matrix those of the `depth` nearest among them."""
    if not isinstance(part.matrix, CompactMatrix):
        return part.keys.take(rows), metrics.exact(part.matrix.take(rows, axis=0), query, metric)
    if len(rows) <= _READ_ROWS:
        return part.keys[rows], metrics.exact(part.matrix[rows], query, metric)
    keys, scores = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    for start in range(0, len(rows), _READ_ROWS):
        some = rows[start : start + _READ_ROWS]
        keys = np.concatenate([keys, part.keys[some]])
        scores = np.concatenate([scores, metrics.exact(part.matrix[some], query, metric)])
        if len(keys) > depth:
            order = _order(keys, scores)[:depth]
            keys, scores = keys[order], scores[order]
    return keys, scores


def _worth_reading(part: Part, rows: RowIds, query: Query, depth: int) -> RowIds:
    """Of these rows those that can be among their `depth` nearest, ascending: all of them unless they are compact."""
    if not isinstance(part.matrix, CompactMatrix):
        return rows
    if len(rows) > depth:
        rows = rows[_within_reach(part.matrix.quantized.take(rows).bounds(query), depth)]
    return np.sort(rows)


def _within_reach(bounds: tuple[Bounds, Bounds], depth: int, live: Mask | None = None) -> RowIds:
    """Which rows can be among the `depth` nearest when all that is known of their scores are these bounds."""
    low, high = bounds
    if live is not None:
        low = np.where(live, low, -np.inf)
    edge = np.partition(low, len(low) - depth)[len(low) - depth]  # so many rows score at least that
    return np.flatnonzero(high >= edge if live is None else (high >= edge) & live)


def _order(keys: Keys, scores: Scores) -> RowIds:
    return np.lexsort((keys, -scores))
