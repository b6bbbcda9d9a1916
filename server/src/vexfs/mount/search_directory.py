"""`.search`: ask by making up a name. `.search/QUERY/` is a directory of symbolic links to what answers the query, best first.

Answers the loop's requests for nodes at or above VIRTUAL_NODEID; everything is made up here, nothing is in the volume. A
directory searches when it is opened (or a name in it is wanted) and keeps what it found for a while, so that what a listing
showed can be opened. Searching happens in worker threads through the API; the request is answered from there, and
FUSE_INTERRUPT ends it. A search that fails is an I/O error, told in `.status`, never an empty directory. Names that begin
with a dot never search. Only the owner of the mount may use it: hits are not filtered by permission.

Node numbers: VIRTUAL_NODEID | kind << 56 | number << 12 | place, where the number is the query's or the result set's.
"""

import errno
import logging
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from vexfs.core.errors import VexfsError
from vexfs.core.types import NAME_MAX_BYTES, Ino, Node
from vexfs.mount import replies, wire
from vexfs.mount.api_client import ApiClient, Cancelled, Failed, Found, Job
from vexfs.mount.engine import Engine
from vexfs.mount.operations.directories import dirent
from vexfs.mount.requests import BODY, DONE, VIRTUAL_NODEID, Answer, Handler, RequestBuffer, Table
from vexfs.mount.search_results import RESULTS_NAME, STATUS_NAME, ResultSet, document

logger = logging.getLogger(__name__)

