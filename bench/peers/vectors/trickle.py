"""Rows that come in steadily while others search: a batch at a time, as often as asked or as fast as the engine can."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

BATCH_ROWS = 50
"""Ten batches a second make 500 rows/s."""

Batch = TypeVar("Batch")


class Trickle(threading.Thread, Generic[Batch]):
    """Inserts `batches` of BATCH_ROWS each; a batch is sent when it is due and the one before is acknowledged."""

    def __init__(self, insert: Callable[[Batch], None], batches: Sequence[Batch], rate: int) -> None:
        super().__init__(name="bench-trickle")
        self._insert, self._batches, self._pause_s = insert, batches, BATCH_ROWS / rate
        self._failure: Exception | None = None
        self.rows = 0
        """Acknowledged so far."""
        self.seconds = 0.0

    def run(self) -> None:
        began = time.perf_counter()
        limit = began + self._pause_s * len(self._batches)
        try:
            for number, batch in enumerate(self._batches):
                time.sleep(max(0.0, began + number * self._pause_s - time.perf_counter()))
                if time.perf_counter() > limit:
                    break
                self._insert(batch)
                self.rows += BATCH_ROWS
        except Exception as error:
            self._failure = error
        self.seconds = time.perf_counter() - began

    def finish(self) -> None:
        """Wait for the end. Raises what an insertion raised."""
        self.join()
        if self._failure is not None:
            raise RuntimeError(f"inserting failed: {self._failure}") from self._failure


def batch_count(seconds: float, rate: int) -> int:
    """How many batches are due in that time."""
    return max(1, int(seconds * rate / BATCH_ROWS))
