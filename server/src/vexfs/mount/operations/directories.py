"""Directories: opendir, readdir and readdirplus, releasedir.

Called by the loop. A stream pages through the names by key: it holds one page and, for each page it has seen, where it began.
So a listing of any size takes little memory, sees each name that stays exactly once, and can be rewound. Offsets on the wire
are positions in the stream: 1 and 2 behind `.` and `..`.
"""

import errno

from vexfs.core import files
from vexfs.core.types import ROOT_INO, DirectoryEntry, Ino
from vexfs.mount import replies, wire
from vexfs.mount.engine import Engine
from vexfs.mount.open_files import OpenFiles
from vexfs.mount.requests import BODY, DONE, SEARCH_NAME, Answer, RequestBuffer, Table

PAGE_ENTRIES = 512
_DOTS = 2
_OFFSET_DOT, _OFFSET_DOT_DOT = 1, 2
_TYPE_DIRECTORY = 4
_NO_LOOKUP = bytes(wire.fuse_entry_out.size)
_pack_dirent = wire.fuse_dirent.pack


class DirectoryStream:
    """One opendir. Entry number n (from 0, dots not counted) has the offset n + 3 behind it."""

    def __init__(self, ino: int) -> None:
        self.ino = ino
        self._page: list[DirectoryEntry] = []
        self._page_start = 0
        self._starts: list[bytes] = [b""]
        """By page number, the name behind which the page begins."""
        self._loaded = -1

    def rewind(self) -> None:
        """The next read sees the directory as it is then."""
        self._loaded = -1
        del self._starts[1:]

    def page_at(self, engine: Engine, number: int) -> tuple[list[DirectoryEntry], int]:
        """The page that holds entry `number`, and that entry's place in it; an empty page behind the end."""
        wanted = number // PAGE_ENTRIES
        if wanted != self._loaded:
            while len(self._starts) <= wanted:
                if not self._load(engine, len(self._starts) - 1):
                    return [], 0
            self._load(engine, wanted)
        return self._page, number - wanted * PAGE_ENTRIES

    def _load(self, engine: Engine, page: int) -> bool:
        """Read a page; True when another follows."""
        self._page = files.list_directory(engine.writer, Ino(self.ino), self._starts[page], PAGE_ENTRIES)
        self._loaded = page
        if len(self._page) < PAGE_ENTRIES:
            return False
        if len(self._starts) == page + 1:
            self._starts.append(self._page[-1].name)
        return True


class DirectoryOperations:
    def __init__(self, engine: Engine, buffer: RequestBuffer) -> None:
        self._engine = engine
        self._open_files: OpenFiles = engine.open_files
        self._view = buffer.view
        self._streams: dict[int, DirectoryStream] = {}
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
        self._streams[handle] = DirectoryStream(nodeid)
        # No FOPEN_CACHE_DIR: a listing from the kernel's cache cannot bring attributes, and `ls -l` would look each name up.
        return wire.fuse_open_out.pack(handle, 0)

    def releasedir(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        handle = wire.fuse_release_in.unpack_from(self._view, BODY)[0]
        self._streams.pop(handle, None)
        return DONE

    def readdir(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        return self._read(plus=False)

    def readdirplus(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        return self._read(plus=True)

    def _read(self, *, plus: bool) -> Answer:
        handle, offset, size, _, _, _ = wire.fuse_read_in.unpack_from(self._view, BODY)
        stream = self._streams.get(handle)
        if stream is None:
            return -errno.EBADF
        if offset == 0:
            stream.rewind()
        parts: list[bytes] = []
        room = size - self._dots(parts, stream.ino, offset, plus=plus)
        number = max(offset - _DOTS, 0)
        while room > 0:
            page, start = stream.page_at(self._engine, number)
            if start >= len(page):
                break
            for entry in page[start:]:
                number += 1
                if entry.name == SEARCH_NAME and stream.ino == ROOT_INO:
                    continue  # made over the API: shown, it would stand where searches are asked
                part = self._entry(entry, number + _DOTS, plus=plus)
                room -= len(part)
                if room < 0:
                    return b"".join(parts)
                parts.append(part)
        return b"".join(parts)

    def _dots(self, parts: list[bytes], ino: int, offset: int, *, plus: bool) -> int:
        """The entries `.` and `..` when the listing begins before them; returns their bytes. The kernel knows the parent
        itself.
        """
        for behind, name in ((_OFFSET_DOT, b"."), (_OFFSET_DOT_DOT, b"..")):
            if offset < behind:
                record = dirent(name, ino, behind, _TYPE_DIRECTORY)
                parts.append(_NO_LOOKUP + record if plus else record)
        return sum(map(len, parts))

    def _entry(self, entry: DirectoryEntry, offset: int, *, plus: bool) -> bytes:
        name, node = entry
        record = dirent(name, node.ino, offset, node.mode >> 12)
        if not plus:
            return record
        return replies.entry_of(node, self._open_files.get(node.ino)) + record


def dirent(name: bytes, ino: int, offset: int, kind: int) -> bytes:
    """A fuse_dirent with its name, padded."""
    length = len(name)
    return (_pack_dirent(ino, offset, length, kind) + name).ljust((24 + length + 7) & ~7, b"\0")
