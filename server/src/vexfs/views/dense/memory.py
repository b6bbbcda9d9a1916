"""How much memory can this process still take, before the machine or the group it is in runs out?

Asked by the launcher before a build. Reads what the kernel tells, never writes. Pages of files count as available, in a group
as on the machine: the kernel drops them first.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_GROUPS = Path("sys/fs/cgroup")


class _Names(NamedTuple):
    """Of the files of a group, and of the lines of its `memory.stat` that can be taken back."""

    limit: str
    used: str
    reclaimable: tuple[str, ...]


_UNIFIED = _Names("memory.max", "memory.current", ("inactive_file", "active_file", "slab_reclaimable"))
_FIRST = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))


def available_bytes(root: Path = Path("/")) -> int:
    """The least of what the machine has and what the limits of the control groups leave (version 2 and 1); `root` holds /proc
    and /sys. What cannot be read limits nothing."""
    machine = _numbers(root / "proc/meminfo").get("MemAvailable:")
    left = [] if machine is None else [1024 * machine]
    for folder, names in _folders(root):
        try:
            limit, used = (int((folder / name).read_text()) for name in (names.limit, names.used))
        except (OSError, ValueError):  # there is no such group here, or no limit: "max"
            continue
        facts = _numbers(folder / "memory.stat")
        left.append(limit - used + sum(facts.get(name, 0) for name in names.reclaimable))
    return max(0, min(left, default=2**63))


def _folders(root: Path) -> Iterator[tuple[Path, _Names]]:
    """Those of this process's memory group and of all that it is in."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base, names = root / _GROUPS, _UNIFIED
        elif "memory" in controllers.split(","):
            base, names = root / _GROUPS / "memory", _FIRST
        else:
            continue
        inside = Path(path.lstrip("/"))
        for part in (inside, *inside.parents):
            yield base / part, names


def _numbers(path: Path) -> dict[str, int]:
    """The numbers of a file with a name and a number a line; none when it cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) > 1}
