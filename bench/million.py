"""A million vectors in VexFS on a machine of this size: do they fit, what is found, how fast?"""

from __future__ import annotations

from bench.runner.contest import MEMORY, RECALL, RECALL_WANTED, Plan, key_of, searches
from bench.runner.points import VEXFS_GRPC
from bench.runner.record import Benchmark, Options, Record, Target
from bench.vectors import measure_size, summary

ABOUT = """
A million vectors of 384 dimensions in `vexfs serve` with its defaults, put and asked over gRPC as in `vectors`. As many of them
are embedded texts as this machine has; the rest are mixtures of two of those, seven parts of one and three of the other, and
the configuration says how many. *Ingest and build, largest* is the most memory that all processes of the server had together,
the builder of the index included, looked at twice a second.
"""

SIZE = 1_000_000
LARGEST_MIB = 6 * 1024


def run(options: Options, record: Record) -> None:
    size = options.size(SIZE, 20_000, 300)
    if options.tiny:
        plan = Plan(size, 1, 1, seconds=0.1, write_seconds=0.2, queries=80, tiny=True)
    else:
        plan = Plan(size, options.rounds_or(3), 1, seconds=2.0, write_seconds=10.0, queries=5_000, tiny=False)
    measure_size(plan, [VEXFS_GRPC], record, options)
    for workload in ("ingest and build, largest", "serving"):
        record.targets.append(Target(key_of(size, workload, VEXFS_GRPC, MEMORY), "max", "<=", LARGEST_MIB))
    for clients in (1, 16):
        record.targets.append(Target(key_of(size, searches(clients), VEXFS_GRPC, RECALL), "min", ">=", RECALL_WANTED))


BENCHMARK = Benchmark("million", "A million vectors", ABOUT, run, summary)
