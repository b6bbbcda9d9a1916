"""A file's bytes: small content in `chunk` rows, large content in `extent` rows over blobs, both in blocks of 64 KiB.

Called by `vexfs.core.content`, the trimmer and `check`. A block shows the newest chunk or extent born at or before the
view's revision; of two born alike the chunk wins, and of two extents the one that holds data. A chunk that is a patch (see
`store.patches`) lies over what was born before it, and nothing else of its block is born alike. A chunk or blob that ends
early is followed by zeros; a block nobody wrote is zeros. Rows are only inserted; the trimmer deletes what no revision in
the window shows.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from vexfs.core.errors import CorruptContent
from vexfs.core.types import BLOCK_BYTES
from vexfs.store import covers, extents, patches, reader
from vexfs.store.extents import EXTENT_MAX_BLOCKS, FOREVER, Extent
from vexfs.store.log import Executes


class Piece(NamedTuple):
    """A run of blocks with one source: a chunk (`chunk_id`, one block), or a part of a blob. Holes have no piece."""

    first_block: int
    block_count: int
    chunk_id: int
    blob: bytes | None
    blob_offset: int
    patches: tuple[int, ...] = ()
    """The chunks that are laid over it, one after the other."""
    patched: "Piece | None" = None
    """What they are laid over; None also stands for a hole. Such a piece is one block, and has no chunk or blob itself."""

    @property
    def base(self) -> "Piece":
        """The piece without patches, if it has any; itself otherwise."""
        return self.patched or self


class _Shown(NamedTuple):
    """What a block shows: the newest whole chunk or extent, born then, with patches over it."""

    born: int
    chunk_id: int
    extent: Extent | None
    patches: tuple[int, ...] = ()


_NOTHING = _Shown(-1, 0, None)
_NEWEST_CHUNK = "SELECT data, runs FROM chunk WHERE ino=? AND block=? AND born<=? ORDER BY born DESC LIMIT 1"
_ANY_EXTENT = "SELECT 1 FROM extent WHERE ino=? AND first_block>? AND first_block<=? LIMIT 1"


def read_block(view: "reader.Reader", ino: int, block: int) -> bytes:
    """The bytes of one block, without trailing zeros that are not stored. Raises CorruptContent."""
    for _ in view.execute(_ANY_EXTENT, (ino, block - EXTENT_MAX_BLOCKS, block)):
        return _read_shown(view, ino, block)
    at_revision = FOREVER if view.at_revision is None else view.at_revision
    for data, runs in view.execute(_NEWEST_CHUNK, (ino, block, at_revision)):
        return data or b"" if runs is None else _read_shown(view, ino, block)
    return b""


def _read_shown(view: "reader.Reader", ino: int, block: int) -> bytes:
    pieces = visible(view, ino, block, block + 1)
    return read_piece(view, pieces[0]) if pieces else b""


def read_piece(view: "reader.Reader", piece: Piece) -> bytes:
    """A piece's stored bytes: at most its blocks, possibly fewer. Raises CorruptContent when its blob is missing or short."""
    if piece.patches:
        return _read_patched(view, piece)
    if piece.blob is None:
        for (data,) in view.execute("SELECT data FROM chunk WHERE id=?", (piece.chunk_id,)):
            return bytes(data or b"")
        return b""
    length = min(piece.block_count * BLOCK_BYTES, blob_size(view, piece.blob) - piece.blob_offset)
    return view.blobs.read(piece.blob, piece.blob_offset, max(length, 0))


def _read_patched(view: "reader.Reader", piece: Piece) -> bytes:
    block = bytearray(read_piece(view, piece.patched) if piece.patched else b"")
    for chunk_id in piece.patches:
        for runs, data in view.execute("SELECT runs, data FROM chunk WHERE id=?", (chunk_id,)):
            if not patches.is_sound(runs, data):
                raise CorruptContent(f"a patch of block {piece.first_block} is damaged: run `vexfs check`")
            patches.lay_over(block, runs, data)
    return bytes(block)


def blob_size(view: Executes, blob: bytes) -> int:
    """Bytes of a blob as its row says; 0 without one."""
    for (size_bytes,) in view.execute("SELECT size_bytes FROM blob WHERE hash=?", (blob,)):
        return int(size_bytes)
    return 0


def visible(view: "reader.Reader", ino: int, first_block: int, end_block: int) -> list[Piece]:
    """What the blocks from `first_block` up to `end_block` show, in order."""
    at_revision = FOREVER if view.at_revision is None else view.at_revision
    return _pieces(_shown(view, ino, first_block, end_block, at_revision))


