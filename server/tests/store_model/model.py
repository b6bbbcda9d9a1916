"""The model: what a volume should hold, as plain dictionaries.

Called by the state machine, the power-cut and the kill tests. No I/O, one thread. `apply` does one operation or raises the
class of error the volume must raise; `dump` is the whole state as plain data, to be compared with `volume.dump`. Contents are
immutable bytes, so that `copy` is cheap and a model of every revision can be kept.
"""

import os
import random
import stat
from typing import Any, NamedTuple

from blake3 import blake3

from vexfs.core import errors

Path = tuple[str, ...]
"""Names from the root; () is the root."""
Dump = dict[str, dict[str, Any]]
"""Path as text → what is there."""
Schema = tuple[tuple[str, int], ...]
"""(vector name, dimension) each; the metric is always "dot"."""
Item = tuple[str, tuple[tuple[str, tuple[float, ...]], ...], str | None]


class Data(NamedTuple):
    """Bytes that are told by two numbers, so that an operation fits in a line of a log."""

    seed: int
    size_bytes: int

    def make(self) -> bytes:
        return random.Random(self.seed).randbytes(self.size_bytes)


class Inode:
    """A file of any kind. Directories have `entries`."""

    def __init__(self, mode: int) -> None:
        self.mode = mode
        self.uid, self.gid = os.getuid(), os.getgid()
        self.mtime_ns: int | None = None
        """Only once it was set: else the clock decides."""
        self.content = b""
        self.target = ""
        self.xattrs: dict[str, bytes] = {}
        self.metadata = "{}"
        self.vectors: dict[str, tuple[float, ...]] = {}
        self.entries: dict[str, int] = {}
        self.schema: Schema | None = None


