"""What another process changes is seen on the mount once that rings, although the kernel caches names and attributes."""

# ruff: noqa: PTH208 - a listing is what is tested
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mount.conftest import MakeMount, Mounted, eventually
from vexfs.core import content, files, paths
from vexfs.core.errors import NotFound
from vexfs.core.types import ROOT_INO, Ino
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

#: A mount that does not look by itself whether others have written: it has to be told.
TOLD_ONLY = """
import sys
from vexfs.mount import process
from vexfs.store import tail
tail.POLL_S = 600.0
sys.exit(process.main(sys.argv[1:]))
"""


@pytest.fixture
def mount(make_mount: MakeMount) -> Mounted:
    return make_mount(program=[sys.executable, "-c", TOLD_ONLY])


def change(volume: Volume, operation: Callable[[Transaction], Any]) -> Any:
    """One write as the API makes it: queued, committed, durable."""
    return volume.queue.submit("test", operation).result(10).value


def is_committed(volume: Volume, path: str) -> bool:
    """Whether the mount's group with that file has reached the volume."""
    with volume.snapshot() as view:
        try:
            paths.resolve(view, paths.parse(path))
        except NotFound:
            return False
    return True


def put(volume: Volume, name: bytes, data: bytes, parent: Ino = ROOT_INO) -> Ino:
    def operation(txn: Transaction) -> Ino:
        node = files.create(txn, parent, name, mode=0o644, uid=os.getuid(), gid=os.getgid())
        content.write(txn, node.ino, content.prepare(volume.blobs, [(0, data)], whole=True))
        return node.ino

    return Ino(change(volume, operation))


def test_a_new_file_appears_where_its_absence_was_cached(root: Path, beside: Volume) -> None:
    for index in range(20):
        path = root / f"new{index}"
        assert not path.exists()
        assert path.name not in os.listdir(root)
        put(beside, path.name.encode(), b"from the API")
        eventually(path.exists)
        eventually(lambda path=path: path.name in os.listdir(root))  # type: ignore[misc]
        assert path.read_bytes() == b"from the API"


def test_changed_content_is_read_although_pages_and_size_were_cached(root: Path, beside: Volume) -> None:
    (root / "f").write_bytes(b"first")
    assert (root / "f").read_bytes() == b"first"
    ino = Ino((root / "f").stat().st_ino)
    for index in range(20):
        data = f"content number {index}".encode() * (index + 1)
        change(beside, lambda txn, data=data: content.replace(txn, ino, content.prepare(beside.blobs, [(0, data)], whole=True)))
        eventually(lambda data=data: (root / "f").read_bytes() == data)  # type: ignore[misc]
        assert (root / "f").stat().st_size == len(data)


def test_changed_attributes_are_seen(root: Path, beside: Volume) -> None:
    (root / "f").touch()
    assert (root / "f").stat().st_mode & 0o777 == 0o644
    eventually(lambda: is_committed(beside, "/f"))
    ino = Ino((root / "f").stat().st_ino)
    change(beside, lambda txn: files.set_attributes(txn, ino, mode=0o600))
    eventually(lambda: (root / "f").stat().st_mode & 0o777 == 0o600)


def test_a_removed_file_and_a_renamed_directory_are_seen(root: Path, beside: Volume) -> None:
    (root / "d").mkdir()
    (root / "d" / "f").write_text("x")
    assert (root / "d" / "f").exists()
    eventually(lambda: is_committed(beside, "/d/f"))
    change(beside, lambda txn: files.rename(txn, ROOT_INO, b"d", ROOT_INO, b"e"))
    eventually(lambda: not (root / "d").exists() and (root / "e" / "f").exists())
    assert (root / "e" / "f").stat().st_nlink == 1
    directory = Ino((root / "e").stat().st_ino)
    change(beside, lambda txn: files.remove(txn, directory, b"f"))
    eventually(lambda: not (root / "e" / "f").exists() and os.listdir(root / "e") == [])