def _shown(view: Executes, ino: int, first_block: int, end_block: int, at_revision: int) -> dict[int, _Shown]:
    """Which rows each block of the range shows at that revision, holes included."""
    shown: dict[int, _Shown] = {}
    for extent in extents.covering(view, ino, first_block, end_block, at_revision):
        for block in range(max(first_block, extent.first_block), min(end_block, extent.end_block)):
            shown[block] = _Shown(extent.born, 0, extent)
    newest = _newest_chunks(view, ino, first_block, end_block, at_revision)
    for block, chunks in groupby(newest, key=attrgetter("block")):
        shown[block] = _laid_over(shown.get(block, _NOTHING), chunks)
    return shown


def _laid_over(under: _Shown, chunks: Iterable["_Chunk"]) -> _Shown:
    """What a block shows with its chunks, the newest first, over what else it has."""
    over: list[int] = []
    for chunk in chunks:
        if chunk.born < under.born:
            break
        if not chunk.is_patch:
            under = _Shown(chunk.born, chunk.chunk_id, None)
            break
        over.append(chunk.chunk_id)
    return under._replace(patches=tuple(reversed(over)))


class _Chunk(NamedTuple):
    """A chunk row without its bytes."""

    block: int
    born: int
    chunk_id: int
    has_data: bool
    is_patch: bool


# Of a block that was written often, so many rows are passed over before the next block is sought by itself.
_PASSED_OVER = 4


def _newest_chunks(view: Executes, ino: int, first_block: int, end_block: int, at_revision: int) -> Iterator[_Chunk]:
    """The chunks that may show, from the last block to the first and from the newest to the oldest, none of them below a whole
    one: what a block went through costs nothing.
    """
    # length() looks at a row's header; IS NOT NULL would read the bytes, all of them, when it stands among the columns.
    sql = (
        "SELECT block, born, id, length(data) IS NOT NULL, length(runs) IS NOT NULL FROM chunk"
        " WHERE ino=? AND block>=? AND block<? AND born<=? ORDER BY block DESC, born DESC"
    )
    while first_block < end_block:
        done, passed = -1, 0
        for row in view.execute(sql, (ino, first_block, end_block, at_revision)):
            chunk = _Chunk._make(row)
            if chunk.block == done:
                passed += 1
                if passed == _PASSED_OVER:
                    end_block = done
                    break
                continue
            yield chunk
            if not chunk.is_patch:
                done, passed = chunk.block, 0
        else:
            return


def _newest_of_each(view: Executes, ino: int, first_block: int, end_block: int) -> Iterator[_Chunk]:
    """The newest chunk of each block that has one."""
    newest = _newest_chunks(view, ino, first_block, end_block, FOREVER)
    return (next(chunks) for _, chunks in groupby(newest, key=attrgetter("block")))


def _pieces(shown: dict[int, _Shown]) -> list[Piece]:
    """Runs of neighbouring blocks of one extent become one piece; holes vanish."""
    pieces: list[Piece] = []
    previous = _NOTHING
    for block in sorted(shown):
        source = shown[block]
        base = _base_piece(block, source)
        if source.patches:
            pieces.append(Piece(block, 1, 0, None, 0, source.patches, base))
        elif (
            base is not None
            and base.blob is not None
            and not previous.patches
            and previous.extent is source.extent
            and pieces[-1].first_block + pieces[-1].block_count == block
        ):
            pieces[-1] = pieces[-1]._replace(block_count=pieces[-1].block_count + 1)
        elif base is not None:
            pieces.append(base)
        previous = source
    return pieces


def _base_piece(block: int, source: _Shown) -> Piece | None:
    """One block without its patches; None for a hole."""
    extent = source.extent
    if extent is None:
        return Piece(block, 1, source.chunk_id, None, 0) if source.chunk_id else None
    if extent.blob is None:
        return None
    return Piece(block, 1, 0, extent.blob, extent.blob_offset + (block - extent.first_block) * BLOCK_BYTES)


# -- where there is content ------------------------------------------------------------------------


