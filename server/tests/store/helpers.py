"""Short names for what most store tests do."""

from collections.abc import Callable
from typing import TypeVar

from vexfs.core import content, files
from vexfs.core.types import ROOT_INO, Ino, Node
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

T = TypeVar("T")


def write(volume: Volume, function: Callable[[Transaction], T]) -> T:
    """Run one operation through the queue and wait until it is durable."""
    value = volume.queue.submit("test", function).result(30).value
    assert value is not None or value is None
    return value  # type: ignore[return-value]


def make_file(volume: Volume, name: bytes, data: bytes = b"", parent: Ino = ROOT_INO) -> Node:
    prepared = content.prepare(volume.blobs, [(0, data)] if data else [], whole=True)

    def operation(txn: Transaction) -> Node:
        node = files.create(txn, parent, name, mode=0o100644, uid=1, gid=1)
        return content.replace(txn, node.ino, prepared) if data else node

    return write(volume, operation)


def make_directory(volume: Volume, name: bytes, parent: Ino = ROOT_INO) -> Node:
    return write(volume, lambda txn: files.make_directory(txn, parent, name, mode=0o755, uid=1, gid=1))


def read_all(volume: Volume, ino: Ino, at_revision: int | None = None) -> bytes:
    with volume.snapshot(at_revision) as view:
        return content.read(view, ino, 0, 1 << 40)