def test_two_mounts_see_each_other(make_mount: MakeMount) -> None:
    one, two = make_mount().path, make_mount().path
    for index in range(10):
        here, there = (one, two) if index % 2 else (two, one)
        assert not (there / f"f{index}").exists()
        (here / f"f{index}").write_text(f"content {index}")
        eventually(lambda path=there / f"f{index}": path.exists())  # type: ignore[misc]
        wanted = f"content {index}"
        eventually(lambda path=there / f"f{index}", wanted=wanted: path.read_text() == wanted)  # type: ignore[misc]
        (there / f"f{index}").write_text("answered")
        eventually(lambda path=here / f"f{index}": path.read_text() == "answered")  # type: ignore[misc]
        (here / f"f{index}").unlink()
        eventually(lambda path=there / f"f{index}": not path.exists())  # type: ignore[misc]


def test_appends_through_two_mounts_settle_on_the_volumes_size(make_mount: MakeMount) -> None:
    one, two = make_mount().path, make_mount().path
    with (one / "log").open("ab", buffering=0) as first:
        first.write(b"one\n")
        os.fsync(first.fileno())
        eventually(lambda: (two / "log").exists() and (two / "log").stat().st_size == 4)
        with (two / "log").open("ab", buffering=0) as second:
            second.write(b"two\n")
            os.fsync(second.fileno())
        eventually(lambda: (one / "log").stat().st_size == 8)
        first.write(b"three\n")
        os.fsync(first.fileno())
    assert (one / "log").read_bytes() == b"one\ntwo\nthree\n"
    eventually(lambda: (two / "log").read_bytes() == b"one\ntwo\nthree\n")


def test_both_sides_write_at_once_and_nothing_is_lost(root: Path, mount: Mounted, beside: Volume) -> None:
    directory = Ino(change(beside, lambda txn: files.make_directory(txn, ROOT_INO, b"api", mode=0o755, uid=0, gid=0).ino))
    futures = []
    for index in range(300):
        (root / f"m{index}").write_bytes(b"mount")
        name = f"a{index}".encode()
        futures.append(
            beside.queue.submit("test", lambda txn, name=name: files.create(txn, directory, name, mode=0o644, uid=0, gid=0).ino)
        )
    for future in futures:
        future.result(10)
    eventually(lambda: len(os.listdir(root / "api")) == 300)
    assert len([name for name in os.listdir(root) if name.startswith("m")]) == 300
    assert mount.errors() == []


FEW_RECORDS = """
import sys
from vexfs.mount import invalidation, process
invalidation.BEHIND_MAX = 20
sys.exit(process.main(sys.argv[1:]))
"""


def test_a_mount_that_falls_far_behind_has_everything_looked_up_again(make_mount: MakeMount) -> None:
    mount = make_mount(program=[sys.executable, "-c", FEW_RECORDS])
    assert mount.process is not None
    with Volume.open(mount.data / "volumes" / "main", "api") as volume:
        old, gone = put(volume, b"old", b"old content"), put(volume, b"gone", b"x")
        eventually((mount.path / "gone").exists)
        assert (mount.path / "old").read_bytes() == b"old content"
        assert not (mount.path / "new").exists()
        assert old != gone
        mount.process.send_signal(signal.SIGSTOP)
        try:
            for index in range(50):
                put(volume, f"many{index}".encode(), b"x")
            change(volume, lambda txn: content.replace(txn, old, content.prepare(volume.blobs, [(0, b"new")], whole=True)))
            change(volume, lambda txn: files.remove(txn, ROOT_INO, b"gone"))
            put(volume, b"new", b"n")
        finally:
            mount.process.send_signal(signal.SIGCONT)
        eventually((mount.path / "new").exists)
        eventually(lambda: not (mount.path / "gone").exists())
        eventually(lambda: (mount.path / "old").read_bytes() == b"new")
        assert len(os.listdir(mount.path)) == 52
    assert "dropped as a whole" in mount.log.read_text()


def test_a_name_that_others_deleted_can_be_written_again_at_once(root: Path, beside: Volume) -> None:
    for number in range(20):
        (root / "again").write_bytes(b"before")
        os.sync()
        with (root / "again").open("rb") as reader:
            os.fsync(reader.fileno())
            change(beside, lambda txn: files.remove(txn, ROOT_INO, b"again"))
            (root / "again").write_bytes(b"%d" % number)
        assert (root / "again").read_bytes() == b"%d" % number