def data_runs(view: Executes, ino: int, first_block: int, end_block: int) -> list[tuple[int, int]]:
    """The runs of blocks (first, end) with content now, in order; none touches the next. Costs a little for each row that may
    show, not for each block.
    """
    found = [
        covers.Cover(
            max(extent.first_block, first_block), min(extent.end_block, end_block), extent.order, extent.blob is not None
        )
        for extent in extents.covering(view, ino, first_block, end_block)
    ]
    found += [
        covers.Cover(newest.block, newest.block + 1, (newest.born, 2), newest.has_data)
        for newest in _newest_of_each(view, ino, first_block, end_block)
    ]
    return covers.data_runs(found)


def next_data_block(view: Executes, ino: int, block: int) -> int | None:
    """The first block from `block` on where a row with content lies that may show now; None when there is none."""
    sql = "SELECT block FROM chunk WHERE ino=? AND block>=? AND length(data) IS NOT NULL ORDER BY block LIMIT 1"
    found = [int(row[0]) for row in view.execute(sql, (ino, block))]
    in_extent = extents.next_with_data(view, ino, block)
    if in_extent is not None:
        found.append(in_extent)
    return min(found, default=None)


def stored_bytes(runs: Iterable[tuple[int, int]], size_bytes: int) -> int:
    """How many bytes of a file of that size lie in those runs of blocks."""
    return sum(max(0, min(end * BLOCK_BYTES, size_bytes) - first * BLOCK_BYTES) for first, end in runs)


