"""A directory of 10^5 entries, listed: names alone, and names with a stat of each.

Filling it takes longer than all the listings, so every system fills its own once, stays up, and the rounds list them in turn.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence

from bench.runner import processes
from bench.runner.mounted import Sample, fsops, settle
from bench.runner.record import Options, Record
from bench.runner.systems import VEXFS, Running, System
from bench.workloads.workload import Workload, attempt

RATE = "entries/s"
LIST, LIST_STAT = "list a directory", "list and stat a directory"
LONGEST_ROUND_S = 10.0
_PHASES = {"list": LIST, "list_stat": LIST_STAT}
_FILL_THREADS = 4


def compare(systems: Sequence[System], record: Record, options: Options, *, rounds: int, entries: int) -> None:
    record.configuration["entries_listed"] = entries
    fill = _fill(entries)
    with contextlib.ExitStack() as stack:
        filled: list[tuple[str, Running]] = []
        for system in systems:
            sys.stderr.write(f"filling a directory with {entries} entries, {system.name}\n")
            running = stack.enter_context(system.start(processes.FREE))
            if attempt(fill, running, Sample(record, system.name, processes.FREE, 0), record):
                filled.append((system.name, running))
        for name, running in filled:
            settle(running, record, options, name)
        _take_turns(filled, record, rounds=rounds, workload=_list(entries))


def _take_turns(filled: list[tuple[str, Running]], record: Record, *, rounds: int, workload: Workload) -> None:
    """Lists each in every round; a peer that takes too long for that is left out of the rounds that follow."""
    waiting = list(filled)
    for number in range(rounds):
        turn = number % max(1, len(waiting))
        for name, running in [*waiting[turn:], *waiting[:turn]]:
            sys.stderr.write(f"round {number + 1}/{rounds}, listing, {name}\n")
            began = time.monotonic()
            attempt(workload, running, Sample(record, name, processes.FREE, number), record)
            if name != VEXFS and time.monotonic() - began > LONGEST_ROUND_S:
                waiting.remove((name, running))
                record.note(f"{name} needs more than {LONGEST_ROUND_S:.0f} s for its listings: they are done in one round.")


def _fill(entries: int) -> Workload:
    def measure(running: Running, sample: Sample) -> None:
        fsops("create", running.directory, entries, sample.pinning, threads=_FILL_THREADS)

    return Workload(f"{entries} files in a directory", measure)


def _list(entries: int) -> Workload:
    def measure(running: Running, sample: Sample) -> None:
        for phase, workload in _PHASES.items():
            seen, seconds = fsops(phase, running.directory, 1, sample.pinning)
            if seen != entries:
                raise RuntimeError(f"{seen} entries were listed of {entries}")
            sample.add(workload, RATE, seen / seconds)

    return Workload("listing a directory", measure)
