"""One listing of a directory under way: which place in it an offset stands for, however the directory changes meanwhile.

Made by `operations.directories` for each opendir; one thread. An offset counts the names in the order in which the listing
first showed them. The names are remembered, so an offset leads back to its name when that has gone, and to the same names
behind it: each name that stays is shown exactly once, and telldir and seekdir hold. What comes new among names that were shown
already is left out until the listing begins again.

Nodes are read ahead by the page, and shown only while nothing in the volume has changed since: the kernel takes what a listing
shows for the present, so an old size, or a name that has gone, would live on in its cache.

Of a huge directory only the last REMEMBERED_MAX_BYTES of names are kept; further back, offsets are right as long as the
neighbourhood has not changed.
"""

from collections import deque
from collections.abc import Callable

from vexfs.core.types import DirectoryEntry, Ino
from vexfs.store import dentries
from vexfs.store.reader import Reader

REMEMBERED_MAX_BYTES = 4 << 20
BLOCK_NAMES = 1024
PAGE_ENTRIES = 256
_NUL = b"\0"

Pack = Callable[[DirectoryEntry, int], bytes]
"""An entry and the number behind it as the kernel wants them; empty for one that is not shown."""


class Listing:
    """Names by number, from 0; the names `.` and `..` are not counted."""

    def __init__(self, ino: int) -> None:
        self.ino = ino
        self._blocks: list[bytes] = []
        """BLOCK_NAMES names each, joined; of a forgotten block its first name."""
        self._remembered: deque[int] = deque()
        """Numbers of the blocks that have their names."""
        self._remembered_bytes = 0
        self._newest: list[bytes] = []
        """The names behind the last block."""
        self._opened: tuple[int, list[bytes]] = (-1, [])
        """The block that was looked into last, and its names."""
        self._ahead: list[DirectoryEntry] = []
        """What was read behind the last name, the next one last."""
        self._ahead_version: object = None

    @property
    def count(self) -> int:
        """How many names were shown so far."""
        return len(self._blocks) * BLOCK_NAMES + len(self._newest)

    def read(self, view: Reader, number: int, room: int, pack: Pack, version: object) -> list[bytes]:
        """The entries from name `number` on that are there now, as many as fit into `room` bytes; none at the end.

        `version` is another object whenever anything in the volume may have changed.
        """
        if number < self.count:  # a place given before
            return self._read_again(view, number, room, pack)
        parts: list[bytes] = []
        number = self.count
        if self._ahead_version != version:
            self._ahead.clear()
            self._ahead_version = version
        while self._ahead or self._read_ahead(view):
            part = pack(self._ahead[-1], number + 1)
            room -= len(part)
            if room < 0:
                break
            self._append(self._ahead.pop().name)
            number += 1
            parts.append(part)
        return parts

    def _read_ahead(self, view: Reader) -> bool:
        count = self.count
        self._ahead = self._page(view, self._name(view, count - 1) if count else b"", PAGE_ENTRIES)
        self._ahead.reverse()
        return bool(self._ahead)

    def _read_again(self, view: Reader, number: int, room: int, pack: Pack) -> list[bytes]:
        """As `read`, of names that have their numbers already. At the last of them it stops."""
        parts: list[bytes] = []
        after = self._name(view, number - 1) if number else b""
        while found := self._page(view, after, PAGE_ENTRIES):
            for entry in found:
                while number < self.count and self._name(view, number) < entry.name:
                    number += 1
                if number == self.count:
                    return parts or self.read(view, number, room, pack, None)
                if self._name(view, number) != entry.name:
                    continue
                part = pack(entry, number + 1)
                room -= len(part)
                if room < 0:
                    return parts
                number += 1
                parts.append(part)
            after = found[-1].name
        return parts

    def _page(self, view: Reader, after: bytes, limit: int) -> list[DirectoryEntry]:
        return dentries.list_page(view, Ino(self.ino), after=after, limit=limit)

    def _append(self, name: bytes) -> None:
        self._newest.append(name)
        if len(self._newest) == BLOCK_NAMES:
            block = _NUL.join(self._newest)
            self._remembered.append(len(self._blocks))
            self._remembered_bytes += len(block)
            self._blocks.append(block)
            self._newest = []
            while self._remembered_bytes > REMEMBERED_MAX_BYTES:
                self._forget(self._remembered.popleft())

    def _forget(self, number: int) -> None:
        block = self._blocks[number]
        self._remembered_bytes -= len(block)
        self._blocks[number] = block[: block.index(_NUL)]

    def _name(self, view: Reader, number: int) -> bytes:
        block, place = divmod(number, BLOCK_NAMES)
        if block >= len(self._blocks):
            return self._newest[place]
        if self._opened[0] != block:
            self._opened = (block, self._names_of(view, block))
        return self._opened[1][place]

    def _names_of(self, view: Reader, number: int) -> list[bytes]:
        names = self._blocks[number].split(_NUL)
        if len(names) < BLOCK_NAMES:
            names += [entry.name for entry in self._page(view, names[0], BLOCK_NAMES - 1)]
            names += [names[-1]] * (BLOCK_NAMES - len(names))
        return names
