"""Where the time of a vector query goes: which stage of the search takes how long, one query after another, in this process?

`OPENBLAS_NUM_THREADS=1 python -m bench.runner.stages ROWS…` stores so many vectors of the vector benchmark in a volume, waits
for its index and asks questions that were never stored, in one thread, with a clock around each stage. A stage is a function of
the server; what it takes includes the functions it calls, less those that are stages themselves. The clocks add half a
microsecond a stage. Tables go to stdout. The last line is what a gRPC call alone takes that brings a query's bytes to a server
which sends them back: what a search over gRPC takes at least on top.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.peers.vectors.engine import Place, Rows
from bench.peers.vectors.vexfs_core import VexfsCore
from bench.runner import echo, vectors_data
from vexfs.core.search import SearchEngine, answers, matcher, results
from vexfs.store import found_files, reader
from vexfs.views.dense import engine, metrics, ranking

QUERIES = 5_000
WARM_UP = 500
INSERT_BATCH = 1_000
VECTOR_BYTES = vectors_data.DIMENSION * 4


class Stage(NamedTuple):
    """A function whose time is told."""

    name: str
    owner: Any
    function: str


STAGES = (
    Stage("everything else: calls, checks, the objects of the answer", SearchEngine, "search_vectors"),
    Stage("a snapshot begins", reader.SnapshotPool, "snapshot"),
    Stage("a snapshot ends", reader.Snapshot, "close"),
    Stage("looking for a remembered answer", results.Results, "find"),
    Stage("remembering the answer, or that it was asked for", results.Results, "keep"),
    Stage("the query's vector is checked and brought to unit length", metrics, "prepare_query"),
    Stage("ScaNN finds candidates", engine.ScannSearcher, "candidates"),
    Stage("candidates are fetched, scored exactly and ordered", ranking, "_ranked"),
    Stage("rows and names of the files are read from SQLite", found_files, "read"),
    Stage("paths", matcher.Matcher, "paths_of"),
    Stage("hits are made", answers._UnderWay, "_make"),
)


class Clock:
    """Time by stage, each less the stages within it."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = {stage.name: 0 for stage in STAGES}
        self._within: list[int] = []

    def watch(self, stage: Stage) -> None:
        """Put a clock around the function, for the rest of the process."""
        function: Callable[..., Any] = getattr(stage.owner, stage.function)

        def watched(*arguments: Any, **options: Any) -> Any:
            self._within.append(0)
            began = time.perf_counter_ns()
            try:
                return function(*arguments, **options)
            finally:
                taken = time.perf_counter_ns() - began
                self.ns[stage.name] += taken - self._within.pop()
                if self._within:
                    self._within[-1] += taken

        setattr(stage.owner, stage.function, watched)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.runner.stages", description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=int, nargs="+", help="how many vectors to store, such as 50000; repeatable")
    parser.add_argument("--queries", type=int, default=QUERIES)
    options = parser.parse_args()
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        parser.error("set OPENBLAS_NUM_THREADS=1, as the server's processes have it")
    clock = Clock()
    for stage in STAGES:
        clock.watch(stage)
    for rows in options.rows:
        _measure(rows, options.queries, clock)
    sys.stdout.write(f"\na gRPC call that does nothing: {echo.call_us(VECTOR_BYTES, options.queries):.0f} µs\n")
    return 0


def _measure(rows: int, queries: int, clock: Clock) -> None:
    found = vectors_data.prepare(rows, WARM_UP + queries)
    with tempfile.TemporaryDirectory(prefix="vexfs-bench-stages-") as folder:
        core = VexfsCore(Place(Path(folder), vectors_data.DIMENSION, [], rows))
        for start in range(0, rows, INSERT_BATCH):
            core.insert(Rows(start, np.array(found.vectors[start : min(rows, start + INSERT_BATCH)]), {}))
        core.build()
        questions = [core.prepare(vector, None) for vector in found.queries]
        for question in questions[:WARM_UP]:
            core.search(question)
        clock.ns = dict.fromkeys(clock.ns, 0)
        for question in questions[WARM_UP:]:
            core.search(question)
        core.close()
    total = sum(clock.ns.values())
    sys.stdout.write(f"\n| {rows:,} rows | µs a query | share |\n|---|---:|---:|\n")
    for name, taken in sorted(clock.ns.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"| {name} | {taken / queries / 1000:.1f} | {taken / total:.0%} |\n")
    sys.stdout.write(f"| all | {total / queries / 1000:.0f} | |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
