"""Bytes: open, read, write, flush, fsync, release.

Called by the loop. A file's handle is its inode: the kernel names it in every request, so no table of handles is kept, only
how many opens there are. Written bytes wait in `Writeback`; what has to wait for a disk (fsync, large content) is answered
later, so that no request holds up another.
"""

import errno
import logging
import os
from collections.abc import Callable
from functools import partial

from vexfs.core import content, files
from vexfs.core.errors import CorruptContent, NotFound, VexfsError
from vexfs.core.types import INLINE_MAX_BYTES, Ino, Node
from vexfs.mount import wire
from vexfs.mount.blob_map import BlobMap
from vexfs.mount.engine import Engine
from vexfs.mount.group_sync import GroupSync
from vexfs.mount.large_reads import LargeReads
from vexfs.mount.open_files import OpenFile
from vexfs.mount.operations.attributes import take_suid, without_suid
from vexfs.mount.operations.locks import LockOperations
from vexfs.mount.requests import BODY, DONE, HEAD_BYTES, Answer, RequestBuffer, Table
from vexfs.mount.writeback import Writeback
from vexfs.store.reader import Reader

logger = logging.getLogger(__name__)

_WRITE_BODY = BODY + wire.fuse_write_in.size
_CAPABILITY = b"security.capability"
_FULL = wire.fuse_write_out.pack
_OPENED_FOR_READING = wire.fuse_open_out.pack(0, wire.FOPEN_KEEP_CACHE | wire.FOPEN_NOFLUSH)
_OPENED_UNCACHED = wire.fuse_open_out.pack(0, wire.FOPEN_NOFLUSH)


