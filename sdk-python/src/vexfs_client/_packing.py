"""Points to put: what callers may give, and how many of them go in one message of a stream. Pure."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from vexfs_client._generated.vexfs import v1
from vexfs_client._types import PointInput
from vexfs_client._values import to_struct, to_vector

PointInputs = Iterable[PointInput]
"""Points to put, one after another."""
AsyncPointInputs = PointInputs | AsyncIterable[PointInput]
"""The same, or points that come asynchronously."""

PACK_POINTS = 250
"""The most points of one message: the server puts so many in one transaction."""
PACK_BYTES = 1024 * 1024
"""A message is not filled further than about this; a larger point goes alone."""


def to_message(point: PointInput) -> v1.PointInput:
    """A point as the contract has it. Raises TypeError and ValueError for what is no vector or no metadata."""
    return v1.PointInput(
        id=point.id,
        vectors={name: to_vector(vector) for name, vector in point.vectors.items()},
        metadata=None if point.metadata is None else to_struct(point.metadata),
        content=point.content,
    )


def packs(points: PointInputs) -> Iterator[list[v1.PointInput]]:
    """The points in messages, none empty, each taken from the source when it is asked for."""
    pack = _Pack()
    for point in points:
        if full := pack.add(point):
            yield full
    if pack.points:
        yield pack.points


async def async_packs(points: AsyncPointInputs) -> AsyncIterator[list[v1.PointInput]]:
    """The same for points that may come asynchronously."""
    if not isinstance(points, AsyncIterable):
        for full in packs(points):
            yield full
        return
    pack = _Pack()
    async for point in points:
        if full := pack.add(point):
            yield full
    if pack.points:
        yield pack.points


class _Pack:
    """The points of the next message."""

    def __init__(self) -> None:
        self.points: list[v1.PointInput] = []
        self._size_bytes = 0

    def add(self, point: PointInput) -> list[v1.PointInput]:
        """Take one more; the points of a message that is full without it, or none."""
        message = to_message(point)
        size_bytes = sum(map(len, (vector.values for vector in message.vectors.values()))) + len(message.content or b"")
        if point.metadata:
            size_bytes += len(str(point.metadata))
        full: list[v1.PointInput] = []
        if self.points and (len(self.points) == PACK_POINTS or self._size_bytes + size_bytes > PACK_BYTES):
            full, self.points, self._size_bytes = self.points, [], 0
        self.points.append(message)
        self._size_bytes += size_bytes
        return full
