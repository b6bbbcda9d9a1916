"""Whole trees: making the directories above a path, removing and copying a tree.

Called by the surfaces. A tree may be large, so removing and copying go in steps, each a transaction of its own with a
bounded number of files; a small tree takes one step and is atomic. Between steps others may change what is not yet
done: what has gone by then is passed over.
"""

import stat as _stat
from typing import NamedTuple

from vexfs.core import attributes, collections, content, files, points
from vexfs.core.errors import (
    AlreadyExists,
    InvalidRequest,
    IsADirectory,
    MoveIntoItself,
    NotFound,
    PreconditionFailed,
    VectorsDoNotFit,
)
from vexfs.core.types import ROOT_INO, Collection, Ino, Node
from vexfs.store import dentries, nodes, versioned
from vexfs.store.reader import Reader
from vexfs.store.versioned import VectorRow
from vexfs.store.writer import Transaction

STEP_FILES = 250
"""Files one step removes or copies: a few milliseconds of the writer's turn."""
_PAGE = 200


def make_parents(txn: Transaction, components: tuple[bytes, ...], *, mode: int, uid: int, gid: int) -> Node:
    """The directory above the path `components`, made with those above it where they are missing.

    Raises NotADirectory when a file stands in the way.
    """
    current = files.stat(txn, ROOT_INO)
    for name in components[:-1]:
        try:
            current = files.lookup(txn, current.ino, name)
        except NotFound:
            current = files.make_directory(txn, current.ino, name, mode=mode, uid=uid, gid=gid)
    return current


def count_points(view: Reader, directory: Ino) -> int:
    """How many regular files a directory holds: the points of a collection."""
    sql = "SELECT count(*) FROM dentry d JOIN node n ON n.ino=d.ino WHERE d.parent=? AND n.mode & 61440 = 32768"
    return int(view.execute(sql, (directory,)).fetchall()[0][0])


# -- removing --------------------------------------------------------------------------------------


class TreeTooLarge(PreconditionFailed):
    """The tree has more files than one step handles: go in steps."""


class RemoveStep(NamedTuple):
    """What one step removed, and whether the directory is empty now."""

    removed: int
    done: bool


def remove_at_once(txn: Transaction, parent: Ino, name: bytes, limit: int = STEP_FILES) -> int:
    """Remove a file, or a directory with everything below it; returns how many names went. Raises NotFound, TreeTooLarge."""
    top = files.lookup(txn, parent, name)
    if not top.is_directory:
        files.remove(txn, parent, name)
        return 1
    step = empty_step(txn, top.ino, limit)
    if not step.done:
        raise TreeTooLarge(f"the tree has more than {limit} files")
    files.remove_directory(txn, parent, name)
    return step.removed + 1


def empty_step(txn: Transaction, directory: Ino, limit: int = STEP_FILES) -> RemoveStep:
    """Remove up to `limit` of the files below a directory, leaves first. Raises NotFound, NotADirectory."""
    removed = 0
    stack: list[tuple[Ino, Ino, bytes]] = [(directory, directory, b"")]
    while removed < limit:
        ino, above, own_name = stack[-1]
        page = files.list_directory(txn, ino, limit=min(_PAGE, limit - removed))
        if not page:
            stack.pop()
            if not stack:
                return RemoveStep(removed, True)
            files.remove_directory(txn, above, own_name)
            removed += 1
        for entry in page:
            if entry.node.is_directory:
                stack.append((entry.node.ino, ino, entry.name))
                break
            files.remove(txn, ino, entry.name)
            removed += 1
    return RemoveStep(removed, False)


# -- copying ---------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """A file that is still to be copied."""

    source: Ino
    parent: Ino
    name: bytes


class _Listing(NamedTuple):
    """A directory whose entries above `after` are still to be copied."""

    source: Ino
    target: Ino
    after: bytes


class CopyState(NamedTuple):
    """How far a copy is. A step makes a new one from it and leaves it as it is, so a transaction that is done again
    does the same."""

    top: Node
    """The copy, or its topmost directory."""
    copied: int
    pending: tuple[_Entry | _Listing, ...]
    """What is to be done next stands last."""

    @property
    def done(self) -> bool:
        return not self.pending


