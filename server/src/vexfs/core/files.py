"""The tree: looking up, creating, linking, renaming and removing files of every kind, and their attributes.

Called by the surfaces; a `view` may be any Reader, a `txn` is the operation being written. Validates before it writes.
Permissions are the caller's business (the kernel checks modes on the mount, tokens elsewhere). Content is `content`,
metadata and xattrs `attributes`.
"""

import stat as _stat
from collections.abc import Callable, Sequence
from typing import NamedTuple

import apsw

from vexfs.core import acls, collections, quotas
from vexfs.core.errors import (
    AlreadyExists,
    DirectoryNotEmpty,
    InvalidRequest,
    IsADirectory,
    LinkNotPermitted,
    MoveIntoItself,
    NameTooLong,
    NotADirectory,
    NotASymlink,
    NotFound,
    QuotaExceeded,
    RootImmutable,
    TooManyLinks,
)
from vexfs.core.paths import check_name, show
from vexfs.core.types import (
    CHANGE_ENTRY_ADDED,
    CHANGE_ENTRY_REMOVED,
    CHANGE_NODE,
    CHANGE_NODE_REMOVED,
    CHANGE_XATTR,
    LINK_MAX,
    NODE_HAS_ACL,
    NODE_HAS_DEFAULT_ACL,
    ROOT_INO,
    SYMLINK_TARGET_MAX_BYTES,
    Change,
    DirectoryEntry,
    Ino,
    Node,
    Removed,
)
from vexfs.store import dentries, nodes, versioned
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

_TYPES = frozenset((_stat.S_IFREG, _stat.S_IFIFO, _stat.S_IFSOCK, _stat.S_IFCHR, _stat.S_IFBLK))


def _never(_: Ino) -> bool:
    return False


# -- looking ---------------------------------------------------------------------------------------


def stat(view: Reader, ino: int) -> Node:
    """The node of that number. Raises NotFound."""
    node = nodes.get(view, ino)
    if node is None:
        raise NotFound(f"there is no file with id {ino}", file_id=str(ino))
    return node


def lookup(view: Reader, parent: Ino, name: bytes) -> Node:
    """Where `name` in the directory `parent` leads. Raises NotFound, NotADirectory."""
    node = find(view, parent, name)
    if node is None:
        _directory(view, parent)
        raise NotFound(f"there is no {show(name)!r} here", name=show(name))
    return node


def find(view: Reader, parent: Ino, name: bytes) -> Node | None:
    """Where `name` in `parent` leads, or None: for who asks often and takes "nowhere" for an answer."""
    return dentries.get_node(view, parent, name)


def list_directory(view: Reader, ino: Ino, after: bytes = b"", limit: int = 1000) -> list[DirectoryEntry]:
    """Up to `limit` entries with names above `after`, in byte order. Raises NotFound, NotADirectory."""
    _directory(view, ino)
    return dentries.list_page(view, ino, after=after, limit=limit)


def read_symlink(view: Reader, ino: Ino) -> bytes:
    """A symbolic link's target. Raises NotFound, NotASymlink."""
    if not stat(view, ino).is_symlink:
        raise NotASymlink(f"file {ino} is not a symbolic link")
    return nodes.symlink_target(view, ino) or b""


def _directory(view: Reader, ino: int) -> Node:
    node = nodes.get(view, ino)
    if node is None or node.nlink == 0:
        raise NotFound(f"there is no directory with id {ino}", file_id=str(ino))
    if not _stat.S_ISDIR(node.mode):
        raise NotADirectory(f"file {ino} is not a directory", file_id=str(ino))
    return node


# -- creating --------------------------------------------------------------------------------------


def create(txn: Transaction, parent: Ino, name: bytes, *, mode: int, uid: int, gid: int, rdev: int = 0, umask: int = 0) -> Node:
    """A new empty file; `mode` has type (regular, FIFO, socket, device; regular when none) and permissions, of which those in
    `umask` are taken unless the directory has a default access control list.

    Raises AlreadyExists, InvalidName, QuotaExceeded, NotFound or NotADirectory for the parent.
    """
    if not _stat.S_IFMT(mode):
        mode |= _stat.S_IFREG
    if _stat.S_IFMT(mode) not in _TYPES:
        raise InvalidRequest(f"mode {mode:o} is no type of file that can be created so")
    return _add_node(txn, parent, name, _New(mode, uid, gid, umask, rdev=rdev))


