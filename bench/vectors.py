"""Vector search beside other vector databases and libraries: what goes in, what is found, how fast, at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.peers.vectors.engines import PEERS, VEXFS_CORE
from bench.runner import report, vectors_data
from bench.runner.contest import (
    DISK,
    MEMORY,
    PYTHON_CLIENT,
    RATE,
    RECALL,
    RECALL_WANTED,
    ROWS,
    SECONDS,
    Contest,
    Plan,
    before_writing,
    key_of,
    searches,
    while_writing,
)
from bench.runner.points import SERVERS, VEXFS_GRPC, VEXFS_GRPC_2
from bench.runner.record import Benchmark, Key, Options, Ratio, Record, Target
from bench.runner.systems import VexfsServe, temporary_folder

ABOUT = """
Real texts of the machine (docstrings, manual pages, READMEs), cut to about 64 tokens and embedded with VexFS's own model:
384 dimensions, cosine. Queries are such texts that are not in the set. Every system gets the same rows, each with four
whole numbers to filter by, and the same queries for the ten nearest. `vexfs-grpc` is `vexfs serve` with its defaults,
asked over gRPC by a client in C with requests that were serialised before, a connection a client; *2 API processes* is the
same server started with `--api-processes 2`; *client in Python* is the first asked by gRPC's Python, one process. `vexfs-core`
is the same search as functions of a Python process, called from threads, as the embedded peers are. Systems and clients
share all cores.

