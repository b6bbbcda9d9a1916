"""Where the bytes of large files lie: asked for once, and known while the content stays the same.

Used by the loop's reads; one thread. A file's content of one revision never changes, so what was found for it stays right. It
may come to lie elsewhere (`store/compact.py`): then a blob found here is missing one day, and the caller forgets the file and
asks the volume again. Learns from committed content only: a revision of a group that is lost is given to another.
"""

from vexfs.core import content
from vexfs.core.content import BlobPart
from vexfs.core.types import Node
from vexfs.store.reader import Reader

WINDOW_BYTES = 4 << 20
"""What is asked for at once. Much costs the first read more, little is learnt by each read of a large file."""
WINDOWS_MAX = 1024
"""Of one file: with more, it is learnt anew."""


class _Known:
    """What is known of one file's content. A window with rows in it is None: reads of it ask for their own range."""

    def __init__(self, content_revision: int) -> None:
        self.content_revision = content_revision
        self.windows: dict[int, list[BlobPart] | None] = {}


class BlobMap:
    """See the module."""

    def __init__(self) -> None:
        self._files: dict[int, _Known] = {}

    def parts(self, node: Node, offset: int, length: int) -> list[BlobPart] | None:
        """As `content.blob_parts`, of what is known; None when it is not, or when the range may have rows."""
        known = self._files.get(node.ino)
        if known is None or known.content_revision != node.content_revision:
            return None
        found: list[BlobPart] = []
        for window in _windows(offset, length):
            parts = known.windows.get(window)
            if parts is None:
                return None
            start = window * WINDOW_BYTES - offset
            for part in parts:
                at = start + part.at
                skip, behind = max(0, -at), max(0, at + part.length - length)
                if skip + behind < part.length:
                    found.append(BlobPart(at + skip, part.blob, part.offset + skip, part.length - skip - behind))
        return found

    def learn(self, view: Reader, node: Node, offset: int, length: int) -> list[BlobPart] | None:
        """As `content.blob_parts`, remembering what lies around the range. `node` is the file as `view` shows it."""
        known = self._files.get(node.ino)
        if known is None or known.content_revision != node.content_revision or len(known.windows) >= WINDOWS_MAX:
            known = self._files[node.ino] = _Known(node.content_revision)
        for window in _windows(offset, length):
            if window not in known.windows:
                start = window * WINDOW_BYTES
                known.windows[window] = content.blob_parts(view, node, start, min(WINDOW_BYTES, node.size_bytes - start))
        parts = self.parts(node, offset, length)
        return content.blob_parts(view, node, offset, length) if parts is None else parts

    def forget(self, ino: int) -> None:
        """Nothing is known of that file any more."""
        self._files.pop(ino, None)


def _windows(offset: int, length: int) -> range:
    """The windows that the range touches."""
    return range(offset // WINDOW_BYTES, (offset + length - 1) // WINDOW_BYTES + 1)
