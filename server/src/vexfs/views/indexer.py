"""The indexer process, `python -m vexfs.views.indexer --data DIR`: keeps the derived data in step with the volume.

One main thread follows the log, reads and splits files and writes the lexical index; one thread sees to embeddings, which one
thread a core computes; documents (PDF, docx) are read one at a time in a process that may be killed, and nothing else waits
for them; the volume's upkeep (checkpoints, history, blobs) runs in a thread of its own. Fresh files come before bulk, words
before vectors. What waits stands in `derived.db`, so a stop or a crash at any point loses nothing and repeats little. Derived
data that is removed while the process runs is noticed within a second and built again. It serves no requests: others read how
far it is from `derived.db`.
"""

import argparse
import contextlib
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from vexfs import runtime
from vexfs.core.errors import InvalidRequest, ViewUnavailable, VolumeInUse
from vexfs.observability import logs
from vexfs.store.maintenance import Maintenance
from vexfs.store.volume import Volume
from vexfs.views import derived
from vexfs.views.indexing.documents import Documents
from vexfs.views.indexing.embedding_thread import EmbeddingThread
from vexfs.views.indexing.embedding_workers import thread_count
from vexfs.views.indexing.following import Following
from vexfs.views.indexing.ignoring import Ignoring
from vexfs.views.indexing.reading import FileReader
from vexfs.views.indexing.upkeep import UnusedModels, UnusedTexts
from vexfs.views.indexing.words import Words
from vexfs.views.indexing.writer import BULK_LANE, FRESH_LANE, DerivedWriter, PendingFile

logger = logging.getLogger(__name__)

FILES_AT_ONCE = 16
SLICE_S = 0.05
"""Bulk work between two looks at the log."""
LOSS_CHECK_S = 0.25
IDLE_WAIT_S = 0.25
STOP_S = 2.5
"""After SIGTERM the process is gone by then, finished or not: everything it keeps survives that."""
NICENESS = 19
"""Of everything but the volume's upkeep: the lowest. At 5, a burst of creates on one busy core lost a quarter of its rate to
indexing; at 15, what was left of one slowed the next workload by a tenth."""


class _Parts:
    """What works on one incarnation of the derived folder, made anew when that is lost."""

    def __init__(self, volume: Volume, folder: Path, documents: Documents) -> None:
        self._documents = documents
        self.writer = DerivedWriter(folder)
        self.ignoring = Ignoring()
        self.following = Following(volume, self.writer, self.ignoring)
        self.words = Words(self.writer)
        self.reader = FileReader(volume, self.writer, self.words.lexical, self.ignoring, self._documents)
        self.following.start()

    def renew_words(self, volume: Volume) -> None:
        """Only the lexical index was lost."""
        self.words = Words(self.writer)
        self.reader = FileReader(volume, self.writer, self.words.lexical, self.ignoring, self._documents)

    def lost(self) -> bool:
        return self.writer.lost()

    def close(self) -> None:
        self.words.close()
        self.writer.close()