class Model:
    """See the module. Operations are tuples: a name of an `op_…` method, then its arguments."""

    def __init__(self) -> None:
        self.inodes: dict[int, Inode] = {1: Inode(stat.S_IFDIR | 0o755)}
        self._next = 2

    def copy(self) -> "Model":
        other = Model.__new__(Model)
        other._next = self._next
        other.inodes = {}
        for number, inode in self.inodes.items():
            clone = Inode.__new__(Inode)
            clone.__dict__.update(inode.__dict__)
            clone.xattrs = dict(inode.xattrs)
            clone.vectors = dict(inode.vectors)
            clone.entries = dict(inode.entries)
            other.inodes[number] = clone
        return other

    def apply(self, operation: tuple[Any, ...]) -> None:
        """Do one operation. Raises the domain error it must end with, having changed nothing."""
        getattr(self, "op_" + operation[0])(*operation[1:])

    # ---- finding ----

    def find(self, path: Path) -> int:
        number = 1
        for name in path:
            number = self._entry(number, name)
        return number

    def _entry(self, directory: int, name: str) -> int:
        inode = self.inodes[directory]
        if not stat.S_ISDIR(inode.mode):
            raise errors.NotADirectory("")
        if name not in inode.entries:
            raise errors.NotFound("")
        return inode.entries[name]

    def _parent(self, path: Path) -> tuple[int, str]:
        directory = self.find(path[:-1])
        if not stat.S_ISDIR(self.inodes[directory].mode):
            raise errors.NotADirectory("")
        return directory, path[-1]

    def _links(self, number: int) -> int:
        return sum(other == number for inode in self.inodes.values() for other in inode.entries.values())

    def _regular(self, path: Path) -> Inode:
        inode = self.inodes[self.find(path)]
        if stat.S_ISDIR(inode.mode):
            raise errors.IsADirectory("")
        if not stat.S_ISREG(inode.mode):
            raise errors.NotARegularFile("")
        return inode

    # ---- names ----

    def _add(self, path: Path, inode: Inode) -> None:
        directory, name = self._parent(path)
        if name in self.inodes[directory].entries:
            raise errors.AlreadyExists("")
        self.inodes[self._next] = inode
        self._enter(directory, name, self._next)
        self._next += 1

    def _enter(self, directory: int, name: str, number: int) -> None:
        self.inodes[directory].entries[name] = number
        self.inodes[directory].mtime_ns = None

    def op_create(self, path: Path, mode: int) -> None:
        self._add(path, Inode(mode))

    def op_mkdir(self, path: Path, mode: int) -> None:
        self._add(path, Inode(stat.S_IFDIR | mode))

    def op_symlink(self, path: Path, target: str) -> None:
        inode = Inode(stat.S_IFLNK | 0o777)
        inode.target = target
        self._add(path, inode)

    def op_link(self, source: Path, path: Path) -> None:
        number = self.find(source)
        directory, name = self._parent(path)
        if stat.S_ISDIR(self.inodes[number].mode):
            raise errors.LinkNotPermitted("")
        self._check_fit(number, directory)
        if name in self.inodes[directory].entries:
            raise errors.AlreadyExists("")
        self._enter(directory, name, number)

    def op_remove(self, path: Path) -> None:
        directory, name = self._parent(path)
        if stat.S_ISDIR(self.inodes[self._entry(directory, name)].mode):
            raise errors.IsADirectory("")
        self._unlink(directory, name)

    def op_rmdir(self, path: Path) -> None:
        directory, name = self._parent(path)
        inode = self.inodes[self._entry(directory, name)]
        if not stat.S_ISDIR(inode.mode):
            raise errors.NotADirectory("")
        if inode.entries:
            raise errors.DirectoryNotEmpty("")
        self._unlink(directory, name)

    def _unlink(self, directory: int, name: str) -> None:
        number = self.inodes[directory].entries.pop(name)
        self.inodes[directory].mtime_ns = None
        if self._links(number) == 0:
            del self.inodes[number]

    def op_rename(self, path: Path, new_path: Path, flag: str) -> None:
        """`flag`: "" (replace), "no_replace" or "exchange"."""
        directory, name = self._parent(path)
        new_directory, new_name = self._parent(new_path)
        number = self._entry(directory, name)
        there = self.inodes[new_directory].entries.get(new_name)
        if directory != new_directory:
            self._check_move(number, new_directory)
        if flag == "exchange":
            if there is None:
                raise errors.NotFound("")
            if there == number:
                return
            if directory != new_directory:
                self._check_move(there, directory)
            self._enter(directory, name, there)
        else:
            if there is not None:
                if flag == "no_replace":
                    raise errors.AlreadyExists("")
                if there == number:
                    return
                self._check_replace(self.inodes[number], self.inodes[there])
                self._unlink(new_directory, new_name)
            del self.inodes[directory].entries[name]
            self.inodes[directory].mtime_ns = None
        self._enter(new_directory, new_name, number)

    def _check_move(self, number: int, new_directory: int) -> None:
        if self._is_below(new_directory, number):
            raise errors.MoveIntoItself("")
        self._check_fit(number, new_directory)

    def _check_replace(self, moving: Inode, there: Inode) -> None:
        if stat.S_ISDIR(moving.mode) and not stat.S_ISDIR(there.mode):
            raise errors.NotADirectory("")
        if stat.S_ISDIR(there.mode) and not stat.S_ISDIR(moving.mode):
            raise errors.IsADirectory("")
        if there.entries:
            raise errors.DirectoryNotEmpty("")

    def _is_below(self, directory: int, number: int) -> bool:
        """Whether `directory` is `number` or lies below it."""
        if directory == number:
            return True
        return any(self._is_below(directory, child) for child in self.inodes[number].entries.values())

    # ---- content ----

    def _set_content(self, inode: Inode, content: bytes) -> None:
        inode.content = content
        inode.mtime_ns = None

    def op_write(self, path: Path, offset: int, data: Data) -> None:
        inode = self._regular(path)
        old = inode.content.ljust(offset, b"\0") if data.size_bytes else inode.content
        self._set_content(inode, old[:offset] + data.make() + old[offset + data.size_bytes :])

    def op_truncate(self, path: Path, size_bytes: int) -> None:
        inode = self._regular(path)
        self._set_content(inode, inode.content[:size_bytes].ljust(size_bytes, b"\0"))

    def op_zero(self, path: Path, offset: int, length: int, keep_size: bool) -> None:
        inode = self._regular(path)
        end = min(offset + length, len(inode.content)) if keep_size else offset + length
        content = inode.content.ljust(0 if keep_size else end, b"\0")
        zeros = bytes(max(0, end - offset))
        self._set_content(inode, content[:offset] + zeros + content[offset + len(zeros) :])

    def op_copy_range(self, path: Path, offset: int, target: Path, target_offset: int, length: int) -> None:
        source, into = self._regular(path), self._regular(target)
        if source is into and abs(offset - target_offset) < length:
            raise errors.InvalidRequest("")
        data = source.content[offset : offset + length]
        if data:
            old = into.content.ljust(target_offset, b"\0")
            self._set_content(into, old[:target_offset] + data + old[target_offset + len(data) :])

    def op_replace(self, path: Path, data: Data) -> None:
        self._set_content(self._regular(path), data.make())

    # ---- attributes ----

    def op_attributes(self, path: Path, mode: int, uid: int, gid: int, mtime_ns: int) -> None:
        inode = self.inodes[self.find(path)]
        inode.mode = stat.S_IFMT(inode.mode) | mode
        inode.uid, inode.gid, inode.mtime_ns = uid, gid, mtime_ns

    def op_set_xattr(self, path: Path, name: str, value: bytes, flag: str) -> None:
        """`flag`: "", "create" or "replace"."""
        inode = self.inodes[self.find(path)]
        if flag == "create" and name in inode.xattrs:
            raise errors.AttributeExists("")
        if flag == "replace" and name not in inode.xattrs:
            raise errors.AttributeNotFound("")
        inode.xattrs[name] = value

    def op_remove_xattr(self, path: Path, name: str) -> None:
        inode = self.inodes[self.find(path)]
        if inode.xattrs.pop(name, None) is None:
            raise errors.AttributeNotFound("")

    def op_metadata(self, path: Path, json: str) -> None:
        self.inodes[self.find(path)].metadata = json

    # ---- collections and points ----

    def op_declare(self, path: Path, schema: Schema) -> None:
        number = self.find(path)
        inode = self.inodes[number]
        if not stat.S_ISDIR(inode.mode):
            raise errors.NotADirectory("")
        if inode.schema is not None:
            raise errors.CollectionExists("")
        if self._has_vectors(number):
            raise errors.VectorsDoNotFit("")
        inode.schema = schema

    def op_undeclare(self, path: Path) -> None:
        number = self.find(path)
        if self.inodes[number].schema is None:
            raise errors.CollectionNotFound("")
        if self._has_vectors(number):
            raise errors.VectorsDoNotFit("")
        self.inodes[number].schema = None

    def op_upsert(self, path: Path, items: tuple[Item, ...]) -> None:
        """`items`: (id, vectors by name, metadata or None)."""
        number = self.find(path)
        directory = self.inodes[number]
        dimensions = dict(self._collection(number))
        for _, vectors, _ in items:
            for name, values in vectors:
                if name not in dimensions:
                    raise errors.InvalidSchema("")
                if len(values) != dimensions[name]:
                    raise errors.DimensionMismatch("")
        for point, _, _ in items:
            mode = self.inodes[directory.entries[point]].mode if point in directory.entries else stat.S_IFREG
            if stat.S_ISDIR(mode):
                raise errors.IsADirectory("")
            if not stat.S_ISREG(mode):
                raise errors.NotARegularFile("")
            if point in directory.entries and self._owners(directory.entries[point]) != {self._owner(number)}:
                raise errors.VectorsDoNotFit("")
        for point, vectors, metadata in items:
            if point not in directory.entries:
                self._add((*path, point), Inode(stat.S_IFREG | 0o644))
            inode = self.inodes[directory.entries[point]]
            inode.vectors = dict(vectors)
            inode.metadata = inode.metadata if metadata is None else metadata

    def op_delete_points(self, path: Path, points: tuple[str, ...]) -> None:
        number = self.find(path)
        directory = self.inodes[number]
        self._collection(number)
        there = [point for point in points if point in directory.entries]
        if any(stat.S_ISDIR(self.inodes[directory.entries[point]].mode) for point in there):
            raise errors.IsADirectory("")
        for point in there:
            self._unlink(number, point)

    def _collection(self, number: int) -> Schema:
        """The root is always one: without a declared schema it takes no vectors."""
        schema = self.inodes[number].schema
        if schema is None and number != 1:
            raise errors.CollectionNotFound("")
        return schema or ()

    def _has_vectors(self, number: int) -> bool:
        inode = self.inodes[number]
        return bool(inode.vectors) or any(self._has_vectors(child) for child in inode.entries.values())

    def _check_fit(self, number: int, directory: int) -> None:
        """A file, or what lies below a directory, with vectors stays in its collection; a collection moves whole."""
        if self.inodes[number].schema is not None or self._owner(number) == self._owner(directory):
            return
        if self._has_vectors(number):
            raise errors.VectorsDoNotFit("")

    def _owners(self, number: int) -> set[int]:
        """The collections that the file's names lie in."""
        return {self._owner(parent) for parent, inode in self.inodes.items() if number in inode.entries.values()}

    def _owner(self, number: int) -> int:
        while number != 1 and self.inodes[number].schema is None:
            number = next(parent for parent, inode in self.inodes.items() if number in inode.entries.values())
        return number

    # ---- looking ----

    def paths(self) -> "dict[Path, int]":
        """Every path there is and the inode it leads to, parents first, in the order of names."""
        found: dict[Path, int] = {(): 1}
        stack: list[tuple[Path, int]] = [((), 1)]
        while stack:
            path, number = stack.pop()
            for name, child in sorted(self.inodes[number].entries.items()):
                found[(*path, name)] = child
                stack.append(((*path, name), child))
        return found

    def dump(self) -> Dump:
        """The whole state, as `volume.dump` gives it for a real volume. Link identity is told by the first path."""
        first: dict[int, str] = {}
        dump: Dump = {}
        for path, number in sorted(self.paths().items()):
            text = "/" + "/".join(path)
            dump[text] = describe(self.inodes[number], first.setdefault(number, text), self._links(number))
        return dump


def describe(inode: Inode, same_as: str, links: int) -> dict[str, Any]:
    kind = stat.S_IFMT(inode.mode)
    facts: dict[str, Any] = {
        "mode": inode.mode,
        "owner": (inode.uid, inode.gid),
        "same as": same_as,
        "xattrs": inode.xattrs,
        "metadata": inode.metadata,
        "vectors": inode.vectors,
    }
    if inode.mtime_ns is not None:
        facts["mtime_ns"] = inode.mtime_ns
    if kind == stat.S_IFDIR:
        facts["names"] = sorted(inode.entries)
        facts["schema"] = inode.schema
    else:
        facts["links"] = links
    if kind == stat.S_IFREG:
        facts["content"] = fingerprint(inode.content)
    if kind == stat.S_IFLNK:
        facts["target"] = inode.target
    return facts


def fingerprint(content: bytes) -> tuple[int, str]:
    return len(content), blake3(content).hexdigest()[:16]