def create_many(txn: Transaction, parent: Ino, names: Sequence[bytes], *, mode: int, uid: int, gid: int) -> list[Ino]:
    """New empty regular files, as `create` makes each of them, in a few statements. Raises as `create`."""
    if not names:
        return []
    for name in names:
        check_name(name)
    directory = _directory(txn, parent)
    quotas.check_new(txn, len(names))
    inos = [Ino(ino) for ino in txn.new_inos(len(names))]
    try:
        dentries.add_many(txn, parent, names, inos[0], born=txn.revision)
    except apsw.ConstraintError:
        raise AlreadyExists("one of the names exists already") from None
    new = _New(_stat.S_IFREG | _stat.S_IMODE(mode), uid, gid, 0)
    node = _made(txn, inos[0], directory, new, 1)
    if node.flags:
        for ino in inos[1:]:
            _inherit_acls(txn, ino, directory, new.mode)
    nodes.insert_alike(txn, node, inos)
    for ino, name in zip(inos, names, strict=True):
        txn.changes.append(Change(CHANGE_ENTRY_ADDED, ino, parent, name))
        txn.changes.append(Change(CHANGE_NODE, ino))
    _touch(txn, directory)
    return inos


def make_directory(txn: Transaction, parent: Ino, name: bytes, *, mode: int, uid: int, gid: int, umask: int = 0) -> Node:
    """A new empty directory. Raises as `create`, and TooManyLinks."""
    return _add_node(txn, parent, name, _New(_stat.S_IFDIR | _stat.S_IMODE(mode), uid, gid, umask))


def make_symlink(txn: Transaction, parent: Ino, name: bytes, *, target: bytes, uid: int, gid: int) -> Node:
    """A new symbolic link. Raises as `create`; NameTooLong for the target."""
    if not target or b"\0" in target:
        raise InvalidRequest("a symbolic link's target is neither empty nor holds NUL")
    if len(target) > SYMLINK_TARGET_MAX_BYTES:
        raise NameTooLong(f"the target has {len(target)} bytes; at most {SYMLINK_TARGET_MAX_BYTES} are possible")
    node = _add_node(txn, parent, name, _New(_stat.S_IFLNK | 0o777, uid, gid, 0, size_bytes=len(target)))
    nodes.put_symlink_target(txn, node.ino, target)
    return node


def create_nameless(txn: Transaction, parent: Ino, *, mode: int, uid: int, gid: int, umask: int = 0) -> Node:
    """A new empty regular file without a name, as it would be in the directory `parent`; `link` can give it one.

    Whoever writes has it open, and ends it with `forget_orphan`. Raises QuotaExceeded, NotFound, NotADirectory.
    """
    directory = _directory(txn, parent)
    quotas.check_new(txn, 1)
    new = _New(_stat.S_IFREG | _stat.S_IMODE(mode), uid, gid, umask)
    node = _insert(txn, txn.new_ino(), directory, new, 0)
    nodes.add_orphan(txn, node.ino, txn.writer.origin)
    return node


class _New(NamedTuple):
    """What is asked for of something new; `mode` with the type."""

    mode: int
    uid: int
    gid: int
    umask: int
    rdev: int = 0
    size_bytes: int = 0


def _add_node(txn: Transaction, parent: Ino, name: bytes, new: _New) -> Node:
    check_name(name)
    directory = _directory(txn, parent)
    is_directory = _stat.S_ISDIR(new.mode)
    if is_directory:
        _check_room(directory)
    used = txn.usage
    if used.files >= used.limit_files or new.size_bytes:  # looked at here, because a busy mount makes many
        _check_quota(txn, parent, name, new)
    ino = txn.new_ino()
    _add_entry(txn, parent, name, ino)
    node = _insert(txn, ino, directory, new, 2 if is_directory else 1)
    _touch(txn, directory, link_delta=1 if is_directory else 0)
    return node


