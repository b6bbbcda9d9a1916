"""The one hook around every core operation: latency, outcome, slow log.

The API's dispatcher wraps each call in an `Observation`; nothing else counts operations. Thread-safe and cheap (two counters
and a histogram); it never swallows or changes an exception.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from types import TracebackType

from vexfs.core.errors import VexfsError
from vexfs.observability.metrics import OPERATION_SECONDS, OPERATIONS, OPERATIONS_RUNNING

SLOW_VARIABLE = "VEXFS_SLOW_SECONDS"
SLOW_DEFAULT_SECONDS = 1.0
NOTHING_NOTED: Mapping[str, int] = {}

_log = logging.getLogger("vexfs.operations")


def slow_threshold_seconds() -> float:
    """From when on an operation is written to the slow log: VEXFS_SLOW_SECONDS, by default one second."""
    try:
        return float(os.environ.get(SLOW_VARIABLE, SLOW_DEFAULT_SECONDS))
    except ValueError:
        return SLOW_DEFAULT_SECONDS


def outcome_of(error: BaseException | None) -> str:
    """The label an operation's end is counted under."""
    if error is None:
        return "OK"
    if isinstance(error, VexfsError):
        return error.reason
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return "CANCELLED"
    return "INTERNAL"


# A labelled counter is looked up once: that costs as much as counting. Surfaces, operations and reasons are few and fixed.
_running = cache(OPERATIONS_RUNNING.labels)
_count = cache(OPERATIONS.labels)
_latency = cache(OPERATION_SECONDS.labels)


class Observation:
    """Counts one operation and times it: a context manager around it."""

    __slots__ = ("_caller", "_noted", "_operation", "_slow_seconds", "_started", "_surface")

    def __init__(
        self,
        surface: str,
        operation: str,
        *,
        slow_seconds: float,
        caller: Callable[[], str],
        noted: Mapping[str, int] = NOTHING_NOTED,
    ) -> None:
        """`slow_seconds` is the slow log's threshold (infinity for streams, whose length is the caller's business).

        The slow log says what `caller` answers and what stands in `noted` at the end, too.
        """
        self._surface = surface
        self._operation = operation
        self._slow_seconds = slow_seconds
        self._caller = caller
        self._noted = noted

    def __enter__(self) -> None:
        _running(self._surface).inc()
        self._started = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        seconds = time.perf_counter() - self._started
        surface, operation = self._surface, self._operation
        _running(surface).dec()
        outcome = outcome_of(error)
        _count(surface, operation, outcome).inc()
        _latency(surface, operation).observe(seconds)
        if seconds >= self._slow_seconds:
            fields = {
                "surface": surface,
                "operation": operation,
                "outcome": outcome,
                "seconds": round(seconds, 6),
                "caller": self._caller(),
                **self._noted,
            }
            _log.warning("slow operation", extra=fields)
