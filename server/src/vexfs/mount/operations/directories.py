"""Directories: opendir, readdir and readdirplus, releasedir.

Called by the loop. What an offset stands for, and what is there now, is `Listing`'s; on the wire 1 and 2 are behind `.` and
`..`.
"""

import errno

from vexfs.core import files
from vexfs.core.types import ROOT_INO, DirectoryEntry, Ino
from vexfs.mount import replies, wire
from vexfs.mount.engine import Engine
from vexfs.mount.listing import Listing, Pack
from vexfs.mount.open_files import OpenFiles
from vexfs.mount.requests import BODY, DONE, SEARCH_NAME, Answer, RequestBuffer, Table
from vexfs.store import dentries

_DOTS = 2
_OFFSET_DOT, _OFFSET_DOT_DOT = 1, 2
_TYPE_DIRECTORY = 4
_NO_LOOKUP = bytes(wire.fuse_entry_out.size)
_pack_dirent = wire.fuse_dirent.pack
_PADDINGS = [bytes(-length & 7) for length in range(8)]
"""What stands behind a name of so many bytes more than a multiple of 8."""


class DirectoryOperations:
    def __init__(self, engine: Engine, buffer: RequestBuffer) -> None:
        self._engine = engine
        self._open_files: OpenFiles = engine.open_files
        self._view = buffer.view
        self._listings: dict[int, Listing] = {}
        self._next_handle = 1

    def table(self) -> Table:
        return {
            wire.FUSE_OPENDIR: self.opendir,
            wire.FUSE_READDIR: self.readdir,
            wire.FUSE_READDIRPLUS: self.readdirplus,
            wire.FUSE_RELEASEDIR: self.releasedir,
        }

    def opendir(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        handle = self._next_handle
        self._next_handle += 1
        self._listings[handle] = Listing(nodeid)
        # No FOPEN_CACHE_DIR: a listing from the kernel's cache cannot bring attributes, and `ls -l` would look each name up.
        return wire.fuse_open_out.pack(handle, 0)

    def releasedir(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        handle = wire.fuse_release_in.unpack_from(self._view, BODY)[0]
        self._listings.pop(handle, None)
        return DONE

    def readdir(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        return self._read(plus=False)

    def readdirplus(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        return self._read(plus=True)

    def _read(self, *, plus: bool) -> Answer:
        handle, offset, size, _, _, _ = wire.fuse_read_in.unpack_from(self._view, BODY)
        if size > wire.MAX_READ_BYTES:
            return -errno.EINVAL
        listing = self._listings.get(handle)
        if listing is None:
            return -errno.EBADF
        if offset == 0:
            files.stat(self._engine.writer, listing.ino)
            listing = self._listings[handle] = Listing(listing.ino)
        parts = self._dots(listing.ino, offset, plus=plus)
        room = size - sum(map(len, parts))
        pack: Pack = self._entry_plus if plus else self._entry
        if listing.ino == ROOT_INO:
            pack = _without_search(pack)
        parts += listing.read(self._engine.writer, max(offset - _DOTS, 0), room, pack, self._engine.version())
        return b"".join(parts)

    def _dots(self, ino: int, offset: int, *, plus: bool) -> list[bytes]:
        """The entries `.` and `..` when the listing begins before them."""
        parts = []
        if offset < _OFFSET_DOT:
            parts.append(dirent(b".", ino, _OFFSET_DOT, _TYPE_DIRECTORY))
        if offset < _OFFSET_DOT_DOT:
            parts.append(dirent(b"..", self._parent(ino), _OFFSET_DOT_DOT, _TYPE_DIRECTORY))
        return [_NO_LOOKUP + part for part in parts] if plus else parts

    def _parent(self, ino: int) -> int:
        names = dentries.names_of(self._engine.writer, Ino(ino))
        return names[0][0] if names else ino

    def _entry(self, entry: DirectoryEntry, behind: int) -> bytes:
        name, node = entry
        return dirent(name, node.ino, behind + _DOTS, node.mode >> 12)

    def _entry_plus(self, entry: DirectoryEntry, behind: int) -> bytes:
        name, node = entry
        known = replies.entry_of(node, self._open_files.get(node.ino))
        return known + dirent(name, node.ino, behind + _DOTS, node.mode >> 12)


def _without_search(pack: Pack) -> Pack:
    """A file `.search` at the root, made over the API, is not shown: it would stand where searches are asked."""
    return lambda entry, behind: b"" if entry.name == SEARCH_NAME else pack(entry, behind)


def dirent(name: bytes, ino: int, offset: int, kind: int) -> bytes:
    """A fuse_dirent with its name, padded."""
    length = len(name)
    return _pack_dirent(ino, offset, length, kind) + name + _PADDINGS[length & 7]
