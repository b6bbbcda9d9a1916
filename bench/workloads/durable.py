"""Small files that are durable when the client goes on: create, write 4 KiB, fsync, close, from one thread and from several.

Whether they are durable is up to the system: how often it had the disk flushed stands beside its rate.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.runner import disk
from bench.runner.mounted import RATE, Sample, fsops
from bench.runner.systems import Running
from bench.workloads.workload import Workload

COUNTS = (1, 8, 32)
FLUSHES = "disk flushes/op"


def name_of(threads: int) -> str:
    return f"create+4 KiB+fsync, {threads} thread{'s' if threads > 1 else ''}"


def workload(threads: int, files: int) -> Workload:
    """`files` in all; several threads share a group commit where a file system has one."""

    def measure(running: Running, sample: Sample) -> None:
        directory = running.directory / f"durable-{threads}"
        directory.mkdir()
        kept = Path(tempfile.gettempdir())  # where every system that keeps its files on a disk has them
        before = disk.flushes(kept)
        operations, seconds = fsops("create_fsync", directory, files, sample.pinning, threads=threads)
        after = disk.flushes(kept)
        sample.add(name_of(threads), RATE, operations / seconds)
        if before is not None and after is not None:
            sample.add(name_of(threads), FLUSHES, (after - before) / operations)

    return Workload(name_of(threads), measure)
