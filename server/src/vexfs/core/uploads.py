"""Content that arrives as a stream and goes to a place inside a file, instead of becoming its whole content.

Called by the surfaces. The bytes before the first and behind the last whole block stay in memory, what lies between is
staged in blobs, so memory stays small whatever the length. Runs outside the writer's turn; `finish` gives what
`content.write` takes.
"""

from vexfs.core.content import Prepared, StagedContent
from vexfs.core.types import BLOCK_BYTES
from vexfs.store.blobs import BlobFolder
from vexfs.store.usage import UNLIMITED


class PlacedContent:
    """A stream on its way to `offset`. A context manager: leaving it discards what was not finished. One thread at a time."""

    def __init__(self, blobs: BlobFolder, offset: int, limit_bytes: int = UNLIMITED) -> None:
        self._offset = offset
        self._middle_offset = -(-offset // BLOCK_BYTES) * BLOCK_BYTES
        self._head = bytearray()
        self._tail = bytearray()
        self._staged = StagedContent(blobs, limit_bytes)

    def write(self, data: bytes) -> None:
        """Append. Raises TooLarge, QuotaExceeded, VolumeFull."""
        missing = self._middle_offset - self._offset - len(self._head)
        self._head += data[:missing]
        self._tail += data[missing:]
        whole = len(self._tail) // BLOCK_BYTES * BLOCK_BYTES
        if whole:
            self._staged.write(bytes(self._tail[:whole]))
            del self._tail[:whole]

    def finish(self) -> Prepared:
        """Everything is durable or in memory now."""
        middle = self._staged.finish()
        first_block = self._middle_offset // BLOCK_BYTES
        runs = tuple(run._replace(first_block=run.first_block + first_block) for run in middle.runs)
        placed = [(self._middle_offset + offset, data) for offset, data in middle.segments]
        tail_offset = self._middle_offset + middle.end_bytes
        ends = [(self._offset, bytes(self._head)), (tail_offset, bytes(self._tail))]
        segments = tuple((offset, data) for offset, data in [*ends, *placed] if data)
        length = len(self._head) + middle.end_bytes + len(self._tail)
        end_bytes = self._offset + length if length else 0  # as pwrite(2): nothing written makes no file longer
        return Prepared(runs, segments, end_bytes)

    def __enter__(self) -> "PlacedContent":
        return self

    def __exit__(self, *_: object) -> None:
        self._staged.__exit__(None, None, None)