class TreeCopy:
    """How one copy is made: `begin` in a first transaction, then `step` until the state says that it is done."""

    def __init__(self, source: Ino, *, recursive: bool, no_replace: bool, uid: int, gid: int) -> None:
        self._source = source
        self._recursive = recursive
        self._no_replace = no_replace
        self._owner = (uid, gid)

    def begin(self, txn: Transaction, parent: Ino, name: bytes) -> CopyState:
        """Copy the source itself to `name`, and the first files below it.

        Raises NotFound, AlreadyExists, IsADirectory (a directory without `recursive`, or a directory in the way),
        MoveIntoItself, VectorsDoNotFit, InvalidRequest (a file onto itself).
        """
        node = files.stat(txn, self._source)
        if node.is_directory:
            self._check_directory(txn, parent)
        self._make_room(txn, node, parent, name)
        pending: list[_Entry | _Listing] = []
        top = self._copy_one(txn, _Entry(node.ino, parent, name), pending)
        return self.step(txn, CopyState(top, 1, tuple(pending)))

    def step(self, txn: Transaction, state: CopyState, limit: int = STEP_FILES) -> CopyState:
        """Copy up to `limit` more files. Raises VectorsDoNotFit, CorruptContent."""
        pending = list(state.pending)
        copied = 0
        while pending and copied < limit:
            item = pending.pop()
            try:
                if isinstance(item, _Listing):
                    _list_more(txn, item, pending)
                else:
                    self._copy_one(txn, item, pending)
                    copied += 1
            except NotFound:
                continue  # it has gone since its directory was listed
        return CopyState(state.top, state.copied + copied, tuple(pending))

    def _check_directory(self, txn: Transaction, parent: Ino) -> None:
        if not self._recursive:
            raise IsADirectory("the source is a directory: set recursive to copy it with everything below")
        current = parent
        while current != ROOT_INO:
            if current == self._source:
                raise MoveIntoItself("a directory cannot be copied below itself")
            names = dentries.names_of(txn, current)
            if not names:
                return
            current = names[0][0]
        if self._source == ROOT_INO:
            raise MoveIntoItself("the root cannot be copied below itself")

    def _make_room(self, txn: Transaction, node: Node, parent: Ino, name: bytes) -> None:
        found = dentries.get(txn, parent, name)
        existing = None if found is None else nodes.get(txn, found)
        if existing is None:
            return
        if self._no_replace or node.is_directory:
            raise AlreadyExists("something has that name already: remove it first, or choose another name")
        if existing.ino == node.ino:
            raise InvalidRequest("source and destination are the same file")
        if existing.is_directory:
            raise IsADirectory("a directory has that name: name the copy inside it")
        files.remove(txn, parent, name)

    def _copy_one(self, txn: Transaction, entry: _Entry, pending: list[_Entry | _Listing]) -> Node:
        source = files.stat(txn, entry.source)
        uid, gid = self._owner
        if source.is_directory:
            made = files.make_directory(txn, entry.parent, entry.name, mode=source.mode, uid=uid, gid=gid)
            self._copy_schema(txn, source.ino, made.ino)
            pending.append(_Listing(source.ino, made.ino, b""))
        elif source.is_symlink:
            target = files.read_symlink(txn, source.ino)
            made = files.make_symlink(txn, entry.parent, entry.name, target=target, uid=uid, gid=gid)
        else:
            made = files.create(txn, entry.parent, entry.name, mode=source.mode, uid=uid, gid=gid, rdev=source.rdev)
        if source.is_regular:
            content.copy(txn, source.ino, made.ino)
            self._copy_vectors(txn, source.ino, made.ino)
        self._copy_attributes(txn, source, made.ino)
        return files.stat(txn, made.ino)

    def _copy_attributes(self, txn: Transaction, source: Node, target: Ino) -> None:
        metadata = attributes.get_metadata(txn, source.ino)
        if metadata != attributes.NO_METADATA:
            attributes.set_metadata(txn, target, metadata)
        for name in attributes.list_xattrs(txn, source.ino):
            attributes.set_xattr(txn, target, name, attributes.get_xattr(txn, source.ino, name))
        mode = None if source.is_symlink else _stat.S_IMODE(source.mode)
        files.set_attributes(
            txn, target, mode=mode, uid=source.uid, gid=source.gid, atime_ns=source.atime_ns, mtime_ns=source.mtime_ns
        )

    def _copy_schema(self, txn: Transaction, source: Ino, target: Ino) -> None:
        try:
            schema = collections.get(txn, source).schema
        except NotFound:
            return
        if source != ROOT_INO:
            collections.create(txn, target, schema)

    def _copy_vectors(self, txn: Transaction, source: Ino, target: Ino) -> None:
        rows = versioned.get_vectors(txn, source)
        if not rows:
            return
        owner = collections.owner_of(txn, target)
        specs = {spec.name: spec.dimension for spec in owner.schema.vectors}
        for row in rows:
            if row.data is None or specs.get(row.name) != len(row.data) // 4:
                raise VectorsDoNotFit("the file's vectors do not fit the collection the copy would lie in")
        points.put_vectors(txn, [VectorRow(target, row.name, txn.revision, owner.ino, row.data) for row in rows])


def _list_more(txn: Transaction, listing: _Listing, pending: list[_Entry | _Listing]) -> None:
    page = files.list_directory(txn, listing.source, after=listing.after, limit=_PAGE)
    if len(page) == _PAGE:
        pending.append(listing._replace(after=page[-1].name))
    pending.extend(_Entry(entry.node.ino, listing.target, entry.name) for entry in reversed(page))


# -- vectors of many files -------------------------------------------------------------------------


def drop_vectors_step(txn: Transaction, collection: Collection, limit: int = STEP_FILES) -> bool:
    """Drop up to `limit` vectors of each name from the files of a collection; True when none is left."""
    done = True
    for spec in collection.schema.vectors:
        rows = versioned.collection_vectors(txn, collection.ino, spec.name, limit=limit)
        points.put_vectors(txn, [row._replace(born=txn.revision, data=None) for row in rows])
        done = done and len(rows) < limit
    return done
