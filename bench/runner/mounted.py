"""Workloads on a mounted directory: the C client run phase by phase, the systems interleaved, rates and server CPU recorded.

Used by every benchmark that goes through a mount. Starts one system at a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.runner import build, processes
from bench.runner.record import Key, Options, Record
from bench.runner.systems import Running, System

PHASES = ("create", "create_4k", "stat", "open_read", "rename", "unlink")
WORKLOADS = {
    "create": "create",
    "create_4k": "create+4 KiB",
    "stat": "stat (cached)",
    "open_read": "open+read+close",
    "rename": "rename",
    "unlink": "unlink",
}
RATE, CPU = "ops/s", "µs server CPU/op"
QUIET_TIMEOUT_S = 120.0
BUSY_MACHINE = "The machine was not idle when at least one round began: the free numbers are not to be quoted."


def compare(
    systems: Sequence[System],
    record: Record,
    options: Options,
    *,
    rounds: int,
    files: int,
    more: More | None = None,
) -> None:
    """All systems in every round and pinning; which one goes first changes with the round. `more` works on each system after
    the phases, before it is stopped."""
    record.configuration |= {"rounds": rounds, "files_per_workload": files, "client_threads": 1}
    record.configuration |= {system.name: system.configuration for system in systems if system.configuration}
    for round_number in range(rounds):
        for pinning in processes.pinnings(tiny=options.tiny):
            turn = round_number % len(systems)
            for system in [*systems[turn:], *systems[:turn]]:
                sys.stderr.write(f"round {round_number + 1}/{rounds}, {pinning}, {system.name}\n")
                with system.start(pinning) as running:
                    settle(running, record, options, system.name)
                    sample = Sample(record, system.name, pinning, round_number)
                    for phase in PHASES:
                        _measure(phase, running, files, sample)
                    if more is not None:
                        more(running, sample)


class Sample:
    """Where the numbers of one system in one round go."""

    def __init__(self, record: Record, system: str, pinning: str, round_number: int) -> None:
        self._record, self._round = record, round_number
        self.system, self.pinning = system, pinning

    def add(self, workload: str, unit: str, value: float) -> None:
        self._record.add(Key(workload, self.system, self.pinning, unit), self._round, value)


More = Callable[["Running", Sample], None]


def fsops(
    phase: str, directory: Path, files: int, pinning: str, *, threads: int = 1, chosen: tuple[int, int] | None = None
) -> tuple[int, float]:
    """Runs one phase of the C client; operations done and seconds taken. CalledProcessError when an operation failed.

    `chosen` (out of how many, seed): the files are chosen at random, instead of the first ones.
    """
    command = fsops_command(phase, directory, files, threads=threads) + [str(number) for number in chosen or ()]
    return fsops_result(run_client(command, pinning))


def run_client(command: list[str], pinning: str) -> bytes:
    """What a client prints. CalledProcessError, with its last words, when it fails."""
    with processes.pinned(pinning):
        return subprocess.run(command, check=True, capture_output=True).stdout


def fsops_command(phase: str, directory: Path, files: int, max_seconds: float = 0.0, *, threads: int = 1) -> list[str]:
    return [str(build.fsops()), phase, str(directory), str(files), str(threads), str(max_seconds)]


def fsops_result(output: bytes) -> tuple[int, float]:
    result = json.loads(output)
    return int(result["operations"]), float(result["seconds"])


def settle(running: Running, record: Record, options: Options, name: str) -> None:
    """Nothing left over from before: the disk written, the server quiet, the machine idle. A tiny run does not wait."""
    if options.tiny:
        return
    os.sync()
    if running.pid and not processes.wait_until_quiet(running.pid, timeout_s=QUIET_TIMEOUT_S):
        record.note(f"{name} was still busy {QUIET_TIMEOUT_S:.0f} s after it had to be quiet in at least one round.")
    if not processes.wait_for_idle_machine():
        record.note(BUSY_MACHINE)


def _measure(phase: str, running: Running, files: int, sample: Sample) -> None:
    before = processes.cpu_seconds(running.pid) if running.pid else 0.0
    operations, seconds = fsops(phase, running.directory, files, sample.pinning)
    sample.add(WORKLOADS[phase], RATE, operations / seconds)
    if running.pid:
        sample.add(WORKLOADS[phase], CPU, (processes.cpu_seconds(running.pid) - before) * 1e6 / operations)
