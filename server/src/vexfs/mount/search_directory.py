"""`.search`: ask by making up a name. `.search/QUERY/` is a directory of symbolic links to what answers the query, best first.

Answers the loop's requests for nodes at or above VIRTUAL_NODEID; everything is made up here. A directory searches when it is
read (or a name in it is wanted), in a worker thread (`search_queries`), and keeps what it found for a while. A search that
fails is an I/O error, told in `.status`, never an empty directory. Names that begin with a dot never search. Only the owner of
the mount may use it: hits are not filtered by permission.

`.search/.saved` has the queries that the volume keeps (`vexfs.core.saved_queries`), each a directory like the others with its
settings in `.meta`; they can be made, moved and removed there (`search_saved`), and be live (`search_live`). `.search/NAME` is
a link to the saved query of that name: the kernel looks a name up before it asks for a new directory, so where every name is
there, none can be made.
"""

import errno

from vexfs.mount import replies, wire
from vexfs.mount.api_client import ApiClient
from vexfs.mount.engine import Engine
from vexfs.mount.requests import BODY, DONE, Answer, Handler, RequestBuffer, Table
from vexfs.mount.search_live import LiveQueries
from vexfs.mount.search_nodes import ROOT, Attributes, Place
from vexfs.mount.search_queries import Queries
from vexfs.mount.search_reading import SearchReading
from vexfs.mount.search_saved import SavedChanges
from vexfs.mount.search_tree import SearchTree

_WRITING = (
    wire.FUSE_MKNOD,
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


class SearchDirectory:
    """See the module."""

    def __init__(self, engine: Engine, api: ApiClient, buffer: RequestBuffer) -> None:
        self._view = buffer.view
        self._attributes = Attributes()
        self._queries = Queries(engine, api)
        self._tree = SearchTree(engine, self._queries, self._attributes)
        self._reading = SearchReading(engine, api, self._queries, self._tree, buffer)
        self._saved = SavedChanges(engine, api, self._queries, self._attributes, buffer)
        self._live = LiveQueries(engine, self._queries, self._attributes, buffer)

    def table(self) -> Table:
        handlers: dict[int, Handler] = {
            wire.FUSE_LOOKUP: self.lookup,
            wire.FUSE_GETATTR: self.getattr,
            wire.FUSE_STATX: self.statx,
            wire.FUSE_READLINK: self.readlink,
            wire.FUSE_GETXATTR: lambda *_: -errno.ENODATA,
            wire.FUSE_LISTXATTR: self.listxattr,
            **dict.fromkeys(_WRITING, lambda *_: -errno.EROFS),
            **self._reading.table(),
            **self._saved.table(),
            **self._live.table(),
        }
        return {opcode: handler if opcode in _ENDING else self._owned(handler) for opcode, handler in handlers.items()}

    def start(self) -> None:
        """Once the mount is served."""
        self._live.start()

    def _owned(self, handler: Handler) -> Handler:
        """The handler, for the owner's uid only."""
        owner = self._attributes.owner

        def check(unique: int, nodeid: int, end: int, uid: int, gid: int) -> Answer:
            return handler(unique, nodeid, end, uid, gid) if uid == owner else -errno.EACCES

        return check

    def root_entry(self) -> bytes:
        """What a lookup of `.search` at the mount's root answers."""
        return replies.entry(self._attributes.directory(Place(ROOT)))

    def lookup(self, unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        return self._tree.lookup(unique, nodeid, bytes(self._view[BODY : end - 1]))

    def getattr(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        node = self._tree.describe(nodeid)
        return -errno.ESTALE if node is None else replies.attributes(node, 1)

    def statx(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        node = self._tree.describe(nodeid)
        return -errno.ESTALE if node is None else replies.statx(node, 1)

    def readlink(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        target = self._tree.target(nodeid)
        return -errno.ESTALE if target is None else target

    def listxattr(self, _unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        (size,) = wire.fuse_getxattr_in.unpack_from(self._view, BODY)
        return DONE if size else wire.fuse_getxattr_out.pack(0)

    def close(self) -> None:
        """Give up what is running; idempotent."""
        self._live.close()
        self._queries.close()
