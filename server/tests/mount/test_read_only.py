"""A read-only mount shows everything, and what others change, and changes nothing itself."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vexfs.core import files
from vexfs.core.types import ROOT_INO
from vexfs.mount import lifecycle
from vexfs.store.volume import Volume

from .conftest import MakeMount, Mounted, eventually
from .test_files import raises
from .test_lifecycle import AS_USER

CHANGES: dict[str, Callable[[Path], object]] = {
    "create": lambda root: (root / "new").touch(),
    "write": lambda root: (root / "f").write_text("changed"),
    "truncate": lambda root: os.truncate(root / "f", 0),
    "chmod": lambda root: (root / "f").chmod(0o600),
    "times": lambda root: os.utime(root / "f"),
    "xattr": lambda root: os.setxattr(root / "f", "user.a", b"1"),
    "mkdir": lambda root: (root / "d2").mkdir(),
    "rmdir": lambda root: (root / "d").rmdir(),
    "unlink": lambda root: (root / "f").unlink(),
    "rename": lambda root: (root / "f").rename(root / "g"),
    "link": lambda root: (root / "g").hardlink_to(root / "f"),
    "symlink": lambda root: (root / "g").symlink_to("f"),
    "tmpfile": lambda root: os.open(root, os.O_TMPFILE | os.O_RDWR),
}


@pytest.fixture
def writable(make_mount: MakeMount) -> Mounted:
    mount = make_mount()
    (mount.path / "f").write_text("content")
    (mount.path / "d").mkdir()
    return mount


@pytest.fixture
def root(writable: Mounted, make_mount: MakeMount) -> Path:
    """A second mount of the volume, read-only."""
    writable.stop()
    writable.restart()
    return make_mount("--read-only").path


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_refused(root: Path, name: str) -> None:
    with raises(errno.EROFS):
        CHANGES[name](root)
    assert (root / "f").read_text() == "content"
    assert os.statvfs(root).f_flag & os.ST_RDONLY


def test_what_others_change_is_seen(root: Path, writable: Mounted) -> None:
    assert sorted(path.name for path in root.iterdir()) == ["d", "f"]
    (writable.path / "f").write_text("changed")
    (writable.path / "new").write_text("new")
    eventually(lambda: (root / "f").read_text() == "changed")
    eventually((root / "new").exists)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts anew")
def test_mounted_writable_again_by_the_system_it_refuses_all_the_same(root: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    remount, nosuid, nodev = 32, 2, 4
    assert libc.mount(None, os.fsencode(root), None, ctypes.c_ulong(remount | nosuid | nodev), None) == 0
    assert not os.statvfs(root).f_flag & os.ST_RDONLY
    for change in CHANGES.values():
        with raises(errno.EROFS):
            change(root)
    assert (root / "f").read_text() == "content"


def test_an_orphan_of_a_dead_mount_is_left_to_one_that_may_write(make_mount: MakeMount) -> None:
    mount = make_mount()
    fd = os.open(mount.path, os.O_TMPFILE | os.O_RDWR)
    os.fsync(fd)
    mount.kill()
    with raises(errno.ENOTCONN):
        os.close(fd)
    with Volume.open(mount.data / "volumes" / "main", "api") as volume:
        head = volume.head()
        read_only = make_mount("--read-only")
        assert list(read_only.path.iterdir()) == []
        assert read_only.stop() == 0
        assert volume.head() == head
        mount.restart()
        eventually(lambda: volume.head() > head)


def test_a_volume_that_is_not_there_is_not_made(make_mount: MakeMount, folder: Path) -> None:
    with pytest.raises(AssertionError, match="there is no volume"):
        make_mount("--read-only")
    assert not (folder / "data" / "volumes" / "main").exists()


def test_an_ordinary_user_mounts_read_only(writable: Mounted, make_mount: MakeMount) -> None:
    writable.stop()
    mount = make_mount("--read-only", program=[sys.executable, "-c", AS_USER])
    assert os.statvfs(mount.path).f_flag & os.ST_RDONLY
    assert (mount.path / "f").read_text() == "content"
    assert mount.stop() == 0
    assert not lifecycle.is_mounted(mount.path)


def test_writing_over_the_api_goes_on(root: Path, writable: Mounted) -> None:
    with Volume.open(writable.data / "volumes" / "main", "api") as volume:
        volume.queue.submit("test", lambda txn: files.create(txn, ROOT_INO, b"api", mode=0o644, uid=0, gid=0)).result(10)
    eventually((root / "api").exists)
