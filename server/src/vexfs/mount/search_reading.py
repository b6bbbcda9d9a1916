"""Reading in `.search`: files are opened with the content they have then, directories with their entries.

Used by `search_directory` in the loop's thread. What is opened stays as it was until it is opened again. The first read of a
directory that asks is what searches, in a worker.
"""

import errno
import stat
import time
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from vexfs.core import saved_queries
from vexfs.core.errors import VexfsError
from vexfs.mount import wire
from vexfs.mount.api_client import ApiClient, Cancelled, Job
from vexfs.mount.engine import Engine
from vexfs.mount.operations.directories import dirent
from vexfs.mount.requests import BODY, DONE, Answer, RequestBuffer, Table
from vexfs.mount.search_nodes import (
    ASKING,
    EXPLAIN,
    LINK,
    META,
    RESULTS,
    ROOT,
    ROOT_STATUS,
    SAVED,
    SAVED_FOLDER,
    SETTING,
    Place,
    place_of,
)
from vexfs.mount.search_queries import FRESH_S, Queries, Query
from vexfs.mount.search_results import EXPLAIN_NAME, RESULTS_NAME, STATUS_NAME, ResultSet, document
from vexfs.mount.search_saved import writable
from vexfs.mount.search_tree import META_NAME, SAVED_NAME, Content, SearchTree

STATUS_TIMEOUT_S = 2.0
_NO_LOOKUP = bytes(wire.fuse_entry_out.size)


class _Entry(NamedTuple):
    """A name in a listing."""

    name: bytes
    nodeid: int
    type: int


class _OpenDirectory:
    """What a directory has shown since it was opened; None before the first read of one that asks."""

    def __init__(self, entries: list[_Entry] | None = None) -> None:
        self.entries = entries


