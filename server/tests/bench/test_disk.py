"""The disk's flushes are those that an fsync asks for."""

import os
from pathlib import Path

import pytest
from bench.runner import disk


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
