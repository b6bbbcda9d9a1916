"""What searches remember from one to the next, in how much memory, and how often that helps.

`BoundedCache` is made by the parts of the search engine, one for each kind of thing they remember. An entry may be good for
one state of the world only; it is never answered for another. Thread-safe; two threads that miss at once both compute, which
does no harm. Nothing is remembered longer than memory allows: what was used least recently goes first.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Generic, NamedTuple, TypeVar

from prometheus_client import Counter, Gauge

from vexfs.core.errors import InvalidRequest
from vexfs.observability.metrics import REGISTRY

ENV_RESULTS_MIB = "VEXFS_RESULT_CACHE_MIB"
RESULTS_DEFAULT_MIB = 32
ENTRY_OVERHEAD_BYTES = 200
"""What an entry costs beside its value, about."""

_HITS = Counter(
    "vexfs_search_cache_hits",
    "Look-ups that a cache of the search answered, by cache: query_vectors, results or filtered_rows.",
    ("cache",),
    registry=REGISTRY,
)
_MISSES = Counter(
    "vexfs_search_cache_misses",
    "Look-ups that a cache of the search could not answer, by cache.",
    ("cache",),
    registry=REGISTRY,
)
_BYTES = Gauge(
    "vexfs_search_cache_bytes",
    "Memory that a cache of the search holds, by its own estimate.",
    ("cache",),
    registry=REGISTRY,
)

T = TypeVar("T")


class _Entry(NamedTuple):
    valid_for: Any
    value: Any
    size_bytes: int


class BoundedCache(Generic[T]):
    """Values by key. `name` is their label in the metrics; with a `limit_bytes` of 0 nothing is kept, and nothing counted."""

    def __init__(self, name: str, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._size_bytes = 0
        self._hits, self._misses, self._bytes = _HITS.labels(name), _MISSES.labels(name), _BYTES.labels(name)

    @property
    def enabled(self) -> bool:
        return self._limit_bytes > 0

    def get(self, key: Hashable, valid_for: Any = None) -> T | None:
        """What was put under the key for just this state, or None. Counts a hit or a miss."""
        if not self.enabled:
            return None
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.valid_for == valid_for:
                self._entries.move_to_end(key)
                self._hits.inc()
                found: T = entry.value
                return found
        self._misses.inc()
        return None

    def put(self, key: Hashable, value: T, size_bytes: int, valid_for: Any = None) -> None:
        """Remember a value of about that size, instead of what was known under the key."""
        size_bytes += ENTRY_OVERHEAD_BYTES
        if size_bytes > self._limit_bytes:
            return
        with self._lock:
            before = self._entries.pop(key, None)
            self._entries[key] = _Entry(valid_for, value, size_bytes)
            self._size_bytes += size_bytes - (before.size_bytes if before is not None else 0)
            while self._size_bytes > self._limit_bytes:
                self._size_bytes -= self._entries.popitem(last=False)[1].size_bytes
            self._bytes.set(self._size_bytes)


def result_cache_bytes() -> int:
    """How much memory answers may take, as VEXFS_RESULT_CACHE_MIB says. Raises InvalidRequest when that is no number."""
    given = os.environ.get(ENV_RESULTS_MIB, "").strip() or str(RESULTS_DEFAULT_MIB)
    try:
        mebibytes = float(given)
    except ValueError:
        mebibytes = -1.0
    if not 0 <= mebibytes <= 1 << 20:
        raise InvalidRequest(f"{ENV_RESULTS_MIB} is {given!r}; give a number of MiB, or 0 to remember no answers")
    return int(mebibytes * (1 << 20))
