"""The real mount under load, its power cut and itself killed: what a program had fsynced is there, and nothing is half there.

Each thread of the program finds its directory as it was after one of its own steps, at or after the last it had fsynced.
`make test` cuts at a sample of points and kills a few times; `make proofs-long` (VEXFS_PROOFS=long) cuts at thousands and kills
two hundred times. A power cut loses everything that the mount process had not synced, or parts of it; see `disk.py`.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mount.conftest import Mounted, need_fuse
from vexfs.core import content, files
from vexfs.core.errors import NotFound
from vexfs.core.types import ROOT_INO
from vexfs.store.check import check_volume
from vexfs.store.reader import Snapshot
from vexfs.store.volume import Volume

from . import mutants, recorder
from .cuts import BrokenPromise, check_cuts, sample
from .disk import Disk, Survival, read_tree
from .events import Event, Kind, read_events
from .mount_client import Mark, State, after, steps
from .test_power_cut import LONG, PACKAGE

VOLUME = Path("volumes") / "main"
THREADS = 4
_KILLS = 200 if LONG else 4
_LEFTOVERS = frozenset(("no-stray-blob", "orphan-open"))
"""What a mount that died leaves, for others to take away: a blob that was not used yet, a file that was open without a name."""
_SERVER = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fuse() -> None:
    need_fuse()


class MountPromises:
    """What the marks of a client promise, and whether a volume found afterwards keeps it."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def verify(self, folder: Path, marks: list[bytes]) -> int:
        """Returns how many steps had been promised. See `cuts.Check`."""
        synced: dict[int, int] = {}
        begun: dict[int, int] = {}
        for told in map(Mark.decode, marks):
            (synced if told.synced else begun)[told.thread] = told.step
        if not synced:
            return 0
        with Volume.open(folder / VOLUME, "reader") as volume, volume.snapshot() as view:
            for thread, durable in synced.items():
                found = _directory(view, f"t{thread}".encode())
                sizes = {name: len(data) for name, data in found.items()}
                assert found in self._possible(thread, durable, begun.get(thread, -1)), (
                    f"thread {thread} had synced step {durable} and begun {begun.get(thread)}, and finds {sizes}"
                )
        findings = [finding for finding in check_volume(folder / VOLUME, deep=True) if finding.invariant not in _LEFTOVERS]
        assert not findings, f"check finds {findings}"
        return sum(durable + 1 for durable in synced.values())

    def _possible(self, thread: int, durable: int, begun: int) -> list[State]:
        state: State = {}
        found = [state] if durable == -1 else []
        for number, step in zip(range(begun + 1), steps(self._seed, thread), strict=False):
            states = after(state, step)
            state = states[-1]
            if number == durable:
                found = [state]
            elif number > durable:
                found += states
        return found


def _directory(view: Snapshot, name: bytes) -> State:
    try:
        directory = files.lookup(view, ROOT_INO, name)
    except NotFound:
        raise AssertionError(f"{name!r} was synced and is not there") from None
    return {
        entry.name.decode(): content.read(view, entry.node.ino, 0, 1 << 30)
        for entry in files.list_directory(view, directory.ino)
    }


class Run:
    """A mount in `scratch`, of that package, recorded into one event log with the clients that work on it."""

    def __init__(self, scratch: Path, package: Path = PACKAGE) -> None:
        self.data, self.log = scratch / "data", scratch / "events"
        self.data.mkdir()
        (scratch / "nothing").mkdir()
        self._marking = recorder.environment(scratch / "nothing", self.log) | {"PYTHONPATH": str(_SERVER)}
        self.mount = Mounted(
            self.data,
            scratch / "mnt",
            scratch / "log",
            ["--no-wait-findable"],
            [sys.executable, "-m", "vexfs.mount"],
            recorder.environment(self.data, self.log) | {"PYTHONPATH": os.pathsep.join((str(package.parent), str(_SERVER)))},
        )

    def client(self, seed: int, count: int) -> "subprocess.Popen[bytes]":
        arguments = [str(self.mount.path), str(seed), str(THREADS), str(count)]
        return subprocess.Popen([sys.executable, "-m", "tests.power.mount_client", *arguments], env=self._marking)

    def marks(self) -> list[bytes]:
        return [event.data for event in read_events(self.log) if event.kind == Kind.MARK]

    def record(self, seed: int, count: int) -> tuple[Disk, list[Event]]:
        """Have a client do so many steps in each thread, and unmount; the disk before that, and the events."""
        disk = Disk(self.data)
        self.mount.start()
        try:
            assert self.client(seed, count).wait(timeout=600) == 0
        finally:
            self.mount.end()
        assert self.mount.errors() == []
        return disk, read_events(self.log)


