"""One large file: written and read from one end to the other, then 4 KiB at places that look random."""

from __future__ import annotations

import json

from bench.runner import build
from bench.runner.mounted import Sample, run_client
from bench.runner.systems import Running
from bench.workloads.workload import Workload, drop_cached

MIB_RATE, IO_RATE = "MiB/s", "4 KiB/s"
WRITE, READ, READ_CACHED = "large write+fsync", "large read", "large read (cached)"
RANDOM_READ, RANDOM_WRITE = "random read", "random write+fsync"


def workload(mib: int, blocks: int) -> Workload:
    """A file of `mib` MiB; `blocks` of 4 KiB in each random phase. The reads begin with nothing in the kernel's cache."""

    def measure(running: Running, sample: Sample) -> None:
        def phase(name: str, workload: str, unit: str) -> None:
            command = [str(build.bigfile()), name, str(running.directory / "large"), str(mib), str(blocks)]
            result = json.loads(run_client(command, sample.pinning))
            sample.add(workload, unit, result["operations"] / result["seconds"])

        phase("write", WRITE, MIB_RATE)
        drop_cached(running)
        phase("read", READ, MIB_RATE)
        phase("read", READ_CACHED, MIB_RATE)
        drop_cached(running)
        phase("random_read", RANDOM_READ, IO_RATE)
        phase("random_write", RANDOM_WRITE, IO_RATE)

    return Workload("a large file", measure)
