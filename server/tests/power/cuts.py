"""Going through the power cuts of a recorded run: rebuild what may be on the disk, and have it checked.

Called by the power-cut tests. One thread. A run that verified nothing raises: a proof that looked at nothing proves nothing.
"""

import itertools
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .disk import Disk, Survival, write_tree
from .events import Event, Kind

Check = Callable[[Path, list[bytes]], int]
"""Given the folder after the cut and the marks made before it: raises AssertionError on a broken promise, and returns how many
promises it verified."""


class Cut(NamedTuple):
    """The power fails after `at` events; `survival` and `seed` choose what the disk had done of its own accord."""

    at: int
    survival: Survival
    seed: int


class BrokenPromise(AssertionError):
    """A state after a cut in which something acknowledged is gone or something is half there."""

    def __init__(self, cut: Cut, reason: BaseException) -> None:
        super().__init__(f"after {cut}: {type(reason).__name__}: {reason}")
        self.cut = cut


class Report(NamedTuple):
    states: int
    promises: int


_CHANGES = (Kind.CREATE, Kind.WRITE, Kind.TRUNCATE, Kind.RENAME, Kind.UNLINK, Kind.LINK, Kind.MKDIR, Kind.RMDIR)


def every_write_point(events: list[Event], *, seeds_per_survival: int = 1) -> Iterator[Cut]:
    """A cut after each event that changes something, ends a sync or is a mark, under every kind of survival."""
    for at, event in enumerate(events, start=1):
        if event.kind in (*_CHANGES, Kind.SYNC_END, Kind.MARK):
            for survival, number in itertools.product(Survival, range(seeds_per_survival)):
                yield Cut(at, survival, at * 31 + number)


def sample(events: list[Event], count: int, seed: int) -> list[Cut]:
    """`count` cuts spread evenly over the run, each with a random survival; half of them right after a mark."""
    rng = random.Random(seed)
    marks = [at for at, event in enumerate(events, start=1) if event.kind == Kind.MARK]
    points = _spread(list(range(1, len(events) + 1)), count - count // 2, rng) + _spread(marks, count // 2, rng)
    return [Cut(at, rng.choice(list(Survival)), rng.randrange(2**32)) for at in sorted(points)]


def _spread(points: list[int], count: int, rng: random.Random) -> list[int]:
    """One random point out of each of `count` equal stretches."""
    if len(points) <= count:
        return points
    return [points[rng.randrange(len(points) * n // count, len(points) * (n + 1) // count)] for n in range(count)]


def check_cuts(disk: Disk, events: list[Event], cuts: Iterable[Cut], check: Check, scratch: Path) -> Report:
    """Replay `events` on `disk` and check the state after each of `cuts`, which come in order of `at`.

    Raises BrokenPromise for the first bad state (which stays in `scratch` to be looked at), AssertionError when nothing was
    verified.
    """
    states = promises = done = 0
    marks: list[bytes] = []
    for cut in cuts:
        for event in events[done : cut.at]:
            disk.apply(event)
            if event.kind == Kind.MARK:
                marks.append(event.data)
        done = max(done, cut.at)
        shutil.rmtree(scratch, ignore_errors=True)
        write_tree(disk.after_cut(cut.survival, cut.seed), scratch)
        try:
            promises += check(scratch, marks)
        except Exception as error:
            raise BrokenPromise(cut, error) from error
        states += 1
    shutil.rmtree(scratch, ignore_errors=True)
    if promises == 0:
        raise AssertionError(
            f"{states} states after a cut were looked at and nothing was promised in any: the run proves nothing"
        )
    return Report(states, promises)
