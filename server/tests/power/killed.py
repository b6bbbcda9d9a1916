"""A writer that works until it is killed: `python -m tests.power.killed FOLDER SEED ROLE`, with ROLE "api" or "mount".

Two of them share a volume. Each chooses its operations by what the marks so far say of the volume, and then by its own
successes; what the other one does in between makes some of them fail, which is as good.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vexfs.core.errors import VexfsError
from vexfs.store import compact
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .events import Kind, read_events
from .promises import Promises, Wrote, encode
from .recorder import mark
from .workload import Workload

_FOREVER = 1_000_000


class Killed(Workload):
    """One side of the workload, without an end."""

    def __init__(self, folder: Path, seed: int, volume: Volume) -> None:
        super().__init__(folder, seed)
        self._volume = volume
        self._newest = volume.head()
        promises = Promises()
        promises.read([event.data for event in read_events(Path(os.environ["POWER_LOG"])) if event.kind == Kind.MARK])
        self._model = promises.model(self._newest).copy()

    def _apply(self, operation: Any) -> None:
        try:
            self._model.apply(operation)
        except (VexfsError, KeyError):
            return  # the other process has changed what this one remembers

    def write(self, role: str) -> None:
        volume = self._volume
        if role == "mount":
            self._write_as_mount(volume, self._seed, _FOREVER)
            return
        _mark_housekeeping(volume)
        self._together(
            lambda: self._write_as_api(volume, self._seed + 1, _FOREVER),
            lambda: self._write_as_api(volume, self._seed + 2, _FOREVER),
            lambda: self._keep(volume, _FOREVER),
        )


def _mark_housekeeping(volume: Volume) -> None:
    """Trimming takes revisions too, and may take one that a killed writer had marked as its own."""
    submit: Callable[..., Any] = volume.queue.submit

    def marking(operation: str, function: Callable[[Transaction], Any], **options: Any) -> Any:
        def marked(txn: Transaction) -> Any:
            if operation in ("trim", "collect", "compact", "expire"):
                mark(encode(Wrote(txn.revision, (operation,))))
            return function(txn)

        return submit(operation, marked, **options)

    volume.queue.submit = marking  # type: ignore[method-assign]


def main() -> None:
    folder, seed, role = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    compact.PIECES_SLACK = 0
    with Volume.open(folder, role, create=True) as volume:
        Killed(folder, seed, volume).write(role)


if __name__ == "__main__":
    main()
