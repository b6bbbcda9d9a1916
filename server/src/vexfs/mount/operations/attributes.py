"""Attributes: getattr, statx, setattr, readlink, statfs.

Called by the loop. What is pending in memory is part of a file's size and times. With the kernel's permission checks on
(`default_permissions`) a request that arrives here is allowed; what remains is which bits a change of owner or content takes
away.
"""

import os
import stat
import time

from vexfs.core import content, files
from vexfs.core.errors import NotFound
from vexfs.core.types import NAME_MAX_BYTES, Ino, Node
from vexfs.mount import replies, wire
from vexfs.mount.engine import Engine
from vexfs.mount.open_files import OpenFile
from vexfs.mount.requests import BODY, Answer, RequestBuffer, Table
from vexfs.mount.writeback import Writeback
from vexfs.store.usage import UNLIMITED
from vexfs.store.writer import Transaction


class AttributeOperations:
    def __init__(self, engine: Engine, writeback: Writeback, buffer: RequestBuffer) -> None:
        self._engine = engine
        self._writer = engine.writer
        self._open_files = engine.open_files
        self._writeback = writeback
        self._view = buffer.view

    def table(self) -> Table:
        return {
            wire.FUSE_GETATTR: self.getattr,
            wire.FUSE_STATX: self.statx,
            wire.FUSE_SETATTR: self.setattr,
            wire.FUSE_READLINK: self.readlink,
            wire.FUSE_STATFS: self.statfs,
        }

    def getattr(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        return replies.attributes_of(self._node(nodeid), self._open_files.get(nodeid))

    def statx(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        """As getattr: comes when somebody asks for the time of creation, which the kernel keeps from then on."""
        return replies.statx_of(self._node(nodeid), self._open_files.get(nodeid))

    def _node(self, nodeid: int) -> Node:
        try:
            return files.stat(self._writer, nodeid)
        except NotFound:
            gone = self._open_files.gone(nodeid)
            if gone is None:
                raise
            return gone

    # -- changing --------------------------------------------------------------------------------------

    def setattr(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        fields = wire.fuse_setattr_in.unpack_from(self._view, BODY)
        file = self._open_files.get(nodeid)
        if file is not None and file.layers and fields[0] & wire.FATTR_SIZE:
            self._writeback.after_layers(file, lambda: self._engine.answer_with(unique, lambda: self._set(nodeid, fields)))
            return None
        return self._set(nodeid, fields)

    def _set(self, nodeid: int, fields: tuple[int, ...]) -> bytes:
        valid, _, size, _, atime, mtime, ctime, atime_ns, mtime_ns, ctime_ns, mode, _, uid, gid = fields
        file = self._open_files.get(nodeid)
        gone = self._open_files.gone(nodeid)
        if gone is not None and file is None:  # a directory that somebody still stands in
            return replies.attributes(self._open_files.removed(_changed(gone, fields)))
        with self._engine.begin("set_attributes") as txn:
            node = files.stat(txn, nodeid)
            if valid & wire.FATTR_SIZE:
                node = self._truncate(txn, file, node, size)
            new_mode = mode if valid & wire.FATTR_MODE else None
            if kept := _kept_mode(node, valid, mode):
                new_mode = kept
            new_mtime = _time(valid, wire.FATTR_MTIME, wire.FATTR_MTIME_NOW, mtime, mtime_ns, txn.now_ns)
            node = files.set_attributes(
                txn,
                Ino(nodeid),
                mode=new_mode,
                uid=uid if valid & wire.FATTR_UID else None,
                gid=gid if valid & wire.FATTR_GID else None,
                atime_ns=_time(valid, wire.FATTR_ATIME, wire.FATTR_ATIME_NOW, atime, atime_ns, txn.now_ns),
                mtime_ns=new_mtime,
                ctime_ns=replies.join_time(ctime, ctime_ns) if valid & wire.FATTR_CTIME else None,
            )
        if file is not None and new_mtime is not None:
            file.mtime_ns = new_mtime  # bytes that are still pending must not bring their own time back
        return replies.attributes_of(node, file)

    def _truncate(self, txn: Transaction, file: OpenFile | None, node: Node, size: int) -> Node:
        node = content.truncate(txn, node.ino, size)
        if file is not None:
            self._writeback.cut(file, size)
            file.mtime_ns = txn.now_ns
        return node

    # -- reading ---------------------------------------------------------------------------------------

    def readlink(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        return files.read_symlink(self._writer, Ino(nodeid))

    def statfs(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        """The disk underneath; where the volume has a quota, that is the size of the file system."""
        disk = os.statvfs(self._engine.volume.folder)
        used, block_bytes = self._writeback.reservations.usage(), disk.f_frsize
        blocks, free, available, inodes, free_inodes = disk.f_blocks, disk.f_bfree, disk.f_bavail, disk.f_files, disk.f_ffree
        if used.limit_bytes != UNLIMITED:
            blocks, free = used.limit_bytes // block_bytes, max(0, used.free_bytes) // block_bytes
            available = min(free, available)
        if used.limit_files != UNLIMITED:
            inodes, free_inodes = used.limit_files, max(0, used.free_files)
        return wire.fuse_kstatfs.pack(blocks, free, available, inodes, free_inodes, disk.f_bsize, NAME_MAX_BYTES, block_bytes)


def _time(valid: int, given: int, now: int, seconds: int, nanoseconds: int, now_ns: int) -> int | None:
    if valid & now:
        return now_ns
    return replies.join_time(seconds, nanoseconds) if valid & given else None


def _changed(gone: Node, fields: tuple[int, ...]) -> Node:
    """A removed file as it is described, with what is to be set."""
    valid, _, _, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, _, uid, gid = fields
    now_ns = time.time_ns()
    new_atime = _time(valid, wire.FATTR_ATIME, wire.FATTR_ATIME_NOW, atime, atime_ns, now_ns)
    new_mtime = _time(valid, wire.FATTR_MTIME, wire.FATTR_MTIME_NOW, mtime, mtime_ns, now_ns)
    return gone._replace(
        mode=stat.S_IFMT(gone.mode) | stat.S_IMODE(mode) if valid & wire.FATTR_MODE else gone.mode,
        uid=uid if valid & wire.FATTR_UID else gone.uid,
        gid=gid if valid & wire.FATTR_GID else gone.gid,
        atime_ns=gone.atime_ns if new_atime is None else new_atime,
        mtime_ns=gone.mtime_ns if new_mtime is None else new_mtime,
        ctime_ns=now_ns,
    )


def without_suid(mode: int) -> int:
    """The mode without set-user-id, and without set-group-id where it means execution."""
    mode &= ~stat.S_ISUID
    return mode & ~stat.S_ISGID if mode & stat.S_IXGRP else mode


def take_suid(engine: Engine, ino: Ino) -> None:
    """A change by somebody without the right to keep them takes set-user-id and set-group-id away."""
    mode = files.stat(engine.writer, ino).mode
    if mode != without_suid(mode):
        with engine.begin("set_attributes") as txn:
            files.set_attributes(txn, ino, mode=without_suid(mode))


def _kept_mode(node: Node, valid: int, mode: int) -> int | None:
    """What a change of owner, or of size by somebody unprivileged, leaves of the mode; None when it leaves it alone."""
    if node.is_directory or not valid & (wire.FATTR_UID | wire.FATTR_GID | wire.FATTR_KILL_SUIDGID):
        return None
    before = stat.S_IMODE(mode if valid & wire.FATTR_MODE else node.mode)
    after = without_suid(before)
    return after if after != before else None
