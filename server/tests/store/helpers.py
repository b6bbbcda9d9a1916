"""Short names for what most store tests do."""

import contextlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from vexfs.core import content, files
from vexfs.core.types import ROOT_INO, Ino, Node
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

T = TypeVar("T")

UNDO_FROM_4 = (
    "ALTER TABLE chunk DROP COLUMN runs",
    "DROP INDEX extent_present",
    "ALTER TABLE extent DROP COLUMN died",
)
"""Makes of a volume of the present format one of format 3."""


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


def child(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """Another process that runs `code`; it says `ready` on its standard output when it has come to where the test waits."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_ready(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> bool:
    """Whether the condition comes true before the time is over."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


@contextlib.contextmanager
def no_file_grows_beyond(size_bytes: int) -> Iterator[None]:
    """Writes behind `size_bytes` of any file fail in this process, as on a failing disk (EFBIG, an I/O error to SQLite)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def wal_bytes(volume: Volume) -> int:
    return Path(f"{volume.database}-wal").stat().st_size
