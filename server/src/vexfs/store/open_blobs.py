"""Blobs that are being read, kept open: a few descriptors, the longest unused one closed first.

Used by the mount; one thread, though an OpenBlob may be read from any while it is held. A blob never changes, so what is open
under its name is right; one that was collected meanwhile keeps its room on the disk until it is closed here, which the end of
the file it was opened for brings at the latest.
"""

import os
from collections import OrderedDict

from vexfs.store.blobs import BlobFolder

BLOBS_MAX = 16
"""So many stay open; with more, each costs an open and a close again."""


class OpenBlob:
    """A descriptor of a blob file, closed when nobody holds this any more."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


class OpenBlobs:
    """See the module."""

    def __init__(self, blobs: BlobFolder) -> None:
        self._blobs = blobs
        self._open: OrderedDict[tuple[int, bytes], OpenBlob] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, ino: int, digest: bytes) -> OpenBlob:
        """A blob of that file, opened if it is not. Raises CorruptContent when it is missing."""
        key = ino, digest
        blob = self._open.get(key)
        if blob is not None:
            self._open.move_to_end(key)
            return blob
        blob = self._open[key] = OpenBlob(self._blobs.open(digest))
        if len(self._open) > BLOBS_MAX:
            self._open.popitem(last=False)
        return blob

    def close_of(self, ino: int) -> None:
        """Let go of that file's blobs."""
        if self._open:
            for key in [key for key in self._open if key[0] == ino]:
                del self._open[key]

    def close(self) -> None:
        """Let go of all of them."""
        self._open.clear()
