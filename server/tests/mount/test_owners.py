"""Rights that a change by somebody else takes away, and what a mount refuses to keep."""

import errno
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.core.test_acls import acl
from vexfs.core import acls, attributes
from vexfs.core.types import Ino
from vexfs.store.volume import Volume

from .conftest import MakeMount, eventually
from .test_files import raises

NOBODY = 65534
FULL = stat.S_ISUID | stat.S_ISGID | 0o777

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")


@pytest.fixture
def shared(make_mount: MakeMount, folder: Path) -> Path:
    """A mount that every user may use."""
    folder.chmod(0o755)
    return make_mount("--allow-other").path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def as_nobody(script: str, path: Path) -> None:
    """Run a line of shell as an ordinary user, who may not be able to run this test's Python; $1 is the path."""
    command = ["/bin/sh", "-c", script, "sh", str(path)]
    subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], check=True, timeout=60, cwd="/", stderr=subprocess.DEVNULL
    )


@needs_root
@pytest.mark.parametrize(
    "script",
    ['printf x >> "$1"', 'truncate -s 1 "$1"', ': > "$1"', 'printf x 1<> "$1"'],
    ids=["append", "truncate", "empty", "overwrite"],
)
def test_a_change_by_an_ordinary_user_takes_set_user_id_away(shared: Path, script: str) -> None:
    path = shared / "program"
    path.write_bytes(b"content")
    path.chmod(FULL)
    assert mode(path) == FULL
    as_nobody(script, path)
    assert mode(path) == 0o777


@needs_root
def test_a_new_owner_takes_set_user_id_away(shared: Path) -> None:
    path = shared / "program"
    path.write_bytes(b"content")
    path.chmod(FULL)
    os.chown(path, NOBODY, NOBODY)
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (NOBODY, NOBODY, 0o777)
    path.chmod(stat.S_ISGID | 0o644)  # without the right to execute it means mandatory locking, and stays
    os.chown(path, 0, 0)
    assert mode(path) == stat.S_ISGID | 0o644


@needs_root
def test_a_closed_file_is_closed_to_others(shared: Path) -> None:
    (shared / "secret").write_text("secret")
    (shared / "secret").chmod(0o600)
    with pytest.raises(subprocess.CalledProcessError):
        as_nobody('cat "$1"', shared / "secret")


def test_access_control_lists_are_refused_not_dropped(make_mount: MakeMount) -> None:
    path = make_mount().path / "f"
    path.touch()
    entry = bytes.fromhex("0200000001000600ffffffff04000400ffffffff20000400ffffffff")
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EOPNOTSUPP):
        os.setxattr(path, "system.posix_acl_access", entry)
    with pytest.raises(OSError, check=lambda error: error.errno in (errno.EOPNOTSUPP, errno.ENODATA)):
        os.getxattr(path, "system.posix_acl_access")
    with pytest.raises(OSError, check=lambda error: error.errno in (errno.EOPNOTSUPP, errno.ENODATA)):
        os.removexattr(path, "system.posix_acl_access")


@needs_root
def test_searches_are_their_owners_although_others_may_use_the_mount(shared: Path) -> None:
    """Hits are not filtered by permission, so `.search` answers nobody else."""
    shared.chmod(0o777)
    assert sorted(path.name for path in (shared / ".search").iterdir()) == [".saved", ".status"]
    as_nobody('ls "$1"', shared)
    for script in ('ls "$1/.search"', 'cat "$1/.search/.status"', 'ls "$1/.search/words"', 'stat "$1/.search"'):
        with pytest.raises(subprocess.CalledProcessError):
            as_nobody(script, shared)
    as_nobody('cd "$1" && ! ls -a | grep -x .search', shared)


# -- access control lists ------------------------------------------------------------------------------

NAMED_NOBODY = acl(6, 0, 0, mask=6, users={NOBODY: 6})


