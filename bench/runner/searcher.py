"""The dense view's searcher alone: recall on questions that were never stored, against CPU time, setting by setting.

`OPENBLAS_NUM_THREADS=1 python -m bench.runner.searcher grid ROWS…` measures layouts and efforts, to choose thresholds from;
`… chosen ROWS…` measures what the builder chooses, with and without a condition and with a tail. No server and no volume: the
modules of the view, over the vectors of the vector benchmark (`bench.runner.vectors_data`). The settings answer a few queries
each, in turn, so that a busy machine troubles them alike and each has its codes at hand as a server has; times are medians of
the thread's own CPU time. Tables go to stdout.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.runner import vectors_data
from vexfs.core.search import planner
from vexfs.views.dense import engine, metrics, ranking
from vexfs.views.dense.calibration import FAR, NEAR, Effort
from vexfs.views.dense.engine import Layout, ScannSearcher, Settings
from vexfs.views.dense.index import Coded, DenseIndex, IndexSpec, IndexState
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.rows import Keys, Matrix, Rows, files_of, key_of

QUERIES = 200
HASH_BLOCKS = (2, 4, 6)
TREE_BLOCKS = (2, 3, 4)
DEPTHS = (100, 200, 400)
LEAVES_SHARES = (16, 8, 4)
SELECTIVITIES = (0.0005, 0.01, 0.1, 0.5)
TAILS = (0, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000)
CODED_FROM = 5_000
_SEED = 7
_TURN = 20

Answer = Callable[[Query], Keys]


class Way(NamedTuple):
    """One way to answer, and the true answers to hold it against."""

    name: str
    answer: Answer
    truth: list[set[int]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.runner.searcher", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("grid", "chosen"))
    parser.add_argument("rows", type=int, nargs="+", help="how many vectors to store, such as 50000; repeatable")
    parser.add_argument("--queries", type=int, default=QUERIES)
    options = parser.parse_args()
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        parser.error("set OPENBLAS_NUM_THREADS=1: the time that other threads take for a product would not be counted")
    for rows in options.rows:
        vectors, queries = _vectors(rows, options.queries)
        ways = _grid(vectors, queries) if options.what == "grid" else _chosen(vectors, queries)
        _measure(rows, list(ways), queries)
    return 0


def _vectors(rows: int, queries: int) -> tuple[Matrix, list[Query]]:
    found = vectors_data.prepare(rows, queries)
    asked = [metrics.prepare_query(row.tobytes(), vectors_data.DIMENSION, metrics.COSINE) for row in found.queries]
    return metrics.prepare_rows(np.array(found.vectors), metrics.COSINE), asked


def _grid(vectors: Matrix, queries: list[Query]) -> Iterator[Way]:
    truth = _truth(vectors, queries, NEAR)
    yield Way("exact", _nearest(_state(vectors, None)), truth)
    leaves = int(len(vectors) ** 0.5)
    layouts = [Layout(0, size) for size in HASH_BLOCKS] + [Layout(leaves, size) for size in TREE_BLOCKS]
    for layout in layouts:
        began = time.thread_time()
        searcher = engine.train(vectors, metrics.COSINE, layout)
        sys.stderr.write(f"{len(vectors):,} rows, {_described(layout)}: trained in {time.thread_time() - began:.1f} s of CPU\n")
        for searched in sorted({leaves // share for share in LEAVES_SHARES}) if layout.leaves else (0,):
            for depth in DEPTHS:
                effort = Effort(searched, depth)
                settings = Settings("", *layout, effort, effort, 0.0, 0.0)
                state = _state(vectors, ScannSearcher(searcher, settings, vectors.shape[1]))
                yield Way(f"{_described(layout)}, {_asked(effort)}", _nearest(state), truth)


def _chosen(vectors: Matrix, queries: list[Query]) -> Iterator[Way]:
    began = time.thread_time()
    trained, settings = engine.build(vectors, metrics.COSINE)
    sys.stdout.write(f"{len(vectors):,} rows: {settings}, built in {time.thread_time() - began:.1f} s of CPU\n")
    searcher = None if trained is None else ScannSearcher(trained, settings, vectors.shape[1])
    state = _state(vectors, searcher)
    yield Way("nearest 10", _nearest(state), _truth(vectors, queries, NEAR))
    yield Way("nearest 100", _nearest(state, FAR), _truth(vectors, queries, FAR))
    for share in SELECTIVITIES:
        passing = np.flatnonzero(np.random.default_rng(_SEED).random(len(vectors)) < share)
        subset = ranking.subset_of(state, passing + 1)
        yield Way(f"nearest 10 of {share:.2%}", _among(state, subset), _truth(vectors, queries, NEAR, passing))
    for tail in TAILS:
        if tail < len(vectors) // 2:
            more = _with_tail(state, tail)
            yield Way(f"nearest 10, {tail:,} more in the tail", _nearest(more), [set()] * len(queries))
            if tail >= CODED_FROM:
                yield Way(f"nearest 10, {tail:,} more in the tail, coded", _nearest(_coded(more)), [set()] * len(queries))


def _state(vectors: Matrix, searcher: ScannSearcher | None) -> IndexState:
    index = DenseIndex(IndexSpec(1, "v", vectors.shape[1], metrics.COSINE))
    index.load(_rows(vectors, 1), 1, searcher, "g")
    return index.state


def _with_tail(state: IndexState, count: int) -> IndexState:
    """The same base, with copies of its first rows as what came since."""
    index = DenseIndex(state.spec)
    index.load(Rows(state.base.keys, state.base.matrix), 1, None)
    rows = _rows(state.base.matrix[:count], len(state.base.keys) + 1)
    index.apply({int(key) >> 20: Rows(rows.keys[at : at + 1], rows.matrix[at : at + 1]) for at, key in enumerate(rows.keys)}, 2)
    return index.state._replace(searcher=state.searcher)


def _coded(state: IndexState) -> IndexState:
    """The same, with its tail coded as the view has it coded; says what that costs."""
    began = time.thread_time()
    searcher = engine.code(state.tail.matrix, state.spec.metric)
    rows = len(state.tail.keys)
    sys.stderr.write(f"a tail of {rows:,} rows: coded in {time.thread_time() - began:.2f} s of CPU\n")
    return state if searcher is None else state._replace(coded=(Coded(searcher, 0, rows),))


def _rows(vectors: Matrix, first: int) -> Rows:
    return Rows(np.array([key_of(ino, 0) for ino in range(first, first + len(vectors))], dtype=np.int64), vectors)


def _nearest(state: IndexState, wanted: int = NEAR) -> Answer:
    return lambda query: ranking.nearest(state, query, wanted).keys


def _among(state: IndexState, subset: ranking.Subset) -> Answer:
    return lambda query: planner.among(state, query, NEAR, subset).keys


def _truth(vectors: Matrix, queries: list[Query], wanted: int, among: NDArray[np.int64] | None = None) -> list[set[int]]:
    """File ids of the nearest rows of each query, by comparing all."""
    places = np.arange(len(vectors)) if among is None else among
    rows = vectors if among is None else vectors[among]
    wanted = min(wanted, len(rows))
    return [set((places[np.argpartition(rows @ query, -wanted)[-wanted:]] + 1).tolist()) for query in queries]


def _measure(rows: int, ways: list[Way], queries: list[Query]) -> None:
    times: list[list[int]] = [[] for _ in ways]
    hits = [0] * len(ways)
    for start in range(0, len(queries), _TURN):
        for place, way in enumerate(ways):
            for number in range(start, min(start + _TURN, len(queries))):
                began = time.thread_time_ns()
                found = way.answer(queries[number])
                times[place].append(time.thread_time_ns() - began)
                hits[place] += len(way.truth[number].intersection(files_of(found).tolist()))
    sys.stdout.write(f"\n| {rows:,} rows | recall | CPU µs |\n|---|---|---|\n")
    for way, taken, hit in zip(ways, times, hits, strict=True):
        wanted = sum(map(len, way.truth))
        recall = f"{hit / wanted:.4f}" if wanted else ""
        sys.stdout.write(f"| {way.name} | {recall} | {np.median(taken) / 1000:.0f} |\n")
    sys.stdout.flush()


def _described(layout: Layout) -> str:
    return f"{layout.dimensions_per_block} dimensions a block, {f'{layout.leaves} leaves' if layout.leaves else 'no tree'}"


def _asked(effort: Effort) -> str:
    return f"{f'{effort.leaves} leaves, ' if effort.leaves else ''}depth {effort.depth}"


if __name__ == "__main__":
    sys.exit(main())