LIMIT = 20
"""Hits of a query."""
TIMEOUT_S = 20.0
STATUS_TIMEOUT_S = 2.0
CATCH_UP_S = 2.0
_ASK_AGAIN_S = 0.2
FRESH_S = 5.0
"""A listing younger than this is shown again; an older one is asked for anew."""
KEEP_S = 300.0
"""How long a name of a listing can be opened after it was last listed."""
QUERIES_MAX = 128
_SETS_MAX = 128
_RUNNING_MAX = 16
_WORKERS = 4
_ROOT, _ROOT_STATUS, _QUERY, _RESULTS, _STATUS, _LINK = range(6)
_CACHE_SECONDS = 60
_LINK_CACHE_SECONDS = 0
"""The next answer may have the same name for another file: rank, score and file name are equal when a file has moved."""
_WRITING = (
    wire.FUSE_SETATTR,
    wire.FUSE_SYMLINK,
    wire.FUSE_MKNOD,
    wire.FUSE_MKDIR,
    wire.FUSE_UNLINK,
    wire.FUSE_RMDIR,
    wire.FUSE_RENAME,
    wire.FUSE_RENAME2,
    wire.FUSE_LINK,
    wire.FUSE_WRITE,
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


def node_number(kind: int, number: int = 0, place: int = 0) -> int:
    """The nodeid of a made-up node."""
    return VIRTUAL_NODEID | kind << 56 | number << 12 | place


class Query:
    """One made-up directory: its text, what was found, and how the last search ended."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text
        self.sets: list[ResultSet] = []
        """Newest first, at most two: a name of the one before can still be opened."""
        self.failure = ""
        self.used_s = time.monotonic()

    def fresh(self, age_s: float) -> ResultSet | None:
        """The newest result when it is young enough."""
        return self.sets[0] if self.sets and time.monotonic() - self.sets[0].made_s <= age_s else None

    def find(self, name: bytes) -> tuple[ResultSet, int] | None:
        """The link of that name in what was listed lately."""
        for results in self.sets:
            place = results.index.get(name)
            if place is not None and time.monotonic() - results.made_s <= KEEP_S:
                return results, place
        return None

    def status(self) -> bytes:
        if self.failure:
            return document({"state": "failed", "query": self.text, "error": self.failure})
        return self.sets[0].status if self.sets else document({"state": "not asked yet", "query": self.text})


class SearchDirectory:
    """See the module. State is guarded by a lock held for moments only."""

    def __init__(self, engine: Engine, api: ApiClient) -> None:
        self._engine = engine
        self._api = api
        self._owner, self._group = os.getuid(), os.getgid()
        self._started_ns = time.time_ns()
        self._lock = threading.Lock()
        self._queries: OrderedDict[int, Query] = OrderedDict()
        self._numbers: dict[str, int] = {}
        self._sets: OrderedDict[int, ResultSet] = OrderedDict()
        self._counter = 0
        self._running = 0
        self._handles: dict[int, bytes | list[tuple[bytes, int, int]]] = {}
        """Open files: their content. Open directories: (name, number, type)."""
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="vexfs-search")
        self._view = memoryview(b"")

    def use(self, buffer: RequestBuffer) -> None:
        """The memory requests stand in."""
        self._view = buffer.view

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
            wire.FUSE_READDIR: lambda *_: self._readdir(b""),
            wire.FUSE_READDIRPLUS: lambda *_: self._readdir(_NO_LOOKUP),
            wire.FUSE_RELEASEDIR: self.release,
            wire.FUSE_GETXATTR: lambda *_: -errno.ENODATA,
            wire.FUSE_LISTXATTR: self.listxattr,
            **dict.fromkeys(_WRITING, lambda *_: -errno.EROFS),
        }
        return {opcode: handler if opcode in _ENDING else self._owned(handler) for opcode, handler in handlers.items()}

    def _owned(self, handler: Handler) -> Handler:
        """The handler, for the owner's uid only."""

        def check(unique: int, nodeid: int, end: int, uid: int, gid: int) -> Answer:
            return handler(unique, nodeid, end, uid, gid) if uid == self._owner else -errno.EACCES

        return check

    # -- nodes -----------------------------------------------------------------------------------------

    def root_entry(self) -> bytes:
        """What a lookup of `.search` at the mount's root answers."""
        return replies.entry(self._directory(node_number(_ROOT)))

    def _directory(self, nodeid: int) -> Node:
        return self._node(nodeid, stat.S_IFDIR | 0o500, 0, self._started_ns)

    def _node(self, nodeid: int, mode: int, size_bytes: int, time_ns: int) -> Node:
        nlink = 2 if stat.S_ISDIR(mode) else 1
        return Node(
            Ino(nodeid), mode, nlink, self._owner, self._group, 0, size_bytes, time_ns, time_ns, time_ns, time_ns, 0, 0
        )  # fmt: skip

    def _file(self, nodeid: int, content: bytes) -> Node:
        return self._node(nodeid, stat.S_IFREG | 0o400, len(content), time.time_ns())

    def _link(self, results: ResultSet, place: int) -> Node:
        nodeid = node_number(_LINK, results.number, place)
        return self._node(nodeid, stat.S_IFLNK | 0o777, len(results.targets[place]), results.time_ns)

    def _describe(self, nodeid: int) -> Node | None:
        """The node of that number, or None when it was forgotten."""
        kind, number, place = _parts(nodeid)
        if kind == _ROOT:
            return self._directory(nodeid)
        if kind == _ROOT_STATUS:
            return self._file(nodeid, b"")
        if kind in (_QUERY, _STATUS):
            query = self._queries.get(number)
            if query is None:
                return None
            return self._directory(nodeid) if kind == _QUERY else self._file(nodeid, query.status())
        results = self._sets.get(number)
        if results is None:
            return None
        return self._link(results, place) if kind == _LINK else self._file(nodeid, results.results)

    def getattr(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        node = self._describe(nodeid)
        return -errno.ESTALE if node is None else replies.attributes(node, 1)

    def statx(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        node = self._describe(nodeid)
        return -errno.ESTALE if node is None else replies.statx(node, 1)

    def readlink(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        kind, number, place = _parts(nodeid)
        results = self._sets.get(number)
        return -errno.ESTALE if kind != _LINK or results is None else results.targets[place]

    def listxattr(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        (size,) = wire.fuse_getxattr_in.unpack_from(self._view, BODY)
        return DONE if size else wire.fuse_getxattr_out.pack(0)

    # -- lookup ----------------------------------------------------------------------------------------

    def lookup(self, unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        name = bytes(self._view[BODY : end - 1])
        if len(name) > NAME_MAX_BYTES:
            return -errno.ENAMETOOLONG
        kind, number, _ = _parts(nodeid)
        if kind == _ROOT:
            return self._lookup_query(name)
        query = self._queries.get(number)
        if kind != _QUERY or query is None:
            return -errno.ESTALE
        return self._lookup_in(unique, query, name)

    def _lookup_query(self, name: bytes) -> Answer:
        if name == STATUS_NAME:
            return replies.entry(self._file(node_number(_ROOT_STATUS), b""), 0)
        try:
            text = name.decode()
        except UnicodeDecodeError:
            return -errno.EILSEQ
        if name.startswith(b".") or not text.strip():
            return -errno.ENOENT
        return replies.entry(self._directory(node_number(_QUERY, self._query(text).number)), _CACHE_SECONDS)

    def _query(self, text: str) -> Query:
        with self._lock:
            number = self._numbers.get(text)
            if number is not None:
                self._queries.move_to_end(number)
                return self._queries[number]
            self._counter += 1
            query = self._queries[self._counter] = Query(self._counter, text)
            self._numbers[text] = query.number
            while len(self._queries) > QUERIES_MAX:
                _, oldest = self._queries.popitem(last=False)
                self._numbers.pop(oldest.text, None)
            return query

    def _lookup_in(self, unique: int, query: Query, name: bytes) -> Answer:
        if name == STATUS_NAME:
            return replies.entry(self._file(node_number(_STATUS, query.number), query.status()), 0)
        if name == RESULTS_NAME:
            return self._with_results(unique, query, KEEP_S, self._results_entry)
        if name.startswith(b".") or not name[:1].isdigit():
            return -errno.ENOENT
        found = query.find(name)
        if found is not None:
            return replies.entry(self._link(*found), _LINK_CACHE_SECONDS)
        return self._with_results(unique, query, FRESH_S, lambda results: self._link_entry(results, name))

    def _results_entry(self, results: ResultSet) -> bytes:
        return replies.entry(self._file(node_number(_RESULTS, results.number), results.results), 0)

    def _link_entry(self, results: ResultSet, name: bytes) -> Answer:
        place = results.index.get(name)
        return -errno.ENOENT if place is None else replies.entry(self._link(results, place), _LINK_CACHE_SECONDS)

    # -- searching -------------------------------------------------------------------------------------

    def _with_results(self, unique: int, query: Query, age_s: float, use: Callable[[ResultSet], Answer]) -> Answer:
        """`use` the query's results: those at hand if young enough, else from a worker, which then answers the request."""
        results = query.fresh(age_s)
        if results is not None:
            return use(results)
        return self._in_worker(unique, lambda job: use(self._search(query, job)))

    def _in_worker(self, unique: int, work: Callable[[Job], Answer]) -> Answer:
        with self._lock:
            if self._running >= _RUNNING_MAX:
                return -errno.EAGAIN
            self._running += 1
        job = Job()
        self._engine.interruptible[unique] = job.cancel
        self._workers.submit(self._answer, unique, work, job)
        return None

    def _answer(self, unique: int, work: Callable[[Job], Answer], job: Job) -> None:
        try:
            answer = -errno.EINTR if job.cancelled else work(job)
        except Cancelled:
            answer = -errno.EINTR
        except VexfsError as error:
            logger.warning("a search failed", extra={"reason": error.message})
            answer = -errno.EIO
        except Exception:
            logger.exception("a search failed")
            answer = -errno.EIO
        with self._lock:
            self._running -= 1
        self._engine.interruptible.pop(unique, None)
        self._engine.session.answer(unique, -errno.EIO if answer is None else answer)

    def _search(self, query: Query, job: Job) -> ResultSet:
        try:
            found = self._ask(query.text, job)
        except Cancelled:
            raise
        except VexfsError as error:
            query.failure = error.message
            raise
        with self._lock:
            self._counter += 1
            results = self._sets[self._counter] = ResultSet(self._counter, found)
            query.sets = [results, *query.sets[:1]]
            query.failure = ""
            while len(self._sets) > _SETS_MAX:
                self._sets.popitem(last=False)
        return results

    def _ask(self, text: str, job: Job) -> Found:
        """Ask the API. An empty answer from views that lack something is no answer: they get a moment, then it is a failure."""
        deadline = time.monotonic() + CATCH_UP_S
        while True:
            found = self._api.search(text, LIMIT, TIMEOUT_S, job)
            if found.hits or not found.facts.get("partial"):
                return found
            if time.monotonic() >= deadline:
                reasons = "; ".join(found.facts.get("partial_reasons", []))
                raise Failed(f"nothing found, but not everything could be looked through: {reasons}")
            if job.cancelled:
                raise Cancelled("the request was interrupted")
            time.sleep(_ASK_AGAIN_S)

    # -- reading ---------------------------------------------------------------------------------------

    def _opened(self, what: bytes | list[tuple[bytes, int, int]], flags: int) -> bytes:
        with self._lock:
            self._counter += 1
            handle = self._counter
            self._handles[handle] = what
        return wire.fuse_open_out.pack(handle, flags)

    def open(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        flags, _ = wire.fuse_open_in.unpack_from(self._view, BODY)
        if flags & os.O_ACCMODE != os.O_RDONLY:
            return -errno.EROFS
        kind, number, _ = _parts(nodeid)
        direct = wire.FOPEN_DIRECT_IO | wire.FOPEN_NOFLUSH
        if kind == _ROOT_STATUS:
            return self._in_worker(unique, lambda job: self._opened(self._server_status(job), direct))
        if kind == _STATUS and (query := self._queries.get(number)) is not None:
            return self._opened(query.status(), direct)
        if kind == _RESULTS and (results := self._sets.get(number)) is not None:
            return self._opened(results.results, direct)
        return -errno.ESTALE

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

    def opendir(self, unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        kind, number, _ = _parts(nodeid)
        if kind == _ROOT:
            return self._opened([(STATUS_NAME, node_number(_ROOT_STATUS), stat.S_IFREG)], 0)
        query = self._queries.get(number)
        if kind != _QUERY or query is None:
            return -errno.ESTALE
        return self._with_results(unique, query, FRESH_S, lambda results: self._open_listing(query, results))

    def _open_listing(self, query: Query, results: ResultSet) -> bytes:
        listing = [
            (RESULTS_NAME, node_number(_RESULTS, results.number), stat.S_IFREG),
            (STATUS_NAME, node_number(_STATUS, query.number), stat.S_IFREG),
        ]
        listing += [(name, node_number(_LINK, results.number, place), stat.S_IFLNK) for place, name in enumerate(results.names)]
        return self._opened(listing, 0)

    def _readdir(self, before: bytes) -> Answer:
        """Directory entries, each with `before` in front: readdirplus takes an empty fuse_entry_out as "not looked up"."""
        handle, offset, size, _, _, _ = wire.fuse_read_in.unpack_from(self._view, BODY)
        listing = self._handles.get(handle)
        if not isinstance(listing, list):
            return -errno.EBADF
        dots = [(b".", node_number(_ROOT), stat.S_IFDIR), (b"..", node_number(_ROOT), stat.S_IFDIR)]
        parts: list[bytes] = []
        for place, (name, number, mode) in enumerate([*dots, *listing][offset:], start=offset + 1):
            part = before + dirent(name, number, place, mode >> 12)
            size -= len(part)
            if size < 0:
                break
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """Give up what is running; idempotent."""
        for end in list(self._engine.interruptible.values()):
            end()
        self._workers.shutdown(wait=True, cancel_futures=True)


def _parts(nodeid: int) -> tuple[int, int, int]:
    """Kind, number and place of a made-up node."""
    return nodeid >> 56 & 0x3F, nodeid >> 12 & 0xFFFFFFFFFFF, nodeid & 0xFFF
