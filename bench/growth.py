"""Does a file cost more among a million than among ten thousand? Time, server CPU, memory and disk of trees of three sizes."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.runner import client, disk, processes, report
from bench.runner.contest import disk_bytes
from bench.runner.mounted import CPU, Sample, fsops, settle
from bench.runner.processes import FREE
from bench.runner.record import Benchmark, Key, Options, Ratio, Record, Target
from bench.runner.systems import VEXFS, PlainDirectory, Running, Server, System, VexfsServe
from bench.workloads.workload import forget_names, let_rest

ABOUT = """
Trees of 10⁴, 10⁵ and 10⁶ files in directories of 1,000, each made by the same client in the same order through the mount of a
`vexfs serve` of its own with its defaults (durable store, history, indexer running), and beside each the same tree in a plain
directory of the disk's own file system. All trees stay, and the rounds take them in turn, operation by operation: the cost
among 10⁶ files by that among 10⁴ compares two measurements that lie seconds apart. The files of a round are chosen at random
among all of a tree. A round renames its files, unlinks them and creates them again with other bytes, so a tree keeps its size.

Before each operation the kernel is made to forget every name and every file of both systems, which also takes the mount's own
pages: each first look at a file goes to the server. The directories of the chosen files are looked up again before the clock
starts, because 2,000 files lie in 10 of them or in some 870, and each would be one request more. What the servers and the
disk's own files have in memory stays. *list* is the time of one entry in whole directories; *fill* that of one file while the
tree is made, with the indexer at work beside it. Server CPU is what all processes of the server used while the client ran.

A file has 100 to 200 bytes, no two have the same, and what is read is checked. The first byte is a zero, and the others are
random: the indexer reads such a file, finds that it is no text, and keeps that in a row of its own. So it looks at every file,
but embeds none: a million embeddings would take hours here, and their cost is that of `import`. Every number is taken after
the server said that it had looked at all files, *fill* excepted.

