"""Changes in `.search/.saved`: mkdir, rmdir and mv of saved queries, and writing their settings.

Called by the loop, for the nodes that `search_directory` shows. Each change is one transaction of the open group, as any
change through the mount. A setting is written as a whole by one write, which fails with EINVAL when it makes no sense;
`.status` beside `.meta` says why. Nothing searches here; a filter is looked at in a worker, where the contract's messages are.
"""

import errno
import os

from vexfs.core import saved_queries
from vexfs.core.errors import InvalidRequest, NotFound, PreconditionFailed, VexfsError
from vexfs.core.types import NAME_MAX_BYTES, Ino
from vexfs.mount import replies, wire
from vexfs.mount.api_client import ApiClient, Job
from vexfs.mount.engine import Engine
from vexfs.mount.requests import BODY, DONE, Answer, RequestBuffer, Table
from vexfs.mount.search_nodes import SAVED, SAVED_FOLDER, SETTING, Attributes, Place, place_of
from vexfs.mount.search_queries import Queries, Query

_WRITE_BODY = BODY + wire.fuse_write_in.size
_SYNC_S = 30.0
_OF_A_SETTING = wire.FATTR_SIZE | wire.FATTR_FH | wire.FATTR_ATIME | wire.FATTR_MTIME | wire.FATTR_CTIME
_OF_A_SETTING |= wire.FATTR_ATIME_NOW | wire.FATTR_MTIME_NOW | wire.FATTR_KILL_SUIDGID
_READ_ONLY = -errno.EROFS


class SavedChanges:
    """See the module."""

    def __init__(self, engine: Engine, api: ApiClient, queries: Queries, attributes: Attributes, buffer: RequestBuffer) -> None:
        self._engine = engine
        self._api = api
        self._queries = queries
        self._attributes = attributes
        self._buffer = buffer
        self._view = buffer.view

    def table(self) -> Table:
        return {
            wire.FUSE_MKDIR: self.mkdir,
            wire.FUSE_RMDIR: self.rmdir,
            wire.FUSE_RENAME: self.rename,
            wire.FUSE_RENAME2: self.rename2,
            wire.FUSE_WRITE: self.write,
            wire.FUSE_SETATTR: self.setattr,
            wire.FUSE_FSYNC: self.fsync,
            wire.FUSE_FSYNCDIR: self.fsync,
        }

    def mkdir(self, _unique: int, nodeid: int, end: int, uid: int, gid: int) -> Answer:
        name = self._buffer.name(BODY + wire.fuse_mkdir_in.size, end)
        if place_of(nodeid).kind != SAVED_FOLDER:
            return _READ_ONLY
        with self._engine.begin("save_query") as txn:
            ino = saved_queries.make(txn, name, uid=uid, gid=gid)
        return replies.entry(self._attributes.directory(Place(SAVED, ino)), 0)

    def rmdir(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        name = self._buffer.name(BODY, end)
        if place_of(nodeid).kind != SAVED_FOLDER:
            return _READ_ONLY
        with self._engine.begin("remove_saved_query") as txn:
            saved_queries.remove(txn, name)
        return DONE

    def rename(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        (new_parent,) = wire.fuse_rename_in.unpack_from(self._view, BODY)
        return self._rename(nodeid, new_parent, 0, BODY + wire.fuse_rename_in.size, end)

    def rename2(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        new_parent, flags = wire.fuse_rename2_in.unpack_from(self._view, BODY)
        return self._rename(nodeid, new_parent, flags, BODY + wire.fuse_rename2_in.size, end)

    def _rename(self, parent: int, new_parent: int, flags: int, start: int, end: int) -> Answer:
        name, new_name = self._buffer.two_names(start, end)
        if place_of(parent).kind != SAVED_FOLDER or new_parent != parent:
            return _READ_ONLY
        if flags & ~wire.RENAME_NOREPLACE:
            return -errno.EINVAL
        if len(new_name) > NAME_MAX_BYTES:
            return -errno.ENAMETOOLONG
        with self._engine.begin("rename_saved_query") as txn:
            saved_queries.rename(txn, name, new_name, no_replace=bool(flags & wire.RENAME_NOREPLACE))
        return DONE

    # -- settings --------------------------------------------------------------------------------------

    def write(self, unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        _, offset, size, _, _, _ = wire.fuse_write_in.unpack_from(self._view, BODY)
        place = place_of(nodeid)
        query = self._queries.at(place.query)
        if place.kind != SETTING or place.place >= len(saved_queries.SETTINGS):
            return -errno.EBADF
        if query is None:
            return -errno.ESTALE
        if size != end - _WRITE_BODY:
            return -errno.EINVAL
        setting, data = saved_queries.SETTINGS[place.place], bytes(self._view[_WRITE_BODY:end])
        try:
            if offset:
                raise InvalidRequest(f"{setting} is written as a whole, from its start, by one write")
            text = data.decode()
            saved_queries.parse(setting, text)
        except UnicodeDecodeError:
            return self._refuse(query, f"{setting} is text in UTF-8")
        except VexfsError as error:
            return self._refuse(query, error.message)
        if setting == "filter" and text.strip():
            return self._queries.in_worker(unique, lambda _job: self._check_filter(unique, query, place, text))
        return self._change(query, place, text)

    def _check_filter(self, unique: int, query: Query, place: Place, text: str) -> None:
        """In a worker; the loop then changes the setting, and answers."""
        try:
            self._api.check_filter(text)
        except InvalidRequest as error:
            refused = error.message
            self._engine.post(lambda: self._engine.answer_with(unique, lambda: self._refuse(query, refused)))
        else:
            self._engine.post(lambda: self._engine.answer_with(unique, lambda: self._change(query, place, text)))

    def _change(self, query: Query, place: Place, text: str) -> bytes | int:
        try:
            with self._engine.begin("change_saved_query") as txn:
                saved_queries.change(txn, Ino(place.number), saved_queries.SETTINGS[place.place], text)
        except (InvalidRequest, NotFound, PreconditionFailed) as error:
            return self._refuse(query, error.message)
        query.refuse("")
        query.live_until_s = 0.0  # what it shows may be the answer to something else now
        return wire.fuse_write_out.pack(len(text.encode()))

    @staticmethod
    def _refuse(query: Query, reason: str) -> int:
        query.refuse(reason)
        return -errno.EINVAL

    def setattr(self, _unique: int, nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        """Truncating a setting, and its times, are let pass: the write that follows is what counts."""
        valid = wire.fuse_setattr_in.unpack_from(self._view, BODY)[0]
        place = place_of(nodeid)
        if place.kind != SETTING or valid & ~_OF_A_SETTING:
            return _READ_ONLY
        return replies.attributes(self._attributes.file(place, b""), 0)

    def fsync(self, unique: int, _nodeid: int, _end: int, _uid: int, _gid: int) -> Answer:
        self._engine.commit()
        return self._queries.in_worker(unique, self._durable)

    def _durable(self, _job: Job) -> Answer:
        self._engine.volume.syncer.sync().result(_SYNC_S)
        return DONE


def writable(place: Place, flags: int) -> bool:
    """Whether a file of `.search` can be opened so."""
    return flags & os.O_ACCMODE == os.O_RDONLY or place.kind == SETTING
