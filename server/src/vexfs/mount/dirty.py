"""What was written to one file and is not in the volume yet: runs of bytes, merged as they come.

Used by the loop's content operations; one thread. Later bytes win over earlier ones; runs never touch or overlap, and are
kept in order. Knows nothing of files: sizes and times are the caller's.
"""

from bisect import bisect_left, bisect_right

from vexfs.mount.slabs import Slabs
from vexfs.store.blobs import Buffer

PIECE_MIN_BYTES = 65_536
"""Appended data of at least this size is kept as it came until the run is needed in one piece: copied once."""
_NO_ROOM = memoryview(b"")


class DirtyBuffer:
    """Byte runs by offset. `byte_count` is how many bytes they hold together, `end` the offset behind the last (0: none).

    `reserved_bytes` belongs to `Reservations`: what the volume will hold more once these bytes are stored.
    """

    __slots__ = ("_pieces", "_room", "_runs", "_slabs", "_starts", "byte_count", "end", "reserved_bytes")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._runs: list[bytes | bytearray] = []
        self._pieces: list[Buffer] = []
        """What follows the last run, in order."""
        self._slabs: list[memoryview] = []
        """Where some of the pieces lie."""
        self._room = _NO_ROOM
        """What is free at the end of the slab that is being filled."""
        self.byte_count = 0
        self.end = 0
        self.reserved_bytes = 0

    @property
    def run_count(self) -> int:
        return len(self._starts)

    def write(self, offset: int, data: bytes) -> None:
        """Lay `data` over what is there."""
        if not data:
            return
        if not self._starts or offset > self.end:
            self._join()
            self._starts.append(offset)
            self._runs.append(data)
            self.byte_count += len(data)
            self.end = offset + len(data)
        elif offset == self.end:
            self._grow_last(data)
        else:
            self._join()
            self._merge(offset, data)
            self.end = self._starts[-1] + len(self._runs[-1])

    def _grow_last(self, data: bytes) -> None:
        if len(data) >= PIECE_MIN_BYTES:
            self._pieces.append(data)
        else:
            self._join()
            last = self._runs[-1]
            if not isinstance(last, bytearray):
                last = self._runs[-1] = bytearray(last)
            last += data
        self.byte_count += len(data)
        self.end += len(data)

    def growing_run(self, offset: int) -> int | None:
        """How long the run is that a write at `offset` goes on with at its end, 0 where it begins one behind all; else None."""
        if not self._starts or offset > self.end:
            return 0
        return self.end - self._starts[-1] if offset == self.end else None

    def copy_behind(self, offset: int, data: memoryview, slabs: Slabs) -> None:
        """As `write`, at the end or behind it, but into slabs."""
        self._begin_run(offset)
        while data:
            if not self._room:
                self._room = slabs.take()
                self._slabs.append(self._room)
            count = min(len(data), len(self._room))
            self._room[:count] = data[:count]
            self._add_piece(self._room[:count])
            self._room, data = self._room[count:], data[count:]

    def keep_behind(self, offset: int, slab: memoryview, byte_count: int) -> None:
        """As `write`, at the end or behind it, of so many bytes that a slab begins with: the slab belongs to the buffer now."""
        self._begin_run(offset)
        self._slabs.append(slab)
        self._add_piece(slab[:byte_count])

    def _begin_run(self, offset: int) -> None:
        if not self._starts or offset > self.end:
            self._join()
            self._starts.append(offset)
            self._runs.append(b"")
            self.end = offset

    def _add_piece(self, piece: memoryview) -> None:
        self._pieces.append(piece)
        self.byte_count += len(piece)
        self.end += len(piece)

    def take_slabs(self) -> list[memoryview]:
        """The slabs, for other use: nobody needs the buffer's bytes any more."""
        slabs, self._slabs, self._room = self._slabs, [], _NO_ROOM
        return slabs

    def _join(self) -> None:
        """Make the last run one piece. Its slabs are let go, not given back: a worker may be reading them."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            self._runs[-1] = b"".join([self._runs[-1], *pieces])
            self._slabs, self._room = [], _NO_ROOM

    def _merge(self, offset: int, data: bytes) -> None:
        """Replace every run that `data` touches by one."""
        end = offset + len(data)
        first = max(bisect_right(self._starts, offset) - 1, 0)
        if self._starts[first] + len(self._runs[first]) < offset:
            first += 1
        behind = bisect_right(self._starts, end)
        if first >= behind:
            self._starts.insert(first, offset)
            self._runs.insert(first, data)
            self.byte_count += len(data)
            return
        start = self._starts[first]
        if behind == first + 1 and start <= offset and end <= start + len(self._runs[first]):
            self._overwrite(first, offset - start, data)
            return
        head = self._runs[first][: offset - start] if start < offset else b""
        last_start, last = self._starts[behind - 1], self._runs[behind - 1]
        tail = last[end - last_start :] if last_start + len(last) > end else b""
        merged = bytearray(head)
        merged += data
        merged += tail
        self.byte_count += len(merged) - sum(len(run) for run in self._runs[first:behind])
        self._starts[first:behind] = [min(start, offset)]
        self._runs[first:behind] = [merged]

    def _overwrite(self, index: int, at: int, data: bytes) -> None:
        run = self._runs[index]
        if not isinstance(run, bytearray):
            run = self._runs[index] = bytearray(run)
        run[at : at + len(data)] = data

    def overlay(self, offset: int, target: bytearray) -> None:
        """Lay the dirty bytes over `target`, which holds the file's bytes from `offset` on."""
        self._join()
        end = offset + len(target)
        index = max(bisect_right(self._starts, offset) - 1, 0)
        while index < len(self._starts) and self._starts[index] < end:
            start, run = self._starts[index], self._runs[index]
            low, high = max(start, offset), min(start + len(run), end)
            if low < high:
                target[low - offset : high - offset] = run[low - start : high - start]
            index += 1

    def touches(self, offset: int, end: int) -> bool:
        """Whether some byte from `offset` up to `end` is dirty."""
        index = bisect_left(self._starts, end) - 1
        return index >= 0 and self._end_of(index) > offset

    def spans(self) -> list[tuple[int, int]]:
        """(first byte, one past the last) of each run, in order."""
        return [(start, self._end_of(index)) for index, start in enumerate(self._starts)]

    def _end_of(self, index: int) -> int:
        return self.end if index == len(self._starts) - 1 else self._starts[index] + len(self._runs[index])

    def truncate(self, size: int) -> None:
        """Forget every byte at or behind `size`."""
        self._join()
        keep = bisect_left(self._starts, size)
        self.byte_count -= sum(len(run) for run in self._runs[keep:])
        del self._starts[keep:], self._runs[keep:]
        self.end = self._starts[-1] + len(self._runs[-1]) if keep else 0
        if self.end > size:
            self._runs[-1] = self._runs[-1][: size - self._starts[-1]]
            self.byte_count -= self.end - size
            self.end = size

    def runs(self) -> list[tuple[int, bytes]]:
        """(offset, bytes) in order. Large runs are not copied, so call it when nothing more is written to the buffer."""
        self._join()
        return [
            (start, run if isinstance(run, bytes) else bytes(run)) for start, run in zip(self._starts, self._runs, strict=True)
        ]

    def pieces(self) -> list[tuple[int, list[Buffer]]]:
        """As `runs`, each run as the pieces it came in."""
        runs: list[tuple[int, list[Buffer]]] = [
            (start, [run] if run else []) for start, run in zip(self._starts, self._runs, strict=True)
        ]
        if runs:
            runs[-1][1].extend(self._pieces)
        return runs

    def longest_run(self) -> int:
        """Bytes in the longest run."""
        longest = max(map(len, self._runs), default=0)
        return max(longest, self.end - self._starts[-1]) if self._starts else 0