def _check_quota(txn: Transaction, parent: Ino, name: bytes, new: _New) -> None:
    """Raise QuotaExceeded when there is no room for something new, AlreadyExists when it would not be new."""
    try:
        quotas.check_new(txn, 1, new.size_bytes)
    except QuotaExceeded:
        if find(txn, parent, name) is not None:
            raise AlreadyExists(f"{show(name)!r} exists already", name=show(name)) from None
        raise


def _insert(txn: Transaction, ino: Ino, directory: Node, new: _New, nlink: int) -> Node:
    """Write the row of something new."""
    node = _made(txn, ino, directory, new, nlink)
    nodes.insert(txn, node)
    txn.changes.append(Change(CHANGE_NODE, ino))
    return node


def _made(txn: Transaction, ino: Ino, directory: Node, new: _New, nlink: int) -> Node:
    """Something new with what it inherits from its directory, of which the lists are written."""
    mode, uid, gid, umask, rdev, size_bytes = new
    if directory.mode & _stat.S_ISGID:  # as on every Unix: the group is inherited, and directories hand the bit on
        gid = directory.gid
        if _stat.S_ISDIR(mode):
            mode |= _stat.S_ISGID
    flags = 0
    if directory.flags & NODE_HAS_DEFAULT_ACL and not _stat.S_ISLNK(mode):
        mode, flags = _inherit_acls(txn, ino, directory, mode)
    else:
        mode &= ~umask
    now, revision = txn.now_ns, txn.revision
    return Node(ino, mode, nlink, uid, gid, rdev, size_bytes, now, now, now, now, revision, revision, 0, flags)


def _inherit_acls(txn: Transaction, ino: Ino, directory: Node, mode: int) -> tuple[int, int]:
    """Write the lists that something new inherits; returns its mode and flags."""
    inherited = acls.inherit(txn, directory, mode)
    flags = 0
    for name, value, flag in (
        (acls.ACCESS, inherited.access, NODE_HAS_ACL),
        (acls.DEFAULT, inherited.default, NODE_HAS_DEFAULT_ACL),
    ):
        if value is not None:
            versioned.put_xattr(txn, ino, name, value, born=txn.revision)
            flags |= flag
    if flags:
        txn.changes.append(Change(CHANGE_XATTR, ino))
    return inherited.mode, flags


def _add_entry(txn: Transaction, parent: Ino, name: bytes, ino: Ino) -> None:
    try:
        dentries.add(txn, parent, name, ino, born=txn.revision)
    except apsw.ConstraintError:
        raise AlreadyExists(f"{show(name)!r} exists already", name=show(name)) from None
    txn.changes.append(Change(CHANGE_ENTRY_ADDED, ino, parent, name))


def _remove_entry(txn: Transaction, parent: Ino, name: bytes, ino: Ino, born: int) -> None:
    dentries.remove_found(txn, parent, name, ino, born, died=txn.revision, keep_from=txn.keep_from)
    txn.changes.append(Change(CHANGE_ENTRY_REMOVED, ino, parent, name))


def _entry(txn: Transaction, parent: Ino, name: bytes) -> tuple[Node, int]:
    """Where a name that is to be changed leads, and since which revision. Raises as `lookup`."""
    found = nodes.get_entry(txn, parent, name)
    if found is None:
        raise NotFound(f"there is no {show(name)!r} here", name=show(name))
    return found


def _move_entry(txn: Transaction, parent: Ino, name: bytes, ino: Ino, born: int, new_parent: Ino, new_name: bytes) -> bool:
    """False, and nothing has changed, when the new name is taken."""
    try:
        dentries.move(txn, parent, name, ino, born, new_parent, new_name, moved=txn.revision, keep_from=txn.keep_from)
    except apsw.ConstraintError:
        return False
    txn.changes.append(Change(CHANGE_ENTRY_REMOVED, ino, parent, name))
    txn.changes.append(Change(CHANGE_ENTRY_ADDED, ino, new_parent, new_name))
    return True