class ContentOperations:
    def __init__(
        self,
        engine: Engine,
        writeback: Writeback,
        buffer: RequestBuffer,
        group_sync: GroupSync,
        locks: LockOperations | None,
    ) -> None:
        self._locks = locks
        self._engine = engine
        self._writer = engine.writer
        self._open_files = engine.open_files
        self._writeback = writeback
        self._buffer, self._view = buffer, buffer.view
        self._group_sync = group_sync
        self._large_reads = LargeReads(engine.session, engine.volume.blobs)
        self._blob_map = BlobMap()

    def table(self) -> Table:
        return {
            wire.FUSE_OPEN: self.open,
            wire.FUSE_READ: self.read,
            wire.FUSE_WRITE: self.write,
            wire.FUSE_FLUSH: self.flush,
            wire.FUSE_RELEASE: self.release,
            wire.FUSE_FSYNC: self.fsync,
            wire.FUSE_FSYNCDIR: self.fsyncdir,
        }

    # -- opening ---------------------------------------------------------------------------------------

    def open(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        flags, open_flags = wire.fuse_open_in.unpack_from(self._view, BODY)
        if not flags & (os.O_ACCMODE | os.O_TRUNC):
            if self._locks is not None:
                return self._opened(self._open_files.need(nodeid), flags)
            self._open_files.opened(nodeid)
            return _OPENED_FOR_READING if self._is_cache_good(nodeid) else _OPENED_UNCACHED
        file = self._open_files.need(nodeid)
        if self._is_name_gone(file):  # the kernel looks it up again, and may make a new file
            self._open_files.drop_if_idle(file)
            return -errno.ESTALE
        if not flags & os.O_TRUNC:
            return self._opened(file, flags)
        if file.layers:
            self._later(unique, file, lambda: self._truncate_and_open(file, flags, open_flags))
            return None
        return self._truncate_and_open(file, flags, open_flags)

    def _is_name_gone(self, file: OpenFile) -> bool:
        """Whether others took the file's last name, and the kernel does not know yet: what is written now shall not be lost.

        Once it knows, a file is opened by its descriptor only, or it is a temporary one of its own.
        """
        try:
            return files.stat(self._writer, file.ino).nlink == 0 and not file.unlinked
        except NotFound:
            return True

    def _is_cache_good(self, nodeid: int) -> bool:
        """Whether the kernel's pages of the file, if it has any, are the volume's."""
        low, high = self._engine.invalidator.uncertain
        return high == 0 or not low < files.stat(self._writer, nodeid).content_revision <= high

    def _opened(self, file: OpenFile, flags: int) -> bytes:
        self._open_files.opened(file.ino)
        reply = wire.FOPEN_KEEP_CACHE if self._is_cache_good(file.ino) else 0
        handle, flush = 0, flags & os.O_ACCMODE != os.O_RDONLY
        if self._locks is not None:
            handle, flush = self._locks.opened(file.ino, may_skip_flush=not flush)
        return wire.fuse_open_out.pack(handle, reply if flush else reply | wire.FOPEN_NOFLUSH)

    def _truncate_and_open(self, file: OpenFile, flags: int, open_flags: int) -> bytes | int:
        try:
            self._writeback.cut(file, 0)
            with self._engine.begin("truncate") as txn:
                node = content.truncate(txn, Ino(file.ino), 0)
                if open_flags & wire.FUSE_OPEN_KILL_SUIDGID:
                    files.set_attributes(txn, node.ino, mode=without_suid(node.mode))
        except BaseException as error:
            self._open_files.drop_if_idle(file)
            if isinstance(error, NotFound):  # others deleted it: the kernel looks its name up again, and may make a new one
                return -errno.ESTALE
            raise
        return self._opened(file, flags)

    def _later(self, unique: int, file: OpenFile, work: Callable[[], bytes | int]) -> None:
        """Answer once the file has no layer left."""
        self._writeback.after_layers(file, lambda: self._engine.answer_with(unique, work))

    # -- reading and writing ---------------------------------------------------------------------------

    def read(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        _, offset, size, _, _, _ = wire.fuse_read_in.unpack_from(self._view, BODY)
        if size > wire.MAX_READ_BYTES:
            return -errno.EINVAL
        file = self._open_files.get(nodeid)
        node = files.stat(self._writer, nodeid)
        if file is None or not file.pending:
            if node.size_bytes > INLINE_MAX_BYTES:
                return self._read_large(unique, node, offset, size)
            return content.read_node(self._writer, node, offset, size)
        length = min(size, file.shown(node).size_bytes - offset)
        if length <= 0:
            return DONE
        target = bytearray(length)
        stored = content.read_node(self._writer, node, offset, length)
        target[: len(stored)] = stored
        file.overlay(offset, target)
        return bytes(target)

    def _read_large(self, unique: int, node: Node, offset: int, size: int) -> Answer:
        """From blobs into the answer; what stands in rows is read by a reader if other connections see it, too."""
        length = min(size, node.size_bytes - offset)
        if length <= 0:
            return DONE
        parts = self._blob_map.parts(node, offset, length)
        if parts is not None:
            try:
                self._large_reads.answer(unique, node.ino, length, parts)
                return None
            except CorruptContent:  # it may lie elsewhere now
                self._blob_map.forget(node.ino)
        if self._writer.group_open:  # the turn is this process's: nobody changes anything between two statements
            return self._read_through(self._writer, unique, node, offset, size)
        with self._engine.volume.snapshot() as view:
            return self._read_through(view, unique, files.stat(view, node.ino), offset, size)

    def _read_through(self, view: Reader, unique: int, node: Node, offset: int, size: int) -> Answer:
        length = min(size, node.size_bytes - offset)
        if length <= 0:
            return DONE
        committed = self._is_committed(node)
        parts = (self._blob_map.learn if committed else content.blob_parts)(view, node, offset, length)
        if parts is not None:
            self._large_reads.answer(unique, node.ino, length, parts)
        elif committed:
            self._large_reads.submit(partial(self._read_rows_later, unique, node, offset, size))
        else:
            return content.read_node(view, node, offset, size)
        return None

    def _is_committed(self, node: Node) -> bool:
        """Whether other connections see the content, too."""
        return not self._writer.group_open or node.content_revision <= self._writer.group_base

    def _read_rows_later(self, unique: int, node: Node, offset: int, size: int) -> None:
        """In a reader's thread: some of it may have to come from the disk, and the loop does not wait for that."""
        try:
            with self._engine.volume.snapshot() as view:
                answer: bytes | int = content.read(view, node.ino, offset, size)
        except VexfsError as error:
            answer = -error.errno
        except Exception:
            logger.exception("a read failed", extra={"ino": node.ino})
            answer = -errno.EIO
        self._engine.session.answer(unique, answer)

    def close(self) -> None:
        """Answer what is being read, then stop the readers; idempotent."""
        self._large_reads.close()

    def write(self, unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        _, offset, size, write_flags, _, flags = wire.fuse_write_in.unpack_from(self._view, BODY)
        if size != end - _WRITE_BODY:
            return -errno.EINVAL
        file = self._open_files.need(nodeid)
        if file.error:
            return -file.take_error()
        if self._writer.failure is not None:
            return -errno.EROFS
        if offset + size > content.FILE_MAX_BYTES:
            return -errno.EFBIG
        if flags & os.O_APPEND and not write_flags & wire.FUSE_WRITE_CACHE:
            offset = self._append_offset(file, offset)
        if write_flags & wire.FUSE_WRITE_KILL_SUIDGID:
            take_suid(self._engine, Ino(nodeid))
        if end > HEAD_BYTES:
            taken = self._writeback.write_large(file, offset, self._view[_WRITE_BODY:HEAD_BYTES], self._buffer, end)
        else:
            taken = self._writeback.write(file, offset, bytes(self._view[_WRITE_BODY : _WRITE_BODY + size]))
        if taken:
            return _FULL(size)
        self._writeback.when_room(lambda: self._engine.session.reply(unique, _FULL(size)))
        return None

    def _append_offset(self, file: OpenFile, offset: int) -> int:
        """Where an append goes: the kernel computed `offset` from a size that another process may have changed since."""
        if file.dirty is not None and offset == file.dirty.end and not file.stale:
            return offset
        size = file.shown(files.stat(self._writer, file.ino)).size_bytes
        file.stale = False
        if size != offset:
            self._engine.invalidator.forget_inode(file.ino)
        return size

    # -- closing and syncing ---------------------------------------------------------------------------

    def flush(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        """close(2) of a handle that may have written: its bytes are in the group when this is answered."""
        file = self._open_files.get(nodeid)
        if file is None:
            return DONE
        _, owner = wire.fuse_flush_in.unpack_from(self._view, BODY)
        if file.pending and not file.unlinked and not self._writeback.flush(file):
            self._later(unique, file, lambda: self._flushed(file, owner))
            return None
        return self._flushed(file, owner)

    def _flushed(self, file: OpenFile, owner: int) -> bytes | int:
        if self._locks is not None:
            self._locks.flushed(file.ino, owner)
        return -file.take_error() or DONE

    def release(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        file = self._open_files.get(nodeid)
        if self._locks is not None:
            handle, _, flags, owner = wire.fuse_release_in.unpack_from(self._view, BODY)
            self._locks.released(nodeid, handle, flock_owner=owner if flags & wire.FUSE_RELEASE_FLOCK_UNLOCK else None)
        if file is None:
            return DONE
        if self._open_files.closed(file):
            self._large_reads.closed(nodeid)
            self._blob_map.forget(nodeid)
            if file.unlinked:
                self._end_orphan(file)
            self._open_files.drop_if_idle(file)
        return DONE

    def _end_orphan(self, file: OpenFile) -> None:
        self._writeback.discard(file)
        file.unlinked = False
        with self._engine.begin("forget") as txn:
            files.forget_orphan(txn, Ino(file.ino))

    def removed_elsewhere(self, ino: int) -> None:
        """Another process took the file's last name. Open here, it lives on until it is closed; if it was kept for this mount,
        which has closed it meanwhile, it goes now.
        """
        file = self._open_files.get(ino)
        if file is not None and file.opens > 0:
            file.unlinked = files.is_nameless(self._writer, ino)
        elif files.is_nameless(self._writer, ino, holder=self._writer.origin):
            with self._engine.begin("forget") as txn:
                files.forget_orphan(txn, Ino(ino))

    def fsync(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        file = self._open_files.get(nodeid)
        if file is not None and file.pending and not self._writeback.flush(file):
            self._writeback.after_layers(file, lambda: self._group_sync.add(unique, nodeid))
        else:
            self._group_sync.add(unique, nodeid)
        return None

    def fsyncdir(self, unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        self._group_sync.add(unique, 0)
        return None
