"""What an operation costs: requests of the kernel, and reads and writes of the mount process, counted with the spin off.

Counts, not times: they do not depend on the machine. A number that rises here is a round trip, or a system call, that every
program pays on every file.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import MakeMount, Mounted, eventually
from .opcodes import OPCODES

FILES = 200

#: The mount process, which writes beside the data folder, when it is asked to, how many requests of each kind it has served,
#: how many system calls it made on the FUSE descriptor, and which on blobs.
COUNTING = """
import json, os, signal, sys
from pathlib import Path
from vexfs.mount import large_reads, loop, process, session
from vexfs.store import blobs, open_blobs
file = Path(sys.argv[sys.argv.index("--data") + 1]).parent / "counts"
loops, calls, disk = [], [0], {}
make = loop.Loop.__init__
def remember(self, *arguments):
    make(self, *arguments)
    loops.append(self)
def counted(call):
    def counting(*arguments):
        calls[0] += 1
        return call(*arguments)
    return counting
def counted_by_name(name):
    call = getattr(os, name)
    def counting(*arguments, **named):
        disk[name] = disk.get(name, 0) + 1
        return call(*arguments, **named)
    return staticmethod(counting)
def tell(*_):
    facts = {"requests": loops[0].counts if loops else [], "calls": calls[0], "disk": disk}
    file.with_suffix(".new").write_text(json.dumps(facts))
    os.replace(file.with_suffix(".new"), file)
signal.signal(signal.SIGUSR1, tell)
loop.Loop.__init__ = remember
names = {name: counted(getattr(os, name)) for name in ("readv", "write", "writev")}
loop.os = session.os = type("os", (), {**vars(os), **{name: staticmethod(call) for name, call in names.items()}})
on_disk = ("open", "close", "pread", "preadv", "write", "writev", "fsync")
large_reads.os = open_blobs.os = blobs.os = type("os", (), {**vars(os), **{name: counted_by_name(name) for name in on_disk}})
sys.exit(process.main(sys.argv[1:]))
"""


class Counts(NamedTuple):
    requests: list[int]
    calls: int
    disk: dict[str, int]


class Cost(NamedTuple):
    """Of one operation, on average."""

    requests: dict[str, float]
    calls: float
    """On the FUSE descriptor."""
    disk: dict[str, float]
    """System calls on blobs and their folders, by name."""


class Meter:
    def __init__(self, mount: Mounted, file: Path) -> None:
        self.mount, self._file = mount, file

    def counts(self) -> Counts:
        assert self.mount.process is not None
        self._file.unlink(missing_ok=True)
        self.mount.process.send_signal(signal.SIGUSR1)
        eventually(self._file.exists)
        return Counts(**json.loads(self._file.read_text()))

    def measure(self, operation: Callable[[Path], object]) -> Cost:
        """Run `operation` once for each of FILES paths."""

        def all_files() -> None:
            for number in range(FILES):
                operation(self.mount.path / f"f{number:04}")

        return self.measure_once(all_files, FILES)

    def measure_once(self, work: Callable[[], object], count: int) -> Cost:
        """Run `work`, which is so many operations."""
        before = self._settle()
        work()
        after = self._settle()
        spent = [now - then for now, then in zip(after.requests, before.requests, strict=True)]
        requests = {OPCODES[opcode].removeprefix("FUSE_"): times / count for opcode, times in enumerate(spent) if times}
        disk = {name: (times - before.disk.get(name, 0)) / count for name, times in after.disk.items()}
        return Cost(requests, (after.calls - before.calls) / count, {name: times for name, times in disk.items() if times})

    def _settle(self) -> Counts:
        """Until nothing is under way: releases come after close has returned."""
        last = None
        while (now := self.counts()) != last or not now.requests:
            last = now
        return now


def make_meter(make_mount: MakeMount, folder: Path, *arguments: str) -> Meter:
    mount = make_mount("--spin-us", "0", *arguments, program=[sys.executable, "-c", COUNTING])
    return Meter(mount, folder / "counts")


def create(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def create_with_4k(path: Path) -> None:
    fd = os.open(path.with_suffix(".4k"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    os.write(fd, b"x" * 4096)
    os.close(fd)


def overwrite_4k(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, b"x" * 4096)
    os.close(fd)


def read(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.read(fd, 8192)
    os.close(fd)


def rename(path: Path) -> None:
    path.rename(path.with_suffix(".new"))


def unlink(path: Path) -> None:
    path.with_suffix(".new").unlink()


FORGETTING = {"FORGET", "BATCH_FORGET"}
"""The kernel sends these as it likes, for several files at once; they have no answer."""


BUDGETS: list[tuple[Callable[[Path], None], set[str]]] = [
    (create, {"LOOKUP", "CREATE", "FLUSH", "RELEASE"}),
    (create_with_4k, {"LOOKUP", "CREATE", "GETXATTR", "WRITE", "FLUSH", "RELEASE"}),
    (overwrite_4k, {"OPEN", "GETXATTR", "WRITE", "FLUSH", "RELEASE"}),
    (read, {"GETATTR", "OPEN", "RELEASE"}),  # the write left its pages in the kernel's cache, and the attributes stale
    (read, {"OPEN", "RELEASE"}),
    (rename, {"LOOKUP", "RENAME"}),
    (unlink, {"UNLINK"}),
]


def check(meter: Meter, operation: Callable[[Path], None], expected: set[str]) -> None:
    cost = meter.measure(operation)
    requests = {name: count for name, count in cost.requests.items() if name not in FORGETTING and count > 0.02}
    assert requests.keys() == expected, operation.__name__
    assert all(count < 1.02 for count in requests.values()), (operation.__name__, cost)
    forgotten = sum(cost.requests.get(name, 0) for name in FORGETTING)
    assert cost.calls == pytest.approx(2 * len(expected) + forgotten, abs=0.1), (operation.__name__, cost)


def test_no_operation_costs_more_requests_and_system_calls_than_it_needs(make_mount: MakeMount, folder: Path) -> None:
    meter = make_meter(make_mount, folder)
    for operation, expected in BUDGETS:
        check(meter, operation, expected)


def test_where_the_kernel_checks_permissions_it_asks_for_a_changed_directory_again(make_mount: MakeMount, folder: Path) -> None:
    """Access control lists cost the owner of a directory nothing."""
    meter = make_meter(make_mount, folder, "--allow-other")
    for operation, expected in BUDGETS:
        changes = operation in (create, create_with_4k, rename, unlink)
        check(meter, operation, expected | ({"GETATTR"} if changes else set()))
