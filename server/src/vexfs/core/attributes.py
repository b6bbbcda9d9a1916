"""Extended attributes and metadata: what clients attach to a file.

Called by the surfaces. Both belong to the inode: they follow rename and link. Validates before it writes.
"""

import stat as _stat
from collections.abc import Sequence

import msgspec

from vexfs.core import acls, files
from vexfs.core.errors import (
    AttributeExists,
    AttributeNotFound,
    InvalidMetadata,
    InvalidName,
    InvalidRequest,
    NameTooLong,
    PermissionDenied,
    TooLarge,
)
from vexfs.core.types import (
    CHANGE_METADATA,
    CHANGE_NODE,
    CHANGE_XATTR,
    METADATA_MAX_BYTES,
    NODE_HAS_ACL,
    NODE_HAS_DEFAULT_ACL,
    XATTR_LIST_MAX_BYTES,
    XATTR_NAME_MAX_BYTES,
    XATTR_VALUE_MAX_BYTES,
    Change,
    Ino,
    Node,
)
from vexfs.store import nodes, versioned
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

NO_METADATA = b"{}"
METADATA_DEPTH_MAX = 32
"""Objects and arrays in each other: as many as every reader of JSON and `google.protobuf.Struct` takes."""
_TOO_DEEP = f"metadata nests deeper than {METADATA_DEPTH_MAX} objects and arrays"


def get_xattr(view: Reader, ino: Ino, name: bytes) -> bytes:
    """Raises AttributeNotFound, NotFound."""
    files.stat(view, ino)  # a removed file's rows stay for the history
    value = versioned.get_xattr(view, ino, name)
    if value is None:
        raise AttributeNotFound(f"file {ino} has no attribute {name.decode('utf-8', 'backslashreplace')!r}")
    return value


def list_xattrs(view: Reader, ino: Ino) -> list[bytes]:
    """Names, in byte order. Raises NotFound."""
    files.stat(view, ino)
    return versioned.list_xattrs(view, ino)


def set_xattr(txn: Transaction, ino: Ino, name: bytes, value: bytes, *, create: bool = False, replace: bool = False) -> Node:
    """Set one; an access control list also changes the mode, as `set_acl` says.

    Raises NotFound, AttributeExists (`create`), AttributeNotFound (`replace`), InvalidName, NameTooLong, TooLarge
    (also for the names of all attributes together), and what `set_acl` raises.
    """
    node = files.stat(txn, ino)
    if not name or b"\0" in name:
        raise InvalidName("an attribute's name is neither empty nor holds NUL")
    if len(name) > XATTR_NAME_MAX_BYTES:
        raise NameTooLong(f"an attribute's name has at most {XATTR_NAME_MAX_BYTES} bytes")
    if len(value) > XATTR_VALUE_MAX_BYTES:
        raise TooLarge(f"an attribute's value has at most {XATTR_VALUE_MAX_BYTES} bytes", limit=str(XATTR_VALUE_MAX_BYTES))
    if name in acls.NAMES:
        return set_acl(txn, ino, name, value)
    exists = versioned.get_xattr(txn, ino, name) is not None
    if create and exists:
        raise AttributeExists("the attribute exists already")
    if replace and not exists:
        raise AttributeNotFound("the attribute does not exist")
    if not exists:
        _check_room(txn, ino, name)
    versioned.put_xattr(txn, ino, name, value, born=txn.revision)
    return _changed(txn, node, CHANGE_XATTR)


def _check_room(txn: Transaction, ino: Ino, name: bytes) -> None:
    """Raise TooLarge when a list of the names would become longer than a program can read."""
    names = versioned.list_xattrs(txn, ino)
    if sum(map(len, names)) + len(names) + len(name) + 1 > XATTR_LIST_MAX_BYTES:
        raise TooLarge(
            f"the names of a file's attributes have at most {XATTR_LIST_MAX_BYTES} bytes together: remove some",
            limit=str(XATTR_LIST_MAX_BYTES),
        )


