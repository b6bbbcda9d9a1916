"""The mount beside a Rust memory file system: create, create+4 KiB, stat, open+read+close, rename, unlink.

Both pinnings matter: free is what users have, one core takes out the price of waking another core. The client is
`clients/fsops.c`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.runner import build, machine, processes
from bench.runner.record import Benchmark, Key, Options, Ratio, Record, Target
from bench.runner.systems import FUSER_MEMORY, VEXFS, FuserMemory, PlainDirectory, Running, System, VexfsServe

ABOUT = """
File operations through the mount of `vexfs serve` (its defaults: durable store, history, indexer running) beside
`bench/peers/fuser_memory`, a memory file system in Rust on the `fuser` crate that keeps nothing, and beside a plain directory
of the disk's own file system. One client thread in C, one directory a workload, a fresh server each round, the systems' rounds
interleaved. Every file of create+4 KiB has different bytes, and open+read+close checks them. *free*: client and server use all
cores. *one core*: client and the whole server, indexer and API included, share one. Server CPU is what the server's processes
used while the workload ran, all of them together.
"""

PHASES = ("create", "create_4k", "stat", "open_read", "rename", "unlink")
WORKLOADS = {
    "create": "create",
    "create_4k": "create+4 KiB",
    "stat": "stat (cached)",
    "open_read": "open+read+close",
    "rename": "rename",
    "unlink": "unlink",
}
BUSY_MACHINE = (
    "Other processes used more than a tenth of the machine in at least one round: the free numbers are not to be quoted."
)
RATE, CPU = "ops/s", "µs server CPU/op"

# workload -> smallest median of VexFS / fuser_memory, by pinning
SMALLEST_RATIO = {
    processes.FREE: {"create": 0.9, "create_4k": 0.7, "rename": 0.6, "stat": 0.9},
    processes.ONE_CORE: {"create": 0.35, "create_4k": 0.3, "rename": 0.35, "stat": 0.9},
}
SMALLEST_BEST_CREATE_4K = 4200.0


def run(options: Options, record: Record) -> None:
    rounds, files = options.rounds_or(7), options.size(5000, 300, 30)
    systems: list[System] = [s for s in (VexfsServe(), FuserMemory(), PlainDirectory()) if options.wants(s.name)]
    record.configuration |= {"rounds": rounds, "files_per_workload": files, "client_threads": 1}
    record.configuration["disk"] = machine.filesystem_type(Path(tempfile.gettempdir()))
    record.configuration |= {system.name: system.configuration for system in systems if system.configuration}
    compare(systems, record, rounds=rounds, files=files)
    record.ratios += [
        Ratio(WORKLOADS[phase], pinning, RATE, VEXFS, FUSER_MEMORY) for pinning in processes.PINNINGS for phase in PHASES
    ]
    record.targets += _targets()


def compare(systems: list[System], record: Record, *, rounds: int, files: int, phases: tuple[str, ...] = PHASES) -> None:
    """All systems in every round and pinning; which one goes first changes with the round."""
    for round_number in range(rounds):
        for pinning in processes.PINNINGS:
            turn = round_number % len(systems)
            for system in systems[turn:] + systems[:turn]:
                sys.stderr.write(f"round {round_number + 1}/{rounds}, {pinning}, {system.name}\n")
                with system.start(pinning) as running:
                    settle(running, record, system.name)
                    for phase in phases:
                        _measure(phase, running, pinning, files, Sample(record, system.name, pinning, round_number))


class Sample:
    """Where the numbers of one system in one round go."""

    def __init__(self, record: Record, system: str, pinning: str, round_number: int) -> None:
        self._record, self._system, self._pinning, self._round = record, system, pinning, round_number

    def add(self, workload: str, unit: str, value: float) -> None:
        self._record.add(Key(workload, self._system, self._pinning, unit), self._round, value)


def fsops(
    phase: str, directory: Path, files: int, pinning: str, *, threads: int = 1, max_seconds: float = 0
) -> tuple[int, float]:
    """Runs one phase of the C client; operations done and seconds taken. CalledProcessError when an operation failed."""
    command = [str(build.fsops()), phase, str(directory), str(files), str(threads), str(max_seconds)]
    with processes.pinned(pinning):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    result = json.loads(done.stdout)
    return int(result["operations"]), float(result["seconds"])


def settle(running: Running, record: Record, name: str) -> None:
    """Nothing left over from before: the disk written, the server's start over, the machine idle."""
    os.sync()
    if running.pid and not processes.wait_until_quiet(running.pid):
        record.note(f"{name} was still busy 30 s after its start in at least one round.")
    if not processes.wait_for_idle_machine():
        record.note(BUSY_MACHINE)


def _measure(phase: str, running: Running, pinning: str, files: int, sample: Sample) -> None:
    before = processes.cpu_seconds(running.pid) if running.pid else 0.0
    operations, seconds = fsops(phase, running.directory, files, pinning)
    sample.add(WORKLOADS[phase], RATE, operations / seconds)
    if running.pid:
        sample.add(WORKLOADS[phase], CPU, (processes.cpu_seconds(running.pid) - before) * 1e6 / operations)


def _targets() -> list[Target]:
    targets = [
        Target(Ratio(WORKLOADS[phase], pinning, RATE, VEXFS, FUSER_MEMORY), "median", ">=", bound)
        for pinning, bounds in SMALLEST_RATIO.items()
        for phase, bound in bounds.items()
    ]
    best = Key(WORKLOADS["create_4k"], VEXFS, processes.FREE, RATE)
    return [*targets, Target(best, "max", ">=", SMALLEST_BEST_CREATE_4K)]


BENCHMARK = Benchmark("mount", "The mount", ABOUT, run)
