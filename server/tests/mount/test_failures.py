"""When something breaks inside the mount process: one request fails, the rest goes on, nothing is claimed that is not so."""

import errno
import os
import sys
import textwrap
from pathlib import Path

import pytest

from tests.mount.conftest import MakeMount, Mounted, eventually

#: The mount process with a fault that a file beside the data folder switches on.
FAULTY = """
import os, sys
from pathlib import Path
from vexfs.mount import process
{patch}
sys.exit(process.main(sys.argv[1:]))
"""

READLINK_RAISES = """
from vexfs.mount.operations.attributes import AttributeOperations
def broken(self, *_):
    raise ZeroDivisionError("a fault in a handler")
AttributeOperations.readlink = broken
"""

COMMIT_FAILS = """
import apsw
from vexfs.store.writer import Writer
switch = Path(sys.argv[sys.argv.index("--data") + 1]).parent / "fail-commits"
good = Writer._write_touched
def broken(self):
    if switch.exists():
        raise apsw.IOError("the disk broke")
    good(self)
Writer._write_touched = broken
"""


def faulty(make_mount: MakeMount, patch: str) -> Mounted:
    return make_mount(program=[sys.executable, "-c", FAULTY.format(patch=textwrap.dedent(patch))])


def test_an_exception_in_a_handler_is_an_io_error_for_that_request_alone(make_mount: MakeMount) -> None:
    mount = faulty(make_mount, READLINK_RAISES)
    (mount.path / "link").symlink_to("target")
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
        (mount.path / "link").readlink()
    (mount.path / "f").write_text("goes on")
    assert (mount.path / "f").read_text() == "goes on"
    errors = mount.errors()
    assert len(errors) == 1
    assert "ZeroDivisionError" in str(errors[0]["exception"])


def test_after_a_failed_commit_the_lost_is_forgotten_and_the_mount_is_read_only(make_mount: MakeMount, folder: Path) -> None:
    mount = faulty(make_mount, COMMIT_FAILS)
    (mount.path / "safe").write_text("safe")
    file = (mount.path / "touched").open("r+b" if (mount.path / "touched").exists() else "w+b", buffering=0)
    file.write(b"before")
    os.fsync(file.fileno())
    (folder / "fail-commits").touch()
    file.write(b" after")  # first: a few ms after the other it would find the mount read-only already
    (mount.path / "lost").touch()
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
        os.fsync(file.fileno())
    eventually(lambda: not (mount.path / "lost").exists())
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
        (mount.path / "another").touch()
    assert (mount.path / "safe").read_text() == "safe"
    file.close()
    assert (mount.path / "touched").read_bytes() == b"before"


def test_unknown_requests_are_refused_not_fatal(root: Path) -> None:
    (root / "f").write_bytes(b"x" * 10_000)
    with (root / "f").open("r+b") as file:
        with pytest.raises(OSError):
            os.posix_fadvise(file.fileno(), 0, 0, 99)
        assert os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 10_000
    assert (root / "f").stat().st_size == 10_000


def test_a_second_mount_on_the_same_place_is_refused(root: Path, mount: Mounted) -> None:
    import subprocess

    outcome = subprocess.run(
        [sys.executable, "-m", "vexfs.mount", "--data", str(mount.data), str(root)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 1
    assert "mounted on" in outcome.stderr
    (root / "still").touch()


@pytest.mark.parametrize(("place", "words"), [("absent", "does not exist"), ("file", "not a directory")])
def test_a_bad_mount_point_is_named(folder: Path, place: str, words: str) -> None:
    import subprocess

    (folder / "file").touch()
    command = [sys.executable, "-m", "vexfs.mount", "--data", str(folder / "data"), str(folder / place)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 1
    assert words in outcome.stderr
