"""Extended attributes: getxattr, setxattr, listxattr, removexattr.

Called by the loop. The kernel has checked who may (`trusted.*` is root's); here only the listing hides that from others.
Access control lists are taken where the kernel applies them, that is where it checks permissions at all; elsewhere they are
refused, not dropped. What VexFS itself knows of a file is read like an attribute, too (`file_facts`).
"""

import errno

from vexfs.core import acls, attributes
from vexfs.core.errors import TooLarge
from vexfs.core.types import Ino
from vexfs.mount import wire
from vexfs.mount.engine import Engine
from vexfs.mount.file_facts import NAMES as FACTS
from vexfs.mount.file_facts import FileFacts, sized
from vexfs.mount.requests import BODY, DONE, Answer, RequestBuffer, Table

_CAPABILITY = b"security.capability"
_NAMESPACES = (b"user.", b"security.", b"trusted.")
_TRUSTED = b"trusted."
_XATTR_CREATE, _XATTR_REPLACE = 1, 2
_NAME_OF_GETXATTR = BODY + wire.fuse_getxattr_in.size
_NO_DATA = -errno.ENODATA
_REFUSED = -errno.EOPNOTSUPP


class XattrOperations:
    def __init__(self, engine: Engine, buffer: RequestBuffer, facts: FileFacts) -> None:
        self._facts = facts
        self._engine = engine
        self._writer = engine.writer
        self._open_files = engine.open_files
        self._buffer = buffer
        self._view = buffer.view
        agreed = engine.session.agreement.flags
        self._with_acls = bool(agreed & wire.FUSE_POSIX_ACL)
        self._extended = bool(agreed & wire.FUSE_SETXATTR_EXT)
        self._set_bytes = wire.fuse_setxattr_in.size if self._extended else wire.FUSE_COMPAT_SETXATTR_IN_SIZE

    def table(self) -> Table:
        return {
            wire.FUSE_GETXATTR: self.getxattr,
            wire.FUSE_SETXATTR: self.setxattr,
            wire.FUSE_LISTXATTR: self.listxattr,
            wire.FUSE_REMOVEXATTR: self.removexattr,
        }

    def _is_taken(self, name: bytes) -> bool:
        return name.startswith(_NAMESPACES) or (self._with_acls and name in acls.NAMES)

    def getxattr(self, unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        (size,) = wire.fuse_getxattr_in.unpack_from(self._view, BODY)
        name = bytes(self._view[_NAME_OF_GETXATTR : end - 1])
        if name == _CAPABILITY:
            # The kernel asks before the first write to a file, so for a new one this is on the way of every create + write.
            file = self._open_files.get(nodeid)
            if file is not None and file.plain:
                return _NO_DATA
        elif name in FACTS:
            return self._facts.getxattr(unique, nodeid, name, size)
        elif not self._is_taken(name):
            return _REFUSED
        return sized(attributes.get_xattr(self._writer, Ino(nodeid), name), size)

    def listxattr(self, _unique: int, nodeid: int, _end: int, uid: int, _gid: int) -> Answer:
        (size,) = wire.fuse_getxattr_in.unpack_from(self._view, BODY)
        names = attributes.list_xattrs(self._writer, Ino(nodeid))
        shown = [name for name in names if self._is_taken(name) and (uid == 0 or not name.startswith(_TRUSTED))]
        return sized(b"".join(name + b"\0" for name in shown), size)

    def setxattr(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        size, flags, extra = wire.fuse_setxattr_in.unpack_from(self._view, BODY)
        name, ended, value = bytes(self._view[BODY + self._set_bytes : end]).partition(b"\0")
        if not ended or len(value) != size:
            return -errno.EINVAL
        if not self._is_taken(name) or name in FACTS:
            return _REFUSED
        file = self._open_files.get(nodeid)
        if file is not None:
            file.plain = False
        if name in acls.NAMES:
            keep_setgid = not (self._extended and extra & wire.FUSE_SETXATTR_ACL_KILL_SGID)
            with self._engine.begin("set_xattr") as txn:
                attributes.set_acl(txn, Ino(nodeid), name, value, keep_setgid=keep_setgid)
            return DONE
        create, replace = bool(flags & _XATTR_CREATE), bool(flags & _XATTR_REPLACE)
        try:
            with self._engine.begin("set_xattr") as txn:
                attributes.set_xattr(txn, Ino(nodeid), name, value, create=create, replace=replace)
        except TooLarge:
            return -errno.ENOSPC  # as every file system says it
        return DONE

    def removexattr(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        name = self._buffer.name(BODY, end)
        if not self._is_taken(name):
            return _REFUSED
        with self._engine.begin("remove_xattr") as txn:
            attributes.remove_xattr(txn, Ino(nodeid), name)
        return DONE
