"""The bytes of files: reading, writing, truncating, replacing and copying them.

Called by the surfaces. Reading takes any Reader. Writing has two halves: `prepare` (or StagedContent) runs outside the writer's
turn and puts large runs into durable blobs; `write` and `replace` run inside and insert rows. Any thread may prepare.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vexfs.core import files, holes, quotas
from vexfs.core.errors import InvalidRequest, IsADirectory, NotARegularFile, TooLarge, Unavailable
from vexfs.core.types import BLOCK_BYTES, CHANGE_CONTENT, INLINE_MAX_BYTES, Change, Ino, Node
from vexfs.store import content as rows
from vexfs.store import nodes, patches
from vexfs.store.blobs import BlobFolder, Buffer, IncomingBlob
from vexfs.store.extents import EXTENT_MAX_BLOCKS, Extent
from vexfs.store.patches import Part
from vexfs.store.reader import Reader
from vexfs.store.usage import UNLIMITED
from vexfs.store.writer import Transaction

FILE_MAX_BYTES = 1 << 47
"""Largest size of a file: 128 TiB."""
_BLOB_MAX_BYTES = EXTENT_MAX_BLOCKS * BLOCK_BYTES


class BlobRun(NamedTuple):
    """Whole blocks from `first_block` on that lie in a durable blob."""

    first_block: int
    block_count: int
    blob: bytes
    size_bytes: int


class BlobPart(NamedTuple):
    """A part of what is read that lies in a blob."""

    at: int
    """Where in the answer it begins."""
    blob: bytes
    offset: int
    length: int


class Prepared(NamedTuple):
    """Content on its way into a file: large runs already in blobs, the rest in memory."""

    runs: tuple[BlobRun, ...]
    segments: tuple[tuple[int, bytes], ...]
    """(offset, bytes), in the order in which they were written."""
    end_bytes: int
    """Where the last byte ends."""


# -- reading ---------------------------------------------------------------------------------------


def read(view: Reader, ino: Ino, offset: int, length: int) -> bytes:
    """Up to `length` bytes at `offset`, fewer at the end; what was never written is zeros.

    Raises NotFound, NotARegularFile, CorruptContent.
    """
    node = regular(view, ino)
    return read_node(view, node, offset, length)


def read_node(view: Reader, node: Node, offset: int, length: int) -> bytes:
    """As `read`, for a node the caller just looked up."""
    end = min(offset + length, node.size_bytes)
    if end <= offset:
        return b""
    first_block = offset // BLOCK_BYTES
    if end <= (first_block + 1) * BLOCK_BYTES:
        start = offset - first_block * BLOCK_BYTES
        return rows.read_block(view, node.ino, first_block)[start : start + end - offset].ljust(end - offset, b"\0")
    pieces = rows.visible(view, node.ino, first_block, -(-end // BLOCK_BYTES))
    result = bytearray(end - offset)
    for piece in pieces:
        data = memoryview(rows.read_piece(view, piece))
        start = piece.first_block * BLOCK_BYTES - offset
        skip = max(0, -start)
        part = data[skip : end - offset - start]
        result[start + skip : start + skip + len(part)] = part
    return bytes(result)


def blob_parts(view: Reader, node: Node, offset: int, length: int) -> list[BlobPart] | None:
    """Where `length` bytes of a file at `offset`, none behind its end, lie, in order, what is in no part being zeros: for who
    reads blobs himself. None when some of them stand in rows.
    """
    end = offset + length
    parts: list[BlobPart] = []
    for piece in rows.visible(view, node.ino, offset // BLOCK_BYTES, -(-end // BLOCK_BYTES)):
        if piece.blob is None:
            return None
        start = piece.first_block * BLOCK_BYTES
        stored = min(piece.block_count * BLOCK_BYTES, rows.blob_size(view, piece.blob) - piece.blob_offset)
        first, behind = max(start, offset), min(start + stored, end)
        if first < behind:
            parts.append(BlobPart(first - offset, piece.blob, piece.blob_offset + first - start, behind - first))
    return parts


def regular(view: Reader, ino: int) -> Node:
    """The node of a file that can have content. Raises NotFound, IsADirectory, NotARegularFile."""
    node = files.stat(view, ino)
    if node.is_directory:
        raise IsADirectory(f"file {ino} is a directory: it has entries, not content", file_id=str(ino))
    if not node.is_regular:
        raise NotARegularFile(f"file {ino} is not a regular file: it has no content", file_id=str(ino))
    return node


# -- preparing, outside the turn -------------------------------------------------------------------


def prepare(blobs: BlobFolder, segments: Sequence[tuple[int, bytes]], *, whole: bool = False) -> Prepared:
    """Put long runs of whole blocks into durable blobs and keep the rest.

    `segments` are (offset, bytes), later ones cover earlier ones. `whole` says that they are all there is, so that the last,
    partial block can lie in the blob too.
    """
    runs: list[BlobRun] = []
    rest: list[tuple[int, bytes]] = []
    end_bytes = 0
    for offset, data in segments:
        end = offset + len(data)
        end_bytes = max(end_bytes, end)
        first_block = -(-offset // BLOCK_BYTES)
        run_end = end if whole else end // BLOCK_BYTES * BLOCK_BYTES
        if (
            len(segments) > 1
            or run_end - first_block * BLOCK_BYTES < INLINE_MAX_BYTES
            or (whole and len(data) <= INLINE_MAX_BYTES)
        ):
            rest.append((offset, data))
            continue
        run_start = first_block * BLOCK_BYTES
        if run_start > offset:
            rest.append((offset, data[: run_start - offset]))
        runs.extend(_add_runs(blobs, run_start, [memoryview(data)[run_start - offset : run_end - offset]], cached=True))
        if end > run_end:
            rest.append((run_end, data[run_end - offset :]))
    return Prepared(tuple(runs), tuple(rest), end_bytes)


def _add_runs(blobs: BlobFolder, offset: int, pieces: Sequence[Buffer], *, cached: bool) -> Iterable[BlobRun]:
    """What begins at `offset`, where a block does, as blobs of at most _BLOB_MAX_BYTES."""
    for start in range(0, sum(map(len, pieces)), _BLOB_MAX_BYTES):
        part = _part(pieces, start, start + _BLOB_MAX_BYTES)
        size_bytes = sum(map(len, part))
        block_count = -(-size_bytes // BLOCK_BYTES)
        yield BlobRun((offset + start) // BLOCK_BYTES, block_count, blobs.add_pieces(part, cached=cached), size_bytes)


def prepare_run(blobs: BlobFolder, offset: int, pieces: Sequence[Buffer]) -> Prepared:
    """As `prepare`, of one segment in pieces, which are copied nowhere but where a block is not whole. The caller's caches have
    what he wrote: the disk's has not.
    """
    end = offset + sum(map(len, pieces))
    run_start, run_end = -(-offset // BLOCK_BYTES) * BLOCK_BYTES, end // BLOCK_BYTES * BLOCK_BYTES
    if run_end - run_start < INLINE_MAX_BYTES:
        return prepare(blobs, [(offset, b"".join(pieces))])
    runs = tuple(_add_runs(blobs, run_start, _part(pieces, run_start - offset, run_end - offset), cached=False))
    edges = (offset, run_start), (run_end, end)
    rest = tuple((start, b"".join(_part(pieces, start - offset, stop - offset))) for start, stop in edges if start < stop)
    return Prepared(runs, rest, end)


def _part(pieces: Sequence[Buffer], start: int, end: int) -> list[memoryview]:
    """The bytes from `start` up to `end` of what the pieces are together."""
    found: list[memoryview] = []
    position = 0
    for piece in pieces:
        part = memoryview(piece)[max(start - position, 0) : max(end - position, 0)]
        position += len(piece)
        if part:
            found.append(part)
    return found


class StagedContent:
    """A whole new content that arrives in pieces, outside the turn; memory stays below one inline content.

    A context manager: leaving it discards what was not finished. `limit_bytes` is what the volume may hold at all: a content
    that is longer is refused as soon as it is, before it has filled the disk.
    """

    def __init__(self, blobs: BlobFolder, limit_bytes: int = UNLIMITED) -> None:
        self._blobs = blobs
        self._limit_bytes = limit_bytes
        self._head = bytearray()
        self._runs: list[BlobRun] = []
        self._incoming: IncomingBlob | None = None
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Append. Raises TooLarge, QuotaExceeded, VolumeFull."""
        check_size(self.size_bytes + len(data))
        quotas.check_content(self.size_bytes + len(data), self._limit_bytes)
        self.size_bytes += len(data)
        if self._incoming is None:
            self._head += data
            if len(self._head) <= INLINE_MAX_BYTES:
                return
            data, self._head = bytes(self._head), bytearray()
            self._incoming = self._blobs.begin()
        self._spill(memoryview(data))

    def _spill(self, data: memoryview) -> None:
        assert self._incoming is not None
        while data:
            part = data[: _BLOB_MAX_BYTES - self._incoming.size_bytes]
            self._incoming.write(part)
            data = data[len(part) :]
            if self._incoming.size_bytes == _BLOB_MAX_BYTES:
                self._finish_run()
                self._incoming = self._blobs.begin()

    def _finish_run(self) -> None:
        assert self._incoming is not None
        size_bytes = self._incoming.size_bytes
        if size_bytes:
            first_block = self._runs[-1].first_block + self._runs[-1].block_count if self._runs else 0
            self._runs.append(BlobRun(first_block, -(-size_bytes // BLOCK_BYTES), self._incoming.finish(), size_bytes))
        self._incoming.discard()
        self._incoming = None

    def finish(self) -> Prepared:
        """Everything is durable or in memory now; hand it to `replace`."""
        if self._incoming is not None:
            self._finish_run()
        segments = ((0, bytes(self._head)),) if self._head else ()
        return Prepared(tuple(self._runs), segments, self.size_bytes)

    def __enter__(self) -> "StagedContent":
        return self

    def __exit__(self, *_: object) -> None:
        if self._incoming is not None:
            self._incoming.discard()
            self._incoming = None


# -- writing, inside the turn ----------------------------------------------------------------------


def write(txn: Transaction, ino: Ino, prepared: Prepared, *, mtime_ns: int | None = None) -> Node:
    """Write into a file; it grows where needed. Raises NotFound, NotARegularFile, TooLarge, QuotaExceeded."""
    node = regular(txn, ino)
    size_bytes = max(node.size_bytes, prepared.end_bytes)
    hole_bytes = holes.after_write(txn, node, _written(prepared), size_bytes)
    quotas.check_growth(txn, node, size_bytes, hole_bytes)
    _put(txn, node, prepared)
    return changed(txn, node, size_bytes, hole_bytes, mtime_ns)


def replace(txn: Transaction, ino: Ino, prepared: Prepared, *, mtime_ns: int | None = None) -> Node:
    """Give a file a whole new content. Raises NotFound, NotARegularFile, QuotaExceeded."""
    node = regular(txn, ino)
    _check_prepared(txn, prepared)
    empty = node._replace(size_bytes=0, hole_bytes=0)
    hole_bytes = holes.after_write(txn, empty, _written(prepared), prepared.end_bytes)
    quotas.check_growth(txn, node, prepared.end_bytes, hole_bytes)
    rows.clear(txn, ino, 0, born=txn.revision)
    _put(txn, empty, prepared)
    return changed(txn, node, prepared.end_bytes, hole_bytes, mtime_ns)


def truncate(txn: Transaction, ino: Ino, size_bytes: int) -> Node:
    """Cut a file, or extend it with a hole. Raises NotFound, NotARegularFile, TooLarge.

    Extending counts what it makes of the last block, and is refused with QuotaExceeded when that does not fit.
    """
    node = regular(txn, ino)
    if size_bytes < 0:
        raise InvalidRequest("a size is not negative")
    check_size(size_bytes)
    hole_bytes = holes.after_resize(txn, node, size_bytes)
    quotas.check_growth(txn, node, size_bytes, hole_bytes)
    if size_bytes < node.size_bytes:
        _cut(txn, node, size_bytes)
    return changed(txn, node, size_bytes, hole_bytes)


def copy(txn: Transaction, source: Ino, target: Ino) -> Node:
    """Give `target` the content of `source`; large content moves no bytes. Raises NotFound, NotARegularFile, QuotaExceeded."""
    node = regular(txn, source)
    if source == target:
        return node
    replaced = regular(txn, target)
    quotas.check_growth(txn, replaced, node.size_bytes, node.hole_bytes)
    rows.clear(txn, target, 0, born=txn.revision)
    end_block = -(-node.size_bytes // BLOCK_BYTES)
    for piece in rows.visible(txn, source, 0, end_block):
        if piece.blob is None:
            rows.put_chunk(txn, target, piece.first_block, rows.read_piece(txn, piece), born=txn.revision)
        else:
            extent = Extent(piece.first_block, txn.revision, piece.block_count, piece.blob, piece.blob_offset)
            rows.put_extents(txn, target, [extent])
    return changed(txn, replaced, node.size_bytes, node.hole_bytes)


def _cut(txn: Transaction, node: Node, size_bytes: int) -> None:
    keep_block, keep_bytes = divmod(size_bytes, BLOCK_BYTES)
    if keep_bytes:
        block = rows.read_block(txn, node.ino, keep_block)
        if len(block) > keep_bytes:
            rows.put_chunk(txn, node.ino, keep_block, block[:keep_bytes], born=txn.revision)
        keep_block += 1
    rows.clear(txn, node.ino, keep_block, born=txn.revision)


def _put(txn: Transaction, node: Node, prepared: Prepared) -> None:
    """Insert the rows; everything that can fail comes before the first of them."""
    _check_prepared(txn, prepared)
    if not prepared.runs and len(prepared.segments) == 1 and _is_whole_block(node, *prepared.segments[0]):
        offset, data = prepared.segments[0]
        rows.put_chunk(txn, node.ino, offset // BLOCK_BYTES, data, born=txn.revision)
        return
    written = _by_block(prepared.segments)
    patched = {block for block, parts in written.items() if _takes_patch(txn, node, block, parts)}
    whole = {block: _merged(txn, node, block, parts) for block, parts in written.items() if block not in patched}
    for run in prepared.runs:
        rows.claim_blob(txn, run.blob, run.size_bytes)
    if prepared.runs:
        rows.put_extents(
            txn, node.ino, (Extent(run.first_block, txn.revision, run.block_count, run.blob, 0) for run in prepared.runs)
        )
    for block, content in whole.items():
        rows.put_chunk(txn, node.ino, block, content, born=txn.revision)
    for block in patched:
        rows.put_patch(txn, node.ino, block, written[block], born=txn.revision)


def _is_whole_block(node: Node, offset: int, data: bytes) -> bool:
    """Whether the segment is all there will be of one block: the usual small file, written without a copy."""
    block, start = divmod(offset, BLOCK_BYTES)
    least = max(1, min(BLOCK_BYTES, node.size_bytes - block * BLOCK_BYTES))
    return start == 0 and least <= len(data) <= BLOCK_BYTES


def _check_prepared(txn: Transaction, prepared: Prepared) -> None:
    """Raise TooLarge, or Unavailable when a blob was collected since it was prepared."""
    check_size(prepared.end_bytes)
    for run in prepared.runs:
        if txn.blobs.size(run.blob) != run.size_bytes:
            raise Unavailable("the content was collected before it was used: send it again", blob=run.blob.hex())


def _by_block(segments: Sequence[tuple[int, bytes]]) -> dict[int, list[Part]]:
    """The parts of each block that the segments write, in their order."""
    found: dict[int, list[Part]] = {}
    for offset, data in segments:
        position = 0
        while position < len(data):
            block, start = divmod(offset + position, BLOCK_BYTES)
            part = data[position : position + BLOCK_BYTES - start]
            found.setdefault(block, []).append((start, part))
            position += len(part)
    return found


def _takes_patch(txn: Transaction, node: Node, block: int, parts: Sequence[Part]) -> bool:
    changed_bytes = sum(len(part) for _, part in parts)
    stored_bytes = min(BLOCK_BYTES, node.size_bytes - block * BLOCK_BYTES)
    return patches.pay(stored_bytes, 0, changed_bytes) and rows.takes_patch(
        txn, node.ino, block, changed_bytes, born=txn.revision
    )


def _merged(txn: Transaction, node: Node, block: int, parts: Sequence[Part]) -> bytes:
    """A block with those parts changed; it is read only where some of it remains."""
    start, first = parts[0]
    covers = start == 0 and len(first) >= min(BLOCK_BYTES, node.size_bytes - block * BLOCK_BYTES)
    merged = bytearray() if covers else bytearray(rows.read_block(txn, node.ino, block))
    for start, part in parts:
        patches.change(merged, start, part)
    return bytes(merged)


def _written(prepared: Prepared) -> holes.Runs:
    """The runs of blocks that a write puts something into."""
    segments, runs = prepared.segments, prepared.runs
    if len(segments) == 1 and not runs and segments[0][1]:  # nearly every write
        offset, data = segments[0]
        return [(offset // BLOCK_BYTES, holes.end_of(offset + len(data)))]
    pieces = [(offset // BLOCK_BYTES, holes.end_of(offset + len(data))) for offset, data in segments if data]
    return holes.union(pieces, ((run.first_block, run.first_block + run.block_count) for run in runs))


def check_size(size_bytes: int) -> None:
    """Raise TooLarge when no file can have that size."""
    if size_bytes > FILE_MAX_BYTES:
        raise TooLarge(f"a file holds at most {FILE_MAX_BYTES} bytes", limit=str(FILE_MAX_BYTES))


def changed(txn: Transaction, node: Node, size_bytes: int, hole_bytes: int, mtime_ns: int | None = None) -> Node:
    """The end of every change of content: the file's row, and what the log tells."""
    now_ns = txn.now_ns
    after = node.with_content_changed(now_ns, txn.revision, size_bytes, now_ns if mtime_ns is None else mtime_ns, hole_bytes)
    nodes.write_row(txn, after, node, txn.keep_from)
    txn.changes.append(Change(CHANGE_CONTENT, node.ino))
    return after
