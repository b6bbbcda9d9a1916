"""Keeping generations: when to build one, taking it in, noticing that one was lost. Which generation serves an index?

Owned by the view's thread, which calls every method. Deletes generations that nothing needs any more; makes none itself (that
is the builder's work). Searches go on undisturbed through all of it.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from vexfs.core.errors import DataLoss
from vexfs.views.dense import generation
from vexfs.views.dense.builder import generations_folder, take_lock
from vexfs.views.dense.engine import APPROXIMATE_FROM_ROWS
from vexfs.views.dense.following import IndexKey
from vexfs.views.dense.generation import Generation
from vexfs.views.dense.index import DenseIndex, IndexSpec
from vexfs.views.dense.launcher import Launcher

logger = logging.getLogger(__name__)

# What the numbers below rest on. A search of vectors of text of 384 dimensions, in CPU µs, on a machine with other work as well
# (`python -m bench.runner.searcher chosen 50000 200000`); a build needs 9 and 24 s of CPU at 50,000 and 200,000 rows:
#
#     rows since the generation         0    2,500    5,000   10,000   20,000   30,000
#     50,000, all compared            190      443      599      957    1,672
#     50,000, coded                                     285      333      401
#     200,000, all compared           301      542      697    1,021    1,721    2,395
#     200,000, coded                                    410      454      558      646
#
# So 500 new rows a second, with a build beyond 5 % at any time, keep a builder busy without end: of 200,000 rows it has done
# when the next 5 % are there. Such an index is built again at 20 %, by when its coded tail costs less than a tail of 5 % that
# is compared. Segments that a builder would freeze between two generations cost a search more (four of 5,000 rows 240 µs, where
# one of 20,000 costs 120), and starting a builder takes nearly as much CPU as coding 10,000 rows. So a tail is coded as a
# whole, in memory, and there are no files of it to keep or to lose.
STALE_ROWS_MIN, STALE_SHARE = 2_000, 0.05
"""Rows in the tail, plus dead ones, for which no generation is built, and their share of the base."""
GROWING_ROWS_MIN, GROWING_SHARE = 10_000, 0.20
"""The same for an index that grows fast."""
GROWING_ROWS_PER_S = 20
"""As fast as that: with STALE_SHARE a build costs 5 ms for each new row, so slower growth costs a tenth of a core at most."""
PACE_S = 10.0
"""An index that has not grown as fast for so long rests."""
COMPACT_ROWS_MIN = 1_000


class _Pace(NamedTuple):
    """How fast an index grows."""

    stale: int
    """Its stale rows at `since_s`."""
    since_s: float
    growing: bool


def stale_rows(index: DenseIndex) -> int:
    """Rows a new generation would clear away: those in the tail and the dead ones."""
    return len(index.state.tail.keys) + len(index.state.base.keys) - index.state.base.live_count


def wants_generation(index: DenseIndex, *, growing: bool = False) -> bool:
    """Whether a build is of use now: the index is large and has no generation, or its tail has grown out of proportion."""
    if index.state.live_count < APPROXIMATE_FROM_ROWS:
        return False
    if not index.state.generation:
        return True
    least, share = (GROWING_ROWS_MIN, GROWING_SHARE) if growing else (STALE_ROWS_MIN, STALE_SHARE)
    return stale_rows(index) > max(least, share * len(index.state.base.keys))


def wants_compacting(index: DenseIndex) -> bool:
    """Whether an index that needs no generation should be packed in memory."""
    state = index.state
    if state.generation:
        return state.live_count < APPROXIMATE_FROM_ROWS // 2
    return state.live_count < APPROXIMATE_FROM_ROWS and stale_rows(index) > max(COMPACT_ROWS_MIN, state.live_count // 2)


class Upkeep:
    def __init__(self, volume_folder: Path, launcher: Launcher, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = generations_folder(volume_folder)
        self._launcher = launcher
        self._served: dict[IndexKey, Generation] = {}
        self._clock = clock
        self._paces: dict[IndexKey, _Pace] = {}
        self.lost_count = 0
        """Generations found damaged or gone."""
        self.adopted_count = 0

    def find(self, spec: IndexSpec, identity: str) -> Generation | None:
        """The newest generation of the index that is whole; damaged ones are removed. What is found counts as served."""
        for manifest in generation.manifests(self._root):
            if manifest.spec != spec or manifest.source != identity:
                continue
            opened = self._open(manifest)
            if opened is not None:
                self._served[spec.key] = opened
                return opened
        self._served.pop(spec.key, None)
        return None

    def tend(self, index: DenseIndex, position: int) -> None:
        """One round of care for an index that stands at `position` of its source."""
        key = index.spec.key
        served = self._served.get(key)
        if served is not None and index.state.generation != served.manifest.id:
            self._forget(key)
        elif served is not None and not served.intact():
            self._lose(index, served)
        if wants_compacting(index) and self._launcher.running != index.spec:
            index.compact(position)
            self._forget(key)
        elif wants_generation(index, growing=self._growing(index)):
            self._launcher.start(index.spec, index.state.live_count)

    def _growing(self, index: DenseIndex) -> bool:
        """Whether the index grew fast in the last PACE_S; one that is new counts as growing."""
        stale, now = stale_rows(index), self._clock()
        pace = self._paces.get(index.spec.key, _Pace(stale, now, growing=True))
        if stale < pace.stale:  # a generation was taken
            pace = _Pace(stale, now, pace.growing)
        elif stale - pace.stale >= GROWING_ROWS_PER_S * PACE_S:
            pace = _Pace(stale, now, growing=True)
        elif now - pace.since_s >= PACE_S:
            pace = _Pace(stale, now, growing=False)
        self._paces[index.spec.key] = pace
        return pace.growing

    def collect(self, index: DenseIndex, identity: str) -> bool:
        """Take in what the builder has made for this index, and delete what it replaces; whether something was taken in."""
        adopted = False
        for manifest in generation.manifests(self._root):
            if manifest.spec.key != index.spec.key or manifest.id == index.state.generation:
                continue
            usable = not adopted and manifest.spec == index.spec and manifest.source == identity
            adopted = (usable and self._adopt(index, manifest)) or adopted
            if manifest.id != index.state.generation:
                generation.delete(self._root / manifest.id)
        if adopted:
            self._launcher.succeeded(index.spec)
        else:
            self._launcher.failed(index.spec, "the builder made no generation that can be used")
        return adopted

    def _adopt(self, index: DenseIndex, manifest: generation.Manifest) -> bool:
        opened = self._open(manifest)
        if opened is None or not index.adopt(opened.rows, manifest.position, opened.searcher, manifest.id):
            return False
        self._forget(index.spec.key)
        self._served[index.spec.key] = opened
        self.adopted_count += 1
        logger.info("generation adopted", extra={"generation": manifest.id, "rows": manifest.rows})
        return True

    def clean(self, belongs: Callable[[generation.Manifest], bool]) -> bool:
        """Delete the generations that do not belong to what there is now, and what a crash left half made or half deleted.

        False, and nothing is done, while any builder runs.
        """
        if self._launcher.running is not None:
            return False
        if not self._root.exists():
            return True
        lock = take_lock(self._root)
        if lock is None:
            return False
        try:
            generation.sweep(self._root)
            for manifest in generation.manifests(self._root):
                if not belongs(manifest):
                    generation.delete(self._root / manifest.id)
        finally:
            os.close(lock)
        return True

    def _open(self, manifest: generation.Manifest) -> Generation | None:
        folder = self._root / manifest.id
        try:
            return generation.open_generation(folder)
        except DataLoss as error:
            self.lost_count += 1
            logger.warning("generation removed: %s", error.message, extra={"generation": manifest.id})
            generation.delete(folder)
            return None

    def _lose(self, index: DenseIndex, served: Generation) -> None:
        """The files are gone or touched: search exactly what is in memory, and have a new generation built."""
        self.lost_count += 1
        logger.warning("a generation in use was damaged or removed", extra={"generation": served.manifest.id})
        index.demote()
        self._forget(index.spec.key)

    def _forget(self, key: IndexKey) -> None:
        served = self._served.pop(key, None)
        if served is not None:
            generation.delete(served.folder)
