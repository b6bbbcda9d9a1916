"""The proof has teeth: without any one of its syncs the store loses something, and the power-cut test sees it.

`make test` tries the mutants with a small budget each; `make proofs-long` (VEXFS_PROOFS=long) with a large one.
"""

import random
from pathlib import Path

import pytest

from . import mutants
from .cuts import BrokenPromise, Cut, check_cuts
from .disk import Survival
from .events import Event, Kind
from .promises import Promises
from .test_power_cut import LONG, PACKAGE, record

_MUTANTS = mutants.find()
_STATES = 600 if LONG else 80
_ATTEMPTS = 3
"""The writers' threads meet as they like, so that one run may happen not to need the sync."""


def test_the_search_finds_the_syncs_there_are() -> None:
    files = {mutant.file for mutant in _MUTANTS}
    assert {"store/durability.py", "store/blobs.py", "store/volume.py", "store/sqlite.py"} <= files


def _likely_cuts(events: list[Event]) -> list[Cut]:
    """Right after a sync was left out, and once something was acknowledged since, lose what a disk would lose first."""
    rng = random.Random(1)
    marks = [at for at, event in enumerate(events, start=1) if event.kind == Kind.MARK]
    left_out = [at for at in marks if events[at - 1].data == mutants.MARK]
    points: list[tuple[int, Survival]] = []
    for missed in rng.sample(left_out, min(len(left_out), _STATES // 15)) + left_out[:1] + left_out[-1:]:
        soon = range(missed + 1, min(missed + 7, len(events)))
        later = [at for at in marks if at > missed][:3]
        points += [(at, survival) for at in soon for survival in (Survival.FILES, Survival.ANY) for _ in range(2)]
        points += [(at, survival) for at in later for survival in (Survival.NOTHING, Survival.FILES, Survival.ANY)]
    points += [(rng.choice(marks), rng.choice(list(Survival))) for _ in range(max(0, _STATES - len(points)))]
    return sorted(Cut(at, survival, rng.randrange(2**32)) for at, survival in points)


@pytest.mark.parametrize("mutant", _MUTANTS, ids=[mutant.name for mutant in _MUTANTS])
def test_a_left_out_sync_is_caught(scratch: Path, mutant: mutants.Mutant) -> None:
    mutant.plant(scratch / "mutant")
    for attempt in range(_ATTEMPTS):
        try:
            _cut_without_it(scratch / str(attempt), scratch / "mutant" / PACKAGE.name, seed=3 + attempt)
        except BrokenPromise:
            return
    pytest.fail(f"nothing is lost without {mutant.name}: is it needed?")


def _cut_without_it(scratch: Path, package: Path, *, seed: int) -> None:
    scratch.mkdir()
    disk, events = record(scratch, seed=seed, rounds=2 if LONG else 1, operations=30 if LONG else 16, package=package)
    promises = Promises()

    def check(folder: Path, marks: list[bytes]) -> int:
        return promises.verify(folder, [mark for mark in marks if mark != mutants.MARK])

    check_cuts(disk, events, _likely_cuts(events), check, scratch / "after")
