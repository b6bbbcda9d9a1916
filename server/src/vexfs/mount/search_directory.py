"""`.search`: ask by making up a name. `.search/QUERY/` is a directory of symbolic links to what answers the query, best first.

Answers the loop's requests for nodes at or above VIRTUAL_NODEID; everything is made up here. A directory searches when it is
read (or a name in it is wanted), in a worker thread (`search_queries`), and keeps what it found for a while. A search that
fails is an I/O error, told in `.status`, never an empty directory. Names that begin with a dot never search. Only the owner of
the mount may use it: hits are not filtered by permission.

`.search/.saved` has the queries that the volume keeps (`vexfs.core.saved_queries`), each a directory like the others with its
settings in `.meta`; they can be made, moved and removed there (`search_saved`). `.search/NAME` is a link to the saved query of
that name: the kernel looks a name up before it asks for a new directory, so where every name is there, none can be made.
"""

import errno
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple

from vexfs.core import files, saved_queries
from vexfs.core.errors import InvalidRequest, NotFound, VexfsError
from vexfs.core.types import NAME_MAX_BYTES, Ino, Node
from vexfs.mount import replies, search_questions, wire
from vexfs.mount.api_client import ApiClient, Cancelled, Job
from vexfs.mount.engine import Engine
from vexfs.mount.operations.directories import dirent
from vexfs.mount.requests import BODY, DONE, Answer, Handler, RequestBuffer, Table
from vexfs.mount.search_nodes import (
    ASKING,
    DIRECTORIES,
    EXPLAIN,
    LINK,
    META,
    QUERY,
    RESULTS,
    ROOT,
    ROOT_STATUS,
    SAVED,
    SAVED_FOLDER,
    SAVED_STATUS,
    SETTING,
    SHORTCUT,
    STATUS,
    Attributes,
    Place,
    place_of,
)
from vexfs.mount.search_queries import FRESH_S, KEEP_S, Queries, Query
from vexfs.mount.search_questions import Question
from vexfs.mount.search_results import EXPLAIN_NAME, LINK_NAME, RESULTS_NAME, STATUS_NAME, ResultSet, document
from vexfs.mount.search_saved import SavedChanges, writable

SAVED_NAME = b".saved"
META_NAME = b".meta"
STATUS_TIMEOUT_S = 2.0
NAMES_MAX = 4096
"""Made-up names whose numbers are remembered."""
_CACHE_SECONDS = 1
"""A name may be saved any time, here or on another mount."""
_NO_CACHE_SECONDS = 0
"""The next answer may have the same name for another file: rank, score and file name are equal when a file has moved."""
_WRITING = (
    wire.FUSE_SYMLINK,
    wire.FUSE_MKNOD,
    wire.FUSE_UNLINK,
    wire.FUSE_LINK,
    wire.FUSE_CREATE,
    wire.FUSE_TMPFILE,
    wire.FUSE_SETXATTR,
    wire.FUSE_REMOVEXATTR,
    wire.FUSE_FALLOCATE,
    wire.FUSE_COPY_FILE_RANGE,
    wire.FUSE_COPY_FILE_RANGE_64,
)
_ENDING = frozenset({wire.FUSE_RELEASE, wire.FUSE_RELEASEDIR, wire.FUSE_FLUSH})
"""Anybody may end what was begun."""
_NO_LOOKUP = bytes(wire.fuse_entry_out.size)
_SHORTCUT_TARGET = SAVED_NAME + b"/"
_UP, _UP_FROM_SAVED = b"../..", b"../../.."
_FACTS = {RESULTS_NAME: RESULTS, EXPLAIN_NAME: EXPLAIN}


class _Entry(NamedTuple):
    """A name in a listing."""

    name: bytes
    nodeid: int
    type: int


class _OpenDirectory:
    """What a directory has shown since it was opened; None before the first read of one that asks."""

    def __init__(self, entries: list[_Entry] | None = None) -> None:
        self.entries = entries


class _Content(NamedTuple):
    """What stands in a file, and since when."""

    text: bytes
    time_ns: int = 0