class Indexer:
    """The work of the process on an open volume, `threads` of it embedding. `run` in the main thread until `stop`."""

    def __init__(self, volume: Volume, threads: int) -> None:
        self._volume = volume
        self._folder = derived.derived_folder(volume.folder)
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._documents = Documents(self._woken.set)
        self._parts = _Parts(volume, self._folder, self._documents)
        self._unused = (UnusedTexts(), UnusedModels())
        self._embedding = EmbeddingThread(lambda: self._parts.writer, self._tell_embedding_position, threads)
        self._next_loss_check = 0.0

    def stop(self) -> None:
        """From any thread or a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Works until `stop`, then leaves everything closed."""
        self._embedding.start()
        self._documents.start()
        unsubscribe = self._volume.tail.subscribe(lambda _head: self._woken.set())
        try:
            while not self._stop.is_set():
                try:
                    self._round()
                except (ViewUnavailable, apsw.Error, OSError):
                    if not self._recover():
                        logger.exception("indexing failed; trying again")
                        self._stop.wait(1.0)
        finally:
            unsubscribe()
            self._documents.close()
            self._embedding.close()
            self._parts.close()

    def _round(self) -> None:
        """One look at the log, some files, and a commit of the words when it is due; waits when there was nothing."""
        now = time.monotonic()
        if now >= self._next_loss_check:
            self._next_loss_check = now + LOSS_CHECK_S
            self._recover()
        parts = self._parts
        moved = parts.following.read()
        worked = self._work_on_documents(parts)
        worked = self._work_on_files(parts) or worked
        if parts.words.behind and not worked:
            parts.words.fill(SLICE_S)
            worked = True
        committed = parts.words.commit_if_due(idle=not worked)
        parts.words.tell_position()  # in every round: a crash may have kept from being told what is done
        self._tell_embedding_position()
        if not (moved or committed or worked):
            for unused in self._unused:
                unused.work(parts.writer, now)
            self._wait(parts)

    def _work_on_files(self, parts: _Parts) -> bool:
        """Looks at what is due, for a slice of time and in one commit; fresh files are not kept waiting for bulk ones."""
        batch = parts.writer.due_files(time.time_ns(), FILES_AT_ONCE)
        self._embedding.hold_bulk(bool(batch))
        if not batch:
            return False
        end = time.monotonic() + SLICE_S
        with parts.writer.transaction():
            for pending in batch:
                if pending.lane != batch[0].lane or self._stop.is_set() or time.monotonic() > end:
                    break
                self._look_at(parts, pending)
            parts.following.note_seen()
        return True

    def _work_on_documents(self, parts: _Parts) -> bool:
        """Takes the document that was read and has the next one begun."""
        done = self._documents.finished
        if done is not None:
            pending = parts.writer.pending_file(done.ino)
            if pending is not None:
                self._look_at_document(parts, pending)
            self._documents.discard()  # what was not taken is out of date
        if not self._documents.busy and (pending := parts.writer.next_document()) is not None:
            self._look_at_document(parts, pending)
            return True
        return done is not None

    def _look_at_document(self, parts: _Parts, pending: PendingFile) -> None:
        with parts.writer.transaction():
            self._look_at(parts, pending)
            parts.following.note_seen()

    def _look_at(self, parts: _Parts, pending: PendingFile) -> None:
        started = time.monotonic()
        try:
            changed = parts.reader.look_at(pending)
        except (ViewUnavailable, apsw.Error):
            raise
        except Exception:
            # One file must not stop all others: it is put off, and said which.
            logger.exception("a file cannot be indexed", extra={"ino": pending.ino})
            parts.writer.enqueue([pending._replace(lane=BULK_LANE, due_ns=time.time_ns() + 60_000_000_000)])
            return
        if changed:
            fresh = pending.lane == FRESH_LANE
            parts.following.indexed(pending.ino, time.monotonic() - started)
            parts.words.changed(fresh=fresh)
            self._embedding.wake(fresh=fresh)

    def _wait(self, parts: _Parts) -> None:
        """Until the log moves, a document was read, a file is due, or a moment has passed."""
        timeout_s = IDLE_WAIT_S
        due_ns = parts.writer.next_due_ns()
        if due_ns is not None:
            timeout_s = min(timeout_s, max(0.001, (due_ns - time.time_ns()) / 1e9))
        self._woken.clear()  # before the look at what may have set it
        moved = self._volume.tail.head() > parts.following.position
        if not (moved or self._documents.finished or self._stop.is_set()):
            self._woken.wait(timeout_s)

    def _tell_embedding_position(self) -> None:
        writer = self._parts.writer
        position = writer.complete_position(derived.VIEW_EMBEDDING)
        if position != writer.position(derived.VIEW_EMBEDDING):
            writer.set_position(derived.VIEW_EMBEDDING, position)

    def _recover(self) -> bool:
        """Starts over with what was removed; False when nothing was."""
        if self._parts.lost():
            logger.warning("the derived data was removed; building it again")
            before, self._parts = self._parts, _Parts(self._volume, self._folder, self._documents)
            with contextlib.suppress(apsw.Error, ViewUnavailable, OSError):
                before.close()
        elif self._parts.words.lost():
            logger.warning("the word index was removed; building it again")
            self._parts.renew_words(self._volume)
        else:
            return False
        self._embedding.wake(fresh=False)
        return True


@contextlib.contextmanager
def _only_one(data: runtime.DataFolder) -> Iterator[None]:
    """The derived folder has one writer. Raises VolumeInUse when another indexer works on this data."""
    data.create()
    with (data.run / "indexer.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VolumeInUse(f"another indexer works on {data.path}") from None
        yield


def run(folder: Path) -> None:
    """Everything the process does between its start and SIGTERM or SIGINT."""
    data = runtime.DataFolder(folder)
    threads = thread_count()
    with _only_one(data), Volume.open(data.volume, "indexer", create=True) as volume:
        maintenance = Maintenance(volume)
        maintenance.start()
        # This thread and those it starts, not the upkeep: a checkpoint takes the writer's turn and must not dawdle.
        os.nice(NICENESS)
        try:
            indexer = Indexer(volume, threads)
            _stop_on_signals(indexer)
            runtime.announce_ready(data.path, "indexer")
            indexer.run()
        finally:
            maintenance.close()


def _stop_on_signals(indexer: Indexer) -> None:
    def handle(_number: int, _frame: object) -> None:
        indexer.stop()
        last_resort = threading.Timer(STOP_S, os._exit, (0,))
        last_resort.daemon = True
        last_resort.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m vexfs.views.indexer", description="The indexer process of VexFS.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    arguments = parser.parse_args()
    logs.configure("indexer")
    try:
        run(arguments.data)
    except (VolumeInUse, InvalidRequest) as error:
        logger.error(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
