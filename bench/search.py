"""Search latency over gRPC: one client, then several; every question asked once, everything embedded before."""

from __future__ import annotations

import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from bench.import_corpus import import_folder
from bench.runner import client, corpus, grpcload, processes
from bench.runner.mounted import settle
from bench.runner.record import Benchmark, Key, Options, Record, Target
from bench.runner.systems import VEXFS, Server, VexfsServe
from vexfs.contract.v1 import search_pb2

ABOUT = """
Questions to a `vexfs serve` with its defaults that holds the Python standard library's own sources, import and
embedding finished. One client over gRPC asks one question after the other, ten hits each, every question once in the
whole run (first lines of docstrings of the corpus), so that no cache of questions or answers can help. Then two and
eight clients ask such questions of their own at the same time, in hybrid mode; they are one program in C, which takes
next to no CPU. At last 16 clients ask *popular questions*: of some that nobody asked before, the second is drawn half as
often as the first, the third a third as often, and so on (Zipf's law); *repeated* is the share of the drawn questions that
came before, *hit ratio* the share that the cache of answers answered, by the server's own count. Latencies are the client's.
Clients and server share all cores.
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
LARGEST_P99_MS = {2: 25.0, 8: 80.0}
"""By the number of clients that ask at the same time."""
POPULAR_CLIENTS = 16
POPULAR_RATE_LEAST = 680.0
POPULAR_HIT_RATIO_LEAST = 0.87
POPULAR_DRAWS = 20
"""How many questions are asked for each that there is."""
_POPULAR = f"popular questions, {POPULAR_CLIENTS} clients"
_SEARCH = "/vexfs.v1.SearchService/Search"


def run(options: Options, record: Record) -> None:
    rounds, count, limit = options.rounds_or(5), options.size(200, 40, 4), options.size(0, 60, 3)
    shares = len(MODES) + 2 * len(LARGEST_P99_MS) + 1
    questions = corpus.questions(rounds * shares * count + WARM_UP, limit)
    count = min(count, (len(questions) - WARM_UP) // (rounds * shares))
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
            for clients in LARGEST_P99_MS:
                _ask_together(server, clients, [next(asked) for _ in range(2 * count)], number, record)
            _ask_popular(server, [next(asked) for _ in range(count)], number, record)
    for clients, bound in LARGEST_P99_MS.items():
        record.targets.append(Target(_key(_together(clients), "p99 ms"), "median", "<=", bound))
    record.targets.append(Target(_key("hybrid", "p50 ms"), "median", "<=", LARGEST_P50_MS))
    record.targets.append(Target(_key(_POPULAR, "searches/s"), "median", ">=", POPULAR_RATE_LEAST))
    record.targets.append(Target(_key(_POPULAR, "hit ratio"), "median", ">=", POPULAR_HIT_RATIO_LEAST))


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


def _ask_together(server: Server, clients: int, questions: Sequence[str], number: int, record: Record) -> None:
    mode = MODES["hybrid"]
    requests = [search_pb2.SearchRequest(text=text, limit=10, mode=mode).SerializeToString() for text in questions]
    load = grpcload.run(server, _SEARCH, requests, clients)
    for _, message in load.answers:
        response = search_pb2.SearchResponse.FromString(message)
        if response.partial or response.pending or not response.hits:
            record.note(f"At least one answer to {clients} clients was partial, had changes pending, or no hit.")
    record.add(_key(_together(clients), "p50 ms"), number, load.p50_ms)
    record.add(_key(_together(clients), "p99 ms"), number, load.p99_ms)
    record.add(_key(_together(clients), "searches/s"), number, load.operations / load.seconds)


def _ask_popular(server: Server, questions: Sequence[str], number: int, record: Record) -> None:
    weights = 1 / np.arange(1, len(questions) + 1)
    draws = np.random.default_rng(number).choice(len(questions), POPULAR_DRAWS * len(questions), p=weights / weights.sum())
    requests = [search_pb2.SearchRequest(text=questions[draw], limit=10).SerializeToString() for draw in draws]
    hits, misses = _result_cache(server)
    load = grpcload.run(server, _SEARCH, requests, POPULAR_CLIENTS)
    hits_after, misses_after = _result_cache(server)
    asked = hits_after - hits + misses_after - misses
    record.add(_key(_POPULAR, "searches/s"), number, load.operations / load.seconds)
    record.add(_key(_POPULAR, "p50 ms"), number, load.p50_ms)
    record.add(_key(_POPULAR, "p99 ms"), number, load.p99_ms)
    record.add(_key(_POPULAR, "hit ratio"), number, (hits_after - hits) / asked)
    record.add(_key(_POPULAR, "repeated"), number, 1 - len(set(draws.tolist())) / len(draws))


def _result_cache(server: Server) -> tuple[float, float]:
    """Hits and misses of the cache of answers since the server started, from its metrics."""
    request = urllib.request.Request(f"{server.rest}/metrics", headers={"Authorization": f"Bearer {server.token}"})
    with urllib.request.urlopen(request, timeout=client.CALL_TIMEOUT_S) as response:
        page = response.read().decode()
    hits, misses = (
        sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == f"vexfs_search_cache_{name}_total" and sample.labels["cache"] == "results"
        )
        for name in ("hits", "misses")
    )
    return hits, misses


def _together(clients: int) -> str:
    return f"hybrid, {clients} clients"


def _key(mode: str, unit: str) -> Key:
    return Key(f"search, {mode}", VEXFS, "", unit)


BENCHMARK = Benchmark("search", "Search latency", ABOUT, run)
