"""What a page says about the machine is what the machine is."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.runner import machine

_IMAGE_BYTES = 16 << 20


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
        assert machine.disk(mountpoint) == told


def test_a_file_system_in_memory_is_told_by_its_type() -> None:
    assert machine.disk(Path("/proc")) == "proc"
