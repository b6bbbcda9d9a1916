"""Ranges of open files: lseek for data and holes, fallocate, copy_file_range.

Called by the loop. What is pending of a file goes into the group first, so that the volume's rows tell the whole truth; where a
worker has some of it in hand, the answer comes later. The kernel itself drops the pages of what is punched or copied over.
Cloning (FICLONE) is no request of the FUSE protocol: the kernel refuses it, and programs copy with copy_file_range, which
shares what can be shared.
"""

import errno
import os
from collections.abc import Callable

from vexfs.core import copying, files, ranges
from vexfs.core.types import Ino
from vexfs.mount import wire
from vexfs.mount.engine import Engine
from vexfs.mount.operations.attributes import take_suid
from vexfs.mount.requests import BODY, DONE, Answer, RequestBuffer, Table
from vexfs.mount.writeback import Writeback

_KEEP_SIZE, _PUNCH_HOLE, _ZERO_RANGE = wire.FALLOC_FL_KEEP_SIZE, wire.FALLOC_FL_PUNCH_HOLE, wire.FALLOC_FL_ZERO_RANGE
_ALLOCATING = (0, _KEEP_SIZE)
_ZEROING = (_PUNCH_HOLE | _KEEP_SIZE, _ZERO_RANGE, _ZERO_RANGE | _KEEP_SIZE)


class RangeOperations:
    def __init__(self, engine: Engine, writeback: Writeback, buffer: RequestBuffer) -> None:
        self._engine = engine
        self._open_files = engine.open_files
        self._writeback = writeback
        self._view = buffer.view

    def table(self) -> Table:
        return {
            wire.FUSE_LSEEK: self.lseek,
            wire.FUSE_FALLOCATE: self.fallocate,
            wire.FUSE_COPY_FILE_RANGE: self.copy_file_range,
            wire.FUSE_COPY_FILE_RANGE_64: self.copy_file_range_64,
        }

    def _settled(self, unique: int, inos: tuple[int, ...], work: Callable[[], bytes | int]) -> Answer:
        """Do the work once nothing of the files is pending any more: now, or later."""
        known = [file for ino in inos if (file := self._open_files.get(ino)) is not None]
        settled = self._writeback.settle(known, lambda: self._engine.answer_with(unique, work))
        return work() if settled else None

    def _changed_by(self, ino: Ino, uid: int) -> None:
        """These requests do not say what their caller may keep of set-user-id: only root may."""
        file = self._open_files.get(ino)
        if file is not None:
            file.stale = True  # the next append computes its offset afresh
        if uid != 0:
            take_suid(self._engine, ino)

    # -- lseek -------------------------------------------------------------------------------------------

    def lseek(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        _, offset, whence = wire.fuse_lseek_in.unpack_from(self._view, BODY)
        if whence not in (os.SEEK_DATA, os.SEEK_HOLE):
            return -errno.EINVAL
        return self._settled(unique, (nodeid,), lambda: self._seek(nodeid, offset, whence))

    def _seek(self, nodeid: int, offset: int, whence: int) -> bytes | int:
        writer = self._engine.writer
        find = ranges.next_data if whence == os.SEEK_DATA else ranges.next_hole
        found = find(writer, files.stat(writer, nodeid), offset)
        return -errno.ENXIO if found is None else wire.fuse_lseek_out.pack(found)

    # -- fallocate ---------------------------------------------------------------------------------------

    def fallocate(self, unique: int, nodeid: int, _end: int, uid: int, _gid: int) -> Answer:
        _, offset, length, mode = wire.fuse_fallocate_in.unpack_from(self._view, BODY)
        if mode not in _ALLOCATING and mode not in _ZEROING:
            return -errno.EOPNOTSUPP
        return self._settled(unique, (nodeid,), lambda: self._reserve(Ino(nodeid), offset, length, mode, uid))

    def _reserve(self, ino: Ino, offset: int, length: int, mode: int, uid: int) -> bytes:
        change = ranges.allocate if mode in _ALLOCATING else ranges.zero
        with self._engine.begin("reserve" if mode in _ALLOCATING else "zero") as txn:
            change(txn, ino, offset, length, keep_size=bool(mode & _KEEP_SIZE))
        self._changed_by(ino, uid)
        return DONE

    # -- copy_file_range ---------------------------------------------------------------------------------

    def copy_file_range(self, unique: int, nodeid: int, _end: int, uid: int, _gid: int) -> Answer:
        return self._copy(unique, nodeid, uid, wire.fuse_write_out.pack)

    def copy_file_range_64(self, unique: int, nodeid: int, _end: int, uid: int, _gid: int) -> Answer:
        return self._copy(unique, nodeid, uid, wire.fuse_copy_file_range_out.pack)

    def _copy(self, unique: int, nodeid: int, uid: int, pack: Callable[[int], bytes]) -> Answer:
        _, offset, target, _, target_offset, length, flags = wire.fuse_copy_file_range_in.unpack_from(self._view, BODY)
        if flags:
            return -errno.EINVAL

        def work() -> bytes:
            with self._engine.begin("copy_range") as txn:
                copied = copying.copy_range(txn, Ino(nodeid), offset, Ino(target), target_offset, length)
            self._changed_by(Ino(target), uid)
            return pack(copied)

        return self._settled(unique, (nodeid, target), work)
