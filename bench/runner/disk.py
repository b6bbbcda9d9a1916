"""What the disk under a folder was asked to do. Linux: reads /sys; counts for the whole machine, so it has to be idle."""

from __future__ import annotations

import os
from pathlib import Path

_FLUSHES_FIELD = 15
"""Of `stat` (Documentation/block/stat.rst of the kernel): the flush requests that were done."""


def flushes(folder: Path) -> int | None:
    """How often the disk under that folder was told to make durable what it has in its own cache, since the machine started.
    None where that is not counted: a file system in memory or over several disks, or an old kernel.
    """
    number = folder.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not device.exists():
        return None
    disk = device.resolve().parent if (device / "partition").exists() else device  # counted for the whole disk only
    fields = (disk / "stat").read_text().split()
    return int(fields[_FLUSHES_FIELD]) if len(fields) > _FLUSHES_FIELD else None