def _check_room(directory: Node) -> None:
    """Raise TooManyLinks when not one more directory fits into this one."""
    if directory.nlink >= LINK_MAX:
        raise TooManyLinks(f"a directory holds at most {LINK_MAX - 2} directories")


def _touch(txn: Transaction, directory: Node, *, link_delta: int = 0) -> None:
    """A directory's entries changed: its times move, and its link count when a subdirectory came or went."""
    txn.touch(directory.with_entries_changed(txn.now_ns, txn.revision, link_delta))


def link(txn: Transaction, ino: Ino, parent: Ino, name: bytes, *, nameless: bool = False) -> Node:
    """One more name for a file; the first for one without, when it may be `nameless`.

    Raises AlreadyExists, NotFound, LinkNotPermitted, TooManyLinks, VectorsDoNotFit.
    """
    check_name(name)
    directory = _directory(txn, parent)
    node = stat(txn, ino)
    if node.is_directory:
        raise LinkNotPermitted("a directory has one name only: hard links to directories do not exist")
    if node.nlink == 0 and not nameless:
        raise NotFound(f"file {ino} has no name any more")
    if node.nlink >= LINK_MAX:
        raise TooManyLinks(f"a file has at most {LINK_MAX} names")
    collections.check_new_parent(txn, node, parent)
    _add_entry(txn, parent, name, ino)
    if node.nlink == 0:
        nodes.remove_orphan(txn, ino)
    linked = node.with_links_changed(txn.now_ns, txn.revision, 1)
    _update(txn, linked, node)
    _touch(txn, directory)
    return linked


def _update(txn: Transaction, node: Node, old: Node) -> None:
    """Write a file's changed attributes."""
    if node.ino in txn.touched:
        txn.untouch(node.ino)
        nodes.write_touched(txn, node, txn.keep_from)
    else:
        nodes.write_row(txn, node, old, txn.keep_from)
    txn.changes.append(Change(CHANGE_NODE, node.ino))


# -- removing --------------------------------------------------------------------------------------


def remove(txn: Transaction, parent: Ino, name: bytes, *, keep_open: bool = False) -> Removed:
    """Take a name from a file; with the last one the file goes.

    `keep_open`: the caller has the file open and ends it with `forget_orphan`. A file that a mount has open lives on until
    that one forgets it. Raises NotFound, IsADirectory.
    """
    directory = _directory(txn, parent)
    node, born = _entry(txn, parent, name)
    if node.is_directory:
        raise IsADirectory(f"{show(name)!r} is a directory", name=show(name))
    _remove_entry(txn, parent, name, node.ino, born)
    _touch(txn, directory)
    return _drop_link(txn, node, name, keep_open)


def _drop_link(txn: Transaction, node: Node, name: bytes, keep_open: bool) -> Removed:
    nlink = node.nlink - 1
    holder = None
    if nlink == 0:
        holder = txn.writer.origin if keep_open else txn.writer.holder(node.ino)
    if nlink > 0 or holder is not None:
        _update(txn, node.with_links_changed(txn.now_ns, txn.revision, -1), node)
        if holder is not None:
            nodes.add_orphan(txn, node.ino, holder)
    else:
        _remove_node(txn, node)
    return Removed(node.ino, name, nlink == 0, node)


def _remove_node(txn: Transaction, node: Node) -> None:
    if node.ino in txn.touched:  # its row is older than what we know of it
        txn.untouch(node.ino)
        node = nodes.get(txn, node.ino) or node
    nodes.remove(txn, node, died=txn.revision, keep_from=txn.keep_from)
    txn.changes.append(Change(CHANGE_NODE_REMOVED, node.ino))


def forget_orphan(txn: Transaction, ino: Ino) -> None:
    """The last opening of a file without a name was closed here: the file goes, or is another mount's that has it open, too.
    Without effect on any other file.
    """
    node = nodes.get(txn, ino)
    if node is not None and node.nlink == 0:
        holder = txn.writer.holder(ino)
        if holder is not None:
            nodes.add_orphan(txn, ino, holder)
            return
        _remove_node(txn, node)
    nodes.remove_orphan(txn, ino)


