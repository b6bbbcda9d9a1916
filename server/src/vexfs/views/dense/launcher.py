"""Starting builder processes: one at a time, never more often than is of use. Who builds what, and what came of it?

Owned by the view's thread, which calls every method. Starts with posix_spawn, which does not run fork handlers: the API process
has threads of gRPC and ONNX Runtime that a fork would break. After a failure the same index waits, longer each time; so it
does when the memory that is available is less than its builder is expected to need.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from vexfs.views.dense import memory
from vexfs.views.dense.engine import TREE_TRAINING_ROWS_MAX
from vexfs.views.dense.index import IndexSpec

logger = logging.getLogger(__name__)

RETRY_FIRST_S = 1.0
RETRY_MAX_S = 60.0
BUILD_MAX_S = 2 * 3600.0
"""A builder that takes longer is ended: it may hang, and while it runs no index gets a generation. A builder has the lowest
priority, so on a busy machine a large index may well need an hour."""
_MIB = 1 << 20
NEED_MIN_BYTES = 128 * _MIB
_ROW_COPIES = _SAMPLE_COPIES = 2
"""What a build needs, beside the mapped file of the rows, which it gives back: ScaNN copies the rows, makes as much again of
their distances from the centres of their leaves, and does so with the sample it trains on. Measured, 384 dimensions: 91 MiB at
10,000 rows, 986 at 200,000, 3,338 at a million."""


class Finished(NamedTuple):
    """A builder that ended; `status` 0 means that its generation is there."""

    spec: IndexSpec
    status: int


def expected_bytes(rows: int, dimension: int) -> int:
    """The memory that building a generation of so many rows needs."""
    return NEED_MIN_BYTES + 4 * dimension * (_ROW_COPIES * rows + _SAMPLE_COPIES * min(rows, TREE_TRAINING_ROWS_MAX))


class Launcher:
    def __init__(self, volume_folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._volume_folder = volume_folder
        self._clock = clock
        self._put_off: dict[tuple[int, str], str] = {}
        self._pid = 0
        self._spec: IndexSpec | None = None
        self._overdue_at = 0.0
        self._failures: dict[tuple[int, str], tuple[int, float]] = {}

    @property
    def running(self) -> IndexSpec | None:
        """The index that is being built."""
        return self._spec

    @property
    def pid(self) -> int:
        """Of the running builder; 0 when there is none."""
        return self._pid

    def put_off(self, spec: IndexSpec) -> str:
        """Why the index was not built when it was its turn; empty when it was."""
        return self._put_off.get(spec.key, "")

    def start(self, spec: IndexSpec, rows: int) -> bool:
        """Start a builder for the index, which has so many rows.

        Not while one runs, nor while the index has to wait after a failure or for memory.
        """
        if self._pid or self._clock() < self._failures.get(spec.key, (0, 0.0))[1] or not self._fits(spec, rows):
            return False
        command = [
            sys.executable, "-m", "vexfs.views.dense.builder", "--volume", str(self._volume_folder),
            "--collection", str(spec.collection), f"--vector={spec.vector}", "--dimension", str(spec.dimension),
            "--metric", spec.metric, "--storage", spec.storage, "--parent", str(os.getpid()),
        ]  # fmt: skip
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1)]
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
            self._pid = os.posix_spawn(sys.executable, command, environment, file_actions=actions)
        finally:
            os.close(null)
        self._spec = spec
        self._overdue_at = self._clock() + BUILD_MAX_S
        logger.info("builder started", extra={"builder_pid": self._pid, "collection": spec.collection, "vector": spec.vector})
        return True

    def _fits(self, spec: IndexSpec, rows: int) -> bool:
        needed, available = expected_bytes(rows, spec.dimension), memory.available_bytes()
        if needed <= available:
            self._put_off.pop(spec.key, None)
            return True
        why = f"to build it needs about {needed // _MIB:,} MiB of memory, and {available // _MIB:,} MiB are available"
        self._put_off[spec.key] = why
        self.failed(spec, why)
        return False

    def poll(self) -> Finished | None:
        """The builder that has ended since the last call, if one has; one that takes longer than BUILD_MAX_S is ended."""
        if not self._pid or self._spec is None:
            return None
        pid, wait_status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            self._end_overdue()
            return None
        finished = Finished(self._spec, os.waitstatus_to_exitcode(wait_status))
        self._pid, self._spec = 0, None
        if finished.status:
            self.failed(finished.spec, f"the builder ended with status {finished.status}")
        return finished

    def _end_overdue(self) -> None:
        """Told once: the kill is reaped, as a failure, by a later `poll`."""
        if self._clock() < self._overdue_at:
            return
        self._overdue_at = float("inf")
        logger.warning("a builder took longer than %.0f s and is ended", BUILD_MAX_S, extra={"builder_pid": self._pid})
        os.kill(self._pid, signal.SIGKILL)

    def succeeded(self, spec: IndexSpec) -> None:
        """The generation was adopted: the index may be built again at once."""
        self._failures.pop(spec.key, None)

    def failed(self, spec: IndexSpec, why: str) -> None:
        """Have the index wait before it is built again."""
        count = self._failures.get(spec.key, (0, 0.0))[0] + 1
        delay = min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** (count - 1))
        self._failures[spec.key] = (count, self._clock() + delay)
        logger.warning("no generation: %s; trying again in %.0f s", why, delay, extra={"collection": spec.collection})

    def stop(self) -> None:
        """End the running builder, if there is one, and wait for it."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid, self._spec = 0, None
