"""Using generations that another process keeps: which of those that are there is better than what is in memory?

Owned by the view's thread of a process that neither builds nor deletes generations, which calls every method. Generations are
read into memory, or held open, so one that its keeper deletes serves on until the next is there. Never writes.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from vexfs.core.errors import DataLoss
from vexfs.views.dense import generation
from vexfs.views.dense.builder import generations_folder
from vexfs.views.dense.following import IndexKey
from vexfs.views.dense.generation import Generation, Manifest
from vexfs.views.dense.index import DenseIndex, IndexSpec

logger = logging.getLogger(__name__)


class Borrowing:
    """See the module. One for the generations of a volume."""

    def __init__(self, volume_folder: Path) -> None:
        self._root = generations_folder(volume_folder)
        self._looked: tuple[int, frozenset[IndexKey]] | None = None
        self._too_old: set[str] = set()
        """Generations that reading everything again has been asked for: once each."""

    def find(self, spec: IndexSpec, identity: str) -> Generation | None:
        """The newest generation of the index that is whole."""
        for manifest in generation.manifests(self._root):
            if manifest.spec == spec and manifest.source == identity and (opened := self._open(manifest)) is not None:
                return opened
        return None

    def take(self, indexes: Mapping[IndexKey, DenseIndex], identity: str) -> bool:
        """Give each index its newest generation, if the folder has changed since the last call.

        False when there is one that only reading everything again makes use of: the index was read after it was made.
        """
        looked = (self._changed_ns(), frozenset(indexes))
        if looked == self._looked:
            return True
        self._looked = looked
        manifests = generation.manifests(self._root)
        taken = [self._take(index, manifests, identity) for index in indexes.values()]
        return all(taken)

    def _take(self, index: DenseIndex, manifests: list[Manifest], identity: str) -> bool:
        newest = next((each for each in manifests if each.spec == index.spec and each.source == identity), None)
        if newest is None or newest.id == index.state.generation or newest.id in self._too_old:
            return True
        opened = self._open(newest)
        if opened is None:
            return True
        if index.adopt(opened.rows, newest.position, opened.searcher, newest.id):
            logger.info("generation taken", extra={"generation": newest.id, "rows": newest.rows})
            return True
        self._too_old.add(newest.id)
        return False

    def _open(self, manifest: Manifest) -> Generation | None:
        """None when it is not whole: its keeper is deleting it, or will."""
        try:
            return generation.open_generation(self._root / manifest.id)
        except DataLoss:
            return None

    def _changed_ns(self) -> int:
        try:
            return self._root.stat().st_mtime_ns
        except FileNotFoundError:
            return 0