Memory is the proportional share of all processes of the server, after its tree was made. The largest tree is made first, when
no other server is there to share pages with. *memory a file* and *disk a file* are what the server of the largest tree took
more than that of the smallest, by the files it has more; of memory, what each had before its first file is taken off first.
The memory is that of a server whose kernel knows as many of the files as it likes to: *names forgotten* is the same after it
was made to forget them.
"""

FANOUT = 1000
"""Files in a directory, as in clients/fsops.c."""
PHASES = {
    "tree_stat": "stat",
    "tree_read": "open+read+close",
    "tree_list": "list",
    "tree_rename": "rename",
    "tree_unlink": "unlink",
    "tree_create": "create+write",
}
COST, MEMORY, DISK, BYTES = "µs/op", "MiB", "MiB on disk", "bytes"
FILL, MEMORY_FULL, MEMORY_FORGOTTEN, TAKEN = "fill", "memory", "memory, names forgotten", "disk"
MEMORY_A_FILE, DISK_A_FILE = "memory a file", "disk a file"
LARGEST_GROWTH = 1.3
DIRECTORIES_LISTED_MAX = 10
INDEXED_TIMEOUT_S = 1800.0
NOT_COLD = "The kernel could not be made to forget names, which needs root: the costs are those of files it may know already."


@dataclass
class Place:
    """A started system with a tree of `files`."""

    system: str
    files: int
    running: Running
    memory_bytes: int = 0
    """What its processes have more than before the first file."""
    disk_bytes: int = 0

    def name(self, operation: str) -> str:
        return workload_of(operation, self.files)


def workload_of(operation: str, files: int) -> str:
    return f"{operation}, {files:,} files"


def run(options: Options, record: Record) -> None:
    sizes = _sizes(options)
    rounds = options.rounds_or(5)
    chosen = options.size(2000, 200, 20)
    systems: tuple[System, ...] = tuple(s for s in (VexfsServe(), PlainDirectory()) if options.wants(s.name))
    record.configuration["disk"] = disk.kind(Path(tempfile.gettempdir()))
    record.configuration |= {"rounds": rounds, "files_per_operation": chosen, "files_in_a_directory": FANOUT}
    record.configuration |= {system.name: system.configuration for system in systems if system.configuration}
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(_filled(s, size, record, options)) for size in reversed(sizes) for s in systems]
        _compare_what_a_file_takes(places, record)
        for number in range(rounds):
            sys.stderr.write(f"round {number + 1}/{rounds}\n")
            for phase in PHASES:
                _measure(phase, _turned(places, number), chosen, number, record, options)
    for system in systems:
        _add_bounds(system.name, sizes, record)


def _sizes(options: Options) -> tuple[int, ...]:
    """From small to large; all but those of a tiny run are whole directories."""
    if options.tiny:
        return (100, 2 * FANOUT)
    return (1000, 10_000, 100_000) if options.quick else (10_000, 100_000, 1_000_000)


@contextlib.contextmanager
def _filled(system: System, files: int, record: Record, options: Options) -> Iterator[Place]:
    sys.stderr.write(f"filling {system.name} with {files:,} files\n")
    with system.start(FREE) as running:
        settle(running, record, options, system.name)
        place = Place(system.name, files, running)
        empty_bytes = memory_bytes(running)
        before_s = _cpu_seconds(running)
        operations, seconds = fsops("tree_create", running.directory, files, FREE)
        sample = Sample(record, system.name, FREE, 0)
        sample.add(place.name(FILL), COST, seconds * 1e6 / operations)
        if isinstance(running, Server):
            _wait_until_looked_at(running)
            sample.add(place.name(FILL), CPU, (_cpu_seconds(running) - before_s) * 1e6 / operations)
            place.memory_bytes = memory_bytes(running) - empty_bytes
            sample.add(place.name(MEMORY_FULL), MEMORY, memory_bytes(running) / 2**20)
            _forget(record)
            let_rest(running)
            sample.add(place.name(MEMORY_FORGOTTEN), MEMORY, memory_bytes(running) / 2**20)
        place.disk_bytes = disk_bytes(running.stored or running.directory)
        sample.add(place.name(TAKEN), DISK, place.disk_bytes / 2**20)
        yield place


def _wait_until_looked_at(server: Server) -> None:
    """Returns when the indexer has looked at every file. RuntimeError when it took a file for text."""
    with client.connected(server) as connection:
        connection.wait_for_views(INDEXED_TIMEOUT_S)
        if passages := connection.info().text.passages:
            raise RuntimeError(f"{passages} passages were found in files without text")
    let_rest(server)


def _forget(record: Record) -> None:
    if not forget_names():
        record.note(NOT_COLD)


def _compare_what_a_file_takes(places: Sequence[Place], record: Record) -> None:
    """Of every system, what its largest tree takes more than its smallest."""
    for system in dict.fromkeys(place.system for place in places):
        own = sorted((place for place in places if place.system == system), key=lambda place: place.files)
        small, large, sample = own[0], own[-1], Sample(record, system, FREE, 0)
        more = large.files - small.files
        if large.running.pid:
            sample.add(MEMORY_A_FILE, BYTES, (large.memory_bytes - small.memory_bytes) / more)
        sample.add(DISK_A_FILE, BYTES, (large.disk_bytes - small.disk_bytes) / more)


def _measure(phase: str, places: Sequence[Place], count: int, number: int, record: Record, options: Options) -> None:
    """One operation on every tree, one after the other."""
    _forget(record)
    for place in places:
        if not options.tiny:
            let_rest(place.running)
        if phase != "tree_list":
            _operate("tree_folders", place, count, _seed_of(phase, number))
        before_s = _cpu_seconds(place.running)
        operations, seconds = _operate(phase, place, count, _seed_of(phase, number))
        sample = Sample(record, place.system, FREE, number)
        sample.add(place.name(PHASES[phase]), COST, seconds * 1e6 / operations)
        if place.running.pid:
            sample.add(place.name(PHASES[phase]), CPU, (_cpu_seconds(place.running) - before_s) * 1e6 / operations)


def _operate(phase: str, place: Place, count: int, seed: int) -> tuple[int, float]:
    """RuntimeError when a listing lacks an entry."""
    if phase != "tree_list":
        return fsops(phase, place.running.directory, count, FREE, chosen=(place.files, seed))
    whole = max(1, place.files // FANOUT)
    listed = min(DIRECTORIES_LISTED_MAX, whole)
    entries, seconds = fsops(phase, place.running.directory, listed, FREE, chosen=(whole, seed))
    if entries != (expected := listed * min(FANOUT, place.files)):
        raise RuntimeError(f"{entries} entries were listed of {expected}")
    return entries, seconds


def _seed_of(phase: str, number: int) -> int:
    """A round renames, unlinks and makes the same files; those it looks at are others."""
    return {"tree_stat": 3, "tree_read": 2}.get(phase, 1) + 3 * number


def _add_bounds(system: str, sizes: Sequence[int], record: Record) -> None:
    """What each operation costs among more files by what it costs among the fewest; VexFS has to keep a bound."""
    for operation in PHASES.values():
        for unit in (COST, CPU):
            for files in sizes[1:]:
                above, below = (Key(workload_of(operation, size), system, FREE, unit) for size in (files, sizes[0]))
                ratio = Ratio(f"{operation}: {system}, {files:,} / {sizes[0]:,} files, {unit}", above, below)
                record.ratios.append(ratio)
                if system == VEXFS and unit == COST and files == sizes[-1]:
                    record.targets.append(Target(ratio, "median", "<=", LARGEST_GROWTH))


def memory_bytes(running: Running) -> int:
    """Proportional share of memory of all processes of a server."""
    return sum(map(processes.proportional_bytes, processes.tree_of(running.pid))) if running.pid else 0


def _cpu_seconds(running: Running) -> float:
    return processes.cpu_seconds(running.pid) if running.pid else 0.0


def _turned(places: Sequence[Place], number: int) -> list[Place]:
    turn = number % len(places)
    return [*places[turn:], *places[:turn]]


def summary(document: dict[str, Any]) -> str:
    """For each system its operations, with a column for each size."""
    parts = []
    for system in dict.fromkeys(row["system"] for row in document["rows"]):
        cells: dict[tuple[str, str], dict[int, str]] = {}
        for row in document["rows"]:
            operation, separator, files = row["workload"].removesuffix(" files").rpartition(", ")
            if row["system"] == system and separator and files.replace(",", "").isdigit():
                cells.setdefault((operation, row["unit"]), {})[int(files.replace(",", ""))] = f"{row['median']:,.4g}"
        sizes = sorted({size for found in cells.values() for size in found})
        rows = [[*line, *(found.get(size, "–") for size in sizes)] for line, found in cells.items()]
        parts += [f"## Medians, {system}", report.markdown(["operation", "unit", *(f"{size:,}" for size in sizes)], rows)]
    return "\n\n".join(parts)


BENCHMARK = Benchmark("growth", "Growth", ABOUT, run, summary)
