"""What VexFS has to reach in the mount benchmark: every ratio that is shown, and the bounds some of them have to keep.

Called by `bench.mount` when everything was measured. Starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.runner import processes
from bench.runner.mounted import PHASES, RATE, WORKLOADS
from bench.runner.record import Key, Ratio, Relation, Target, ratio_of_systems
from bench.runner.systems import AGENTFS, FUSER_MEMORY, PASSTHROUGH_HP, PLAIN, VEXFS
from bench.workloads import bigfile, durable, listing, packages, rows, threads, trees

SERVERS = (FUSER_MEMORY, PASSTHROUGH_HP, AGENTFS)

# phase -> smallest median of VexFS / fuser_memory, by pinning
BESIDE_FUSER_MEMORY = {
    processes.FREE: {"create": 1.3, "create_4k": 1.0, "stat": 0.9, "open_read": 1.5, "rename": 0.9, "unlink": 0.9},
    processes.ONE_CORE: {"create": 0.5, "create_4k": 0.4, "stat": 0.9, "open_read": 0.7, "rename": 0.45, "unlink": 0.35},
}
CREATE_BESIDE_PASSTHROUGH_HP = 1.3
# Of what the server sees: a cached stat never reaches it.
BESIDE_AGENTFS = {phase: 2.0 for phase in PHASES if phase != "stat"}
KEPT_BY_THREADS = 0.9
SMALLEST_BEST_CREATE_4K = 4200.0

# (workload, unit, smallest or largest median of VexFS / the disk's own file system), free
BESIDE_THE_DISK: tuple[tuple[str, str, Relation, float], ...] = (
    *((durable.name_of(count), RATE, ">=", 1.0) for count in durable.COUNTS),
    (bigfile.READ, bigfile.MIB_RATE, ">=", 0.9),
    (bigfile.WRITE, bigfile.MIB_RATE, ">=", 0.5),
    (trees.CLONE, trees.SECONDS, "<=", 2.0),
)
# (workload, unit) with a ratio beside the other servers and the disk, free
SHOWN = (
    *((durable.name_of(count), RATE) for count in durable.COUNTS),
    (bigfile.WRITE, bigfile.MIB_RATE),
    (bigfile.READ, bigfile.MIB_RATE),
    (bigfile.READ_CACHED, bigfile.MIB_RATE),
    (bigfile.RANDOM_READ, bigfile.IO_RATE),
    (bigfile.RANDOM_WRITE, bigfile.IO_RATE),
    (rows.ONE_ROW, rows.TRANSACTIONS),
    (rows.BULK, rows.ROWS),
    *((name, trees.SECONDS) for name in (trees.CLONE, trees.STATUS, trees.CHECKOUT, trees.TAR, trees.GREP, trees.REMOVE)),
    *((name, packages.SECONDS) for name in (packages.UNPACK, packages.WALK, packages.REMOVE)),
    (listing.LIST, listing.RATE),
    (listing.LIST_STAT, listing.RATE),
)


def ratios(pinning: str) -> list[Ratio]:
    """Every ratio of a pinning that has a meaning; those without samples are not shown."""
    found = [ratio_of_systems(WORKLOADS[phase], pinning, RATE, VEXFS, peer) for phase in PHASES for peer in (*SERVERS, PLAIN)]
    found += [threads.kept(phase, count, VEXFS, pinning) for phase in PHASES for count in threads.COUNTS]
    found += [
        ratio_of_systems(threads.name_of(phase, count), pinning, RATE, VEXFS, peer)
        for phase in PHASES
        for count in threads.COUNTS
        for peer in SERVERS
    ]
    return found + [
        ratio_of_systems(workload, pinning, unit, VEXFS, peer) for workload, unit in SHOWN for peer in (*SERVERS, PLAIN)
    ]


def targets() -> list[Target]:
    return [*_beside_servers(), *_of_threads(), *_beside_the_disk(), _best_create_4k()]


def _beside_servers() -> Iterator[Target]:
    for pinning in processes.PINNINGS:
        bounds = [(phase, FUSER_MEMORY, bound) for phase, bound in BESIDE_FUSER_MEMORY[pinning].items()]
        bounds += [("create", PASSTHROUGH_HP, CREATE_BESIDE_PASSTHROUGH_HP)]
        bounds += [(phase, AGENTFS, bound) for phase, bound in BESIDE_AGENTFS.items()]
        for phase, peer, bound in bounds:
            yield Target(ratio_of_systems(WORKLOADS[phase], pinning, RATE, VEXFS, peer), "median", ">=", bound)


def _of_threads() -> Iterator[Target]:
    for phase in PHASES:
        for count in threads.COUNTS:
            yield Target(threads.kept(phase, count, VEXFS, processes.FREE), "median", ">=", KEPT_BY_THREADS)


def _beside_the_disk() -> Iterator[Target]:
    for workload, unit, relation, bound in BESIDE_THE_DISK:
        yield Target(ratio_of_systems(workload, processes.FREE, unit, VEXFS, PLAIN), "median", relation, bound)


def _best_create_4k() -> Target:
    return Target(Key(WORKLOADS["create_4k"], VEXFS, processes.FREE, RATE), "max", ">=", SMALLEST_BEST_CREATE_4K)
