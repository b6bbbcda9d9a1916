"""A disk that forgets what was not synced: from an event log to the states a power cut may leave.

Called by the power-cut tests. One thread. The model, on purpose stricter than ext4, xfs or btrfs:

- A write or truncate is certain once an fsync or fdatasync of that file *began after it had returned* and has ended. The size
  is part of the content, for both kinds of sync.
- A name (create, rename, link, unlink, mkdir, rmdir) is certain once an fsync of the folder it lies in began after it and has
  ended. An fsync of the new file does not make its name certain. A rename is whole or absent, and certain with the folder of
  the new name.
- Anything else may have reached the disk or not, each change by itself and in any order; a write may have reached it torn, in
  whole 512-byte sectors. `Survival` names the ways to choose.
- sync_file_range, syncfs and sync count for nothing. A sync that has begun and not ended promises nothing.
"""

import enum
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from .events import Event, Kind, UnsoundLog

SECTOR_BYTES = 512

Tree = dict[str, bytes | None]
"""Relative path → content, or None for a folder. Parents come before their children."""


class Survival(enum.StrEnum):
    """How it is decided which unsynced changes reached the disk."""

    NOTHING = "nothing"
    EVERYTHING = "everything"
    PREFIX = "prefix"
    """The oldest ones, up to a random point: a disk that keeps order."""
    FILES = "files"
    """All or nothing for each file and each folder."""
    ANY = "any"
    """Each change by itself."""
    TORN = "torn"
    """Each change by itself, and writes in part."""


class _Change:
    """A change that no sync covers yet. `index` is its place in the log."""

    __slots__ = ("data", "index", "names", "offset")

    def __init__(self, index: int, offset: int, data: bytes | None, names: "list[_Name]") -> None:
        self.index = index
        self.offset = offset
        self.data = data
        """What was written at `offset`; None for a truncate to `offset`."""
        self.names = names


class _Node:
    """An inode: what is certainly on the disk, what the programs see (`live`, folders only), and the changes between."""

    def __init__(self, *, folder: bool) -> None:
        self.folder = folder
        self.content = bytearray()
        self.stable: dict[str, _Node] = {}
        self.live: dict[str, _Node] = {}
        self.pending: list[_Change] = []


_Name = tuple[_Node, str, _Node | None]
"""In folder, name, leads to (None: no longer there)."""


def is_left_out(path: Path) -> bool:
    """SQLite's shared-memory file and the tables of what mounts have open, which are made anew after a crash and recorded by
    nobody; and what is neither file nor folder (sockets).
    """
    return path.name.endswith("-shm") or path.parent.name == "openings" or not (path.is_dir() or path.is_file())


def read_tree(folder: Path) -> Tree:
    """What lies in a folder now, as the processes see it."""
    tree: Tree = {}
    for path in sorted(folder.rglob("*")):
        if not is_left_out(path):
            tree[str(path.relative_to(folder))] = None if path.is_dir() else path.read_bytes()
    return tree


def write_tree(tree: Tree, folder: Path) -> None:
    """Make `folder` (which must not exist) hold exactly `tree`."""
    folder.mkdir(parents=True)
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)


