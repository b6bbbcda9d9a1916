"""The loop: read a request, run its handler, write the answer; commit the group when it is time.

The mount process's main thread. Two system calls a request. After a request it polls the descriptor for a moment without sleeping, so that
a client on another core finds its next request taken up at once; it learns whether that pays. Everything that belongs to one thread in
this package belongs to this one. An exception in a handler becomes EIO for that request and a line in the log.
"""

import contextlib
import errno
import logging
import os
import select
import time

import apsw

from vexfs.core.errors import VexfsError
from vexfs.mount import wire
from vexfs.mount.engine import Engine
from vexfs.mount.requests import VIRTUAL_NODEID, Handler, RequestBuffer, Table
from vexfs.mount.spin import Spin
from vexfs.mount.writeback import Writeback

logger = logging.getLogger(__name__)

_SMALL_BYTES = 8192
"""Up to here header and payload are joined in memory; beyond, the kernel gathers them."""
_IDLE_MS = 1000
_GROUP_POLL_MS = 1
_LOOK_NS = 400_000
"""How often to look, in the middle of work, at what is due: well below the shortest deadline, the group's 2 ms."""
_UNANSWERED = frozenset({wire.FUSE_FORGET, wire.FUSE_BATCH_FORGET, wire.FUSE_INTERRUPT})


def _not_supported(_unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> int:
    return -errno.ENOSYS


class Loop:
    """`tables` are the operations; `virtual` answers for the nodes of `.search`."""

    def __init__(
        self, engine: Engine, writeback: Writeback, buffer: RequestBuffer, tables: list[Table], virtual: Table
    ) -> None:
        self._engine = engine
        self._writeback = writeback
        self._buffer = buffer
        self._handlers = _dense(*tables, dict.fromkeys((wire.FUSE_FORGET, wire.FUSE_BATCH_FORGET), self._silent))
        self._handlers[wire.FUSE_INTERRUPT] = self._interrupt
        self._handlers[wire.FUSE_DESTROY] = self._destroy
        self._virtual = _dense(virtual, dict.fromkeys((wire.FUSE_FORGET, wire.FUSE_BATCH_FORGET), self._silent))
        self._stopping = False
        self._poller = select.poll()
        self._poller.register(engine.session.fd, select.POLLIN)
        self._poller.register(engine.wake_fd, select.POLLIN)
        self.spin = Spin(engine.options.spin_us)
        #: Requests served, by opcode.
        self.counts = [0] * wire.OPCODE_MAX

    def stop(self) -> None:
        """End `run` after the request in hand. The loop's thread, or a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Serve until `stop` or until the mount is gone. Does not flush: that is the caller's, who knows how long it may take."""
        engine, session, memory = self._engine, self._engine.session, self._buffer.memory
        fd, buffers, posted = session.fd, [memory], engine.posted
        readv, write, writev = os.readv, os.write, os.writev
        unpack, pack = wire.fuse_in_header.unpack_from, wire.fuse_out_header.pack
        handlers, virtual, counts, spin = self._handlers, self._virtual, self.counts, self.spin
        now_ns = time.monotonic_ns
        spin_until, look_at, served = 0, 0, 0
        while not self._stopping:
            try:
                length = readv(fd, buffers)
            except BlockingIOError:
                now = now_ns()
                if now >= spin_until or posted:
                    self._rest(now, served)
                    served = 0
                elif now >= look_at:
                    look_at = self._look(now)
                continue
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):  # the request was interrupted before it was read
                    continue
                if error.errno == errno.ENODEV:  # unmounted
                    return
                raise
            _, opcode, unique, nodeid, uid, gid, _ = unpack(memory)
            try:
                counts[opcode] += 1
                answer = (handlers if nodeid < VIRTUAL_NODEID else virtual)[opcode](unique, nodeid, length, uid, gid)
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
            elif answer is not None:
                session.fail(unique, -answer)
            served += 1
            now = now_ns()
            spin_until = now + spin.window_ns
            if now >= look_at or posted:
                look_at = self._look(now)

    # -- between requests --------------------------------------------------------------------------------

    def _look(self, now: int) -> int:
        """What is due in the middle of work; returns when to look again (time.monotonic_ns)."""
        if self._engine.writer.must_commit(now):
            self._engine.commit_quietly()
        if now >= self._writeback.next_due_ns:
            self._writeback.flush_due(now)
        if self._engine.posted:
            self._engine.run_posted()
        return now + _LOOK_NS

    def _rest(self, now: int, served: int) -> None:
        """Nothing to do for now: wait for a request, for posted work, or until something is due."""
        engine, due_ns = self._engine, self._writeback.next_due_ns
        timeout_ms = _IDLE_MS
        if engine.writer.group_open:
            timeout_ms = _GROUP_POLL_MS
        elif due_ns < now + _IDLE_MS * 1_000_000:
            timeout_ms = max(0, (due_ns - now) // 1_000_000 + 1)
        if not engine.posted:
            self.spin.slept(served)
            self._poller.poll(timeout_ms)
        self._look(time.monotonic_ns())

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

    def _not_answered(self, error: OSError) -> None:
        if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EPERM):
            logger.error("an answer was refused by the kernel", exc_info=error)


def _dense(*tables: Table) -> list[Handler]:
    handlers: list[Handler] = [_not_supported] * wire.OPCODE_MAX
    for table in tables:
        for opcode, handler in table.items():
            handlers[opcode] = handler
    return handlers
