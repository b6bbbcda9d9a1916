"""What was promised is there after the mount was killed, and a dead mount is repaired by mounting again."""

import contextlib
import errno
import os
import time
from pathlib import Path

import pytest

from tests.mount.conftest import MakeMount, Mounted, eventually
from vexfs.mount import lifecycle
from vexfs.store import nodes
from vexfs.store.volume import Volume


def tree(root: Path) -> dict[str, bytes | None]:
    """Every path below `root` with its content (None for directories)."""
    found: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        found[str(path.relative_to(root))] = None if path.is_dir() else path.read_bytes()
    return found


def write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def test_after_kill_9_the_tree_is_complete_with_an_empty_cache(root: Path, mount: Mounted) -> None:
    for index in range(30):
        folder = root / f"d{index % 5}"
        folder.mkdir(exist_ok=True)
        write_synced(folder / f"f{index}", os.urandom(100 * index))
    (root / "d0" / "f0").rename(root / "d1" / "moved")
    fd = os.open(root / "d1", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    before = tree(root)
    assert len(before) == 35
    mount.kill()
    mount.restart()
    assert tree(root) == before
    assert mount.errors() == []


def test_fsynced_large_content_survives_kill_9(root: Path, mount: Mounted) -> None:
    content = os.urandom(12 << 20)
    write_synced(root / "large", content)
    mount.kill()
    mount.restart()
    assert (root / "large").read_bytes() == content


def test_operations_are_committed_within_milliseconds_without_any_sync(root: Path, beside: Volume) -> None:
    head = beside.head()
    (root / "quick").mkdir()
    eventually(lambda: beside.head() > head, within_s=0.5)


def test_a_killed_mount_is_dead_until_mounted_again(root: Path, mount: Mounted) -> None:
    (root / "kept").write_text("kept")
    time.sleep(0.05)
    assert lifecycle.is_mounted(root)
    assert not lifecycle.is_dead(root)
    mount.kill()
    with pytest.raises(OSError, check=lambda error: error.errno == errno.ENOTCONN):
        next(root.iterdir())
    assert lifecycle.is_mounted(root)
    assert lifecycle.is_dead(root)
    mount.restart()
    assert not lifecycle.is_dead(root)
    assert (root / "kept").read_text() == "kept"


def test_a_dead_mount_comes_off(root: Path, mount: Mounted) -> None:
    mount.kill()
    lifecycle.unmount(root)
    assert not lifecycle.is_mounted(root)
    assert list(root.iterdir()) == []


def test_sigterm_writes_everything_out_and_unmounts_within_three_seconds(root: Path, mount: Mounted) -> None:
    file = (root / "open").open("wb", buffering=0)
    small, large = os.urandom(5000), os.urandom(20 << 20)
    file.write(small)
    with (root / "large").open("wb", buffering=0) as other:
        other.write(large)
    begun = time.monotonic()
    assert mount.stop() == 0
    assert time.monotonic() - begun < 3
    assert not lifecycle.is_mounted(root)
    with contextlib.suppress(OSError):
        file.close()
    mount.restart()
    assert (root / "open").read_bytes() == small
    assert (root / "large").read_bytes() == large


def test_unmounting_ends_the_process_cleanly(root: Path, mount: Mounted) -> None:
    (root / "f").write_text("content")
    lifecycle.unmount(root)
    assert mount.process is not None
    assert mount.process.wait(5) == 0
    assert not lifecycle.is_mounted(root)
    mount.restart()
    assert (root / "f").read_text() == "content"


def test_files_deleted_while_open_are_swept_after_a_kill(root: Path, mount: Mounted, beside: Volume) -> None:
    file = (root / "gone").open("w+b", buffering=0)
    file.write(b"x")
    (root / "gone").unlink()
    os.fsync(file.fileno())
    with beside.snapshot() as view:
        assert len(nodes.orphans(view)) == 1
    mount.kill()
    with contextlib.suppress(OSError):
        file.close()
    mount.restart()
    with beside.snapshot() as view:
        assert nodes.orphans(view) == []


def test_orphans_of_a_living_mount_are_left_alone(root: Path, make_mount: MakeMount, beside: Volume) -> None:
    with (root / "gone").open("w+b", buffering=0) as file:
        file.write(b"still needed")
        (root / "gone").unlink()
        os.fsync(file.fileno())
        make_mount()
        with beside.snapshot() as view:
            assert len(nodes.orphans(view)) == 1
        assert os.pread(file.fileno(), 100, 0) == b"still needed"
    eventually(lambda: _no_orphans(beside), within_s=2)


def _no_orphans(volume: Volume) -> bool:
    with volume.snapshot() as view:
        return nodes.orphans(view) == []
