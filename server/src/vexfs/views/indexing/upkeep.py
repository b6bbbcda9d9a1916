"""Quiet-time work on `derived.db`: forgetting texts that no file has any more.

Called by the indexer's main thread when nothing else is due; each call is a small slice. A text is deleted when two passes,
some minutes apart, found it unused: what is moved away and comes back (a branch checked out and back) keeps its embedding.
"""

import time

from vexfs.views.indexing.writer import DerivedWriter

PASS_EVERY_S = 600.0
CANDIDATES_MAX = 100_000


class UnusedTexts:
    def __init__(self) -> None:
        self._before: set[bytes] = set()
        self._now: set[bytes] = set()
        self._after_rowid = 0
        self._next_pass = time.monotonic() + PASS_EVERY_S

    def work(self, writer: DerivedWriter, now: float) -> None:
        """One slice, if a pass is due or under way. `now` is monotonic seconds."""
        if now < self._next_pass:
            return
        unused, self._after_rowid = writer.unused_texts(self._after_rowid)
        writer.delete_texts([key for key in unused if key in self._before])
        if len(self._now) < CANDIDATES_MAX:
            self._now.update(unused)
        if self._after_rowid == 0:
            self._before, self._now = self._now, set()
            self._next_pass = now + PASS_EVERY_S
