"""The price of FLUSH: how long close() takes where something was written, where nothing was, and for a reader."""

from __future__ import annotations

import sys

from bench.runner import processes
from bench.runner.mounted import fsops, settle
from bench.runner.record import Benchmark, Key, Options, Ratio, Record
from bench.runner.systems import VEXFS, FuserMemory, System, VexfsServe

ABOUT = """
A handle that may write is flushed at close(): VexFS moves what was written into the open group there, so that every other
surface sees it a few milliseconds later. A handle that only reads has no FLUSH. The time of close() alone, seen by
the client, in three cases, beside the Rust memory file system, which answers FLUSH at once. The first minus the last is
the price.
"""

CASES = {
    "close_written": "close() after a write of 4 KiB",
    "close_unwritten": "close() of a writer that wrote nothing",
    "close_read": "close() of a reader",
}
UNIT = "µs"


def run(options: Options, record: Record) -> None:
    rounds, files = options.rounds_or(5), options.size(3000, 300, 30)
    every: tuple[System, ...] = (VexfsServe(), FuserMemory())
    systems = [system for system in every if options.wants(system.name)]
    record.configuration |= {"rounds": rounds, "files": files} | {system.name: system.configuration for system in systems}
    for number in range(rounds):
        for pinning in processes.pinnings(tiny=options.tiny):
            for system in systems:
                sys.stderr.write(f"round {number + 1}/{rounds}, {pinning}, {system.name}\n")
                with system.start(pinning) as running:
                    settle(running, record, options, system.name)
                    fsops("create_4k", running.directory, files, pinning)
                    for phase, workload in CASES.items():
                        operations, seconds = fsops(phase, running.directory, files, pinning)
                        record.add(Key(workload, system.name, pinning, UNIT), number, seconds * 1e6 / operations)
    for pinning in processes.PINNINGS:
        written, read = (Key(CASES[phase], VEXFS, pinning, UNIT) for phase in ("close_written", "close_read"))
        record.ratios.append(Ratio(f"{VEXFS}: close() after a write / of a reader, {pinning}", written, read))


BENCHMARK = Benchmark("flush", "The price of FLUSH", ABOUT, run)
