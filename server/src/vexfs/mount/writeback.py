"""When and how written bytes get from memory into the volume.

Driven by the loop; one thread, but for the preparing of large content, which runs in workers and comes back through
`Engine.post`. Bytes wait at most FLUSH_AFTER_NS; one file's at most LAYER_BYTES; all files' together at most TOTAL_BYTES,
beyond which the answers to writes wait. Where the volume has a quota, a write that would exceed it is refused. Small content
goes into the group's rows at once; long runs become blobs, whose fsync the loop must not wait for: they stay readable as layers
of their file until their rows are written, oldest first.
"""

import contextlib
import errno
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from vexfs.core import content
from vexfs.core.content import Prepared
from vexfs.core.errors import NotFound, Unavailable, VexfsError, VolumeReadOnly
from vexfs.core.types import INLINE_MAX_BYTES, Ino
from vexfs.mount.dirty import DirtyBuffer
from vexfs.mount.engine import Engine
from vexfs.mount.open_files import OpenFile
from vexfs.mount.requests import RequestBuffer
from vexfs.mount.reservations import Reservations
from vexfs.mount.slabs import Slabs
from vexfs.store.blobs import BlobFolder, Buffer

logger = logging.getLogger(__name__)

FLUSH_AFTER_NS = 700_000_000
"""Below the second that is promised, so that flush and commit end inside it."""
LAYER_BYTES = 8 << 20
TOTAL_BYTES = 32 << 20
RUNS_MAX = 256
"""Scattered runs of one file are written out at this count: each costs a block read and a row."""
_WORKERS = 2
_FULL_ENOUGH_BYTES = 3 << 18
"""A slab with at least so many bytes is kept as it came: what is empty of it counts as pending nowhere."""


