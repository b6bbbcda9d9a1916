"""What programs do with files works on a real mount."""

# ruff: noqa: PTH108, PTH115, PTH211 - these tests call the system calls by their own names
import contextlib
import errno
import mmap
import os
import random
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.mount.conftest import Mounted
from tests.mount.syscalls import (
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    RENAME_WHITEOUT,
    UTIME_NOW,
    UTIME_OMIT,
    renameat2,
    utimensat,
)


def raises(number: int) -> "contextlib.AbstractContextManager[pytest.ExceptionInfo[OSError]]":
    return pytest.raises(OSError, check=lambda error: error.errno == number)


def test_written_content_is_read_back_and_survives_the_kernels_cache(root: Path) -> None:
    content = os.urandom(10_000)
    (root / "a").write_bytes(content)
    assert (root / "a").read_bytes() == content
    with (root / "a").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert file.read() == content


def test_random_writes_reads_and_truncations_equal_a_byte_array(root: Path) -> None:
    random_numbers = random.Random(7)
    model = bytearray()
    fd = os.open(root / "f", os.O_RDWR | os.O_CREAT)
    try:
        for step in range(400):
            offset = random_numbers.randrange(0, 900_000)
            action = random_numbers.random()
            if action < 0.55:
                data = random_numbers.randbytes(random_numbers.choice((1, 100, 4096, 70_000, 300_000)))
                os.pwrite(fd, data, offset)
                model.extend(bytes(max(0, offset + len(data) - len(model))))
                model[offset : offset + len(data)] = data
            elif action < 0.65:
                os.ftruncate(fd, offset)
                model = model[:offset] + bytes(max(0, offset - len(model)))
            elif action < 0.7:
                os.fsync(fd)
            elif action < 0.75:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                length = random_numbers.randrange(1, 200_000)
                assert os.pread(fd, length, offset) == bytes(model[offset : offset + length]), f"step {step}"
            assert os.fstat(fd).st_size == len(model), f"step {step}"
    finally:
        os.close(fd)
    assert (root / "f").read_bytes() == bytes(model)


def test_a_large_file_written_in_sequence_is_whole(root: Path, mount: Mounted) -> None:
    block = os.urandom(1 << 20)
    with (root / "large").open("wb") as file:
        for index in range(40):
            file.write(index.to_bytes(4, "little") + block[4:])
    assert (root / "large").stat().st_size == 40 << 20
    assert mount.stop() == 0
    mount.restart()
    with (root / "large").open("rb") as file:
        for index in range(40):
            assert file.read(1 << 20) == index.to_bytes(4, "little") + block[4:]


