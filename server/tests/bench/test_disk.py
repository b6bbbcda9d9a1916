"""What is told of a disk is what it is, and its flushes are those that an fsync asks for."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.runner import disk

_IMAGE_BYTES = 16 << 20


def test_an_fsync_is_counted_as_a_flush(tmp_path: Path) -> None:
    before = disk.flushes(tmp_path)
    if not before:  # none since the machine started: a disk that does not count them
        pytest.skip("what this folder lies on counts no flushes")
    device = tmp_path.stat().st_dev
    cache = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve() / "queue" / "write_cache"
    if cache.exists() and cache.read_text().strip() == "write through":
        pytest.skip("this disk has no cache to flush")
    for number in range(3):
        with (tmp_path / f"{number}").open("wb") as file:
            file.write(b"durable")
            file.flush()
            os.fsync(file.fileno())
    after = disk.flushes(tmp_path)
    assert after is not None
    assert after >= before + 3


def test_a_file_system_in_memory_has_no_disk_to_flush() -> None:
    assert disk.flushes(Path("/proc")) is None


@contextlib.contextmanager
def _mounted_image(folder: Path, *options: str) -> Iterator[Path]:
    """A new ext4 in a file, mounted."""
    image, mountpoint = folder / "image", folder / "mountpoint"
    mountpoint.mkdir()
    with image.open("wb") as file:
        file.truncate(_IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", *options, str(image)], check=True, capture_output=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(mountpoint)], capture_output=True, check=False).returncode:
        pytest.skip("no file can be mounted as a disk here")
    try:
        yield mountpoint
    finally:
        subprocess.run(["umount", str(mountpoint)], check=True)


@pytest.mark.parametrize(("options", "told"), [((), "ext4"), (("-O", "^has_journal"), "ext4 without a journal")])
def test_whether_a_disk_has_a_journal_is_told(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("only root mounts a disk, and mkfs.ext4 makes it")
    with _mounted_image(tmp_path, *options) as mountpoint:
        assert disk.kind(mountpoint) == told


def test_a_file_system_in_memory_is_told_by_its_type() -> None:
    assert disk.kind(Path("/proc")) == "proc"