class Writeback:
    """See the module."""

    NEVER_NS = 1 << 63

    def __init__(self, engine: Engine, slabs: Slabs) -> None:
        self._engine = engine
        self._slabs = slabs
        self.reservations = Reservations(engine.writer)
        self._dirty: dict[int, OpenFile] = {}
        """Files with a dirty buffer, the one that has waited longest first."""
        self._total_bytes = 0
        self._blocked: deque[Callable[[], None]] = deque()
        self._prepared: dict[int, list[tuple[DirtyBuffer, Future[list[Prepared]]]]] = {}
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="vexfs-content")
        self._in_hand: dict[DirtyBuffer, float] = {}
        """Layers that workers have in hand, with the time (of time.monotonic) at which they were given it."""
        self.next_due_ns = self.NEVER_NS
        """When (time.monotonic_ns) the oldest bytes have to go."""
        engine.volume.stalls.watch("the disk stores large content", lambda: min([*self._in_hand.values()], default=None))

    @property
    def in_flight(self) -> int:
        """Layers that workers have in hand."""
        return len(self._in_hand)

    @property
    def total_bytes(self) -> int:
        """Pending bytes of all files, layers included."""
        return self._total_bytes

    # -- writing ---------------------------------------------------------------------------------------

    def write(self, file: OpenFile, offset: int, data: bytes) -> bool:
        """Take bytes; False when memory is full and the answer has to wait (see `when_room`). Raises QuotaExceeded."""
        dirty = self._buffer_for(file, offset, len(data))
        before = dirty.byte_count
        dirty.write(offset, data)
        return self._written(file, dirty, before)

    def write_large(self, file: OpenFile, offset: int, head: memoryview, buffer: RequestBuffer, length: int) -> bool:
        """As `write`, of a request of that length in `buffer`, whose bytes begin with `head` and end in a slab.

        What goes on with a long run is not copied where the slab is nearly full, else into another one.
        """
        end = buffer.end(length)
        dirty = self._buffer_for(file, offset, len(head) + len(end))
        before = dirty.byte_count
        run_bytes = dirty.growing_run(offset)
        if run_bytes is None or max(run_bytes, offset) + len(head) + len(end) < INLINE_MAX_BYTES:
            dirty.write(offset, b"".join((head, end)))
        else:
            dirty.copy_behind(offset, head, self._slabs)
            if len(end) >= _FULL_ENOUGH_BYTES:
                dirty.keep_behind(offset + len(head), buffer.keep_end(), len(end))
            else:
                dirty.copy_behind(offset + len(head), end, self._slabs)
        return self._written(file, dirty, before)

    def _buffer_for(self, file: OpenFile, offset: int, length: int) -> DirtyBuffer:
        """Where these bytes go: the file's buffer, made when there is none. Raises QuotaExceeded, and nothing has changed."""
        reserved = self.reservations.take(file, offset, length) if self.reservations.limited else 0
        dirty = file.dirty
        if dirty is None:
            dirty = self._begin(file)
        dirty.reserved_bytes += reserved
        return dirty

    def _written(self, file: OpenFile, dirty: DirtyBuffer, before: int) -> bool:
        """After a write into the buffer, which held `before` bytes."""
        self._total_bytes += dirty.byte_count - before
        file.mtime_ns = time.time_ns()
        if dirty.byte_count >= LAYER_BYTES or dirty.run_count >= RUNS_MAX:
            self.flush(file)
        if self._total_bytes <= TOTAL_BYTES:
            return True
        self._make_room()
        return self._total_bytes <= TOTAL_BYTES

    def _begin(self, file: OpenFile) -> DirtyBuffer:
        dirty = file.dirty = DirtyBuffer()
        file.dirty_since_ns = time.monotonic_ns()
        if not self._dirty:
            self.next_due_ns = file.dirty_since_ns + FLUSH_AFTER_NS
            self._engine.clock_needed = True
        self._dirty[file.ino] = file
        return dirty

    def _make_room(self) -> None:
        for file in list(self._dirty.values()):
            if self._total_bytes <= TOTAL_BYTES:
                return
            self.flush(file)

    def when_room(self, work: Callable[[], None]) -> None:
        """Run `work` once pending bytes are below the limit again."""
        self._blocked.append(work)

    # -- flushing --------------------------------------------------------------------------------------

    def flush(self, file: OpenFile) -> bool:
        """Move a file's dirty bytes into the group; False when a worker has to prepare them (or earlier ones) first.

        Failures become the file's `error`.
        """
        dirty = file.dirty
        if dirty is None:
            return not file.layers
        self._take(file)
        if file.layers or dirty.longest_run() >= INLINE_MAX_BYTES:
            self._start_layer(file, dirty)
            return False
        prepared = Prepared((), tuple(dirty.runs()), dirty.end)
        self._total_bytes -= dirty.byte_count
        self.reservations.release(dirty)
        self._store(file, [prepared])
        return True

    def _take(self, file: OpenFile) -> None:
        file.dirty = None
        self._dirty.pop(file.ino, None)
        first = next(iter(self._dirty.values()), None)
        self.next_due_ns = self.NEVER_NS if first is None else first.dirty_since_ns + FLUSH_AFTER_NS

    def _store(self, file: OpenFile, prepared: list[Prepared]) -> None:
        try:
            for part in prepared:
                self._engine.write_into(
                    file.ino, partial(content.write, ino=Ino(file.ino), prepared=part, mtime_ns=file.mtime_ns)
                )
        except Unavailable as error:
            if isinstance(error, VolumeReadOnly):
                file.error = errno.EROFS
                return
            raise
        except NotFound:
            file.error = errno.ESTALE  # somebody else removed the file; its bytes have nowhere to go
        except VexfsError as error:
            self._lose(file, error)

    def _lose(self, file: OpenFile, error: VexfsError) -> None:
        """The file reports it, and the kernel forgets what it has of its content and size."""
        logger.warning("written bytes are lost", extra={"ino": file.ino, "reason": error.reason})
        file.error = error.errno
        self._engine.invalidator.forget_inode(file.ino)

    def _start_layer(self, file: OpenFile, buffer: DirtyBuffer) -> None:
        file.layers = [*file.layers, buffer]
        self._submit(file, buffer)

    def _submit(self, file: OpenFile, buffer: DirtyBuffer) -> None:
        self._in_hand[buffer] = time.monotonic()
        self._engine.clock_needed = True
        future = self._workers.submit(_prepare, self._engine.volume.blobs, buffer.pieces())
        # The callback must not hold the future that holds it: the buffer would wait for the cycle collector.
        future.add_done_callback(lambda done: self._engine.post(partial(self._layer_ready, file, buffer, done)))

    def _layer_ready(self, file: OpenFile, buffer: DirtyBuffer, future: "Future[list[Prepared]]") -> None:
        """A worker is done. Layers are stored in their order, so one that was faster waits for those below it."""
        del self._in_hand[buffer]
        ready = self._prepared.setdefault(file.ino, [])
        ready.append((buffer, future))
        while file.layers:
            lowest = file.layers[0]
            done = next((pair for pair in ready if pair[0] is lowest), None)
            if done is None:
                break
            ready.remove(done)
            if not self._store_layer(file, *done):
                return
        if not ready:
            self._prepared.pop(file.ino, None)
        if not file.layers:
            self._settled(file)

    def _store_layer(self, file: OpenFile, buffer: DirtyBuffer, future: "Future[list[Prepared]]") -> bool:
        """Write the lowest layer's rows; False when its blobs were collected meanwhile and are being made again."""
        reserved = self.reservations.release(buffer)
        try:
            self._store(file, future.result())
        except Unavailable:
            self.reservations.hold(buffer, reserved)
            self._submit(file, buffer)
            return False
        except VexfsError as error:
            self._lose(file, error)
        except Exception:
            logger.exception("written bytes are lost", extra={"ino": file.ino})
            file.error = errno.EIO
        self._slabs.give_back(buffer.take_slabs())
        file.layers = file.layers[1:]
        self._total_bytes -= buffer.byte_count
        if not self._total_bytes:
            self._slabs.rest()
        self._release_blocked()
        return True

    def _release_blocked(self) -> None:
        while self._blocked and self._total_bytes <= TOTAL_BYTES:
            self._blocked.popleft()()

    def _settled(self, file: OpenFile) -> None:
        """No layer is left: what waited for that goes on."""
        waiting, file.waiting = file.waiting, ()
        for work in waiting:
            work()
        self._engine.open_files.drop_if_idle(file)

    def after_layers(self, file: OpenFile, work: Callable[[], object]) -> None:
        """Run `work` once no layer of the file is left: now, or later in the loop's thread."""
        if file.layers:
            file.waiting = [*file.waiting, work]
        else:
            work()

    def settle(self, files: Sequence[OpenFile], work: Callable[[], object]) -> bool:
        """Move what is pending of the files into the group. False when that takes until later: `work` runs then."""
        for file in files:
            if file.pending and not self.flush(file):
                self.after_layers(file, lambda: self.settle(files, work) and work())
                return False
        return True

    def discard(self, file: OpenFile) -> None:
        """The file is gone: so are its dirty bytes. Layers on their way find out by themselves."""
        if file.dirty is not None:
            self._total_bytes -= file.dirty.byte_count
            self.reservations.release(file.dirty)
            self._take(file)

    def cut(self, file: OpenFile, size_bytes: int) -> None:
        """The file was truncated: forget dirty bytes behind its end. Not while it has layers."""
        if file.dirty is not None:
            before = file.dirty.byte_count
            file.dirty.truncate(size_bytes)
            self._total_bytes -= before - file.dirty.byte_count
            self.reservations.recount(file, size_bytes)

    # -- time ------------------------------------------------------------------------------------------

    def flush_due(self, now_ns: int) -> None:
        """Flush what has waited long enough."""
        while self.next_due_ns <= now_ns:
            file = next(iter(self._dirty.values()))
            if self.flush(file):
                self._engine.open_files.drop_if_idle(file)
            if self._engine.writer.must_commit(time.monotonic_ns()):
                self._engine.commit_quietly()
        self._release_blocked()

    def flush_all(self, timeout_s: float) -> bool:
        """Move everything into the group, waiting for the workers; False when time ran out."""
        deadline = time.monotonic() + timeout_s
        for file in list(self._dirty.values()):
            self.flush(file)
        while any(file.layers for file in self._engine.open_files.all()):
            if time.monotonic() > deadline:
                return False
            self._engine.run_posted()
            time.sleep(0.001)
        return True

    def close(self) -> None:
        """Stop the workers; idempotent."""
        with contextlib.suppress(RuntimeError):
            self._workers.shutdown(wait=True, cancel_futures=True)


def _prepare(blobs: BlobFolder, runs: list[tuple[int, list[Buffer]]]) -> list[Prepared]:
    """In a worker: each long run becomes blobs of its own, the short ones stay together."""
    prepared: list[Prepared] = []
    short: list[tuple[int, bytes]] = []
    for offset, pieces in runs:
        if sum(map(len, pieces)) >= INLINE_MAX_BYTES:
            prepared.append(content.prepare_run(blobs, offset, pieces))
        else:
            short.append((offset, b"".join(pieces)))
    if short:
        prepared.append(Prepared((), tuple(short), max(offset + len(data) for offset, data in short)))
    return prepared