def is_nameless(view: Reader, ino: int, holder: int | None = None) -> bool:
    """Whether the file is there without a name, kept for the opening `holder` if that is given."""
    node = nodes.get(view, ino)
    if node is None or node.nlink > 0:
        return False
    return holder is None or (ino, holder) in nodes.orphans(view)


def remove_directory(txn: Transaction, parent: Ino, name: bytes) -> Removed:
    """Remove an empty directory. Raises NotFound, NotADirectory, DirectoryNotEmpty."""
    directory = _directory(txn, parent)
    node, born = _entry(txn, parent, name)
    _check_removable_directory(txn, node, name)
    _remove_entry(txn, parent, name, node.ino, born)
    collections.forget_schema(txn, node.ino)
    _remove_node(txn, node)
    _touch(txn, directory, link_delta=-1)
    return Removed(node.ino, name, True, node)


def _check_removable_directory(txn: Transaction, node: Node, name: bytes) -> None:
    if not node.is_directory:
        raise NotADirectory(f"{show(name)!r} is not a directory", name=show(name))
    if not dentries.is_empty(txn, node.ino):
        raise DirectoryNotEmpty(f"{show(name)!r} is not empty: remove what is in it first", name=show(name))


# -- renaming --------------------------------------------------------------------------------------


def rename(
    txn: Transaction,
    parent: Ino,
    name: bytes,
    new_parent: Ino,
    new_name: bytes,
    *,
    no_replace: bool = False,
    exchange: bool = False,
    keep_open: Callable[[Ino], bool] = _never,
) -> Removed | None:
    """Move a name, replacing what has the new one (an empty directory, or a file); returns what was replaced.

    `no_replace` refuses to replace; `exchange` swaps the two instead. `keep_open` as for `remove`. Raises NotFound,
    AlreadyExists, NotADirectory, IsADirectory, DirectoryNotEmpty, MoveIntoItself, VectorsDoNotFit.
    """
    check_name(new_name)
    source_directory = _directory(txn, parent)
    target_directory = source_directory if new_parent == parent else _directory(txn, new_parent)
    node, born = _entry(txn, parent, name)
    if new_parent != parent:
        _check_move(txn, node, new_parent)
        if node.is_directory:
            _check_room(target_directory)
    if exchange:
        _exchange(txn, source_directory, name, node, born, target_directory, new_name)
        return None
    existing = replaced = None
    stays = new_parent == parent and new_name == name
    if stays or not _move_entry(txn, parent, name, node.ino, born, new_parent, new_name):
        existing, existing_born = _entry(txn, new_parent, new_name)
        if no_replace:
            raise AlreadyExists(f"{show(new_name)!r} exists already", name=show(new_name))
        if existing.ino == node.ino:
            return None  # two names of one file: POSIX says that nothing happens
        replaced = _replace(txn, node, new_parent, new_name, existing, existing_born, keep_open)
        _move_entry(txn, parent, name, node.ino, born, new_parent, new_name)
    _update(txn, node.with_links_changed(txn.now_ns, txn.revision, 0), node)
    replaced_directory = existing is not None and existing.is_directory
    _touch_both(
        txn, source_directory, target_directory, moved_directory=node.is_directory, replaced_directory=replaced_directory
    )
    return replaced


def _check_move(txn: Transaction, node: Node, new_parent: Ino) -> None:
    if node.ino == ROOT_INO:
        raise RootImmutable("the root cannot be moved")
    if node.is_directory and _is_below(txn, new_parent, node.ino):
        raise MoveIntoItself("a directory cannot be moved below itself")
    collections.check_new_parent(txn, node, new_parent)


def _is_below(view: Reader, ino: Ino, ancestor: Ino) -> bool:
    current = ino
    while current != ROOT_INO:
        if current == ancestor:
            return True
        names = dentries.names_of(view, current)
        if not names:
            return False
        current = names[0][0]
    return ancestor == ROOT_INO