def test_what_was_fsynced_through_the_mount_survives_a_power_cut(scratch: Path) -> None:
    disk, events = Run(scratch).record(3, 400 if LONG else 60)
    report = check_cuts(disk, events, sample(events, 3000 if LONG else 120, 3), MountPromises(3).verify, scratch / "after")
    assert report.promises > 20 * report.states


_SYNCED_LATE = {
    "fsync commits nothing": ("mount/group_sync.py", "self._engine.commit_quietly()", "pass"),
    "fsync waits for no disk": (
        "mount/group_sync.py",
        "synced = self._engine.volume.syncer.sync()",
        "import concurrent.futures as f; synced = f.Future(); synced.set_result(None)",
    ),
    "fsync waits for no large content": (
        "mount/operations/content.py",
        "self._writeback.after_layers(file, lambda: self._group_sync.add(unique, nodeid))",
        "self._group_sync.add(unique, nodeid)",
    ),
}


@pytest.mark.parametrize("mutant", _SYNCED_LATE.values(), ids=_SYNCED_LATE.keys())
def test_a_mount_that_answers_too_early_is_caught(scratch: Path, mutant: tuple[str, str, str]) -> None:
    mutants.replace(*mutant).plant(scratch / "mutant")
    for attempt in range(3):
        folder = scratch / str(attempt)
        folder.mkdir()
        disk, events = Run(folder, scratch / "mutant" / PACKAGE.name).record(5 + attempt, 40)
        promises = MountPromises(5 + attempt)
        try:
            check_cuts(
                disk,
                events,
                sample(events, 400 if LONG else 120, attempt),
                lambda found, marks, promises=promises: promises.verify(found, [m for m in marks if m != mutants.MARK]),
                folder / "after",
            )
        except BrokenPromise:
            return
    pytest.fail(f"nothing is lost though {mutant[2]} stands for {mutant[1]}")


def test_the_mount_is_recorded_whole(scratch: Path) -> None:
    run = Run(scratch)
    disk, events = run.record(4, 20)
    for event in events:
        disk.apply(event)
    after_all, found = disk.after_cut(Survival.EVERYTHING), read_tree(run.data)
    below = str(VOLUME / "vexfs.db")
    assert {path: data for path, data in after_all.items() if path.startswith(below)} == {
        path: data for path, data in found.items() if path.startswith(below)
    }


@pytest.mark.parametrize("kill", range(_KILLS))
def test_what_was_fsynced_survives_the_death_of_the_mount(scratch: Path, kill: int) -> None:
    rng = random.Random(kill)
    run = Run(scratch)
    run.mount.start()
    try:
        client = run.client(kill, 1_000_000)
        while len(run.marks() if run.log.exists() else []) < 20 * THREADS:
            assert client.poll() is None and run.mount.errors() == []
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        run.mount.kill()
        assert client.wait(timeout=60) == 0
        marks = run.marks()
        shutil.copytree(run.data, scratch / "found", ignore=shutil.ignore_patterns("*.sock", "*.socket"))
        assert MountPromises(kill).verify(scratch / "found", marks) > 0
        run.mount.restart()
        assert sorted(path.name for path in run.mount.path.iterdir()) == [f"t{thread}" for thread in range(THREADS)]
        (run.mount.path / "new").write_bytes(b"it goes on")
        assert run.mount.stop() == 0
        findings = check_volume(run.data / VOLUME, deep=True)
        assert {finding.invariant for finding in findings} <= {"no-stray-blob"}  # the maintenance of the API collects it
    finally:
        run.mount.end()
