"""From the volume's log to the queue of files: which have to be looked at, when, and in which lane.

Called by the indexer's main thread. A queued file says only "look at it again": what to do is decided by what it is then. A
queued directory says that of everything below it.

A file enters the fresh lane while its writer is slow (a person, an agent); what one process writes in bulk (an import, a copy
of a tree) goes to the bulk lane. That is told by an allowance of each origin, which fills up again with time. A file that was
indexed a moment ago waits until it has been quiet, so that one that grows is not read again for every piece.
"""

import time
from collections import OrderedDict
from collections.abc import Iterator

from vexfs.core.types import (
    CHANGE_COLLECTION,
    CHANGE_CONTENT,
    CHANGE_ENTRY_ADDED,
    CHANGE_ENTRY_REMOVED,
    CHANGE_NODE_REMOVED,
    Change,
    Ino,
    LogRecord,
    Revision,
)
from vexfs.store.volume import Volume
from vexfs.views import derived
from vexfs.views.indexing.ignoring import NAMES_THAT_MATTER, Ignoring
from vexfs.views.indexing.writer import BULK_LANE, FRESH_LANE, DerivedWriter, PendingFile
from vexfs.views.marks import holds, mark_of

QUIET_NS = 1_000_000_000
"""How long a file that was just indexed rests before it is indexed again."""
SETTLE_NS = 20_000_000
"""Between the first sign of a file and the look at it: creating, writing and closing come as several transactions."""
BURST = 48
"""Files an origin may change at once and still be in the fresh lane."""
BURST_PER_S = 4.0
RECORDS_AT_ONCE = 1000
_REMEMBERED_MAX = 10_000
_READABLE_NOW = ("not text: PDF document", "not text: ZIP archive", "larger than 8 MiB")
"""Reasons of an older version that may hold no more."""
_KINDS = frozenset((CHANGE_CONTENT, CHANGE_ENTRY_ADDED, CHANGE_ENTRY_REMOVED, CHANGE_NODE_REMOVED, CHANGE_COLLECTION))


class Following:
    """Reads the log from the position stored in `derived.db` on."""

    def __init__(self, volume: Volume, writer: DerivedWriter, ignoring: Ignoring) -> None:
        self._volume = volume
        self._writer = writer
        self._ignoring = ignoring
        self._allowances: dict[int, tuple[float, float]] = {}
        self._rest_until: OrderedDict[int, int] = OrderedDict()
        self.position = writer.position(derived.VIEW_LOG) or Revision(0)

    def start(self) -> None:
        """Checks that the stored position belongs to this volume's log; if not, everything is looked at again.

        So is what an older version could not read as text.
        """
        self._look_again_at_skipped()
        position = self._writer.position(derived.VIEW_LOG)
        if position is not None and self._continues(position):
            return
        if position is not None:
            self._writer.distrust()
        self.look_at_everything()

    def _look_again_at_skipped(self) -> None:
        """Once: the mark and the queue change in one transaction."""
        if self._writer.meta("extraction") == derived.EXTRACTION:
            return
        with self._writer.transaction():
            self._writer.look_again_at_skipped(_READABLE_NOW, time.time_ns())
            self._writer.set_meta("extraction", derived.EXTRACTION)

    def look_at_everything(self) -> None:
        """Queues the root and every known file, and goes on from the newest revision."""
        with self._volume.snapshot() as view:
            head = view.revision
        records = self._volume.tail.read(head - 1, 1) if head else []
        now = time.time_ns()
        with self._writer.transaction():
            after = Ino(0)
            while known := self._writer.known_files(after):
                self._writer.enqueue(PendingFile(ino, BULK_LANE, Revision(1), head, now) for ino in known)
                after = known[-1]
            self._writer.enqueue([PendingFile(Ino(1), BULK_LANE, Revision(1), head, now)])
            self._move_to(head, records[-1] if records else None)
            # What was seen before is looked at again, and what was said to be found may not be so any more.
            for name in (derived.VIEW_SEEN, derived.VIEW_LEXICAL, derived.VIEW_EMBEDDING):
                self._writer.set_position(name, 0)

    def _continues(self, position: int) -> bool:
        """Whether the log still reaches back to the position, and is the one that was read and seen."""
        seen = self._writer.position(derived.VIEW_SEEN) or 0
        return (
            position >= self._volume.tail.oldest()
            and holds(self._volume, position, self._writer.meta("log_mark"))
            and holds(self._volume, seen, self._writer.meta("seen_mark"))
        )

    def note_seen(self) -> None:
        """Stores up to where files may have been seen. Called in the transaction that keeps what was seen of them.

        A power cut can take the volume back to before that and leave `derived.db`: what was seen then never was.
        """
        head = self._volume.head()
        if head == self._writer.position(derived.VIEW_SEEN):
            return
        records = self._volume.tail.read(head - 1, 1)
        self._writer.set_position(derived.VIEW_SEEN, head)
        if records:
            self._writer.set_meta("seen_mark", mark_of(records[0]))

    def read(self) -> int:
        """Takes the next records; returns how many."""
        records = self._volume.tail.read(self.position, RECORDS_AT_ONCE)
        if not records:
            return 0
        with self._writer.transaction():
            self._writer.enqueue(self._pending(records))
            self._move_to(records[-1].revision, records[-1])
        return len(records)

    def indexed(self, ino: int, seconds: float) -> None:
        """The file was just indexed, which took so long: it rests before the next time, a costly one longer."""
        self._rest_until[ino] = time.time_ns() + max(QUIET_NS, int(seconds * 20e9))
        self._rest_until.move_to_end(ino)
        if len(self._rest_until) > _REMEMBERED_MAX:
            self._rest_until.popitem(last=False)

    def _move_to(self, revision: Revision, record: LogRecord | None) -> None:
        self._writer.set_position(derived.VIEW_LOG, revision)
        if record is not None:
            self._writer.set_meta("log_mark", mark_of(record))
        self.position = revision

    def _pending(self, records: list[LogRecord]) -> Iterator[PendingFile]:
        now = time.time_ns()
        for record in records:
            if record.origin == self._volume.origin:
                continue  # upkeep: it changes how content is kept, never what it is
            inos = {ino for change in record.changes if change.kind in _KINDS for ino in self._concerned(change)}
            for ino in sorted(inos):
                due = max(now + SETTLE_NS, self._rest_until.get(ino, 0))
                yield PendingFile(Ino(ino), self._lane(record.origin), record.revision, record.revision, due)

    def _concerned(self, change: Change) -> Iterator[int]:
        if change.kind == CHANGE_COLLECTION:
            self._ignoring.forget()
        elif change.kind in (CHANGE_ENTRY_ADDED, CHANGE_ENTRY_REMOVED):
            if change.name in NAMES_THAT_MATTER:
                self._ignoring.forget()
                yield change.parent
            elif change.kind == CHANGE_ENTRY_REMOVED:
                self._ignoring.forget_directory(Ino(change.ino))
        yield change.ino

    def _lane(self, origin: int) -> int:
        now = time.monotonic()
        tokens, since = self._allowances.get(origin, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - since) * BURST_PER_S)
        fresh = tokens >= 1
        if len(self._allowances) > 1000:
            self._allowances.clear()
        self._allowances[origin] = (tokens - 1 if fresh else tokens, now)
        return FRESH_LANE if fresh else BULK_LANE
