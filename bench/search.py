"""Search latency over gRPC: one client, every question asked once, everything embedded before."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.import_corpus import import_folder
from bench.runner import client, corpus, processes
from bench.runner.mounted import settle
from bench.runner.record import Benchmark, Key, Options, Record, Target
from bench.runner.systems import VEXFS, Server, VexfsServe
from vexfs.contract.v1 import search_pb2

ABOUT = """
Questions to a `vexfs serve` with its defaults that holds the Python standard library's own sources, import and
embedding finished. One client over gRPC asks one question after the other, ten hits each, every question once in the
whole run (first lines of docstrings of the corpus), so that no cache of questions or answers can help. Latencies are
the client's. Client and server share all cores.
"""

MODES = {
    "hybrid": search_pb2.SEARCH_MODE_HYBRID,
    "dense": search_pb2.SEARCH_MODE_DENSE,
    "lexical": search_pb2.SEARCH_MODE_LEXICAL,
}
SHARES = {"p50 ms": 0.50, "p95 ms": 0.95, "p99 ms": 0.99}
WARM_UP = 10
WAIT_S = 3600.0
LARGEST_P50_MS = 15.0


def run(options: Options, record: Record) -> None:
    rounds, count, limit = options.rounds_or(5), options.size(200, 40, 4), options.size(0, 60, 3)
    questions = corpus.questions(rounds * len(MODES) * count + WARM_UP, limit)
    count = min(count, (len(questions) - WARM_UP) // (rounds * len(MODES)))
    if count < 1:
        raise RuntimeError(f"the corpus has only {len(questions)} questions")
    system = VexfsServe(mount=False)
    record.configuration |= {"rounds": rounds, "questions_a_round_and_mode": count, VEXFS: system.configuration}
    with system.start(processes.FREE) as server, client.connected(server) as connection:
        _fill(server, connection, limit, record)
        settle(server, record, options, VEXFS)
        for question in questions[:WARM_UP]:
            connection.search(question)
        asked = iter(questions[WARM_UP:])
        for number in range(rounds):
            sys.stderr.write(f"round {number + 1}/{rounds}\n")
            for name in MODES:
                _ask(connection, name, [next(asked) for _ in range(count)], number, record)
    record.targets.append(Target(_key("hybrid", "p50 ms"), "median", "<=", LARGEST_P50_MS))


def _fill(server: Server, connection: client.Client, limit: int, record: Record) -> None:
    sys.stderr.write("importing and embedding the corpus\n")
    with tempfile.TemporaryDirectory(prefix="vexfs-bench-corpus-") as folder:
        record.configuration["files"] = corpus.copy_to(Path(folder), limit)
        import_folder(server, Path(folder))
    connection.wait_for_views(WAIT_S)
    record.configuration["passages"] = connection.info().text.passages


def _ask(connection: client.Client, mode: str, questions: list[str], number: int, record: Record) -> None:
    latencies_ms, strategies = [], Counter[str]()
    for question in questions:
        began = time.perf_counter()
        response = connection.search(question, mode=MODES[mode])
        latencies_ms.append((time.perf_counter() - began) * 1000)
        strategies[response.strategy] += 1
        if response.partial or response.pending:
            record.note(f"At least one {mode} answer was partial or had changes pending.")
        if not response.hits:
            record.note(f"At least one {mode} question had no hit.")
    ordered = sorted(latencies_ms)
    for unit, share in SHARES.items():
        record.add(_key(mode, unit), number, ordered[int(len(ordered) * share)])
    record.configuration[f"strategy, {mode}"] = ", ".join(f"{name} {times}" for name, times in strategies.most_common())


def _key(mode: str, unit: str) -> Key:
    return Key(f"search, {mode}", VEXFS, "", unit)


BENCHMARK = Benchmark("search", "Search latency", ABOUT, run)
