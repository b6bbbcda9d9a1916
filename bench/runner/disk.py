"""The disk under a folder: what file system it has, and what it was asked to do. Linux: reads /proc and /sys; what is counted
is counted for the whole machine, which so has to be idle.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.runner import machine

_FLUSHES_FIELD = 15
"""Of `stat` (Documentation/block/stat.rst of the kernel): the flush requests that were done."""


def kind(folder: Path) -> str:
    """The file system a folder lies on, as `machine.filesystem_type`, and of an ext4 whether it has no journal.

    Without one, as no distribution makes it, an fsync writes the file and its inode, and commits no journal.
    """
    found, device = machine.filesystem_type(folder), _device(folder)
    if found != "ext4" or any(Path("/proc/fs/jbd2").glob(f"{device.name}-*")):
        return found
    return f"{found} without a journal"


def flushes(folder: Path) -> int | None:
    """How often the disk under that folder was told to make durable what it has in its own cache, since the machine started.
    None where that is not counted: a file system in memory or over several disks, or an old kernel.
    """
    device = _device(folder)
    if not device.exists():
        return None
    disk = device.parent if (device / "partition").exists() else device  # counted for the whole disk only
    fields = (disk / "stat").read_text().split()
    return int(fields[_FLUSHES_FIELD]) if len(fields) > _FLUSHES_FIELD else None


def _device(folder: Path) -> Path:
    """The disk or the part of it, below /sys/devices; a path that does not exist where there is no disk."""
    number = folder.stat().st_dev
    return Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
