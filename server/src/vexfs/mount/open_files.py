"""The files the kernel has open here, and what was written to them that the volume does not have yet.

Owned by the loop; one thread, but for `stale`, which the invalidation thread sets. A file without opens and without pending
bytes has no entry, so the table is as large as what is in use.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from vexfs.core.types import Node
from vexfs.mount.dirty import DirtyBuffer
from vexfs.store.openings import OpenTable

GONE_MAX = 1024
"""So many removed files are still described."""


class OpenFile:
    """One inode in use. `pending` bytes hide the volume's; sizes are the larger of both."""

    # Defaults stand on the class: one of these is made for every file that is created.
    opens = 0
    dirty: DirtyBuffer | None = None
    dirty_since_ns = 0
    """Of time.monotonic_ns: when the oldest dirty byte came."""
    mtime_ns = 0
    """Of the last write that is pending, or what the client has set since."""
    layers: Sequence[DirtyBuffer] = ()
    """Bytes on their way into the volume while a worker stores them as blobs, oldest first; `dirty` lies over them."""
    waiting: Sequence[Callable[[], object]] = ()
    """What goes on once no layer is left."""
    unlinked = False
    error = 0
    """An errno to report once: bytes of this file were lost."""
    stale = False
    """Another process changed the content since the last write here."""
    end_bytes = -1
    """While something is pending and a quota counts: the file's size with it. Negative: not looked up yet."""
    dense = True
    """As `end_bytes`: the file has no holes, with what is pending."""
    plain = False
    """Made by this mount and never given an extended attribute."""

    def __init__(self, ino: int) -> None:
        self.ino = ino

    @property
    def pending(self) -> bool:
        return self.dirty is not None or len(self.layers) > 0

    def pending_end(self) -> int:
        """Offset behind the last pending byte."""
        end = self.dirty.end if self.dirty is not None else 0
        for layer in self.layers:
            end = max(end, layer.end)
        return end

    def shown(self, node: Node) -> Node:
        """`node` as it looks with the pending bytes."""
        if not self.pending:
            return node
        size = max(node.size_bytes, self.pending_end())
        return node._replace(
            size_bytes=size,
            mtime_ns=self.mtime_ns,
            ctime_ns=max(node.ctime_ns, self.mtime_ns),
            hole_bytes=max(0, node.hole_bytes + size - node.size_bytes - self._pending_bytes()),
        )

    def _pending_bytes(self) -> int:
        """How many bytes are pending: what they take from the holes at most."""
        dirty = self.dirty.byte_count if self.dirty is not None else 0
        return dirty + sum(layer.byte_count for layer in self.layers)

    def overlay(self, offset: int, target: bytearray) -> None:
        """Lay the pending bytes over `target`, the volume's bytes from `offset` on."""
        for layer in self.layers:
            layer.overlay(offset, target)
        if self.dirty is not None:
            self.dirty.overlay(offset, target)

    def take_error(self) -> int:
        """The errno to report, once."""
        number, self.error = self.error, 0
        return number


class OpenFiles:
    """OpenFile by inode number. `get` is the dictionary's own. What is open is told to the other processes in `table`."""

    def __init__(self, table: OpenTable) -> None:
        self._table = table
        self._files: dict[int, OpenFile] = {}
        self.get = self._files.get
        self._gone: OrderedDict[int, Node] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._files)

    def all(self) -> list[OpenFile]:
        return list(self._files.values())

    def created(self, ino: int) -> OpenFile:
        """A file was made here and is open once."""
        file = self._files[ino] = OpenFile(ino)
        file.opens = 1
        file.plain = True
        self._table.opened(ino)
        return file

    def opened(self, ino: int) -> OpenFile:
        """A file was opened once more."""
        file = self._files.get(ino)
        if file is None:
            file = self._files[ino] = OpenFile(ino)
        if file.opens == 0:
            self._table.opened(ino)
        file.opens += 1
        return file

    def closed(self, file: OpenFile) -> bool:
        """One of its openings has ended; True when that was the last."""
        file.opens -= 1
        if file.opens > 0:
            return False
        self._table.closed(file.ino)
        return True

    def need(self, ino: int) -> OpenFile:
        """The entry of a file; made when there is none."""
        file = self._files.get(ino)
        if file is None:
            file = self._files[ino] = OpenFile(ino)
        return file

    def removed(self, node: Node) -> Node:
        """Its last name was taken here: the kernel may still know it, as somebody's working directory, or by an O_PATH.
        Returns how it is described from now on.
        """
        gone = self._gone[node.ino] = node._replace(nlink=0)
        if len(self._gone) > GONE_MAX:
            self._gone.popitem(last=False)
        return gone

    def gone(self, ino: int) -> Node | None:
        """What a removed file that has no row any more was, if that was lately."""
        return self._gone.get(ino)

    def drop_if_idle(self, file: OpenFile) -> bool:
        """Forget an entry nobody needs; True when it is gone."""
        if file.opens > 0 or file.dirty is not None or file.layers:
            return False
        self._files.pop(file.ino, None)
        return True
