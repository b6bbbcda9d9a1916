"""Rights that a change by somebody else takes away, and what a mount refuses to keep."""

import errno
import os
import stat
import subprocess
from pathlib import Path

import pytest

from .conftest import MakeMount

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
