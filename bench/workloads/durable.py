"""Small files that are durable when the client goes on: create, write 4 KiB, fsync, close, from one thread and from several."""

from __future__ import annotations

from bench.runner.mounted import RATE, Sample, fsops
from bench.runner.systems import Running
from bench.workloads.workload import Workload

COUNTS = (1, 8, 32)


def name_of(threads: int) -> str:
    return f"create+4 KiB+fsync, {threads} thread{'s' if threads > 1 else ''}"


def workload(threads: int, files: int) -> Workload:
    """`files` in all; several threads share a group commit where a file system has one."""

    def measure(running: Running, sample: Sample) -> None:
        directory = running.directory / f"durable-{threads}"
        directory.mkdir()
        operations, seconds = fsops("create_fsync", directory, files, sample.pinning, threads=threads)
        sample.add(name_of(threads), RATE, operations / seconds)

    return Workload(name_of(threads), measure)
