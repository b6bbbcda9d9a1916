"""The loop: read a request, run its handler, write the answer; commit the group when it is time.

The mount process's main thread. Two system calls a request: a read that sleeps in the kernel until a request comes, and a
write. Where it pays (see `spin`) the loop polls for a moment before it sleeps. What is due at a time, and what other threads
post, arrives as SIGALRM: between requests the signal's handler does it at once, in the middle of one it leaves a note.
Everything that belongs to one thread in this package belongs to this one. An exception in a handler becomes EIO for that
request and a line in the log.
"""

import contextlib
import errno
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable

import apsw

from vexfs.core.errors import VexfsError
from vexfs.mount import wire
from vexfs.mount.engine import Engine
from vexfs.mount.group_sync import GroupSync
from vexfs.mount.requests import HEAD_BYTES, LAST_BYTES, SHORTEST, VIRTUAL_NODEID, Answer, Handler, RequestBuffer, Table
from vexfs.mount.session import GONE
from vexfs.mount.spin import Spin
from vexfs.mount.writeback import Writeback

logger = logging.getLogger(__name__)

_SMALL_BYTES = 8192
"""Up to here header and payload are joined in memory; beyond, the kernel gathers them."""
_TICK_S = 0.0025
"""How often an open group is looked at: it is committed when it is old, after the 2 ms at which it yields to who waits, or when
no request came between two looks."""
_SOON_NS = 100_000_000
_HEARTBEAT_S = 0.25
_UNANSWERED = frozenset({wire.FUSE_FORGET, wire.FUSE_BATCH_FORGET, wire.FUSE_INTERRUPT})


class _Stop(Exception):
    """Raised by a signal handler out of the read that waits for a request."""


