"""Metadata operations from several client threads at once, in one directory: what all of them together get done."""

from __future__ import annotations

from bench.runner.mounted import PHASES, RATE, WORKLOADS, Sample, fsops
from bench.runner.record import Key, Ratio
from bench.runner.systems import Running
from bench.workloads.workload import Workload

COUNTS = (8, 32)


def name_of(phase: str, threads: int) -> str:
    return f"{WORKLOADS[phase]}, {threads} threads"


def workload(threads: int, files: int) -> Workload:
    def measure(running: Running, sample: Sample) -> None:
        directory = running.directory / f"threads-{threads}"
        directory.mkdir()
        for phase in PHASES:
            operations, seconds = fsops(phase, directory, files, sample.pinning, threads=threads)
            sample.add(name_of(phase, threads), RATE, operations / seconds)

    return Workload(f"metadata operations from {threads} threads", measure)


def kept(phase: str, threads: int, system: str, pinning: str) -> Ratio:
    """The throughput of many threads by that of one."""
    many, one = (Key(workload, system, pinning, RATE) for workload in (name_of(phase, threads), WORKLOADS[phase]))
    return Ratio(f"{WORKLOADS[phase]}: {system}, {threads} threads / 1 thread, {pinning}", many, one)