@needs_root
def test_an_access_control_list_lets_in_whom_it_names(shared: Path) -> None:
    path = shared / "letter"
    path.write_text("for nobody")
    path.chmod(0o600)
    with pytest.raises(subprocess.CalledProcessError):
        as_nobody('cat "$1"', path)
    os.setxattr(path, "system.posix_acl_access", NAMED_NOBODY)
    assert mode(path) == 0o660
    as_nobody('cat "$1"; echo more >> "$1"', path)
    path.chmod(0o600)  # takes the mask away
    with pytest.raises(subprocess.CalledProcessError):
        as_nobody('cat "$1"', path)
    assert os.getxattr(path, "system.posix_acl_access") == acl(6, 0, 0, mask=0, users={NOBODY: 6})
    os.removexattr(path, "system.posix_acl_access")
    assert os.listxattr(path) == []


@needs_root
def test_what_is_made_in_a_directory_inherits_its_default_list(make_mount: MakeMount, folder: Path) -> None:
    folder.chmod(0o755)
    mount = make_mount("--allow-other")
    directory = mount.path / "d"
    directory.mkdir(0o755)
    os.setxattr(directory, "system.posix_acl_default", acl(7, 0, 0, mask=7, users={NOBODY: 7}))
    old_umask = os.umask(0o77)
    try:
        (directory / "inner").mkdir()
        (directory / "inner" / "f").write_text("inherited")
        (mount.path / "elsewhere").touch()
        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o666)
        os.mkfifo(directory / "fifo", 0o666)
    finally:
        os.umask(old_umask)
    assert (mode(directory / "inner"), mode(directory / "inner" / "f")) == (0o770, 0o660)
    assert mode(directory / "fifo") == stat.S_IMODE(os.fstat(fd).st_mode) == 0o660
    assert mode(mount.path / "elsewhere") == 0o600
    os.close(fd)
    as_nobody('cat "$1/f" && echo x > "$1/g" && rm "$1/f"', directory / "inner")
    mount.stop()
    mount.restart()
    as_nobody('cat "$1/g"', directory / "inner")
    assert os.getxattr(directory / "inner", "system.posix_acl_default") == acl(7, 0, 0, mask=7, users={NOBODY: 7})


@needs_root
def test_a_list_set_over_the_api_counts_at_once(make_mount: MakeMount, folder: Path) -> None:
    folder.chmod(0o755)
    mount = make_mount("--allow-other")
    path = mount.path / "f"
    path.write_text("x")
    path.chmod(0o600)
    with pytest.raises(subprocess.CalledProcessError):
        as_nobody('cat "$1"', path)
    ino = Ino(path.stat().st_ino)
    with Volume.open(mount.data / "volumes" / "main", "api") as volume:
        eventually(lambda: volume.head() > 0)
        volume.queue.submit("test", lambda txn: attributes.set_xattr(txn, ino, acls.ACCESS, NAMED_NOBODY)).result(10)
    eventually(lambda: mode(path) == 0o660)
    as_nobody('cat "$1"', path)


@needs_root
def test_lists_that_make_no_sense_are_refused(shared: Path) -> None:
    path = shared / "f"
    path.touch()
    with raises(errno.EINVAL):
        os.setxattr(path, "system.posix_acl_access", acl(6, 0, 0, users={NOBODY: 6}))
    with raises(errno.EACCES):
        os.setxattr(path, "system.posix_acl_default", NAMED_NOBODY)
    (shared / "link").symlink_to("f")
    with raises(errno.EOPNOTSUPP):
        os.setxattr(shared / "link", "system.posix_acl_access", NAMED_NOBODY, follow_symlinks=False)


@needs_root
def test_trusted_attributes_are_roots_alone(shared: Path) -> None:
    path = shared / "f"
    path.touch()
    path.chmod(0o666)
    os.setxattr(path, "trusted.secret", b"1")
    os.setxattr(path, "user.open", b"2")
    os.setxattr(path, "security.label", b"3")
    assert sorted(os.listxattr(path)) == ["security.label", "trusted.secret", "user.open"]
    assert os.getxattr(path, "trusted.secret") == b"1"
    script = "import os, sys\nprint(*sorted(os.listxattr(sys.argv[1])))\nos.setxattr(sys.argv[1], 'trusted.x', b'')"
    outcome = subprocess.run(
        ["/usr/bin/env", "python3", "-c", script, path], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True,
        text=True, check=False, cwd="/", env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert outcome.stdout.split() == ["security.label", "user.open"]
    assert "PermissionError" in outcome.stderr
