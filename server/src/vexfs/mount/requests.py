"""The shape of a handler: what the loop passes it and what it gives back.

What a request says is input. The loop has checked that it is as long as its header says and its struct needs (`SHORTEST`), and
that a name at its end is ended (`LAST_BYTES`); what else stands in it is the handler's to check.

A handler gets `(unique, nodeid, end, uid, gid)`; the request's bytes stand in the loop's buffer up to `end`, its body begins
behind the header. It returns the payload of the answer, a negative errno, or None when there is no answer or it comes later.
No object is made for a request: this is the hottest path of the mount.
"""

from collections.abc import Callable, Mapping

from vexfs.core.errors import InvalidRequest
from vexfs.mount import wire
from vexfs.mount.slabs import Slabs

Answer = bytes | int | None
Handler = Callable[[int, int, int, int, int], Answer]
Table = Mapping[int, Handler]

BODY = wire.IN_HEADER_BYTES
VIRTUAL_NODEID = 1 << 62
"""Requests whose nodeid is at or above this belong to the made-up tree of `.search`."""
SEARCH_NAME = b".search"
"""At the root of a mount."""
DONE = b""
"""The answer without a payload."""


_NO_SHAPE = (0, 0)
SHORTEST = [
    wire.IN_HEADER_BYTES + size + 2 * names
    for size, names in (wire.SHAPES.get(opcode, _NO_SHAPE) for opcode in range(wire.OPCODE_MAX))
]
"""Bytes of the shortest request of each opcode: a name is a byte at least, and its NUL."""
LAST_BYTES = [1 if wire.SHAPES.get(opcode, _NO_SHAPE)[1] else 256 for opcode in range(wire.OPCODE_MAX)]
"""The last byte of a request of each opcode is below this."""


HEAD_BYTES = BODY + wire.fuse_write_in.size + (1 << 16)
"""A request up to this long is read into one piece of memory; what a longer one has beyond that, into a slab."""
_END_BYTES = wire.READ_BUFFER_BYTES - HEAD_BYTES


class RequestBuffer:
    """The memory one request is read into. `view` is the same memory; slices of it are copied before the handler returns.

    The end of a request longer than HEAD_BYTES is read into a slab. Only a write to a file takes it from there, for everybody
    else it stands in `view`.
    """

    def __init__(self) -> None:
        self.memory = bytearray(wire.READ_BUFFER_BYTES)
        self.view = memoryview(self.memory)
        self.slabs = Slabs()
        self._slab = self.slabs.take()
        self.parts = [self.view[:HEAD_BYTES], self._slab[:_END_BYTES]]
        """What the loop reads a request into."""

    def gather(self, length: int) -> None:
        """Lay the end of a request of that length into `view`, behind its beginning."""
        self.view[HEAD_BYTES:length] = self._slab[: length - HEAD_BYTES]

    def end(self, length: int) -> memoryview:
        """The end of a request of that length, until the next one is read."""
        return self._slab[: length - HEAD_BYTES]

    def keep_end(self) -> memoryview:
        """The slab that holds the end of the request: it is the caller's now, and the next request has another."""
        slab, self._slab = self._slab, self.slabs.take()
        self.parts[1] = self._slab[:_END_BYTES]
        return slab

    def name(self, start: int, end: int) -> bytes:
        """The one NUL-terminated name between `start` and the request's end."""
        return bytes(self.view[start : end - 1])

    def two_names(self, start: int, end: int) -> tuple[bytes, bytes]:
        """Two NUL-terminated names in a row. Raises InvalidRequest when there is one."""
        first, separator, second = bytes(self.view[start : end - 1]).partition(b"\0")
        if not separator:
            raise InvalidRequest("a request of the kernel has one name where two belong")
        return first, second
