"""The volume after a power cut: what was acknowledged or fsynced is there, and nothing is half there.

`make test` cuts at a sample of points; `make proofs-long` (VEXFS_PROOFS=long) at every write point.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import vexfs

from . import recorder
from .cuts import Cut, Report, check_cuts, every_write_point, sample
from .disk import Disk, Survival, read_tree
from .events import Event, Kind, read_events
from .promises import VOLUME, Promises

LONG = os.environ.get("VEXFS_PROOFS") == "long"
PACKAGE = Path(vexfs.__file__).parent
_SERVER = Path(__file__).parents[2]


def record(
    scratch: Path, *, seed: int, rounds: int, operations: int, dies: str = "blob", package: Path = PACKAGE
) -> tuple[Disk, list[Event]]:
    """Run a process that dies, then the workload, on an empty folder `scratch/root`; the disk before them, and their events."""
    root = scratch / "root"
    root.mkdir()
    disk = Disk(root)
    environment = recorder.environment(root, scratch / "events")
    environment["PYTHONPATH"] = os.pathsep.join((str(package.parent), str(_SERVER)))
    volume = str(root / VOLUME)
    for program in (["dying", volume, dies], ["workload", volume, str(seed), str(rounds), str(operations)]):
        name, *arguments = program
        subprocess.run([sys.executable, "-m", f"tests.power.{name}", *arguments], check=True, env=environment, timeout=300)
    return disk, read_events(scratch / "events")


def _cut(scratch: Path, *, seed: int, rounds: int, operations: int, samples: int | None) -> Report:
    disk, events = record(scratch, seed=seed, rounds=rounds, operations=operations)
    cuts = every_write_point(events) if samples is None else sample(events, samples, seed)
    return check_cuts(disk, events, cuts, Promises().verify, scratch / "after")


def test_the_workload_is_recorded_whole(scratch: Path) -> None:
    disk, events = record(scratch, seed=1, rounds=2, operations=30)
    for event in events:
        disk.apply(event)
    assert disk.after_cut(Survival.EVERYTHING) == read_tree(scratch / "root")
    assert {Kind.CREATE, Kind.WRITE, Kind.TRUNCATE, Kind.RENAME, Kind.UNLINK, Kind.MKDIR} <= {event.kind for event in events}


def test_what_was_acknowledged_survives_a_power_cut(scratch: Path) -> None:
    report = _cut(scratch, seed=2, rounds=2, operations=60, samples=3000 if LONG else 150)
    assert report.promises > 20 * report.states


@pytest.mark.skipif(not LONG, reason="tens of thousands of states: a part of `make proofs-long`")
def test_what_was_acknowledged_survives_a_power_cut_at_every_write_point(scratch: Path) -> None:
    report = _cut(scratch, seed=4, rounds=1, operations=16, samples=None)
    assert report.promises > 10 * report.states


@pytest.mark.parametrize("dies", range(1, 12 if LONG else 6))
def test_what_a_killed_process_left_unsynced_fools_nobody(scratch: Path, dies: int) -> None:
    """It exists, and is not durable: the next process must not build on it."""
    disk, events = record(scratch, seed=5, rounds=1, operations=8, dies=str(dies))
    marks = [at for at, event in enumerate(events, start=1) if event.kind == Kind.MARK]
    cuts = [Cut(at, survival, at) for at in marks[:: 1 if LONG else 8] for survival in (Survival.NOTHING, Survival.FILES)]
    report = check_cuts(disk, events, cuts, Promises().verify, scratch / "after")
    assert report.promises > report.states