def remove_xattr(txn: Transaction, ino: Ino, name: bytes) -> Node:
    """Raises AttributeNotFound (but not for an access control list), NotFound."""
    if name in acls.NAMES:
        return set_acl(txn, ino, name, None)
    get_xattr(txn, ino, name)
    versioned.put_xattr(txn, ino, name, None, born=txn.revision)
    return _changed(txn, files.stat(txn, ino), CHANGE_XATTR)


def set_acl(txn: Transaction, ino: Ino, name: bytes, value: bytes | None, *, keep_setgid: bool = True) -> Node:
    """Set the list `name` (of `acls.NAMES`), or remove it with None or one without entries.

    The access list's permissions become the mode's, without set-group-id unless `keep_setgid`; one that says no more than the
    mode is not kept. Raises InvalidRequest for what is no list, or for a symbolic link; PermissionDenied for a default list of
    what is no directory; NotFound.
    """
    node = files.stat(txn, ino)
    entries = acls.parse(value) if value is not None and value != acls.EMPTY else []
    if node.is_symlink:
        raise InvalidRequest("a symbolic link has no access control list")
    if name == acls.DEFAULT:
        if entries and not node.is_directory:
            raise PermissionDenied("only a directory has a default access control list")
        return _put_acl(txn, node, name, entries, NODE_HAS_DEFAULT_ACL)
    if entries:
        mode = node.mode & ~0o777 | acls.permissions(entries)
        node = node._replace(mode=mode if keep_setgid else mode & ~_stat.S_ISGID)
    return _put_acl(txn, node, name, [] if acls.is_minimal(entries) else entries, NODE_HAS_ACL)


def _put_acl(txn: Transaction, node: Node, name: bytes, entries: list[acls.Entry], flag: int) -> Node:
    if entries or node.flags & flag:
        versioned.put_xattr(txn, node.ino, name, acls.pack(entries) if entries else None, born=txn.revision)
    txn.changes.append(Change(CHANGE_NODE, node.ino))  # its mode, and what the kernel remembers of the list
    flags = node.flags | flag if entries else node.flags & ~flag
    return _changed(txn, node._replace(flags=flags), CHANGE_XATTR)


def get_metadata(view: Reader, ino: Ino) -> bytes:
    """The file's metadata: a JSON object in UTF-8, `{}` when it has none. Raises NotFound."""
    files.stat(view, ino)
    json = versioned.get_metadata(view, ino)
    return NO_METADATA if json is None else json.encode()


def set_metadata(txn: Transaction, ino: Ino, json: bytes) -> Node:
    """Replace the file's metadata. Raises InvalidMetadata, NotFound."""
    node = files.stat(txn, ino)
    check_metadata(json)
    versioned.put_metadata(txn, [(ino, None if json == NO_METADATA else json.decode())], born=txn.revision)
    return _changed(txn, node, CHANGE_METADATA)


def check_metadata(json: bytes) -> None:
    """Raise InvalidMetadata unless `json` is a JSON object within the limit."""
    if len(json) > METADATA_MAX_BYTES:
        raise InvalidMetadata(
            f"metadata has {len(json)} bytes; at most {METADATA_MAX_BYTES} are possible", limit=str(METADATA_MAX_BYTES)
        )
    try:
        value = msgspec.json.decode(json)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidMetadata(f"metadata is not valid JSON: {error}") from None
    except RecursionError:
        raise InvalidMetadata(_TOO_DEEP, limit=str(METADATA_DEPTH_MAX)) from None
    if not isinstance(value, dict):
        raise InvalidMetadata(f"metadata is a JSON object, not {_name_of(value)}")
    _check_depth(value)


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(METADATA_DEPTH_MAX):
        inner = [tuple(item.values()) if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level = [item for items in inner for item in items]
    if any(isinstance(item, (dict, list)) for item in level):
        raise InvalidMetadata(_TOO_DEEP, limit=str(METADATA_DEPTH_MAX))


def _name_of(value: object) -> str:
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, Sequence) else "a bare value"


def _changed(txn: Transaction, node: Node, kind: int) -> Node:
    changed = node.with_links_changed(txn.now_ns, txn.revision, 0)
    txn.untouch(node.ino)
    nodes.write_touched(txn, changed, txn.keep_from)
    txn.changes.append(Change(kind, node.ino))
    return changed
