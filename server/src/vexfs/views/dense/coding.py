"""Coding tails: when does a searcher over what came since the generation pay, and who trains it?

A row that was just written is compared exactly by every search, until its tail is large: then a thread trains a searcher over
the whole tail, in memory (`engine.code`), and searches compare exactly only what has come since. Codes are nobody's truth and
are not stored: they are made again after a restart or a new generation, in less time than a builder takes to start. The rows
stay where they are, so nothing changes for a search but the time it takes.

Owned by the view's thread, which calls every method; training has a thread of its own, one at a time, so that the view follows
the log meanwhile, and searches and the view go on because it releases the interpreter's lock.
"""

import logging
import threading
from collections.abc import Iterable

from vexfs.views.dense import engine
from vexfs.views.dense.engine import APPROXIMATE_FROM_ROWS, ScannSearcher
from vexfs.views.dense.index import DenseIndex

logger = logging.getLogger(__name__)

CODE_ROWS_MIN = APPROXIMATE_FROM_ROWS
"""Rows of a tail that are not coded, up to which coding does not pay: comparing them takes 200 µs at most, 384 wide."""
CODE_SHARE = 0.25
"""Beyond, as a share of the rows that are coded: all are coded again, so this bounds what a new row costs in all, 0.15 ms."""


def wants_coding(index: DenseIndex) -> bool:
    """Whether so much has come to the tail that coding it again pays."""
    return len(index.state.tail.keys) - index.coding_tried > max(CODE_ROWS_MIN, CODE_SHARE * index.coding_tried)


class _Job(threading.Thread):
    """Coding all rows that a tail has now."""

    def __init__(self, index: DenseIndex) -> None:
        super().__init__(name="vexfs-coding", daemon=True)
        self.index = index
        self.tail = index.tail
        self.rows = len(index.state.tail.keys)
        self.searcher: ScannSearcher | None = None
        self._matrix = index.tail_matrix

    def run(self) -> None:
        try:
            self.searcher = engine.code(self._matrix, self.index.spec.metric)
        except Exception:
            logger.exception("the newest vectors could not be coded: they are compared exactly", extra={"rows": self.rows})


class Coder:
    """See the module. One for the indexes of a view."""

    def __init__(self) -> None:
        self._job: _Job | None = None
        self.coded_count = 0

    def tend(self, indexes: Iterable[DenseIndex]) -> None:
        """Take in what was coded, and code the next tail that wants it."""
        if self._job is not None:
            if self._job.is_alive():
                return
            self.coded_count += self._job.index.adopt_codes(self._job.tail, self._job.searcher, self._job.rows)
            self._job = None
        for index in indexes:
            if wants_coding(index):
                self._job = _Job(index)
                self._job.start()
                return

    def stop(self) -> None:
        """Wait for the tail that is being coded: a second, about."""
        if self._job is not None:
            self._job.join()
