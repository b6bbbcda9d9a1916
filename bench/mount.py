"""The mount beside other file systems, in one run: metadata, threads, durable and large files, listings, trees, SQLite.

Both pinnings matter: free is what users have, one core takes out the price of waking another core. The clients are
`clients/fsops.c` and `clients/bigfile.c`, git, tar, grep, rm and SQLite; the workloads lie in `workloads/`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.peers import agentfs
from bench.runner import build, disk, mounted, processes, report
from bench.runner.mounted import Sample
from bench.runner.record import Benchmark, Options, Record
from bench.runner.systems import (
    AGENTFS,
    FUSER_MEMORY,
    PASSTHROUGH_HP,
    PLAIN,
    TMPFS,
    VEXFS,
    Agentfs,
    FuserMemory,
    PassthroughHp,
    PlainDirectory,
    Running,
    System,
    VexfsServe,
    temporary_files_removed,
    tmpfs,
)
from bench.workloads import bigfile, bounds, durable, listing, packages, rows, threads, trees
from bench.workloads.workload import Workload, attempt, let_rest, not_measured

ABOUT = """
File operations through the mount of `vexfs serve` (its defaults: durable store, history, indexer running), beside:

- `fuser_memory` (`bench/peers/fuser_memory`): a memory file system in Rust on the `fuser` crate, which keeps nothing;
- `passthrough_hp`: libfuse's own fast example, on a folder of a tmpfs;
- `agentfs`: a file system in Rust on SQLite that keeps its files on the disk, the nearest relative;
- a plain directory of the disk's own file system, and one of a tmpfs: the kernel without a server.

Every system starts afresh in every round, and the systems' rounds are interleaved. *free*: client and server use all cores.
*one core*: client and the whole server, indexer and API included, share one; it is measured for the metadata operations of
one thread. No two files and no two blocks have the same bytes, and what is read is checked. Server CPU is what the server's
processes used while the workload ran, all of them together.

Large reads and random reads begin with nothing of the file in the kernel's cache, neither the mount's pages nor those of the
server's own files; *cached* is the same read once more. Writes end with an fsync that counts. *Disk flushes* are how often
the disk was told to make durable what it has: with one thread a file that is durable after its fsync takes one. `git` works
on a clone of this project's own history, `tar`, `grep` and `rm` on the Python standard library's sources. `node_modules` is a
made tree of 1,000 packages, about 11,000 files, in the shape of npm's own packages: each file is written under another name
and renamed, then all manifests are read, then `rm -rf`; VexFS does not index what lies in a folder of that name. Each kind of
work begins when the server has been quiet for half a second, or after ten seconds: VexFS may still be indexing the repository
then. A directory to be listed is filled once for each system, and listed by each in turn: it was used before. A peer that
needs more than ten seconds for that is listed in one round.

A peer that is not built, and a workload a peer cannot do, have no number; the notes at the end say why. `python -m bench.peers`
builds the peers from their sources. passthrough_hp keeps a descriptor for every file the kernel knows, so a large directory
needs a limit (`ulimit -Hn`) above its entries.
"""


def run(options: Options, record: Record) -> None:
    record.configuration["disk"] = disk.kind(Path(tempfile.gettempdir()))
    rounds, files = options.rounds_or(5), options.size(3000, 300, 30)
    systems = list(_systems(options, record))
    with (
        temporary_files_removed(agentfs.LEFT_BEHIND),
        tempfile.TemporaryDirectory(prefix="vexfs-bench-prepared-") as prepared,
    ):
        workloads = list(_workloads(Path(prepared), options, record))

        def more(running: Running, sample: Sample) -> None:
            if sample.pinning == processes.FREE or options.tiny:
                for workload in workloads:
                    sys.stderr.write(f"  {workload.name}\n")
                    if not options.tiny:
                        let_rest(running)
                    attempt(workload, running, sample, record)

        mounted.compare(systems, record, options, rounds=rounds, files=files, more=more)
    listing.compare(systems, record, options, rounds=rounds, entries=options.size(100_000, 5000, 200))
    for pinning in processes.PINNINGS:
        record.ratios += bounds.ratios(pinning)
    record.targets += bounds.targets()


def _systems(options: Options, record: Record) -> Iterator[System]:
    """VexFS and every peer that starts; for the others, why not."""
    install = not options.tiny
    every: dict[str, Callable[[], System]] = {
        VEXFS: VexfsServe,
        FUSER_MEMORY: FuserMemory,
        PASSTHROUGH_HP: lambda: PassthroughHp(install=install),
        AGENTFS: lambda: Agentfs(install=install),
        PLAIN: PlainDirectory,
        TMPFS: tmpfs,
    }
    for name, made in every.items():
        if options.wants(name):
            try:
                system = made()
                if name != VEXFS:
                    with system.start(processes.FREE):
                        pass
            except (build.NotAvailable, RuntimeError, OSError) as error:
                not_measured(record, name, error)
            else:
                yield system


def _workloads(prepared: Path, options: Options, record: Record) -> Iterator[Workload]:
    """In the order they run: what gives the indexer much to do comes last."""
    for count in threads.COUNTS:
        yield threads.workload(count, options.size(3000, 300, 64))
    for count in durable.COUNTS:
        yield durable.workload(count, options.size(1000, 200, 64))
    yield rows.workload(options.size(200, 50, 5), options.size(20_000, 5000, 500))
    needing_tools: dict[str, Callable[[], Workload]] = {
        "a large file": lambda: bigfile.workload(options.size(128, 16, 2), options.size(2000, 500, 50)),
        "a tree of packages": lambda: packages.workload(options.size(1000, 100, 8)),
        "git": lambda: trees.git(prepared),
        "tar, grep and rm": lambda: trees.sources(prepared, options.size(0, 100, 20)),
    }
    for name, made in needing_tools.items():
        try:
            yield made()
        except (build.NotAvailable, OSError) as error:
            not_measured(record, name, error)


def summary(document: dict[str, Any]) -> str:
    """The medians of all systems beside each other, by pinning."""
    parts = []
    for pinning in processes.PINNINGS:
        if any(row["pinning"] == pinning for row in document["rows"]):
            parts += [f"## Medians, {pinning}", report.side_by_side(document, pinning, leave_out=frozenset({mounted.CPU}))]
    return "\n\n".join(parts)


BENCHMARK = Benchmark("mount", "The mount", ABOUT, run, summary)