*Ingest* is 1,000 rows at a time from one client, each batch acknowledged and synced before the next; a peer that does not
sync by itself is synced by the benchmark, and the configuration says so. A library (hnswlib, faiss) is durable when its
file is written. *Build* ends when searches use an index over all rows. Engines whose search can be set to be more thorough
are measured at the least of a ladder of settings that finds 98 % of the true ten nearest of queries kept for that, and
once more *as recommended*: at what their makers set or name. VexFS has no such setting. Recall is computed from the very
answers that were timed; a neighbour as near as the tenth counts. A query comes again only after all others; *the same 16
queries* shows what a cache of results is worth. While rows are written, 50 are put ten times a second; *just before* is
the same system with the same clients without writes; the newest rows are looked for by their own vectors right after, in VexFS
with the revision of the last write. *Serving* is the proportional share of memory of all processes of a
system, its interpreter included, after it was loaded and searched.
"""

SIZES = (50_000, 200_000)
DATABASES = ("qdrant-edge", "chroma", "lancedb", "pgvector", "milvus-lite")
SYSTEMS = (*SERVERS, VEXFS_CORE, *PEERS)
QDRANT = "qdrant-edge"
LEAST_SHARE_WHILE_WRITING = 0.6
LEAST_SHARE_ONE_CLIENT = 0.8


def run(options: Options, record: Record) -> None:
    names = [name for name in SYSTEMS if options.wants(name)]
    sizes = options.sizes or ((300,) if options.tiny else (10_000,) if options.quick else SIZES)
    for size in sizes:
        contest = measure_size(plan_of(size, options), names, record, options)
        _add_ratios(size, contest, record)


def measure_size(plan: Plan, names: Sequence[str], record: Record, options: Options) -> Contest:
    """Load the systems, then all rounds of searches, then all rounds of searches beside writes."""
    data = vectors_data.prepare(plan.rows, plan.queries, tiny=plan.tiny)
    record.configuration |= {
        f"{plan.size:,} vectors": f"{plan.rounds} rounds, {plan.ingest_rounds} of loading, {plan.seconds:g} s a measurement, "
        f"{plan.write_seconds:g} s while writing, {plan.queries:,} queries, "
        f"{data.mixtures:,} of {plan.rows:,} rows are mixtures of texts",
        **data.facts,
    }
    for name in SERVERS.keys() & set(names):
        record.configuration.setdefault(name, dict(VexfsServe(mount=False, arguments=SERVERS[name]).configuration))
    with temporary_folder() as folder, Contest(plan, data, folder, record, options) as contest:
        folder.chmod(0o755)  # PostgreSQL does not run as root: it has to come through
        contest.load(names)
        for number in range(plan.rounds):
            contest.read(number)
        for number in range(plan.rounds):
            contest.write(number)
    return contest


def plan_of(size: int, options: Options) -> Plan:
    if options.tiny:
        return Plan(size, 1, 1, seconds=0.1, write_seconds=0.2, queries=80, tiny=True)
    rounds = options.rounds_or(5 if size <= 50_000 else 3)
    if options.quick:
        return Plan(size, rounds, 1, seconds=0.7, write_seconds=3.0, queries=6_000, tiny=False)
    return Plan(
        size, rounds, 3 if size <= 50_000 else 1, seconds=2.0, write_seconds=10.0, queries=vectors_data.QUERIES_MAX, tiny=False
    )


def _add_ratios(size: int, contest: Contest, record: Record) -> None:
    """What the run is to decide."""
    for condition in (None, *contest.conditions):
        workload = searches(1, condition)
        record.targets.append(Target(key_of(size, workload, VEXFS_GRPC, RECALL), "min", ">=", RECALL_WANTED))
    _decide(record, ratio(size, searches(16), VEXFS_GRPC_2, QDRANT), 1.0)
    _decide(record, ratio(size, searches(1), VEXFS_GRPC, QDRANT), LEAST_SHARE_ONE_CLIENT)
    record.ratios.append(ratio(size, searches(16), VEXFS_GRPC, QDRANT))
    for clients in (1, 16):
        record.ratios.append(ratio(size, searches(clients), VEXFS_GRPC_2, VEXFS_GRPC))
    for name in DATABASES:
        for clients in (1, 16):
            _decide(record, ratio(size, searches(clients), VEXFS_CORE, name), 1.0)
    for condition in (None, contest.condition("g100")):
        for name in SYSTEMS:
            above = key_of(size, while_writing(condition), name, RATE)
            below = key_of(size, before_writing(condition), name, RATE)
            writing = Ratio(f"{size:,}: {while_writing(condition)} / just before: {name}", above, below)
            record.ratios.append(writing)
            if name in SERVERS and condition is None:
                record.targets.append(Target(writing, "median", ">=", LEAST_SHARE_WHILE_WRITING))
    for name in ("g100", "g10"):
        for clients in (1, 16):
            record.ratios.append(ratio(size, searches(clients, contest.condition(name)), VEXFS_GRPC, QDRANT))
    for clients in (1, 16):
        record.ratios.append(ratio(size, searches(clients), VEXFS_GRPC + PYTHON_CLIENT, VEXFS_GRPC))


def _decide(record: Record, decided: Ratio, bound: float) -> None:
    record.ratios.append(decided)
    record.targets.append(Target(decided, "median", ">=", bound))


def ratio(size: int, workload: str, above: str, below: str) -> Ratio:
    name = f"{size:,}: {workload}: {above} / {below}"
    return Ratio(name, key_of(size, workload, above, RATE), key_of(size, workload, below, RATE))


# -- the page's first table ------------------------------------------------------------------------------------------------

_COLUMNS = {
    "recall": (searches(1), RECALL),
    "q/s, 1 client": (searches(1), RATE),
    "16 clients": (searches(16), RATE),
    "16, 500 rows/s written": (while_writing(), RATE),
    "0.05 % pass: recall": ("0.05 % pass, 1 client", RECALL),
    "1 %: recall": ("1 % pass, 1 client", RECALL),
    "q/s, 1 client ": ("1 % pass, 1 client", RATE),
    "16 clients ": ("1 % pass, 16 clients", RATE),
    "10 %: recall": ("10 % pass, 1 client", RECALL),
    "q/s, 1 client  ": ("10 % pass, 1 client", RATE),
    "16 clients  ": ("10 % pass, 16 clients", RATE),
    "50 %: recall": ("50 % pass, 1 client", RECALL),
    "ingest, rows/s": ("ingest, durable", ROWS),
    "ingest and build, s": ("ingest and build", SECONDS),
    "memory, MiB": ("serving", MEMORY),
    "disk, MiB": ("at rest", DISK),
}


def summary(document: dict[str, Any]) -> str:
    """A table a size: one line a system, medians."""
    medians = {(row["workload"], row["system"], row["unit"]): row["median"] for row in document["rows"]}
    sizes = sorted({int(workload.partition(":")[0].replace(",", "")) for workload, _, _ in medians})
    parts = []
    for size in sizes:
        systems = dict.fromkeys(row["system"] for row in document["rows"] if row["workload"].startswith(f"{size:,}: "))
        rows = [[name, *(_cell(medians, key_of(size, *column_of(name, column))) for column in _COLUMNS)] for name in systems]
        parts.append(f"## {size:,} vectors\n\n" + report.markdown(["system", *_COLUMNS], rows))
    return "\n\n".join(parts)


def column_of(system: str, column: str) -> tuple[str, str, str]:
    workload, unit = _COLUMNS[column]
    return workload, system, unit


def _cell(medians: dict[tuple[str, str, str], float], key: Key) -> str:
    value = medians.get((key.workload, key.system, key.unit))
    if value is None:
        return "–"
    return f"{value:.3f}" if key.unit == RECALL else f"{value:,.0f}"


BENCHMARK = Benchmark("vectors", "Vector search", ABOUT, run, summary)