class Disk:
    """The disk under one folder while its events are replayed in order."""

    def __init__(self, folder: Path) -> None:
        """Start from what lies in `folder` now, all of it taken as synced: call before the recorded program starts."""
        self._root = _Node(folder=True)
        self._by_ino = {folder.stat().st_ino: self._root}
        self._load(folder, self._root)
        self._syncing: dict[tuple[int, int], int] = {}
        self._next = 0

    def _load(self, folder: Path, node: _Node) -> None:
        for path in folder.iterdir():
            if is_left_out(path):
                continue
            child = _Node(folder=path.is_dir())
            self._by_ino[path.stat().st_ino] = child
            node.live[path.name] = node.stable[path.name] = child
            if child.folder:
                self._load(path, child)
            else:
                child.content += path.read_bytes()

    def apply(self, event: Event) -> None:
        """Let the next event of the log happen. Raises UnsoundLog when it speaks of a file nobody made."""
        _APPLY[event.kind](self, event)
        self._next += 1

    # ---- events ----

    def _do_mark(self, event: Event) -> None:
        pass

    def _do_create(self, event: Event) -> None:
        parent, name = self._parent(event.path)
        if self._by_ino.get(event.ino) is parent.live.get(name) is not None:
            return  # two openers saw that it was not there; one of them made it
        node = self._by_ino[event.ino] = _Node(folder=event.kind == Kind.MKDIR)
        self._rename_entries(parent, [(parent, name, node)])

    def _do_write(self, event: Event) -> None:
        self._node(event.ino).pending.append(_Change(self._next, event.offset, event.data, []))

    def _do_truncate(self, event: Event) -> None:
        self._node(event.ino).pending.append(_Change(self._next, event.offset, None, []))

    def _do_sync_begin(self, event: Event) -> None:
        self._syncing[event.thread, event.ino] = self._next

    def _do_sync_end(self, event: Event) -> None:
        begin = self._syncing.pop((event.thread, event.ino))
        node = self._node(event.ino)
        covered = [change for change in node.pending if change.index < begin]
        node.pending = [change for change in node.pending if change.index >= begin]
        for change in covered:
            if node.folder:
                for folder, name, target in change.names:
                    _put(folder.stable, name, target)
                    if folder is not node:  # a rename out of another folder: what happened to the old name before is history
                        _forget(folder, name, change.index)
            else:
                _write(node.content, change.offset, change.data)

    def _do_rename(self, event: Event) -> None:
        parent, name = self._parent(event.path)
        new_parent, new_name = self._parent(event.other)
        node = parent.live[name]
        self._rename_entries(new_parent, [(parent, name, None), (new_parent, new_name, node)])

    def _do_exchange(self, event: Event) -> None:
        parent, name = self._parent(event.path)
        other_parent, other_name = self._parent(event.other)
        entries: list[_Name] = [(parent, name, other_parent.live[other_name]), (other_parent, other_name, parent.live[name])]
        self._rename_entries(other_parent, entries)

    def _do_unlink(self, event: Event) -> None:
        parent, name = self._parent(event.path)
        self._rename_entries(parent, [(parent, name, None)])

    def _do_link(self, event: Event) -> None:
        parent, name = self._parent(event.path)
        new_parent, new_name = self._parent(event.other)
        self._rename_entries(new_parent, [(new_parent, new_name, parent.live[name])])

    def _rename_entries(self, folder: _Node, names: list[_Name]) -> None:
        for parent, name, target in names:
            _put(parent.live, name, target)
        folder.pending.append(_Change(self._next, 0, None, names))

    def _parent(self, path: str) -> tuple[_Node, str]:
        *folders, name = path.split("/")
        node = self._root
        for folder in folders:
            node = node.live[folder]
        return node, name

    def _node(self, ino: int) -> _Node:
        node = self._by_ino.get(ino)
        if node is None:
            raise UnsoundLog(f"inode {ino} is written and nobody made it")
        return node

    # ---- the cut ----

    def after_cut(self, survival: Survival, seed: int = 0) -> Tree:
        """One state the disk may be in if the power fails now; the same for the same seed."""
        chosen = self._choose(survival, random.Random(seed))
        names: dict[int, dict[str, _Node]] = {}
        changes = sorted((change for node in self._nodes() for change in node.pending if change.names), key=lambda c: c.index)
        for change in changes:
            if chosen(change):
                for folder, name, target in change.names:
                    _put(names.setdefault(id(folder), dict(folder.stable)), name, target)
        tree: Tree = {}
        self._collect(self._root, "", names, chosen, survival, random.Random(seed + 1), tree)
        return tree

    def _choose(self, survival: Survival, rng: random.Random) -> "Callable[[_Change], bool]":
        if survival is Survival.PREFIX:
            indexes = sorted(change.index for node in self._nodes() for change in node.pending)
            last = rng.choice([-1, *indexes])
            return lambda change: change.index <= last
        kept: set[int] = set()
        odds = rng.choice((0.1, 0.5, 0.9))
        for node in self._nodes():
            whole = rng.random() < 0.5
            for change in node.pending:
                if survival is Survival.EVERYTHING or (whole if survival is Survival.FILES else rng.random() < odds):
                    kept.add(change.index)
        if survival is Survival.NOTHING:
            kept.clear()
        return lambda change: change.index in kept

    def _nodes(self) -> Iterator[_Node]:
        """Every node of which a name may be on the disk, in an order that depends on the log alone."""
        seen: set[int] = set()
        stack = [self._root]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            stack += node.stable.values()
            stack += [target for change in node.pending for _, _, target in change.names if target is not None]

    def _collect(
        self,
        folder: _Node,
        prefix: str,
        names: dict[int, dict[str, _Node]],
        chosen: "Callable[[_Change], bool]",
        survival: Survival,
        rng: random.Random,
        tree: Tree,
    ) -> None:
        for name, node in sorted(names.get(id(folder), folder.stable).items()):
            path = prefix + name
            if node.folder:
                tree[path] = None
                self._collect(node, path + "/", names, chosen, survival, rng, tree)
                continue
            content = bytearray(node.content)
            for change in node.pending:
                if chosen(change):
                    if survival is Survival.TORN and change.data is not None and rng.random() < 0.5:
                        _write_torn(content, change.offset, change.data, rng)
                    else:
                        _write(content, change.offset, change.data)
            tree[path] = bytes(content)


def _put(names: dict[str, _Node], name: str, target: _Node | None) -> None:
    if target is None:
        names.pop(name, None)
    else:
        names[name] = target


def _forget(folder: _Node, name: str, before: int) -> None:
    for change in folder.pending:
        if change.index < before:
            change.names = [entry for entry in change.names if entry[0] is not folder or entry[1] != name]


def _write(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        data = b""
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _write_torn(content: bytearray, offset: int, data: bytes, rng: random.Random) -> None:
    """Write the sectors of `data` up to a random one, or any of them."""
    ends = [*range(offset - offset % SECTOR_BYTES + SECTOR_BYTES, offset + len(data), SECTOR_BYTES), offset + len(data)]
    starts = [offset, *ends[:-1]]
    sectors = list(zip(starts, ends, strict=True))
    if rng.random() < 0.5:
        sectors = sectors[: rng.randrange(len(sectors) + 1)]
    else:
        sectors = [sector for sector in sectors if rng.random() < 0.5]
    for start, end in sectors:
        _write(content, start, data[start - offset : end - offset])


_APPLY: dict[Kind, Callable[[Disk, Event], None]] = {
    Kind.CREATE: Disk._do_create,
    Kind.WRITE: Disk._do_write,
    Kind.TRUNCATE: Disk._do_truncate,
    Kind.SYNC_BEGIN: Disk._do_sync_begin,
    Kind.SYNC_END: Disk._do_sync_end,
    Kind.RENAME: Disk._do_rename,
    Kind.EXCHANGE: Disk._do_exchange,
    Kind.UNLINK: Disk._do_unlink,
    Kind.RMDIR: Disk._do_unlink,
    Kind.LINK: Disk._do_link,
    Kind.MKDIR: Disk._do_create,
    Kind.MARK: Disk._do_mark,
}
