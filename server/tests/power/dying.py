"""A process that dies while it makes a volume or stores a blob: what it left unsynced must not fool the next one.

Run as `python -m tests.power.dying FOLDER WHERE` under the recorder, before `workload`. WHERE is `N`, to die instead of its
N-th sync, or `blob`, to die when a blob has its name and the folder was not synced.
"""

import os
import sys
from pathlib import Path

from vexfs.store import blobs
from vexfs.store.volume import Volume

from .workload import FIRST_CONTENT


def _die(*_: object) -> None:
    os._exit(0)


class _DyingSync:
    """Stands for a sync call; the N-th call of all of them ends the process."""

    left = 0

    def __init__(self, name: str) -> None:
        self._real = getattr(os, name)

    def __call__(self, fd: int) -> None:
        _DyingSync.left -= 1
        if _DyingSync.left == 0:
            _die()
        self._real(fd)


def main() -> None:
    folder, where = Path(sys.argv[1]), sys.argv[2]
    if where != "blob":
        _DyingSync.left = int(where)
        for name in ("fsync", "fdatasync"):
            setattr(os, name, _DyingSync(name))
    volume = Volume.open(folder, "api", create=True)
    if where == "blob":
        setattr(blobs, "sync_folder", _die)  # noqa: B010 - mypy forbids the plain assignment
    volume.blobs.add(FIRST_CONTENT.make())
    volume.close()


if __name__ == "__main__":
    main()