def _facts(kind: int, results: ResultSet) -> _Content:
    """The content of a file that tells about an answer."""
    return _Content(results.explanation if kind == EXPLAIN else results.results, results.time_ns)


class SearchDirectory:
    """See the module."""

    def __init__(self, engine: Engine, api: ApiClient, buffer: RequestBuffer) -> None:
        self._engine = engine
        self._writer = engine.writer
        self._api = api
        self._view = buffer.view
        self._attributes = Attributes()
        self._queries = Queries(engine, api)
        self._saved = SavedChanges(engine, api, self._queries, self._attributes, buffer)
        self._numbers: OrderedDict[bytes, int] = OrderedDict()
        """Numbers of names in `.search`, made-up ones and shortcuts."""
        self._names: dict[int, bytes] = {}
        self._name_numbers = count(1)
        self._handle_numbers = count(1)
        self._last_status = _Content(b"")
        self._handles: dict[int, bytes | _OpenDirectory] = {}
        """Of open files their content."""

    def table(self) -> Table:
        handlers: dict[int, Handler] = {
            wire.FUSE_LOOKUP: self.lookup,
            wire.FUSE_GETATTR: self.getattr,
            wire.FUSE_STATX: self.statx,
            wire.FUSE_READLINK: self.readlink,
            wire.FUSE_OPEN: self.open,
            wire.FUSE_READ: self.read,
            wire.FUSE_RELEASE: self.release,
            wire.FUSE_FLUSH: lambda *_: DONE,
            wire.FUSE_OPENDIR: self.opendir,
            wire.FUSE_READDIR: lambda unique, nodeid, *_: self._readdir(unique, nodeid, b""),
            wire.FUSE_READDIRPLUS: lambda unique, nodeid, *_: self._readdir(unique, nodeid, _NO_LOOKUP),
            wire.FUSE_RELEASEDIR: self.release,
            wire.FUSE_GETXATTR: lambda *_: -errno.ENODATA,
            wire.FUSE_LISTXATTR: self.listxattr,
            **dict.fromkeys(_WRITING, lambda *_: -errno.EROFS),
            **self._saved.table(),
        }
        return {opcode: handler if opcode in _ENDING else self._owned(handler) for opcode, handler in handlers.items()}

    def _owned(self, handler: Handler) -> Handler:
        """The handler, for the owner's uid only."""
        owner = self._attributes.owner

        def check(unique: int, nodeid: int, end: int, uid: int, gid: int) -> Answer:
            return handler(unique, nodeid, end, uid, gid) if uid == owner else -errno.EACCES

        return check

    # -- nodes -----------------------------------------------------------------------------------------

    def root_entry(self) -> bytes:
        """What a lookup of `.search` at the mount's root answers."""
        return replies.entry(self._attributes.directory(Place(ROOT)))

    def _describe(self, nodeid: int) -> Node | None:
        """The node of that number, or None when it was forgotten."""
        place = place_of(nodeid)
        if place.kind in DIRECTORIES:
            return None if self._is_gone(place) else self._attributes.directory(place)
        if place.kind == SHORTCUT:
            name = self._names.get(place.number)
            return None if name is None else self._attributes.link(place, _SHORTCUT_TARGET + name)
        if place.kind == LINK:
            results = self._queries.results(place.number)
            return None if results is None else self._link(results, place.place)
        content = self._content(place)
        return None if content is None else self._attributes.file(place, *content)

    def _is_gone(self, place: Place) -> bool:
        if place.kind == QUERY:
            return self._queries.at(place.nodeid) is None
        return place.kind in (SAVED, META) and self._saved_query(place.number) is None

    def _link(self, results: ResultSet, rank: int) -> Node:
        return self._attributes.link(Place(LINK, results.number, rank), results.targets[rank], results.time_ns)

    def _content(self, place: Place) -> _Content | None:
        """What stands in a file; of `.status` at the top, which asks the server when it is opened, what stood there last."""
        if place.kind == ROOT_STATUS:
            return self._last_status
        if place.kind in (STATUS, SAVED_STATUS):
            query = self._queries.at(place.query)
            return None if query is None else _Content(query.status(), query.changed_ns)
        if place.kind == SETTING:
            return self._setting(place)
        results = self._queries.results(place.number)
        return None if results is None else _facts(place.kind, results)

    def _setting(self, place: Place) -> _Content | None:
        ino = Ino(place.number)
        try:
            text = saved_queries.show(saved_queries.read(self._writer, ino), saved_queries.SETTINGS[place.place])
        except NotFound:
            return None
        except InvalidRequest:  # somebody wrote nonsense over the API; it can be mended by writing here
            text = "\n"
        return _Content(text.encode("utf-8", "surrogateescape"), files.stat(self._writer, ino).ctime_ns)

    def getattr(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        node = self._describe(nodeid)
        return -errno.ESTALE if node is None else replies.attributes(node, 1)

    def statx(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        node = self._describe(nodeid)
        return -errno.ESTALE if node is None else replies.statx(node, 1)

    def readlink(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        kind, number, rank = place_of(nodeid)
        if kind == SHORTCUT and number in self._names:
            return _SHORTCUT_TARGET + self._names[number]
        results = self._queries.results(number)
        return -errno.ESTALE if kind != LINK or results is None else results.targets[rank]

    def listxattr(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        (size,) = wire.fuse_getxattr_in.unpack_from(self._view, BODY)
        return DONE if size else wire.fuse_getxattr_out.pack(0)

    # -- lookup ----------------------------------------------------------------------------------------

    def lookup(self, unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        name = bytes(self._view[BODY : end - 1])
        if len(name) > NAME_MAX_BYTES:
            return -errno.ENAMETOOLONG
        place = place_of(nodeid)
        if place.kind == ROOT:
            return self._lookup_in_root(name)
        if place.kind == SAVED_FOLDER:
            ino = saved_queries.find(self._writer, name)
            return -errno.ENOENT if ino is None else self._directory_entry(Place(SAVED, ino))
        if place.kind == META:
            return self._lookup_setting(place, name)
        query = self._query(place)
        if query is None or place.kind not in ASKING:
            return -errno.ESTALE
        return self._lookup_in(unique, place, query, name)

    def _directory_entry(self, place: Place, cache_seconds: int = _NO_CACHE_SECONDS) -> bytes:
        return replies.entry(self._attributes.directory(place), cache_seconds)

    def _file_entry(self, place: Place, content: _Content | None) -> Answer:
        if content is None:
            return -errno.ESTALE
        return replies.entry(self._attributes.file(place, *content), _NO_CACHE_SECONDS)

    def _lookup_in_root(self, name: bytes) -> Answer:
        if name == STATUS_NAME:
            return self._file_entry(Place(ROOT_STATUS), self._last_status)
        if name == SAVED_NAME:
            return self._directory_entry(Place(SAVED_FOLDER))
        try:
            text = name.decode()
        except UnicodeDecodeError:
            return -errno.EILSEQ
        if name.startswith(b".") or not text.strip():
            return -errno.ENOENT
        if saved_queries.find(self._writer, name) is not None:
            shortcut = self._attributes.link(Place(SHORTCUT, self._number(name)), _SHORTCUT_TARGET + name)
            return replies.entry(shortcut, _NO_CACHE_SECONDS)
        try:
            search_questions.of_name(self._writer, text)
        except InvalidRequest:
            return -errno.ENOENT  # no path, so no file is there
        place = Place(QUERY, self._number(name))
        self._queries.need(place.nodeid, text, _UP)
        return self._directory_entry(place, _CACHE_SECONDS)

    def _number(self, name: bytes) -> int:
        """The number of a name in `.search`, the same as long as it is remembered."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = next(self._name_numbers)
            self._names[number] = name
            if len(self._numbers) > NAMES_MAX:
                _, forgotten = self._numbers.popitem(last=False)
                del self._names[forgotten]
        self._numbers.move_to_end(name)
        return number

    def _lookup_setting(self, place: Place, name: bytes) -> Answer:
        if name.decode("ascii", "replace") not in saved_queries.SETTINGS:
            return -errno.ENOENT
        setting = Place(SETTING, place.number, saved_queries.SETTINGS.index(name.decode()))
        return self._file_entry(setting, self._content(setting) if self._query(place) is not None else None)

    def _lookup_in(self, unique: int, place: Place, query: Query, name: bytes) -> Answer:
        if name == STATUS_NAME:
            return self._file_entry(place.status, self._content(place.status))
        if name == META_NAME and place.kind == SAVED:
            return self._directory_entry(Place(META, place.number))
        if name in _FACTS:
            return self._with_results(unique, place, query, KEEP_S, lambda results: self._facts_entry(_FACTS[name], results))
        if LINK_NAME.match(name) is None:
            return -errno.ENOENT
        found = query.find(name)
        if found is not None:
            return replies.entry(self._link(*found), _NO_CACHE_SECONDS)
        return self._with_results(unique, place, query, FRESH_S, lambda results: self._link_entry(results, name))

    def _facts_entry(self, kind: int, results: ResultSet) -> Answer:
        return self._file_entry(Place(kind, results.number), _facts(kind, results))

    def _link_entry(self, results: ResultSet, name: bytes) -> Answer:
        rank = results.index.get(name)
        return -errno.ENOENT if rank is None else replies.entry(self._link(results, rank), _NO_CACHE_SECONDS)

    # -- queries ---------------------------------------------------------------------------------------

    def _query(self, place: Place) -> Query | None:
        """What is known of a directory that asks, or of the one that something belongs to."""
        if place.kind in (SAVED, META, SETTING, SAVED_STATUS):
            return self._saved_query(place.number)
        return self._queries.at(place.query)

    def _saved_query(self, ino: int) -> Query | None:
        try:
            name = saved_queries.name_of(self._writer, Ino(ino))
        except NotFound:
            return None
        return self._queries.need(Place(SAVED, ino).nodeid, name.decode("utf-8", "replace"), _UP_FROM_SAVED)

    def _question(self, place: Place, query: Query) -> Question:
        """What the directory asks now. Raises NotFound, InvalidRequest."""
        if place.kind == SAVED:
            return search_questions.of_saved(saved_queries.read(self._writer, Ino(place.number)))
        return search_questions.of_name(self._writer, query.name)

    def _with_results(
        self, unique: int, place: Place, query: Query, age_s: float, use: Callable[[ResultSet], Answer]
    ) -> Answer:
        try:
            question = self._question(place, query)
        except VexfsError as error:
            query.fail(error.message)
            return -errno.EIO
        return self._queries.with_results(unique, query, question, age_s, use)

    # -- reading ---------------------------------------------------------------------------------------

    def _opened(self, what: bytes | _OpenDirectory, flags: int) -> bytes:
        handle = next(self._handle_numbers)  # a worker's, too
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
        content = self._content(place)
        return -errno.ESTALE if content is None else self._opened(content.text, direct)

    def _new_status(self, job: Job) -> bytes:
        text = self._server_status(job)
        if text != self._last_status.text:
            self._last_status = _Content(text, time.time_ns())
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
        query = self._query(place)
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
            yield _Entry(name, Place(SHORTCUT, self._number(name)).nodeid, stat.S_IFLNK)

    def _listing(self, place: Place, results: ResultSet) -> list[_Entry]:
        listing = [
            _Entry(RESULTS_NAME, Place(RESULTS, results.number).nodeid, stat.S_IFREG),
            _Entry(STATUS_NAME, place.status.nodeid, stat.S_IFREG),
            _Entry(EXPLAIN_NAME, Place(EXPLAIN, results.number).nodeid, stat.S_IFREG),
        ]
        if place.kind == SAVED:
            listing.append(_Entry(META_NAME, Place(META, place.number).nodeid, stat.S_IFDIR))
        ranked = enumerate(results.names)
        return listing + [_Entry(name, Place(LINK, results.number, rank).nodeid, stat.S_IFLNK) for rank, name in ranked]

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
        query = self._query(place)
        if query is None:
            return -errno.ESTALE

        def read(results: ResultSet) -> bytes:
            directory.entries = self._listing(place, results)
            return _entries(directory.entries, nodeid, offset, size, before)

        return self._with_results(unique, place, query, FRESH_S, read)

    def close(self) -> None:
        """Give up what is running; idempotent."""
        self._queries.close()


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
