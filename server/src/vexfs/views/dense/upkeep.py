"""Keeping generations: when to build one, taking it in, noticing that one was lost. Which generation serves an index?

Owned by the view's thread, which calls every method. Deletes generations that nothing needs any more; makes none itself (that
is the builder's work). Searches go on undisturbed through all of it.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from vexfs.core.errors import DataLoss
from vexfs.views.dense import generation
from vexfs.views.dense.builder import generations_folder, take_lock
from vexfs.views.dense.engine import APPROXIMATE_FROM_ROWS
from vexfs.views.dense.following import IndexKey
from vexfs.views.dense.generation import Generation
from vexfs.views.dense.index import DenseIndex, IndexSpec
from vexfs.views.dense.launcher import Launcher

logger = logging.getLogger(__name__)

STALE_ROWS_MIN = 2_000
"""Rows in the tail, plus dead ones, for which no generation is built: a thousand add some 150 µs to a search, 384 wide."""
STALE_SHARE = 0.05
"""Beyond, the tail would cost as much as the search of the rest: 2,500 rows beside 50,000 take 270 µs of 650, 10,000 take 690.
A smaller share would have the builder work all the time: with this one, it works 5 ms for each new row at 50,000 rows."""
COMPACT_ROWS_MIN = 1_000


def stale_rows(index: DenseIndex) -> int:
    """Rows a new generation would clear away: those in the tail and the dead ones."""
    return len(index.state.tail.keys) + len(index.state.base.keys) - index.state.base.live_count


def wants_generation(index: DenseIndex) -> bool:
    """Whether a build is of use now: the index is large and has no generation, or its tail has grown out of proportion."""
    if index.state.live_count < APPROXIMATE_FROM_ROWS:
        return False
    if not index.state.generation:
        return True
    return stale_rows(index) > max(STALE_ROWS_MIN, STALE_SHARE * len(index.state.base.keys))


def wants_compacting(index: DenseIndex) -> bool:
    """Whether an index that needs no generation should be packed in memory."""
    state = index.state
    if state.generation:
        return state.live_count < APPROXIMATE_FROM_ROWS // 2
    return state.live_count < APPROXIMATE_FROM_ROWS and stale_rows(index) > max(COMPACT_ROWS_MIN, state.live_count // 2)


class Upkeep:
    def __init__(self, volume_folder: Path, launcher: Launcher) -> None:
        self._root = generations_folder(volume_folder)
        self._launcher = launcher
        self._served: dict[IndexKey, Generation] = {}
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
        elif wants_generation(index):
            self._launcher.start(index.spec, index.state.live_count)

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
