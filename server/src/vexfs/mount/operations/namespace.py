"""Names: lookup, create, link, remove, rename.

Called by the loop. Every change is one transaction of the open group; the kernel keeps its own cache in step with what it
asked for itself, so nothing is invalidated here.
"""

import errno
import os

from vexfs.core import content, files
from vexfs.core.errors import AlreadyExists, PermissionDenied
from vexfs.core.types import NAME_MAX_BYTES, ROOT_INO, Ino, Node, Removed
from vexfs.mount import replies, wire
from vexfs.mount.engine import Engine
from vexfs.mount.open_files import OpenFile
from vexfs.mount.operations.locks import LockOperations
from vexfs.mount.requests import BODY, DONE, SEARCH_NAME, Answer, RequestBuffer, Table
from vexfs.mount.writeback import Writeback

_CREATED = wire.fuse_open_out.pack(0, wire.FOPEN_KEEP_CACHE)


class NamespaceOperations:
    def __init__(
        self,
        engine: Engine,
        writeback: Writeback,
        buffer: RequestBuffer,
        search_entry: bytes,
        locks: LockOperations | None,
    ) -> None:
        self._locks = locks
        self._engine = engine
        self._writer = engine.writer
        self._open_files = engine.open_files
        self._writeback = writeback
        self._buffer = buffer
        self._view = buffer.view
        self._search_entry = search_entry
        self._owner = os.getuid()

    def table(self) -> Table:
        return {
            wire.FUSE_LOOKUP: self.lookup,
            wire.FUSE_CREATE: self.create,
            wire.FUSE_TMPFILE: self.tmpfile,
            wire.FUSE_MKNOD: self.mknod,
            wire.FUSE_MKDIR: self.mkdir,
            wire.FUSE_SYMLINK: self.symlink,
            wire.FUSE_LINK: self.link,
            wire.FUSE_UNLINK: self.unlink,
            wire.FUSE_RMDIR: self.rmdir,
            wire.FUSE_RENAME: self.rename,
            wire.FUSE_RENAME2: self.rename2,
        }

    def _entry(self, node: Node) -> bytes:
        return replies.entry_of(node, self._open_files.get(node.ino))

    def lookup(self, _unique: int, nodeid: int, end: int, uid: int, _gid: int) -> Answer:
        name = bytes(self._view[BODY : end - 1])
        if len(name) > NAME_MAX_BYTES:
            return -errno.ENAMETOOLONG
        if nodeid == ROOT_INO and name == SEARCH_NAME:
            return self._search_entry if uid == self._owner else -errno.EACCES
        node = files.find(self._writer, Ino(nodeid), name)
        if node is None:
            return replies.NO_ENTRY
        return replies.entry_of(node, self._open_files.get(node.ino))

    def _check_new(self, nodeid: int, name: bytes) -> None:
        """`.search` at the root is the mount's own name."""
        if name == SEARCH_NAME and nodeid == ROOT_INO:
            raise PermissionDenied("the name .search at the root is reserved")

    # -- creating --------------------------------------------------------------------------------------

    def create(self, _unique: int, nodeid: int, end: int, uid: int, gid: int) -> Answer:
        flags, mode, umask, open_flags = wire.fuse_create_in.unpack_from(self._view, BODY)
        name = bytes(self._view[BODY + 16 : end - 1])
        self._check_new(nodeid, name)
        txn = self._engine.begin("create")
        try:
            node = files.create(txn, Ino(nodeid), name, mode=mode, uid=uid, gid=gid, umask=umask)
        except BaseException as error:
            txn.__exit__(type(error), error, error.__traceback__)
            if isinstance(error, AlreadyExists):
                return self._create_existing(nodeid, name, flags, open_flags)
            raise
        self._engine.keep_create(txn, node.ino)
        self._open_files.created(node.ino)
        return replies.entry(node) + (_CREATED if self._locks is None else self._opened(node.ino))

    def _opened(self, ino: int) -> bytes:
        """What a newly made file is opened with."""
        handle = 0 if self._locks is None else self._locks.opened(ino, may_skip_flush=False)[0]
        return wire.fuse_open_out.pack(handle, wire.FOPEN_KEEP_CACHE)

    def _create_existing(self, nodeid: int, name: bytes, flags: int, _open_flags: int) -> Answer:
        """Another process was faster: without O_EXCL its file is opened."""
        if flags & os.O_EXCL:
            return -errno.EEXIST
        node = files.lookup(self._writer, Ino(nodeid), name)
        if not node.is_regular:
            return -errno.EISDIR if node.is_directory else -errno.EEXIST
        if flags & os.O_TRUNC:
            with self._engine.begin("truncate") as txn:
                node = content.truncate(txn, node.ino, 0)
        self._open_files.opened(node.ino)
        handle = 0 if self._locks is None else self._locks.opened(node.ino, may_skip_flush=False)[0]
        return self._entry(node) + wire.fuse_open_out.pack(handle, 0)

    def tmpfile(self, _unique: int, nodeid: int, _end: int, uid: int, gid: int) -> Answer:
        _, mode, umask, _ = wire.fuse_create_in.unpack_from(self._view, BODY)
        with self._engine.begin("create") as txn:
            node = files.create_nameless(txn, Ino(nodeid), mode=mode, uid=uid, gid=gid, umask=umask)
        self._open_files.created(node.ino).unlinked = True
        return replies.entry(node) + self._opened(node.ino)

    def mknod(self, _unique: int, nodeid: int, end: int, uid: int, gid: int) -> Answer:
        mode, rdev, umask = wire.fuse_mknod_in.unpack_from(self._view, BODY)
        name = self._buffer.name(BODY + wire.fuse_mknod_in.size, end)
        self._check_new(nodeid, name)
        with self._engine.begin("create") as txn:
            node = files.create(txn, Ino(nodeid), name, mode=mode, uid=uid, gid=gid, rdev=rdev, umask=umask)
        return replies.entry(node)

    def mkdir(self, _unique: int, nodeid: int, end: int, uid: int, gid: int) -> Answer:
        mode, umask = wire.fuse_mkdir_in.unpack_from(self._view, BODY)
        name = self._buffer.name(BODY + wire.fuse_mkdir_in.size, end)
        self._check_new(nodeid, name)
        with self._engine.begin("make_directory") as txn:
            node = files.make_directory(txn, Ino(nodeid), name, mode=mode, uid=uid, gid=gid, umask=umask)
        return replies.entry(node)

    def symlink(self, _unique: int, nodeid: int, end: int, uid: int, gid: int) -> Answer:
        name, target = self._buffer.two_names(BODY, end)
        self._check_new(nodeid, name)
        with self._engine.begin("make_symlink") as txn:
            node = files.make_symlink(txn, Ino(nodeid), name, target=target, uid=uid, gid=gid)
        return replies.entry(node)

    def link(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        (ino,) = wire.fuse_link_in.unpack_from(self._view, BODY)
        name = self._buffer.name(BODY + wire.fuse_link_in.size, end)
        self._check_new(nodeid, name)
        file = self._open_files.get(ino)
        nameless = file is not None and file.unlinked  # of these the kernel lets only an O_TMPFILE have a name again
        with self._engine.begin("link") as txn:
            node = files.link(txn, Ino(ino), Ino(nodeid), name, nameless=nameless)
        if file is not None:
            file.unlinked = False
        return self._entry(node)

    # -- removing --------------------------------------------------------------------------------------

    def unlink(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        name = bytes(self._view[BODY : end - 1])
        in_use = bool(self._open_files) and self._is_in_use(nodeid, name)
        with self._engine.begin("remove") as txn:
            removed = files.remove(txn, Ino(nodeid), name, keep_open=in_use)
        self._note_removed(removed)
        return DONE

    def _is_in_use(self, parent: int, name: bytes) -> bool:
        node = files.find(self._writer, Ino(parent), name)
        return node is not None and self._in_use(node.ino)

    def _in_use(self, ino: Ino) -> bool:
        """Whether the file has to live on without a name until it is released."""
        file = self._open_files.get(ino)
        return file is not None and file.opens > 0

    def _note_removed(self, removed: Removed | None) -> None:
        """Bytes of a file that nobody can reach any more need not be written."""
        if removed is None or not removed.last_link:
            return
        self._open_files.removed(removed.node)
        file: OpenFile | None = self._open_files.get(removed.ino)
        if file is None:
            return
        if file.opens > 0:
            file.unlinked = True
        else:
            self._writeback.discard(file)
            self._open_files.drop_if_idle(file)

    def rmdir(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        name = self._buffer.name(BODY, end)
        with self._engine.begin("remove_directory") as txn:
            removed = files.remove_directory(txn, Ino(nodeid), name)
        self._note_removed(removed)
        return DONE

    # -- renaming --------------------------------------------------------------------------------------

    def rename(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        (new_parent,) = wire.fuse_rename_in.unpack_from(self._view, BODY)
        return self._rename(nodeid, new_parent, 0, BODY + wire.fuse_rename_in.size, end)

    def rename2(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        new_parent, flags = wire.fuse_rename2_in.unpack_from(self._view, BODY)
        return self._rename(nodeid, new_parent, flags, BODY + wire.fuse_rename2_in.size, end)

    def _rename(self, parent: int, new_parent: int, flags: int, start: int, end: int) -> Answer:
        name, new_name = self._buffer.two_names(start, end)
        if flags & ~(wire.RENAME_NOREPLACE | wire.RENAME_EXCHANGE):
            return -errno.EINVAL
        self._check_new(parent, name)
        self._check_new(new_parent, new_name)
        with self._engine.begin("rename") as txn:
            removed = files.rename(
                txn,
                Ino(parent),
                name,
                Ino(new_parent),
                new_name,
                no_replace=bool(flags & wire.RENAME_NOREPLACE),
                exchange=bool(flags & wire.RENAME_EXCHANGE),
                keep_open=self._in_use,
            )
        self._note_removed(removed)
        return DONE
