"""A directory of its own to do things in, for each test; one volume for all tests of a module."""

from collections.abc import Callable
from typing import Any, TypeVar

from vexfs.core import content, files
from vexfs.core.errors import VexfsError
from vexfs.core.types import Ino, Node
from vexfs.store.reader import Reader
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

T = TypeVar("T")
DEFAULT_MODE = 0o644


class Bench:
    """`home` is the test's own directory. As on the mount, operations gather in a group there; elsewhere each is committed."""

    def __init__(self, volume: Volume, home: Node) -> None:
        self.volume = volume
        self.home = home.ino

    @property
    def view(self) -> Reader:
        """What a reader of this thread sees, its own open group included."""
        return self.volume.writer

    def do(self, function: Callable[[Transaction], T]) -> T:
        """Run one operation."""
        with self.volume.writer.begin("test") as txn:
            value = function(txn)
        if not self.volume.writer.coalesce:
            self.volume.writer.commit()
        return value

    def commit(self) -> int:
        self.volume.writer.commit()
        return self.volume.head()

    def file(self, name: bytes, data: bytes = b"", parent: Ino | None = None, mode: int = DEFAULT_MODE) -> Node:
        at = self.home if parent is None else parent
        node = self.do(lambda txn: files.create(txn, at, name, mode=mode, uid=1000, gid=1000))
        if data:
            prepared = content.prepare(self.volume.blobs, [(0, data)], whole=True)
            node = self.do(lambda txn: content.replace(txn, node.ino, prepared))
        return node

    def directory(self, name: bytes, parent: Ino | None = None, mode: int = 0o755) -> Node:
        at = self.home if parent is None else parent
        return self.do(lambda txn: files.make_directory(txn, at, name, mode=mode, uid=1000, gid=1000))

    def symlink(self, name: bytes, target: bytes = b"target", parent: Ino | None = None) -> Node:
        at = self.home if parent is None else parent
        return self.do(lambda txn: files.make_symlink(txn, at, name, target=target, uid=1000, gid=1000))

    def stat(self, ino: int) -> Node:
        return files.stat(self.view, ino)

    def names(self, ino: Ino | None = None) -> list[bytes]:
        return [entry.name for entry in files.list_directory(self.view, self.home if ino is None else ino)]

    def read(self, ino: Ino) -> bytes:
        return content.read(self.view, ino, 0, 1 << 40)

    def refused(self, error: type[VexfsError], function: Callable[[Transaction], object]) -> VexfsError:
        """The operation raises exactly that error, and changes nothing: no revision, no row."""
        changes = self._changes()
        try:
            self.do(function)
        except VexfsError as raised:
            assert type(raised) is error, raised
            assert raised.message
            assert self._changes() == changes
            return raised
        raise AssertionError(f"{error.__name__} was not raised")

    def _changes(self) -> tuple[object, ...]:
        head = self.view.execute("SELECT max(revision) FROM log").fetchall()
        counts = [
            self.view.execute(f"SELECT count(*), total(rowid) FROM {table}").fetchall()
            for table in ("node", "chunk", "xattr", "metadata", "vector", "symlink", "orphan")
        ]
        entries = self.view.execute("SELECT count(*), total(born), total(ino) FROM dentry").fetchall()
        nodes = self.view.execute("SELECT total(revision), total(nlink), total(size_bytes) FROM node").fetchall()
        return head, counts, entries, nodes, dict(self.volume.writer.touched)


def pattern(length: int, seed: int = 1) -> bytes:
    """Bytes that differ by place and seed."""
    return bytes((seed * 37 + n) % 255 + 1 for n in range(min(length, 251))) * (length // 251 + 1) if length else b""


def data_of(length: int, seed: int = 1) -> bytes:
    return pattern(length, seed)[:length]


def write(bench: Bench, ino: Ino, offset: int, data: bytes, **options: Any) -> Node:
    prepared = content.prepare(bench.volume.blobs, [(offset, data)])
    return bench.do(lambda txn: content.write(txn, ino, prepared, **options))
