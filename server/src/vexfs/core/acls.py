"""POSIX access control lists as Linux keeps them in two extended attributes: what they mean for a mode, what is inherited.

Used by `files` and `attributes`. A list is bytes in the kernel's format (version 2): a header, then entries of a tag,
permissions and an id. Pure functions but for `inherit`, which reads the directory's list; nothing is written here.
"""

import stat
from struct import Struct
from typing import NamedTuple

from vexfs.core.errors import InvalidRequest
from vexfs.core.types import Node
from vexfs.store import versioned
from vexfs.store.reader import Reader

ACCESS = b"system.posix_acl_access"
DEFAULT = b"system.posix_acl_default"
NAMES = (ACCESS, DEFAULT)

EMPTY = Struct("<I").pack(2)
"""A list without entries: none."""

USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_VERSION = 2
_HEADER = Struct("<I")
_ENTRY = Struct("<HHI")
_ORDER = (USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER)
_ONCE = (USER_OBJ, GROUP_OBJ, OTHER)


class Entry(NamedTuple):
    tag: int
    permissions: int
    """Read 4, write 2, execute 1."""
    id: int


class Inherited(NamedTuple):
    """What something new gets from its directory: its mode, and its lists (None: none)."""

    mode: int
    access: bytes | None = None
    default: bytes | None = None


def parse(value: bytes) -> list[Entry]:
    """The entries of a list, in the order in which the kernel wants them. Raises InvalidRequest for what is none."""
    body = value[_HEADER.size :]
    if len(value) < _HEADER.size or _HEADER.unpack_from(value)[0] != _VERSION or len(body) % _ENTRY.size:
        raise InvalidRequest("this is no POSIX access control list of version 2")
    entries = [Entry(*fields) for fields in _ENTRY.iter_unpack(body)]
    _check(entries)
    return entries


def _check(entries: list[Entry]) -> None:
    tags = [entry.tag for entry in entries]
    if any(tag not in _ORDER for tag in tags) or any(entry.permissions & ~7 for entry in entries):
        raise InvalidRequest("an entry of the access control list has an unknown tag or permission")
    if [_ORDER.index(tag) for tag in tags] != sorted(_ORDER.index(tag) for tag in tags):
        raise InvalidRequest("the entries of an access control list are out of order")
    named = USER in tags or GROUP in tags
    if any(tags.count(tag) != 1 for tag in _ONCE) or tags.count(MASK) > 1 or (named and MASK not in tags):
        raise InvalidRequest("an access control list names owner, group and others once, and has a mask when it names more")


def pack(entries: list[Entry]) -> bytes:
    """A list as bytes."""
    return _HEADER.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in entries)


def permissions(entries: list[Entry]) -> int:
    """The permission bits of a mode that stand for the list: the group's are the mask's where there is one."""
    found = {entry.tag: entry.permissions for entry in entries}
    return found[USER_OBJ] << 6 | found.get(MASK, found[GROUP_OBJ]) << 3 | found[OTHER]


def is_minimal(entries: list[Entry]) -> bool:
    """Whether the list says no more than a mode does."""
    return len(entries) == len(_ONCE)


def with_mode(entries: list[Entry], mode: int) -> list[Entry]:
    """The list after chmod."""
    has_mask = any(entry.tag == MASK for entry in entries)
    shifts = {USER_OBJ: 6, MASK if has_mask else GROUP_OBJ: 3, OTHER: 0}
    return [entry._replace(permissions=mode >> shifts[entry.tag] & 7) if entry.tag in shifts else entry for entry in entries]


def inherit(view: Reader, directory: Node, mode: int) -> Inherited:
    """What is made with `mode` (and its type) in a directory with a default list gets by it."""
    value = versioned.get_xattr(view, directory.ino, DEFAULT)
    if value is None:
        return Inherited(mode)
    entries = with_mode_at_most(parse(value), mode)
    access = None if is_minimal(entries) else pack(entries)
    return Inherited(mode & ~0o777 | permissions(entries), access, value if stat.S_ISDIR(mode) else None)


def with_mode_at_most(entries: list[Entry], mode: int) -> list[Entry]:
    """A default list as the access list of what is made with `mode`: nothing that the mode does not ask for."""
    return with_mode(entries, permissions(entries) & mode)
