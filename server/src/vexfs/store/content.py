"""A file's bytes: small content in `chunk` rows, large content in `extent` rows over blobs, both in blocks of 64 KiB.

Called by `vexfs.core.content`, the trimmer and `check`. A block shows the newest chunk or extent born at or before the
view's revision; of two born alike the chunk wins, and of two extents the one that holds data. A chunk that is a patch (see
`store.patches`) lies over what was born before it, and nothing else of its block is born alike. A chunk or blob that ends
early is followed by zeros; a block nobody wrote is zeros. Rows are only inserted; the trimmer deletes what no revision in
the window shows.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple

from vexfs.core.errors import CorruptContent
from vexfs.core.types import BLOCK_BYTES
from vexfs.store import patches, reader
from vexfs.store.log import Executes

EXTENT_MAX_BLOCKS = 1024
"""64 MiB; so a reader knows how far before its first block an extent can begin."""
_FOREVER = (1 << 63) - 1


class Extent(NamedTuple):
    """A run of whole blocks that lies in a blob (`blob` None: a hole)."""

    first_block: int
    born: int
    block_count: int
    blob: bytes | None
    blob_offset: int


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
    at_revision = _FOREVER if view.at_revision is None else view.at_revision
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
    at_revision = _FOREVER if view.at_revision is None else view.at_revision
    return _pieces(_shown(view, ino, first_block, end_block, at_revision))


def _shown(view: Executes, ino: int, first_block: int, end_block: int, at_revision: int) -> dict[int, _Shown]:
    """Which rows each block of the range shows at that revision, holes included."""
    shown: dict[int, _Shown] = {}
    for extent in _extents(view, ino, first_block, end_block, at_revision):
        for block in range(max(first_block, extent.first_block), min(end_block, extent.first_block + extent.block_count)):
            shown[block] = _Shown(extent.born, 0, extent)
    sql = (
        "SELECT block, born, id, runs IS NOT NULL FROM chunk"
        " WHERE ino=? AND block>=? AND block<? AND born<=? ORDER BY block, born"
    )
    for block, born, chunk_id, is_patch in view.execute(sql, (ino, first_block, end_block, at_revision)):
        under = shown.get(block, _NOTHING)
        if born < under.born:
            continue
        if is_patch:
            shown[block] = under._replace(patches=(*under.patches, chunk_id))
        else:
            shown[block] = _Shown(born, chunk_id, None)
    return shown


def _extents(view: Executes, ino: int, first_block: int, end_block: int, at_revision: int) -> list[Extent]:
    """Those that may show in the range, in the order in which they cover each other."""
    sql = (
        "SELECT first_block, born, block_count, blob, blob_offset FROM extent"
        " WHERE ino=? AND first_block>? AND first_block<? AND born<=?"
    )
    rows = view.execute(sql, (ino, first_block - EXTENT_MAX_BLOCKS, end_block, at_revision))
    # Sorted here: SQLite would set up a sorter for every read of a small file, which has none of these rows.
    return sorted((Extent._make(row) for row in rows), key=lambda extent: (extent.born, extent.blob is not None))


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


class _Cover(NamedTuple):
    """A row as what it covers; of two over one block the later `order` shows."""

    first_block: int
    end_block: int
    order: tuple[int, int]
    has_data: bool


def data_runs(view: Executes, ino: int, first_block: int, end_block: int) -> list[tuple[int, int]]:
    """The runs of blocks (first, end) with content now, in order; none touches the next. Costs a little for each row, not
    for each block.
    """
    covers = [
        _Cover(max(extent.first_block, first_block), min(extent.first_block + extent.block_count, end_block),
               (extent.born, int(extent.blob is not None)), extent.blob is not None)
        for extent in _extents(view, ino, first_block, end_block, _FOREVER)
        if extent.first_block + extent.block_count > first_block
    ]  # fmt: skip
    sql = "SELECT block, born, data IS NOT NULL FROM chunk WHERE ino=? AND block>=? AND block<?"
    for block, born, has_data in view.execute(sql, (ino, first_block, end_block)):
        covers.append(_Cover(block, block + 1, (born, 2), bool(has_data)))
    return _shown_runs(sorted(covers))


def _shown_runs(covers: list[_Cover]) -> list[tuple[int, int]]:
    """A sweep over the places where a row begins or ends; the heap holds what may cover the present one, the latest first."""
    places = sorted({place for cover in covers for place in cover[:2]})
    waiting: list[tuple[int, int, int, bool]] = []
    runs: list[tuple[int, int]] = []
    taken = 0
    for place, following in pairwise(places):
        while taken < len(covers) and covers[taken].first_block <= place:
            _, end_block, (born, rank), has_data = covers[taken]
            heappush(waiting, (-born, -rank, end_block, has_data))
            taken += 1
        while waiting and waiting[0][2] <= place:
            heappop(waiting)
        if waiting and waiting[0][3]:
            if runs and runs[-1][1] == place:
                runs[-1] = (runs[-1][0], following)
            else:
                runs.append((place, following))
    return runs


def next_data_block(view: Executes, ino: int, block: int) -> int | None:
    """The first block from `block` on where a row with content lies, shown or not; None when there is none."""
    chunk = "SELECT block FROM chunk WHERE ino=? AND block>=? AND data IS NOT NULL ORDER BY block LIMIT 1"
    extent = (
        "SELECT max(first_block, ?) FROM extent WHERE ino=? AND first_block>? AND has_data AND first_block+block_count>?"
        " ORDER BY first_block LIMIT 1"
    )
    found = [
        int(row[0])
        for sql, bindings in ((chunk, (ino, block)), (extent, (block, ino, block - EXTENT_MAX_BLOCKS, block)))
        for row in view.execute(sql, bindings)
    ]
    return min(found, default=None)


def stored_bytes(runs: Iterable[tuple[int, int]], size_bytes: int) -> int:
    """How many bytes of a file of that size lie in those runs of blocks."""
    return sum(max(0, min(end * BLOCK_BYTES, size_bytes) - first * BLOCK_BYTES) for first, end in runs)


def wrong_hole_bytes(view: Executes) -> Iterator[tuple[int, int, int]]:
    """(ino, what its row says, what its content says) of every file whose `hole_bytes` is not what it should be."""
    sql = (
        "SELECT ino, size_bytes, hole_bytes FROM node n WHERE mode & 61440 = 32768 AND (hole_bytes<>0"
        f" OR size_bytes>{BLOCK_BYTES} OR size_bytes>0 AND NOT coalesce("
        "(SELECT data IS NOT NULL FROM chunk WHERE ino=n.ino AND block=0 ORDER BY born DESC LIMIT 1), 0))"
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
    covering = [e for e in _extents(txn, ino, block, block + 1, _FOREVER) if e.first_block + e.block_count > block]
    extent_born = covering[-1].born if covering else -1
    base_bytes = BLOCK_BYTES if covering and covering[-1].blob is not None else 0
    there: list[int] = []
    if extent_born == born:
        return False
    sql = "SELECT born, length(data), runs IS NOT NULL FROM chunk WHERE ino=? AND block=? AND born>=? ORDER BY born DESC"
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


def put_extents(txn: Executes, ino: int, extents: Iterable[Extent]) -> None:
    """New content of runs of blocks. What was born in the same revision inside one of them could win, so it goes."""
    lost: list[bytes] = []
    for extent in extents:
        end = extent.first_block + extent.block_count
        txn.execute(
            "DELETE FROM chunk WHERE ino=? AND block>=? AND block<? AND born=?", (ino, extent.first_block, end, extent.born)
        )
        lost += _cut_out(txn, ino, extent.first_block, end, extent.born)
        _insert_extent(txn, ino, extent)
    condemn_unreferenced(txn, lost, now_ns=time.time_ns())


def _insert_extent(txn: Executes, ino: int, extent: Extent) -> None:
    first_block, born, block_count, blob, blob_offset = extent
    txn.execute(
        "INSERT OR REPLACE INTO extent VALUES(?, ?, ?, ?, ?, ?, ?)",
        (ino, first_block, born, blob is not None, block_count, blob, blob_offset),
    )


def _cut_out(txn: Executes, ino: int, first_block: int, end_block: int, born: int) -> list[bytes]:
    """Take a range of blocks out of the extents with data of one revision; returns the blobs that lost some."""
    sql = (
        "SELECT first_block, born, block_count, blob, blob_offset FROM extent"
        " WHERE ino=? AND born=? AND has_data AND first_block<? AND first_block+block_count>?"
    )
    blobs: list[bytes] = []
    for extent in map(Extent._make, txn.execute(sql, (ino, born, end_block, first_block)).fetchall()):
        txn.execute("DELETE FROM extent WHERE ino=? AND first_block=? AND born=? AND has_data", (ino, extent.first_block, born))
        behind = extent.first_block + extent.block_count - end_block
        if extent.first_block < first_block:
            _insert_extent(txn, ino, extent._replace(block_count=first_block - extent.first_block))
        if behind > 0:
            offset = extent.blob_offset + (end_block - extent.first_block) * BLOCK_BYTES
            _insert_extent(txn, ino, extent._replace(first_block=end_block, block_count=behind, blob_offset=offset))
        blobs.append(bytes(extent.blob or b""))
    return blobs


def clear(txn: "reader.Reader", ino: int, first_block: int, end_block: int = _FOREVER, *, born: int) -> None:
    """Make every block from `first_block` up to `end_block` a hole; what the same transaction writes afterwards covers it, and
    what it wrote before is gone."""
    blocks = txn.execute(
        "SELECT DISTINCT block FROM chunk WHERE ino=? AND block>=? AND block<? AND data IS NOT NULL",
        (ino, first_block, end_block),
    ).fetchall()
    for (block,) in blocks:
        put_chunk(txn, ino, block, None, born=born)
    sql = (
        "SELECT DISTINCT first_block, first_block+block_count FROM extent"
        " WHERE ino=? AND first_block>? AND first_block<? AND first_block+block_count>? AND has_data ORDER BY first_block"
    )
    hidden = txn.execute(sql, (ino, first_block - EXTENT_MAX_BLOCKS, end_block, first_block)).fetchall()
    put_extents(txn, ino, _holes(((max(start, first_block), min(end, end_block)) for start, end in hidden), born))


def _holes(ranges: Iterable[tuple[int, int]], born: int) -> Iterator[Extent]:
    """Holes over the union of ranges of blocks, given by their start; none longer than an extent may be."""
    covered = 0
    for start, end in ranges:
        position = max(start, covered)
        while position < end:
            count = min(end - position, EXTENT_MAX_BLOCKS)
            yield Extent(position, born, count, None, 0)
            position += count
        covered = max(covered, end)


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
    sql = "SELECT id, block, born, data IS NULL FROM chunk WHERE ino=? AND born<=?"
    for chunk_id, block, born, is_hole in txn.execute(sql, (ino, floor)).fetchall():
        if chunk_id not in shown_chunks or (is_hole and not _hides(staying, block, 1, born)):
            txn.execute("DELETE FROM chunk WHERE id=?", (chunk_id,))
    blobs: set[bytes] = set()
    for extent in _extents(txn, ino, 0, end, floor):
        is_hole = extent.blob is None
        if extent in staying or (is_hole and _hides(staying, extent.first_block, extent.block_count, extent.born)):
            continue
        txn.execute(
            "DELETE FROM extent WHERE ino=? AND first_block=? AND born=? AND has_data=?",
            (ino, extent.first_block, extent.born, not is_hole),
        )
        if extent.blob is not None:
            blobs.add(extent.blob)
    return blobs


def _hides(staying: set[Extent], first_block: int, block_count: int, born: int) -> bool:
    """Whether a hole of those blocks covers part of an older extent that stays."""
    end = first_block + block_count
    return any(
        extent.born <= born and extent.first_block < end and first_block < extent.first_block + extent.block_count
        for extent in staying
    )


def _end_block(txn: Executes, ino: int) -> int:
    """One past the last block any version has."""
    sql = "SELECT max(first_block+block_count) FROM extent WHERE ino=?1 UNION ALL SELECT max(block)+1 FROM chunk WHERE ino=?1"
    return max((row[0] for row in txn.execute(sql, (ino,)).fetchall() if row[0] is not None), default=0)