def _not_supported(_unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> int:
    return -errno.ENOSYS


def _refused(_unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> int:
    return -errno.EOPNOTSUPP


class Loop:
    """`tables` are the operations; `virtual` answers for the nodes of `.search`. Make and run it in the main thread."""

    def __init__(
        self,
        engine: Engine,
        writeback: Writeback,
        group_sync: GroupSync,
        buffer: RequestBuffer,
        tables: list[Table],
        virtual: Table,
    ) -> None:
        self._engine = engine
        self._group_sync = group_sync
        self._writeback = writeback
        self._buffer = buffer
        own = {
            wire.FUSE_FORGET: self._silent,
            wire.FUSE_BATCH_FORGET: self._silent,
            wire.FUSE_INTERRUPT: self._interrupt,
            wire.FUSE_DESTROY: self._destroy,
        }
        self._handlers = _dense(*tables, own)
        # Never ENOSYS for what the volume's files can: the kernel would take it for an answer about the whole mount.
        refused = dict.fromkeys(sorted({opcode for table in tables for opcode in table}), _refused)
        self._virtual = _dense(refused, virtual, own)
        self._poller = select.poll()
        self._poller.register(engine.session.fd, select.POLLIN)
        self._stopping = False
        #: The mount is off the tree, taken by somebody else; what is mounted there now, if anything, is another's.
        self.unmounted = False
        self._between = False
        """Whether no request is in hand, so that a signal's handler may do what is due."""
        self._due = False
        """A signal came in the middle of a request."""
        self._clock_s = 0.0
        self._served_before = 0
        self.spin = Spin(engine.options.spin_us)
        #: Requests served, by opcode.
        self.counts = [0] * wire.OPCODE_MAX
        self._looked_at = (-1, 0.0)
        """How many requests had been served when `busy_since` last found one in hand, and when that was."""
        engine.volume.stalls.watch("the mount is at one request", self.busy_since, thread=threading.get_ident())

    # -- serving ---------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop` or until the mount is gone. Does not flush: that is the caller's, who knows how long it may
        take.
        """
        signal.signal(signal.SIGALRM, self._on_alarm)
        try:
            while not self._stopping:
                os.set_blocking(self._engine.session.fd, self.spin.window_ns == 0)
                self._set_clock()
                with contextlib.suppress(_Stop):
                    if not self._serve(spinning=self.spin.window_ns > 0):
                        self.unmounted = True
                        return
        finally:
            self._between = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_IGN)  # workers may still post

    def run_during(self, work: Callable[[], object]) -> None:
        """Serve again, after `run`, until another thread has done `work`, which the kernel holds up unless it is served."""
        self._stopping = False

        def do() -> None:
            try:
                work()
            finally:
                self._engine.post(self.stop)

        helper = threading.Thread(target=do, name="vexfs-ending", daemon=True)
        helper.start()
        self.run()
        helper.join()

    def stop(self) -> None:
        """End `run`, called by a signal's handler in the main thread."""
        self._stopping = True
        if self._between:
            self._between = False
            raise _Stop

    def _serve(self, *, spinning: bool) -> bool:
        """Answer requests until stopped, or until spinning ought to change; False when the mount is gone."""
        engine, session, memory, spin = self._engine, self._engine.session, self._buffer.memory, self.spin
        group_sync = self._group_sync
        fd, parts = session.fd, self._buffer.parts
        readv, write, writev, now_ns, sched_yield = os.readv, os.write, os.writev, time.monotonic_ns, os.sched_yield
        unpack, pack = wire.fuse_in_header.unpack_from, wire.fuse_out_header.pack
        handlers, virtual, counts = self._handlers, self._virtual, self.counts
        spin_until = served = client = client_before = 0
        while not self._stopping:
            self._between = True
            try:
                length = readv(fd, parts)
            except BlockingIOError:
                if group_sync.syncing or now_ns() >= spin_until:  # a disk takes longer, and its thread needs this one's time
                    spin.slept(served)
                    if spin.window_ns == 0:
                        return True
                    served = 0
                    self._poller.poll()
                elif client == client_before:
                    # The thread that asks alone may wait for this core. Several would keep it for longer than the window.
                    sched_yield()
                continue
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):  # the request was interrupted before it was read
                    continue
                if error.errno == errno.ENODEV:  # unmounted
                    return False
                raise
            self._between = False
            if length < wire.IN_HEADER_BYTES:
                if length == 0:  # as a socket or pipe says that nobody is at the other end
                    return False
                logger.error("a request without a whole header is passed over", extra={"bytes": length})
                continue
            told, opcode, unique, nodeid, uid, gid, pid = unpack(memory)
            if pid:  # the kernel itself forgets and releases
                client_before, client = client, pid
            if length > HEAD_BYTES and (opcode != wire.FUSE_WRITE or nodeid >= VIRTUAL_NODEID):
                self._buffer.gather(length)
            try:
                counts[opcode] += 1
                answer = (
                    (handlers if nodeid < VIRTUAL_NODEID else virtual)[opcode](unique, nodeid, length, uid, gid)
                    if told == length and length >= SHORTEST[opcode] and memory[length - 1] < LAST_BYTES[opcode]
                    else self._malformed(opcode, told, length)
                )
            except VexfsError as error:
                answer = -error.errno
            except Exception as error:
                answer = self._failed(opcode, error)
            if answer.__class__ is bytes:
                size = 16 + len(answer)
                try:
                    if size <= _SMALL_BYTES:
                        write(fd, pack(size, 0, unique) + answer)
                    else:
                        writev(fd, (pack(size, 0, unique), answer))
                except OSError as error:
                    self._not_answered(error)
            elif isinstance(answer, int):
                session.fail(unique, -answer)
            if group_sync.wanted:
                group_sync.begin_if_due()
            if self._due:
                self._look()
            elif engine.clock_needed and self._clock_s != _TICK_S:
                self._set_clock()
            served += 1
            if spinning:
                spin_until = now_ns() + spin.window_ns
            elif served >= spin.try_after:
                spin.rested()
                return True
        return True

    def busy_since(self) -> float | None:
        """Since when, at least, the loop has been at one request, or at what is due, of time.monotonic; None while it waits.

        For one thread that asks again and again: the loop itself keeps no time, which each request would pay for.
        """
        served, since = self._looked_at
        now_served = sum(self.counts)
        if self._between or now_served != served:
            self._looked_at = (-1, 0.0) if self._between else (now_served, time.monotonic())
            return None
        return since

    # -- what is due -----------------------------------------------------------------------------------

    def _on_alarm(self, _number: int, _frame: object) -> None:
        if not self._between:
            self._due = True
            return
        self._between = False
        self._look()
        if self._due:  # a sync that was begun has ended already
            self._look()
        if self._stopping:  # told meanwhile: the interrupted wait would go on, and nobody look again
            raise _Stop
        self._between = True

    def _look(self) -> None:
        """Between two requests: commit and flush what is due, do what was posted, set the clock."""
        self._due = False
        engine = self._engine
        busy = False
        try:
            now = time.monotonic_ns()
            served = sum(self.counts)
            if engine.writer.must_commit(now) or served == self._served_before:
                busy = served != self._served_before
                engine.commit_quietly()
            self._served_before = served
            if now >= self._writeback.next_due_ns:
                self._writeback.flush_due(now)
            if engine.posted:
                engine.run_posted()
            if self._group_sync.wanted:
                self._group_sync.begin_if_due()
        except Exception:
            logger.exception("what was due has failed")
        if not busy:  # else the next group has most likely begun when the clock ticks again
            self._set_clock()

    def _set_clock(self) -> None:
        """Have SIGALRM come when something can be due next. It repeats: one just before a read began would be lost."""
        engine, due_ns = self._engine, self._writeback.next_due_ns
        engine.clock_needed = False
        if engine.writer.group_open or self._writeback.in_flight:
            wanted = _TICK_S
        elif due_ns < Writeback.NEVER_NS:
            wanted = _TICK_S if due_ns - time.monotonic_ns() < _SOON_NS else _SOON_NS / 2e9
        else:
            wanted = _HEARTBEAT_S
        if wanted != self._clock_s:
            self._clock_s = wanted
            signal.setitimer(signal.ITIMER_REAL, wanted, wanted)

    # -- requests of the protocol itself -----------------------------------------------------------------

    def _silent(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> None:
        """Numbers of files are never reused, so it does not matter which ones the kernel still remembers."""
        return

    def _interrupt(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> None:
        (interrupted,) = wire.fuse_interrupt_in.unpack_from(self._buffer.view, wire.IN_HEADER_BYTES)
        end = self._engine.interruptible.pop(interrupted, None)
        if end is not None:
            end()

    def _destroy(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> bytes:
        self._stopping = True
        return b""

    # -- failures --------------------------------------------------------------------------------------

    def _failed(self, opcode: int, error: Exception) -> int | None:
        """An unexpected exception: EIO for this request, its traceback in the log."""
        if isinstance(error, IndexError) and opcode >= wire.OPCODE_MAX:
            return -errno.ENOSYS
        if isinstance(error, apsw.Error):
            with contextlib.suppress(Exception):
                meaning = self._engine.writer.explain(error)
                logger.error("the store failed", exc_info=error, extra={"opcode": opcode, "reason": meaning.reason})
                return -meaning.errno
        logger.error("a request failed", exc_info=error, extra={"opcode": opcode})
        return None if opcode in _UNANSWERED else -errno.EIO

    def _malformed(self, opcode: int, told: int, length: int) -> Answer:
        """A request that is not what its opcode says."""
        logger.error("a malformed request is refused", extra={"opcode": opcode, "bytes": length, "told": told})
        return None if opcode in _UNANSWERED else -errno.EINVAL

    def _not_answered(self, error: OSError) -> None:
        if error.errno not in GONE:
            logger.error("an answer was refused by the kernel", exc_info=error)


def _dense(*tables: Table) -> list[Handler]:
    handlers: list[Handler] = [_not_supported] * wire.OPCODE_MAX
    for table in tables:
        for opcode, handler in table.items():
            handlers[opcode] = handler
    return handlers