def _replace(
    txn: Transaction, node: Node, parent: Ino, name: bytes, existing: Node, born: int, keep_open: Callable[[Ino], bool]
) -> Removed:
    """Take away what stands at a rename's target."""
    if existing.is_directory:
        if not node.is_directory:
            raise IsADirectory(f"{show(name)!r} is a directory", name=show(name))
        _check_removable_directory(txn, existing, name)
        _remove_entry(txn, parent, name, existing.ino, born)
        collections.forget_schema(txn, existing.ino)
        _remove_node(txn, existing)
        return Removed(existing.ino, name, True, existing)
    if node.is_directory:
        raise NotADirectory(f"{show(name)!r} is not a directory", name=show(name))
    _remove_entry(txn, parent, name, existing.ino, born)
    return _drop_link(txn, existing, name, keep_open(existing.ino))


def _exchange(txn: Transaction, source: Node, name: bytes, node: Node, born: int, target: Node, new_name: bytes) -> None:
    found = nodes.get_entry(txn, target.ino, new_name)
    if found is None:
        raise NotFound(f"there is no {show(new_name)!r} to exchange with", name=show(new_name))
    existing, existing_born = found
    if existing.ino == node.ino:
        return
    if source.ino != target.ino:
        _check_move(txn, existing, source.ino)
    _remove_entry(txn, source.ino, name, node.ino, born)
    _remove_entry(txn, target.ino, new_name, existing.ino, existing_born)
    _add_entry(txn, target.ino, new_name, node.ino)
    _add_entry(txn, source.ino, name, existing.ino)
    for moved in (node, existing):
        _update(txn, moved.with_links_changed(txn.now_ns, txn.revision, 0), moved)
    delta = int(existing.is_directory) - int(node.is_directory)
    _touch(txn, stat(txn, source.ino), link_delta=delta if source.ino != target.ino else 0)
    if source.ino != target.ino:
        _touch(txn, stat(txn, target.ino), link_delta=-delta)


def _touch_both(txn: Transaction, source: Node, target: Node, *, moved_directory: bool, replaced_directory: bool) -> None:
    if source.ino == target.ino:
        _touch(txn, source, link_delta=-1 if replaced_directory else 0)
        return
    _touch(txn, source, link_delta=-1 if moved_directory else 0)
    _touch(txn, target, link_delta=int(moved_directory) - int(replaced_directory))


# -- attributes ------------------------------------------------------------------------------------


def set_attributes(
    txn: Transaction,
    ino: Ino,
    *,
    mode: int | None = None,
    uid: int | None = None,
    gid: int | None = None,
    atime_ns: int | None = None,
    mtime_ns: int | None = None,
    ctime_ns: int | None = None,
) -> Node:
    """Change those attributes that are given (of `mode` the permission bits); ctime moves. Raises NotFound."""
    node = stat(txn, ino)
    if mode is not None and node.flags & NODE_HAS_ACL:
        _change_acl(txn, ino, mode)
    changed = node._replace(
        mode=node.mode if mode is None else _stat.S_IFMT(node.mode) | _stat.S_IMODE(mode),
        uid=node.uid if uid is None else uid,
        gid=node.gid if gid is None else gid,
        atime_ns=node.atime_ns if atime_ns is None else atime_ns,
        mtime_ns=node.mtime_ns if mtime_ns is None else mtime_ns,
        ctime_ns=txn.now_ns if ctime_ns is None else ctime_ns,
        revision=txn.revision,
    )
    _update(txn, changed, node)
    return changed


def _change_acl(txn: Transaction, ino: Ino, mode: int) -> None:
    value = versioned.get_xattr(txn, ino, acls.ACCESS)
    if value is not None:
        changed = acls.pack(acls.with_mode(acls.parse(value), mode))
        versioned.put_xattr(txn, ino, acls.ACCESS, changed, born=txn.revision)
        txn.changes.append(Change(CHANGE_XATTR, ino))