def test_appends_of_two_writers_do_not_overwrite_each_other(root: Path) -> None:
    def append(mark: bytes) -> None:
        with (root / "log").open("ab", buffering=0) as file:
            for _ in range(200):
                file.write(mark * 10 + b"\n")

    writers = [threading.Thread(target=append, args=(mark,)) for mark in (b"a", b"b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = (root / "log").read_bytes().splitlines()
    assert len(lines) == 400
    assert set(lines) == {b"a" * 10, b"b" * 10}


def test_memory_mapped_writes_reach_the_file(root: Path) -> None:
    (root / "m").write_bytes(bytes(100_000))
    with (root / "m").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[50_000:50_005] = b"hello"
        mapped.flush()
        assert file.seek(50_000) == 50_000
        assert file.read(5) == b"hello"
    assert (root / "m").read_bytes()[49_999:50_006] == b"\0hello\0"


def test_holes_read_as_zeros(root: Path) -> None:
    fd = os.open(root / "sparse", os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, b"x", 5_000_000)
    assert os.pread(fd, 10, 2_000_000) == bytes(10)
    os.close(fd)
    assert (root / "sparse").stat().st_size == 5_000_001


def test_opening_with_truncation_empties_the_file(root: Path) -> None:
    (root / "t").write_bytes(b"old content")
    with (root / "t").open("wb") as file:
        assert (root / "t").stat().st_size == 0
        file.write(b"new")
    assert (root / "t").read_bytes() == b"new"


def test_a_deleted_file_lives_until_it_is_closed(root: Path) -> None:
    with (root / "gone").open("w+b") as file:
        file.write(b"still here")
        file.flush()
        (root / "gone").unlink()
        assert not (root / "gone").exists()
        file.seek(0)
        assert file.read() == b"still here"
        file.write(b" and growing")
        file.seek(0)
        assert file.read() == b"still here and growing"
        assert os.fstat(file.fileno()).st_nlink == 0


def test_a_replaced_open_file_keeps_its_content(root: Path) -> None:
    (root / "old").write_bytes(b"old")
    (root / "new").write_bytes(b"new")
    with (root / "old").open("rb") as file:
        (root / "new").rename(root / "old")
        assert file.read() == b"old"
    assert (root / "old").read_bytes() == b"new"


def test_hard_links_share_content_and_count(root: Path) -> None:
    (root / "one").write_bytes(b"1")
    os.link(root / "one", root / "two")
    assert (root / "one").stat().st_nlink == 2
    (root / "two").write_bytes(b"changed")
    assert (root / "one").read_bytes() == b"changed"
    (root / "one").unlink()
    assert (root / "two").stat().st_nlink == 1
    with raises(errno.EPERM):
        os.link(root, root / "three")


def test_symbolic_links_of_any_bytes(root: Path) -> None:
    target = b"no/such/\xff\xfe target"
    os.symlink(target, os.fsencode(root / "link"))
    assert os.readlink(os.fsencode(root / "link")) == target
    assert (root / "link").lstat().st_size == len(target)


def test_rename_with_flags(root: Path) -> None:
    (root / "a").write_text("a")
    (root / "b").write_text("b")
    with raises(errno.EEXIST):
        renameat2(root / "a", root / "b", RENAME_NOREPLACE)
    renameat2(root / "a", root / "b", RENAME_EXCHANGE)
    assert (root / "a").read_text() == "b"
    assert (root / "b").read_text() == "a"
    renameat2(root / "a", root / "c", RENAME_NOREPLACE)
    assert sorted(path.name for path in root.iterdir()) == ["b", "c"]


def test_an_exchange_of_a_file_and_a_directory_across_directories(root: Path, mount: Mounted) -> None:
    (root / "d" / "e" / "inner").mkdir(parents=True)
    (root / "f").write_text("f")
    renameat2(root / "f", root / "d" / "e", RENAME_EXCHANGE)
    assert (root / "d" / "e").read_text() == "f"
    assert (root / "f" / "inner").is_dir()
    assert (root.stat().st_nlink, (root / "d").stat().st_nlink, (root / "f").stat().st_nlink) == (4, 2, 3)
    mount.stop()
    mount.restart()
    assert (root / "f" / "inner").is_dir()


def test_an_exchange_refuses_what_it_must(root: Path) -> None:
    (root / "d" / "e").mkdir(parents=True)
    with raises(errno.ENOENT):
        renameat2(root / "d", root / "absent", RENAME_EXCHANGE)
    with raises(errno.EINVAL):
        renameat2(root / "d", root / "d" / "e", RENAME_EXCHANGE)
    with raises(errno.EINVAL):
        renameat2(root / "d" / "e", root / "d", RENAME_EXCHANGE)
    with raises(errno.EINVAL):
        renameat2(root / "d", root / "e", RENAME_EXCHANGE | RENAME_NOREPLACE)
    assert (root / "d" / "e").is_dir()


def test_a_whiteout_is_refused(root: Path) -> None:
    (root / "a").write_text("a")
    with raises(errno.EINVAL):
        renameat2(root / "a", root / "b", RENAME_WHITEOUT)
    assert [path.name for path in root.iterdir()] == ["a"]


def test_directories_refuse_what_they_must(root: Path) -> None:
    (root / "d" / "e").mkdir(parents=True)
    with raises(errno.ENOTEMPTY):
        (root / "d").rmdir()
    with raises(errno.EINVAL):
        (root / "d").rename(root / "d" / "e" / "f")
    with raises(errno.ENAMETOOLONG):
        (root / ("n" * 256)).touch()
    (root / ("n" * 255)).touch()
    (root / "d" / "e").rmdir()
    (root / "d").rmdir()
    assert [path.name for path in root.iterdir()] == ["n" * 255]


def test_a_large_directory_lists_every_name_once_even_while_it_shrinks(root: Path) -> None:
    names = {f"file-{index:05}" for index in range(3000)}
    for name in names:
        (root / name).touch()
    assert {entry.name for entry in os.scandir(root)} == names
    stay = {name for name in names if int(name[-5:]) % 2}
    seen = []
    with os.scandir(root) as entries:
        for entry in entries:
            seen.append(entry.name)
            if entry.name not in stay:
                os.unlink(entry.path)
    assert len(seen) == len(set(seen))
    assert stay <= set(seen)
    assert {entry.name for entry in os.scandir(root)} == stay
    assert {entry.stat().st_size for entry in os.scandir(root)} == {0}


def test_extended_attributes(root: Path) -> None:
    (root / "x").touch()
    os.setxattr(root / "x", "user.one", b"1" * 1000)
    os.setxattr(root / "x", "user.two", b"")
    assert sorted(os.listxattr(root / "x")) == ["user.one", "user.two"]
    assert os.getxattr(root / "x", "user.one") == b"1" * 1000
    with raises(errno.EEXIST):
        os.setxattr(root / "x", "user.one", b"", os.XATTR_CREATE)
    with raises(errno.ENODATA):
        os.setxattr(root / "x", "user.none", b"", os.XATTR_REPLACE)
    os.removexattr(root / "x", "user.two")
    assert os.listxattr(root / "x") == ["user.one"]
    with raises(errno.ENODATA):
        os.getxattr(root / "x", "user.two")


def test_extended_attributes_have_the_limits_of_other_file_systems(root: Path) -> None:
    path = root / "x"
    path.touch()
    os.setxattr(path, "user.big", b"x" * 65_536)
    assert os.getxattr(path, "user.big") == b"x" * 65_536
    os.setxattr(path, "user." + "n" * 250, b"longest name")
    for name, value, number in (
        ("user.big", b"x" * 65_537, errno.E2BIG),
        ("user." + "n" * 251, b"", errno.ERANGE),
        ("unknown.name", b"", errno.EOPNOTSUPP),
        ("system.unknown", b"", errno.EOPNOTSUPP),
        ("noname", b"", errno.EOPNOTSUPP),
    ):
        with raises(number):
            os.setxattr(path, name, value)
    with raises(errno.ENODATA):
        os.removexattr(path, "user.absent")
    with raises(errno.EOPNOTSUPP):
        os.getxattr(path, "unknown.name")


def test_as_many_extended_attributes_as_can_be_listed(root: Path) -> None:
    path = root / "x"
    path.touch()
    with raises(errno.ENOSPC):
        for number in range(300):
            os.setxattr(path, f"user.{number:03}{'n' * 240}", b"v")
    names = os.listxattr(path)
    assert len(names) == 65_536 // 249
    os.setxattr(path, names[0], b"changed")
    os.removexattr(path, names[1])
    os.setxattr(path, "user.again", b"v")


def test_links_and_special_files_have_no_attributes_of_users(root: Path) -> None:
    (root / "link").symlink_to("target")
    os.mkfifo(root / "fifo")
    for path in (root / "link", root / "fifo"):
        with raises(errno.EPERM):
            os.setxattr(path, "user.a", b"", follow_symlinks=False)
        os.setxattr(path, "trusted.a", b"1", follow_symlinks=False)
        assert os.listxattr(path, follow_symlinks=False) == ["trusted.a"]


def test_the_time_of_creation_is_told_and_never_changes(root: Path) -> None:
    begun = time.time()
    (root / "f").write_text("x")
    os.utime(root / "f", ns=(1, 2))
    (root / "d").mkdir()
    (root / "l").symlink_to("f")
    with (root / "f").open("a") as file:
        file.write("more")
        file.flush()
        for name in "fdl":
            line = subprocess.run(["stat", "-c", "%.W %Y %s", root / name], check=True, capture_output=True, text=True).stdout
            created, modified, size = line.split()
            assert begun - 1 < float(created) < time.time() + 1
            assert size == str((root / name).lstat().st_size)
            assert int(modified) == int((root / name).lstat().st_mtime)


def test_times_are_set_to_now_or_left_as_they_are(root: Path) -> None:
    path = root / "f"
    path.touch()
    os.utime(path, ns=(5, 6))
    utimensat(path, (0, UTIME_OMIT), (0, UTIME_NOW))
    facts = path.stat()
    assert facts.st_atime_ns == 5
    assert abs(facts.st_mtime - time.time()) < 5
    utimensat(path, (0, UTIME_OMIT), (0, UTIME_OMIT))
    assert path.stat() == facts
    for seconds in (-(1 << 31) - 1, -1, (1 << 31) + 5, (1 << 33) + 7):
        utimensat(path, (seconds, 999_999_999), (seconds, 1))
        assert path.stat().st_atime_ns == seconds * 10**9 + 999_999_999
        assert path.stat().st_mtime_ns == seconds * 10**9 + 1
    with raises(errno.EINVAL):
        utimensat(path, (0, 10**9), (0, 0))


def test_times_and_modes_that_are_set_stay(root: Path) -> None:
    with (root / "f").open("wb") as file:
        file.write(b"content that is not flushed yet")
        file.flush()
        os.utime(root / "f", ns=(1_000_000_001, 2_000_000_002))
        os.fchmod(file.fileno(), 0o640)
    facts = (root / "f").stat()
    assert (facts.st_atime_ns, facts.st_mtime_ns) == (1_000_000_001, 2_000_000_002)
    assert stat.S_IMODE(facts.st_mode) == 0o640
    os.utime(root / "f", ns=(-1, -5_000_000_000))
    assert (root / "f").stat().st_mtime_ns == -5_000_000_000


def test_special_files(root: Path) -> None:
    os.mkfifo(root / "fifo", 0o600)
    assert stat.S_ISFIFO((root / "fifo").stat().st_mode)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        assert stat.S_ISSOCK((root / "socket").stat().st_mode)


def test_what_was_written_is_in_the_volume_within_a_second(root: Path, mount: Mounted) -> None:
    file = (root / "open").open("wb", buffering=0)
    file.write(b"not closed, not synced")
    time.sleep(1.0)
    mount.kill()
    with contextlib.suppress(OSError):
        file.close()
    mount.restart()
    assert (root / "open").read_bytes() == b"not closed, not synced"


def test_programs_run_from_the_mount(root: Path) -> None:
    script = root / "script"
    script.write_text("#!/bin/sh\necho from the mount\n")
    with raises(errno.EACCES):
        subprocess.run([script], check=True)
    script.chmod(0o755)
    assert subprocess.run([script], check=True, capture_output=True).stdout == b"from the mount\n"


def test_the_free_space_is_the_disks(root: Path, mount: Mounted) -> None:
    assert os.statvfs(root).f_blocks == os.statvfs(mount.data).f_blocks
    assert os.statvfs(root).f_namemax == 255


def test_git_works_on_the_mount(root: Path) -> None:
    environment = {
        **os.environ,
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@t",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t",
    }
    (root / "repository").mkdir()
    for command in ("init -q", "add -A", "commit -q --allow-empty -m first", "gc -q", "fsck --strict"):
        (root / "repository" / f"{command.split()[0]}.txt").write_text(command)
        subprocess.run(["git", *command.split()], cwd=root / "repository", check=True, env=environment, capture_output=True)
