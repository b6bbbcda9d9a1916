"""Quiet-time work on `derived.db`: forgetting texts that no file has any more, and vectors of models that nobody asks.

Called by the indexer's main thread when nothing else is due; each call is a small slice. A text is deleted when two passes,
some minutes apart, found it unused: what is moved away and comes back (a branch checked out and back) keeps its embedding.
"""

import time

from vexfs.views.indexing.writer import DerivedWriter

PASS_EVERY_S = 600.0
CANDIDATES_MAX = 100_000
_VECTORS_AT_ONCE = 500


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


class UnusedModels:
    """Deletes the vectors of models that are neither served nor being made; who goes back to one soon finds them done."""

    def __init__(self) -> None:
        self._doomed: set[str] = set()
        self._next_pass = time.monotonic() + PASS_EVERY_S

    def work(self, writer: DerivedWriter, now: float) -> None:
        """One slice, if there is something to do. `now` is monotonic seconds."""
        if now >= self._next_pass:
            self._next_pass = now + PASS_EVERY_S
            for model in self._doomed & writer.unused_models():
                if writer.delete_vectors(model, _VECTORS_AT_ONCE):
                    self._next_pass = now  # there may be more of it
            self._doomed = writer.unused_models()