class SearchReading:
    """See the module."""

    def __init__(self, engine: Engine, api: ApiClient, queries: Queries, tree: SearchTree, buffer: RequestBuffer) -> None:
        self._writer = engine.writer
        self._api = api
        self._queries = queries
        self._tree = tree
        self._view = buffer.view
        self._next_handle = count(1)
        self._handles: dict[int, bytes | _OpenDirectory] = {}
        """Of open files their content."""

    def table(self) -> Table:
        return {
            wire.FUSE_OPEN: self.open,
            wire.FUSE_READ: self.read,
            wire.FUSE_RELEASE: self.release,
            wire.FUSE_FLUSH: lambda *_: DONE,
            wire.FUSE_OPENDIR: self.opendir,
            wire.FUSE_READDIR: lambda unique, nodeid, *_: self._readdir(unique, nodeid, b""),
            wire.FUSE_READDIRPLUS: lambda unique, nodeid, *_: self._readdir(unique, nodeid, _NO_LOOKUP),
            wire.FUSE_RELEASEDIR: self.release,
        }

    def _opened(self, what: bytes | _OpenDirectory, flags: int) -> bytes:
        handle = next(self._next_handle)  # a worker's, too
        self._handles[handle] = what
        return wire.fuse_open_out.pack(handle, flags)

    def open(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        flags, _ = wire.fuse_open_in.unpack_from(self._view, BODY)
        place = place_of(nodeid)
        if not writable(place, flags):
            return -errno.EROFS
        direct = wire.FOPEN_DIRECT_IO | wire.FOPEN_NOFLUSH
        if place.kind == ROOT_STATUS:
            return self._queries.in_worker(unique, lambda job: self._opened(self._new_status(job), direct))
        content = self._tree.content(place)
        return -errno.ESTALE if content is None else self._opened(content.text, direct)

    def _new_status(self, job: Job) -> bytes:
        text = self._server_status(job)
        if text != self._tree.last_status.text:
            self._tree.last_status = Content(text, time.time_ns())
        return text

    def _server_status(self, job: Job) -> bytes:
        """Positions of store and views; that the server does not answer is a status, too."""
        try:
            info = self._api.server_info(STATUS_TIMEOUT_S, job)
        except Cancelled:
            raise
        except VexfsError as error:
            return document({"state": "unavailable", "error": error.message})
        degraded = [
            view for view in info.get("views", []) if view.get("state") not in ("VIEW_STATE_READY", "VIEW_STATE_BEHIND")
        ]
        state = "degraded" if degraded else "ready"
        return document({"state": state, **{key: info.get(key) for key in ("version", "revision", "store", "views", "text")}})

    def read(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        handle, offset, size, _, _, _ = wire.fuse_read_in.unpack_from(self._view, BODY)
        content = self._handles.get(handle)
        return content[offset : offset + size] if isinstance(content, bytes) else -errno.EBADF

    def release(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        self._handles.pop(wire.fuse_release_in.unpack_from(self._view, BODY)[0], None)
        return DONE

    def opendir(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        place = place_of(nodeid)
        if place.kind == ROOT:
            return self._opened(_OpenDirectory(list(self._in_root())), 0)
        if place.kind == SAVED_FOLDER:
            listed = saved_queries.listed(self._writer)
            entries = [_Entry(name, Place(SAVED, ino).nodeid, stat.S_IFDIR) for name, ino in listed]
            return self._opened(_OpenDirectory(entries), 0)
        query = self._tree.query(place)
        if query is None:
            return -errno.ESTALE
        if place.kind == META:
            settings = enumerate(saved_queries.SETTINGS)
            entries = [_Entry(name.encode(), Place(SETTING, place.number, at).nodeid, stat.S_IFREG) for at, name in settings]
            return self._opened(_OpenDirectory(entries), 0)
        if place.kind not in ASKING:
            return -errno.ENOTDIR
        return self._opened(_OpenDirectory(), 0)

    def _in_root(self) -> Iterable[_Entry]:
        yield _Entry(STATUS_NAME, Place(ROOT_STATUS).nodeid, stat.S_IFREG)
        yield _Entry(SAVED_NAME, Place(SAVED_FOLDER).nodeid, stat.S_IFDIR)
        for name, _ in saved_queries.listed(self._writer):
            yield _Entry(name, self._tree.shortcut(name).nodeid, stat.S_IFLNK)

    def _listing(self, place: Place, query: Query, results: ResultSet) -> list[_Entry]:
        listing = [
            _Entry(RESULTS_NAME, Place(RESULTS, results.number).nodeid, stat.S_IFREG),
            _Entry(STATUS_NAME, place.status.nodeid, stat.S_IFREG),
            _Entry(EXPLAIN_NAME, Place(EXPLAIN, results.number).nodeid, stat.S_IFREG),
        ]
        if place.kind == SAVED:
            listing.append(_Entry(META_NAME, Place(META, place.number).nodeid, stat.S_IFDIR))
        shown = [(name, (results, rank)) for name, rank in results.index.items() if name not in query.leaving]
        arrived = [item for item in list(query.arrived.items()) if item[0] not in results.index]
        links = [(name, Place(LINK, found.number, rank).nodeid) for name, (found, rank) in shown + arrived]
        return listing + [_Entry(name, nodeid, stat.S_IFLNK) for name, nodeid in links]

    def _readdir(self, unique: int, nodeid: int, before: bytes) -> Answer:
        """Directory entries, each with `before` in front: readdirplus takes an empty fuse_entry_out as "not looked up".

        The first read of a directory that asks is what searches: programs open directories that they do not read.
        """
        handle, offset, size, _, _, _ = wire.fuse_read_in.unpack_from(self._view, BODY)
        directory = self._handles.get(handle)
        if not isinstance(directory, _OpenDirectory):
            return -errno.EBADF
        if directory.entries is not None:
            return _entries(directory.entries, nodeid, offset, size, before)
        place = place_of(nodeid)
        query = self._tree.query(place)
        if query is None:
            return -errno.ESTALE

        def read(results: ResultSet) -> bytes:
            directory.entries = self._listing(place, query, results)
            return _entries(directory.entries, nodeid, offset, size, before)

        return self._tree.with_results(unique, place, query, FRESH_S, read)


def _entries(listing: list[_Entry], nodeid: int, offset: int, size: int, before: bytes) -> bytes:
    """Those from `offset` on that fit into `size` bytes."""
    dots = [_Entry(b".", nodeid, stat.S_IFDIR), _Entry(b"..", Place(ROOT).nodeid, stat.S_IFDIR)]
    parts: list[bytes] = []
    for place, (name, number, mode) in enumerate([*dots, *listing][offset:], start=offset + 1):
        part = before + dirent(name, number, place, mode >> 12)
        size -= len(part)
        if size < 0:
            break
        parts.append(part)
    return b"".join(parts)