def wrong_hole_bytes(view: Executes) -> Iterator[tuple[int, int, int]]:
    """(ino, what its row says, what its content says) of every file whose `hole_bytes` is not what it should be."""
    sql = (
        "SELECT ino, size_bytes, hole_bytes FROM node n WHERE mode & 61440 = 32768 AND (hole_bytes<>0"
        f" OR size_bytes>{BLOCK_BYTES} OR size_bytes>0 AND NOT coalesce("
        "(SELECT length(data) IS NOT NULL FROM chunk WHERE ino=n.ino AND block=0 ORDER BY born DESC LIMIT 1), 0))"
    )
    for ino, size_bytes, said in view.execute(sql):
        counted = size_bytes - stored_bytes(data_runs(view, ino, 0, -(-size_bytes // BLOCK_BYTES)), size_bytes)
        if counted != said:
            yield ino, said, counted


# -- writing ---------------------------------------------------------------------------------------


def put_chunk(txn: Executes, ino: int, block: int, data: bytes | None, *, born: int) -> None:
    """New content of one block; None makes a hole."""
    txn.execute("INSERT OR REPLACE INTO chunk(ino, block, born, data) VALUES(?, ?, ?, ?)", (ino, block, born, data))


def takes_patch(txn: Executes, ino: int, block: int, changed_bytes: int, *, born: int) -> bool:
    """Whether so many changed bytes of a block are better written as a patch than with the rest of it."""
    covering = extents.covering(txn, ino, block, block + 1)
    extent_born = covering[-1].born if covering else -1
    base_bytes = BLOCK_BYTES if covering and covering[-1].blob is not None else 0
    there: list[int] = []
    if extent_born == born:
        return False
    sql = (
        "SELECT born, length(data), length(runs) IS NOT NULL FROM chunk WHERE ino=? AND block=? AND born>=? ORDER BY born DESC"
    )
    for row_born, length, is_patch in txn.execute(sql, (ino, block, extent_born)):
        if row_born == born:
            return False
        if not is_patch:
            base_bytes = length or 0
            break
        there.append(length)
        if len(there) == patches.PATCHES_MAX:
            return False
    return patches.pay(base_bytes, sum(there), changed_bytes)


def put_patch(txn: Executes, ino: int, block: int, parts: Sequence[patches.Part], *, born: int) -> None:
    """Change parts of one block, which takes a patch."""
    runs, data = patches.pack(parts)
    txn.execute("INSERT INTO chunk(ino, block, born, data, runs) VALUES(?, ?, ?, ?, ?)", (ino, block, born, data, runs))


def put_extents(txn: Executes, ino: int, new: Iterable[Extent]) -> None:
    """New content of runs of blocks. What was born in the same revision inside one of them could win, so it goes."""
    lost: list[bytes] = []
    put: list[Extent] = []
    for extent in new:
        for chunk in list(_newest_chunks(txn, ino, extent.first_block, extent.end_block, FOREVER)):
            if chunk.born == extent.born:
                txn.execute("DELETE FROM chunk WHERE id=?", (chunk.chunk_id,))
        lost += extents.cut_out(txn, ino, extent.first_block, extent.end_block, extent.born)
        extents.insert(txn, ino, extent)
        put.append(extent)
    if put:
        extents.mark_hidden(txn, ino, min(extent.first_block for extent in put), max(extent.end_block for extent in put))
    condemn_unreferenced(txn, lost, now_ns=time.time_ns())


def clear(txn: "reader.Reader", ino: int, first_block: int, end_block: int = FOREVER, *, born: int) -> None:
    """Make every block from `first_block` up to `end_block` a hole; what the same transaction writes afterwards covers it, and
    what it wrote before is gone."""
    for newest in list(_newest_of_each(txn, ino, first_block, end_block)):
        if newest.has_data:
            put_chunk(txn, ino, newest.block, None, born=born)
    over = extents.covering(txn, ino, first_block, end_block)
    hidden = sorted(
        (max(extent.first_block, first_block), min(extent.end_block, end_block)) for extent in over if extent.blob is not None
    )
    put_extents(txn, ino, extents.holes(hidden, born))


def claim_blob(txn: "reader.Reader", blob: bytes, size_bytes: int) -> bool:
    """Name a blob file in a row, or take it back from the condemned; False when the file is gone and has to be written again.

    Called inside the transaction that will refer to it: the collector unlinks only inside the writer's turn.
    """
    if txn.blobs.size(blob) != size_bytes:
        return False
    txn.execute(
        "INSERT INTO blob VALUES(?, ?, NULL) ON CONFLICT(hash) DO UPDATE SET condemned_ns=NULL WHERE condemned_ns IS NOT NULL",
        (blob, size_bytes),
    )
    return True


def condemn_unreferenced(txn: Executes, blobs: Iterable[bytes], *, now_ns: int) -> None:
    """Start the grace period of those blobs that no extent names any more."""
    for blob in blobs:
        txn.execute(
            "UPDATE blob SET condemned_ns=?"
            " WHERE hash=? AND condemned_ns IS NULL AND NOT EXISTS(SELECT 1 FROM extent WHERE blob=?)",
            (now_ns, blob, blob),
        )


def forget(txn: Executes, ino: int) -> list[bytes]:
    """Delete every version of a file's content; returns the blobs it named."""
    blobs = [
        bytes(blob) for (blob,) in txn.execute("SELECT DISTINCT blob FROM extent WHERE ino=? AND blob IS NOT NULL", (ino,))
    ]
    txn.execute("DELETE FROM extent WHERE ino=?", (ino,))
    txn.execute("DELETE FROM chunk WHERE ino=?", (ino,))
    return blobs


def trim(txn: "reader.Reader", ino: int, floor: int) -> set[bytes]:
    """Delete the rows born at or before `floor` that nothing shows at `floor`; returns the blobs that lost an extent.

    A hole goes too once it hides nothing: no older extent that stays (because it shows elsewhere) reaches below it.
    """
    end = _end_block(txn, ino)
    shown = _shown(txn, ino, 0, end, floor)
    staying = {source.extent for source in shown.values() if source.extent is not None and source.extent.blob is not None}
    shown_chunks = {chunk_id for source in shown.values() for chunk_id in (source.chunk_id, *source.patches)}
    sql = "SELECT id, block, born, length(data) IS NULL FROM chunk WHERE ino=? AND born<=?"
    for chunk_id, block, born, is_hole in txn.execute(sql, (ino, floor)).fetchall():
        if chunk_id not in shown_chunks or (is_hole and not _hides(staying, block, 1, born)):
            txn.execute("DELETE FROM chunk WHERE id=?", (chunk_id,))
    blobs: set[bytes] = set()
    for extent in extents.born_until(txn, ino, floor):
        is_hole = extent.blob is None
        if extent in staying or (is_hole and _hides(staying, extent.first_block, extent.block_count, extent.born)):
            continue
        extents.delete(txn, ino, extent)
        if extent.blob is not None:
            blobs.add(extent.blob)
    return blobs


def _hides(staying: set[Extent], first_block: int, block_count: int, born: int) -> bool:
    """Whether a hole of those blocks covers part of an older extent that stays."""
    end = first_block + block_count
    return any(extent.born <= born and extent.first_block < end and first_block < extent.end_block for extent in staying)


def _end_block(txn: Executes, ino: int) -> int:
    """One past the last block any version has."""
    sql = "SELECT max(first_block+block_count) FROM extent WHERE ino=?1 UNION ALL SELECT max(block)+1 FROM chunk WHERE ino=?1"
    return max((row[0] for row in txn.execute(sql, (ino,)).fetchall() if row[0] is not None), default=0)
