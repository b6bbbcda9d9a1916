"""How many bytes of requests the server keeps at the same time: a budget of all calls together.

A request is kept from its arrival until its call is answered: an upsert of points waits with its vectors for the write queue.
A surface counts a request as soon as it knows its size, before it is parsed and, where it was announced, before it is read; the
dispatcher gives the bytes back. Of a stream one message at a time is counted; where a request would be refused it waits, and
what its caller sends waits with it. Used on the event loop only.
"""

import os

from vexfs.core.errors import InvalidRequest, QueueFull

ENV_MIB = "VEXFS_REQUEST_MEMORY_MIB"
DEFAULT_MIB = 256
"""Enough for a dozen of the largest requests; their messages and rows take about three times that while they are worked on."""
SMALL_BYTES = 64 * 1024
"""Requests up to this are not counted: as many as there may be calls take less than a quarter of the default, and searches go
on while bulk writes have to wait."""


class RequestMemory:
    """The budget, `limit_bytes` large."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0

    def hold(self) -> "Hold":
        """For one call: a context manager around it."""
        return Hold(self)

    def end(self, held: "Hold") -> None:
        """See `Hold.give_back`, which calls this."""
        self._held_bytes -= held.size_bytes
        held.size_bytes = 0

    def take(self, held: "Hold", size_bytes: int) -> None:
        """See `Hold.grow_to`, which calls this."""
        others = self._held_bytes - held.size_bytes
        if others and others + size_bytes > self._limit_bytes:
            raise QueueFull(
                f"requests of {others:,} bytes are worked on, of {self._limit_bytes:,} at most: try again in a moment"
            )
        self._held_bytes = others + size_bytes
        held.size_bytes = size_bytes


class Hold:
    """What one call has of the budget; a context manager."""

    __slots__ = ("_memory", "size_bytes")

    def __init__(self, memory: RequestMemory) -> None:
        self._memory = memory
        self.size_bytes = 0

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """The call has ended."""
        self._memory.end(self)

    def grow_to(self, size_bytes: int) -> None:
        """The request has this size, or that much of it is here. Raises QueueFull when that is too much beside the others.

        A request that is alone is never refused, however small the budget is.
        """
        if size_bytes > max(SMALL_BYTES, self.size_bytes):
            self._memory.take(self, size_bytes)


def limit_bytes() -> int:
    """The budget that VEXFS_REQUEST_MEMORY_MIB says. Raises InvalidRequest when that is no number."""
    given = os.environ.get(ENV_MIB, "").strip() or str(DEFAULT_MIB)
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= 1 << 20:
        raise InvalidRequest(f"{ENV_MIB} is {given!r}; give a whole number of MiB, 1 or more")
    return int(given) << 20
