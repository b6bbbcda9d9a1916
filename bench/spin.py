"""What the mount's short spin is worth, and what it costs in CPU: busy, paced and idle."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.runner import processes
from bench.runner.mounted import PHASES, RATE, WORKLOADS, compare, settle
from bench.runner.record import Benchmark, Key, Options, Record, ratio_of_systems
from bench.runner.systems import Running, VexfsServe

ABOUT = """
After a request the mount polls its descriptor for a short time before it sleeps, because waking it on another core is
the dearest step of a request. `vexfs serve --mount` with its defaults beside the same with `VEXFS_MOUNT_SPIN_US=0`:
rates and server CPU of the mount's workloads, then the CPU of the whole server while one file is created every 5 ms,
and while nothing happens.
"""

WITH, WITHOUT = "spin (default)", "no spin"
PACED, IDLE, UNIT = "a file every 5 ms", "idle", "% of a core"
PACE_S = 0.005


def run(options: Options, record: Record) -> None:
    systems = [VexfsServe(WITH), VexfsServe(WITHOUT, environment={"VEXFS_MOUNT_SPIN_US": "0"})]
    rounds, seconds = options.rounds_or(5), options.size(4, 2, 1)
    compare(systems, record, options, rounds=rounds, files=options.size(3000, 300, 30))
    for number in range(rounds):
        for system in systems:
            sys.stderr.write(f"round {number + 1}/{rounds}, paced and idle, {system.name}\n")
            with system.start(processes.FREE) as running:
                settle(running, record, options, system.name)
                record.add(Key(IDLE, system.name, processes.FREE, UNIT), number, _share(running, seconds, _do_nothing))
                record.add(Key(PACED, system.name, processes.FREE, UNIT), number, _share(running, seconds, _create_paced))
    for pinning in processes.PINNINGS:
        record.ratios += [ratio_of_systems(WORKLOADS[phase], pinning, RATE, WITH, WITHOUT) for phase in PHASES]


Work = Callable[[Path, float], None]


def _share(running: Running, seconds: int, work: Work) -> float:
    before, began = processes.cpu_seconds(running.pid), time.monotonic()
    work(running.directory, began + seconds)
    return 100 * (processes.cpu_seconds(running.pid) - before) / (time.monotonic() - began)


def _do_nothing(directory: Path, deadline: float) -> None:
    del directory
    time.sleep(max(0.0, deadline - time.monotonic()))


def _create_paced(directory: Path, deadline: float) -> None:
    number = 0
    while time.monotonic() < deadline:
        (directory / f"paced{number}").touch()
        number += 1
        time.sleep(PACE_S)


BENCHMARK = Benchmark("spin", "The mount's spin", ABOUT, run)
