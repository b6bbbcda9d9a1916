"""What the made-up tree of `.search` is made of: the kinds of its nodes, their numbers, and how the kernel is told of them.

Used by `search_directory` and `search_saved`. A node number is VIRTUAL_NODEID | kind << 56 | number << 12 | place. The number
is that of a made-up question or of a result set, and for everything about a saved query the inode of its directory in the
volume. No state beyond who owns the mount.
"""

import os
import stat
import time
from typing import NamedTuple

from vexfs.core.types import Ino, Node
from vexfs.mount.requests import VIRTUAL_NODEID

(
    ROOT,
    ROOT_STATUS,
    SAVED_FOLDER,
    SHORTCUT,
    QUERY,
    STATUS,
    SAVED,
    SAVED_STATUS,
    META,
    SETTING,
    RESULTS,
    EXPLAIN,
    LINK,
) = range(13)
DIRECTORIES = frozenset({ROOT, SAVED_FOLDER, QUERY, SAVED, META})
ASKING = frozenset({QUERY, SAVED})
"""Directories whose entries are what was found."""
_STATUS_OF = {QUERY: STATUS, SAVED: SAVED_STATUS}
_ASKED_BY = {STATUS: QUERY, SAVED_STATUS: SAVED, META: SAVED, SETTING: SAVED}


class Place(NamedTuple):
    """A node number taken apart."""

    kind: int
    number: int = 0
    place: int = 0

    @property
    def nodeid(self) -> int:
        return VIRTUAL_NODEID | self.kind << 56 | self.number << 12 | self.place

    @property
    def query(self) -> int:
        """The nodeid of the directory that asks, of something that belongs to one."""
        return Place(_ASKED_BY.get(self.kind, self.kind), self.number).nodeid

    @property
    def status(self) -> "Place":
        """The `.status` of a directory that asks."""
        return Place(_STATUS_OF[self.kind], self.number)


def place_of(nodeid: int) -> Place:
    return Place(nodeid >> 56 & 0x3F, nodeid >> 12 & 0xFFFFFFFFFFF, nodeid & 0xFFF)


class Attributes:
    """Makes nodes that belong to the owner of the mount."""

    def __init__(self) -> None:
        self.owner, self._group = os.getuid(), os.getgid()
        self._started_ns = time.time_ns()

    def directory(self, place: Place) -> Node:
        """Names can be made and removed where saved queries are, nowhere else."""
        return self._node(place, stat.S_IFDIR | (0o700 if place.kind == SAVED_FOLDER else 0o500), 0, self._started_ns)

    def file(self, place: Place, content: bytes, time_ns: int = 0) -> Node:
        """`time_ns` is when the content became what it is; an editor, or `tail -f`, takes another one for a change."""
        mode = 0o600 if place.kind == SETTING else 0o400
        return self._node(place, stat.S_IFREG | mode, len(content), time_ns or self._started_ns)

    def link(self, place: Place, target: bytes, time_ns: int = 0) -> Node:
        return self._node(place, stat.S_IFLNK | 0o777, len(target), time_ns or self._started_ns)

    def _node(self, place: Place, mode: int, size_bytes: int, time_ns: int) -> Node:
        nlink = 2 if stat.S_ISDIR(mode) else 1
        return Node(
            Ino(place.nodeid), mode, nlink, self.owner, self._group, 0, size_bytes,
            time_ns, time_ns, time_ns, time_ns, 0, 0,
        )  # fmt: skip
