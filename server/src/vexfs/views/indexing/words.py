"""Keeping the lexical index in step with `derived.db`: catching up after a start or a loss, and when to commit.

Used by the indexer's main thread only.
"""

import time
from collections import deque

from vexfs.core.types import Ino
from vexfs.views import derived
from vexfs.views.indexing.writer import DerivedWriter
from vexfs.views.lexical import LexicalWriter, Marker

FRESH_COMMIT_S = 0.01
BULK_COMMIT_S = 0.2
COMMIT_SHARE = 3.0
"""Bulk commits rest this many times as long as the last one took."""
UNFINISHED = Marker(0, 0)
"""What an index says that still lacks older passages: whoever opens it fills it from the beginning."""


class Words:
    """Owns the lexical writer. Everything that was changed becomes visible by `commit_if_due`."""

    def __init__(self, writer: DerivedWriter) -> None:
        self._writer = writer
        self.lexical = LexicalWriter(writer.folder / derived.LEXICAL_FOLDER)
        self._behind: deque[Ino] = deque()
        self._dirty_since: float | None = None
        self._fresh = False
        self._committed_at = 0.0
        self._commit_took = 0.0
        self._rebuilding = False
        self._catch_up()

    @property
    def behind(self) -> bool:
        """Whether older passages are still missing."""
        return bool(self._behind)

    def lost(self) -> bool:
        return self.lexical.lost()

    def changed(self, *, fresh: bool) -> None:
        """The index was given words to commit; `fresh` ones are awaited."""
        self._dirty_since = self._dirty_since or time.monotonic()
        self._fresh = self._fresh or fresh

    def _catch_up(self) -> None:
        """What changed since the index's last commit is given to it again; all, when it does not say since when."""
        marker = self.lexical.marker
        known = marker is not None and marker.incarnation == self._writer.incarnation
        changed = self._writer.changed_since(marker.seq) if marker is not None and known else None
        if changed is not None:
            self._behind.extend(changed)
            return
        self._rebuilding = True
        self._writer.set_position(derived.VIEW_LEXICAL, 0)  # before anybody can see the index without what is to come
        self.lexical.clear()
        after = Ino(0)
        while page := self._writer.known_files(after):
            self._behind.extend(page)
            after = page[-1]
        if not self._behind:
            self._rebuilding = False
        self.changed(fresh=False)

    def fill(self, seconds: float) -> None:
        """Gives the index older passages for so long at most."""
        end = time.monotonic() + seconds
        while self._behind and time.monotonic() < end:
            ino = self._behind.popleft()
            self.lexical.replace(ino, self._writer.texts(ino))
            self.changed(fresh=False)
        if not self._behind:
            self._rebuilding = False

    def commit_if_due(self, *, idle: bool) -> bool:
        """Commits when something fresh waits, when enough time has passed, or when there is nothing else to do."""
        if self._dirty_since is None:
            return False
        rest = FRESH_COMMIT_S if self._fresh or idle else max(BULK_COMMIT_S, COMMIT_SHARE * self._commit_took)
        if time.monotonic() - self._committed_at < rest:
            return False
        self.commit()
        return True

    def commit(self) -> None:
        """Makes all words visible, and says how far they are."""
        started = time.monotonic()
        marker = self._marker()
        # The commit is on the disk at once. Without this, a power cut could leave the index ahead of derived.db, whose next
        # changes take the same numbers again: all words would have to be filled in anew.
        self._writer.sync()
        self.lexical.commit(marker)
        self._dirty_since, self._fresh = None, False
        self._committed_at = time.monotonic()
        self._commit_took = self._committed_at - started
        self.tell_position()

    def _marker(self) -> Marker:
        if not self._behind:
            return Marker(self._writer.incarnation, self._writer.head())
        return UNFINISHED if self._rebuilding or self.lexical.marker is None else self.lexical.marker

    def tell_position(self) -> None:
        """Writes how far the view is; nothing while words wait for a commit or older ones are missing."""
        if not self._rebuilding and (self._dirty_since is not None or self._behind):
            return
        position = 0 if self._rebuilding else self._writer.complete_position(derived.VIEW_LEXICAL)
        if position != self._writer.position(derived.VIEW_LEXICAL):
            self._writer.set_position(derived.VIEW_LEXICAL, position)

    def close(self) -> None:
        self.lexical.close()
