"""Memory for the bytes of large writes: slabs of one size, on page boundaries, used again.

Owned by the loop; one thread. Fresh memory costs a page fault every 4 KiB, more than copying into it, and a program that
writes a large file fills hundreds of MiB a second. A slab that is not given back is no loss: it goes with its last user.
"""

import mmap
from collections.abc import Iterable

SLAB_BYTES = 1 << 20
_OWN = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
IDLE_MAX = 32
"""So many wait to be used again while bytes are pending."""
IDLE_AT_REST = 8
"""And so many when none are."""


class Slabs:
    """See the module. A slab is a writable memoryview of SLAB_BYTES."""

    def __init__(self) -> None:
        self._idle: list[memoryview] = []

    def __len__(self) -> int:
        """How many are idle."""
        return len(self._idle)

    def take(self) -> memoryview:
        """A slab with whatever it held before."""
        return self._idle.pop() if self._idle else memoryview(mmap.mmap(-1, SLAB_BYTES, flags=_OWN))

    def give_back(self, slabs: Iterable[memoryview]) -> None:
        """Of slabs that nobody will read any more."""
        self._idle.extend(slabs)
        del self._idle[IDLE_MAX:]

    def rest(self) -> None:
        """Nothing is pending: keep a few."""
        del self._idle[IDLE_AT_REST:]
