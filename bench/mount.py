"""The mount beside a Rust memory file system: create, create+4 KiB, stat, open+read+close, rename, unlink.

Both pinnings matter: free is what users have, one core takes out the price of waking another core. The client is
`clients/fsops.c`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.runner import machine, processes
from bench.runner.mounted import PHASES, RATE, WORKLOADS, compare
from bench.runner.record import Benchmark, Key, Options, Record, Target, ratio_of_systems
from bench.runner.systems import FUSER_MEMORY, VEXFS, FuserMemory, PlainDirectory, System, VexfsServe

ABOUT = """
File operations through the mount of `vexfs serve` (its defaults: durable store, history, indexer running) beside
`bench/peers/fuser_memory`, a memory file system in Rust on the `fuser` crate that keeps nothing, and beside a plain
directory of the disk's own file system. One client thread in C, one directory a workload, a fresh server each round,
the systems' rounds interleaved. Every file of create+4 KiB has different bytes, and open+read+close checks them.
*free*: client and server use all cores. *one core*: client and the whole server, indexer and API included, share one.
Server CPU is what the server's processes used while the workload ran, all of them together.
"""

# workload -> smallest median of VexFS / fuser_memory, by pinning
SMALLEST_RATIO = {
    processes.FREE: {"create": 1.3, "create_4k": 1.0, "stat": 0.9, "open_read": 1.5, "rename": 0.9, "unlink": 0.9},
    processes.ONE_CORE: {"create": 0.5, "create_4k": 0.4, "stat": 0.9, "open_read": 0.7, "rename": 0.45, "unlink": 0.35},
}
SMALLEST_BEST_CREATE_4K = 4200.0


def run(options: Options, record: Record) -> None:
    every: tuple[System, ...] = (VexfsServe(), FuserMemory(), PlainDirectory())
    record.configuration["disk"] = machine.filesystem_type(Path(tempfile.gettempdir()))
    systems = [system for system in every if options.wants(system.name)]
    compare(systems, record, options, rounds=options.rounds_or(7), files=options.size(5000, 300, 30))
    for pinning in processes.PINNINGS:
        record.ratios += [ratio_of_systems(WORKLOADS[phase], pinning, RATE, VEXFS, FUSER_MEMORY) for phase in PHASES]
    record.targets += _targets()


def _targets() -> list[Target]:
    targets = [
        Target(ratio_of_systems(WORKLOADS[phase], pinning, RATE, VEXFS, FUSER_MEMORY), "median", ">=", bound)
        for pinning, bounds in SMALLEST_RATIO.items()
        for phase, bound in bounds.items()
    ]
    best = Key(WORKLOADS["create_4k"], VEXFS, processes.FREE, RATE)
    return [*targets, Target(best, "max", ">=", SMALLEST_BEST_CREATE_4K)]


BENCHMARK = Benchmark("mount", "The mount", ABOUT, run)
