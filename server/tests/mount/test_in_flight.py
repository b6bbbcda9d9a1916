"""What comes while large written bytes are still on their way: it waits for them, or finds them gone on purpose."""

import os
import threading
from pathlib import Path

import pytest

from vexfs.store.volume import Volume

from .conftest import MakeMount, Mounted, eventually

LARGE = os.urandom(24 << 20)
"""Three layers, so that workers have something in hand when the next request comes."""


def test_a_truncation_comes_after_the_bytes_that_were_written_before(root: Path) -> None:
    with (root / "f").open("w+b", buffering=0) as file:
        for _ in range(5):
            file.seek(0)
            file.write(LARGE)
            os.ftruncate(file.fileno(), 10_000_000)
            assert os.fstat(file.fileno()).st_size == 10_000_000
    assert (root / "f").read_bytes() == LARGE[:10_000_000]


def test_opening_with_truncation_leaves_nothing_of_what_was_on_its_way(root: Path) -> None:
    with (root / "f").open("wb", buffering=0) as file:
        for _ in range(5):
            file.seek(0)
            file.write(LARGE)
            (root / "f").write_bytes(b"new")
            assert (root / "f").read_bytes() == b"new"


def test_times_that_are_set_meanwhile_stay(root: Path) -> None:
    with (root / "f").open("wb", buffering=0) as file:
        file.write(LARGE)
        os.utime(root / "f", ns=(1, 2_000_000_000))
    assert (root / "f").stat().st_mtime_ns == 2_000_000_000
    assert (root / "f").read_bytes() == LARGE


def test_a_file_removed_meanwhile_is_gone_and_its_bytes_with_it(root: Path, beside: Volume) -> None:
    with (root / "f").open("w+b", buffering=0) as file:
        file.write(LARGE)
        (root / "f").unlink()
        file.seek(0)
        assert file.read(1000) == LARGE[:1000]
    (root / "g").write_text("the mount goes on")

    def forgotten() -> bool:
        with beside.snapshot() as view:
            return view.execute("SELECT count(*) FROM orphan").fetchall()[0][0] == 0

    eventually(forgotten)


def test_more_than_memory_may_hold_is_taken_slower_and_whole(root: Path, mount: Mounted) -> None:
    def write(name: str) -> None:
        with (root / name).open("wb", buffering=0) as file:
            for _ in range(3):
                file.write(LARGE)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    for name in "ab":
        assert (root / name).read_bytes() == LARGE * 3
    assert mount.errors() == []


def test_many_small_files_kept_open_are_all_written(root: Path) -> None:
    opened = []
    for number in range(40):
        file = (root / f"{number}").open("wb", buffering=0)
        file.write(LARGE[: 1 << 20])
        opened.append(file)
    for number, file in enumerate(opened):
        file.close()
        assert (root / f"{number}").read_bytes() == LARGE[: 1 << 20]


def test_a_write_behind_the_largest_size_is_refused(root: Path) -> None:
    with (root / "f").open("wb", buffering=0) as file:
        file.write(b"start")
        with pytest.raises(OSError, match="too large"):
            os.pwrite(file.fileno(), b"x", (1 << 62))
    assert (root / "f").read_bytes() == b"start"


def test_of_two_mounts_that_create_one_name_both_write_into_one_file(make_mount: MakeMount) -> None:
    mounts = [make_mount(), make_mount()]
    together = threading.Barrier(2)
    failures: list[BaseException] = []

    def create(mount: Mounted, mark: bytes) -> None:
        try:
            for number in range(60):
                together.wait(30)
                fd = os.open(mount.path / f"{number}", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
                os.write(fd, mark)
                os.close(fd)
        except BaseException as error:
            failures.append(error)
            together.abort()

    threads = [threading.Thread(target=create, args=pair) for pair in zip(mounts, (b"a", b"b"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for mount in mounts:
        eventually(lambda mount=mount: len(os.listdir(mount.path)) == 60)  # type: ignore[misc]  # noqa: PTH208
        assert mount.errors() == []


def test_of_two_mounts_that_create_one_name_exclusively_one_wins(make_mount: MakeMount) -> None:
    mounts = [make_mount(), make_mount()]
    together = threading.Barrier(2)
    won: list[int] = []

    def create(mount: Mounted) -> None:
        for number in range(60):
            together.wait(30)
            try:
                fd = os.open(mount.path / f"{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                continue
            won.append(number)
            os.close(fd)

    threads = [threading.Thread(target=create, args=(mount,)) for mount in mounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(60))
