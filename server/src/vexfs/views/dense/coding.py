"""Coding tails: when does a searcher over what came since the generation pay, and who trains it?

A row that was just written is compared exactly by every search, until its tail is large: then a thread trains a searcher over
it, in memory (`engine.code`), and searches compare exactly only what has come since. It is coded again as it grows, up to
RUN_ROWS_MAX rows; that run then stays as it is, and what comes after it begins the next one. Codes are nobody's truth and
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
"""Beyond, as a share of the rows of a run: all of it is coded again, so this bounds what a new row costs in all, 0.15 ms."""
RUN_ROWS_MAX = 100_000
"""Coding copies the rows, so this bounds the memory that it takes (170 MB, 384 wide). A search looks at every code of a tail
however it is divided: that of a full run takes five times as long as what each run costs besides."""


def next_run(index: DenseIndex) -> range | None:
    """The rows of the tail to code next; None while it does not pay, or when it is known that they cannot be coded."""
    first = index.state.coded_rows // RUN_ROWS_MAX * RUN_ROWS_MAX
    count, tried = len(index.state.tail.keys), max(first, index.coding_tried)
    end = min(count, first + RUN_ROWS_MAX)
    pays = count - tried > max(CODE_ROWS_MIN, CODE_SHARE * (tried - first))
    return range(first, end) if pays and end > tried else None


class _Job(threading.Thread):
    """Coding rows of the tail that an index has now."""

    def __init__(self, index: DenseIndex, rows: range) -> None:
        super().__init__(name="vexfs-coding", daemon=True)
        self.index = index
        self.tail = index.tail
        self.rows = rows
        self.searcher: ScannSearcher | None = None
        self._matrix = index.tail_matrix[rows.start : rows.stop]

    def run(self) -> None:
        try:
            self.searcher = engine.code(self._matrix, self.index.spec.metric)
        except Exception:
            logger.exception("the newest vectors could not be coded: they are compared exactly", extra={"rows": len(self.rows)})


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
            rows = next_run(index)
            if rows is not None:
                self._job = _Job(index, rows)
                self._job.start()
                return

    def stop(self) -> None:
        """Wait for the tail that is being coded: a second, about."""
        if self._job is not None:
            self._job.join()
