"""The `extent` rows: which runs of a file's blocks lie in blobs, or are holes over what lies below.

Called by `content`, which knows what of them a block shows. Of two extents over one block the one born later shows, and of two
born alike the one that holds data. Works in the caller's transaction or snapshot, in its thread.

A file that is written again and again has a row for every time, and all but the last few show nothing: `died` says from which
revision on that is so of a row, so that reading the present never looks at them. Rows without it may show; that a row has none
is never wrong, only slower. A row that is still partly seen has none, so those that have none are at most as many as the blocks
they cover.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from vexfs.core.types import BLOCK_BYTES
from vexfs.store.covers import Cover, shown
from vexfs.store.log import Executes

EXTENT_MAX_BLOCKS = 1024
"""64 MiB; so a reader knows how far before its first block an extent can begin."""
FOREVER = (1 << 63) - 1
"""The revision of who asks for the present."""


class Extent(NamedTuple):
    """A run of whole blocks that lies in a blob (`blob` None: a hole)."""

    first_block: int
    born: int
    block_count: int
    blob: bytes | None
    blob_offset: int

    @property
    def end_block(self) -> int:
        """One past its last block."""
        return self.first_block + self.block_count

    @property
    def order(self) -> tuple[int, int]:
        """Of two extents over one block the one with the greater order shows."""
        return (self.born, int(self.blob is not None))


_COLUMNS = "first_block, born, block_count, blob, blob_offset"
_IN_RANGE = "ino=? AND first_block>? AND first_block<? AND first_block+block_count>?"
# Named, because without statistics SQLite takes the table's own order for as good, and goes through all that died.
_PRESENT = f"SELECT {_COLUMNS} FROM extent INDEXED BY extent_present WHERE {_IN_RANGE} AND died IS NULL"
_PAST = f"SELECT {_COLUMNS} FROM extent WHERE {_IN_RANGE} AND born<=? AND (died IS NULL OR died>?)"


def covering(view: Executes, ino: int, first_block: int, end_block: int, at_revision: int = FOREVER) -> list[Extent]:
    """Those that may show in the range at that revision, in the order in which they cover each other."""
    where: tuple[int, ...] = (ino, first_block - EXTENT_MAX_BLOCKS, end_block, first_block)
    sql = _PRESENT
    if at_revision != FOREVER:
        sql, where = _PAST, (*where, at_revision, at_revision)
    # Sorted here: SQLite would set up a sorter for every read of a small file, which has none of these rows.
    return sorted((Extent._make(row) for row in view.execute(sql, where)), key=lambda extent: extent.order)


def born_until(view: Executes, ino: int, revision: int) -> list[Extent]:
    """All rows of a file born at or before a revision, whether they show or not."""
    sql = f"SELECT {_COLUMNS} FROM extent WHERE ino=? AND born<=?"
    return [Extent._make(row) for row in view.execute(sql, (ino, revision))]


def insert(txn: Executes, ino: int, extent: Extent) -> None:
    """One row, and nothing else. A hole that begins where one of the same revision does makes that no shorter."""
    first_block, born, block_count, blob, blob_offset = extent
    txn.execute(
        "INSERT INTO extent VALUES(?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT(ino, first_block, born, has_data)"
        " DO UPDATE SET block_count=max(block_count, excluded.block_count), died=NULL",
        (ino, first_block, born, blob is not None, block_count, blob, blob_offset),
    )


def delete(txn: Executes, ino: int, extent: Extent) -> None:
    """One row, and nothing else."""
    txn.execute(
        "DELETE FROM extent WHERE ino=? AND first_block=? AND born=? AND has_data=?",
        (ino, extent.first_block, extent.born, extent.blob is not None),
    )


def cut_out(txn: Executes, ino: int, first_block: int, end_block: int, born: int) -> list[bytes]:
    """Take a range of blocks out of the extents with data of one revision; returns the blobs that lost some."""
    blobs: list[bytes] = []
    for extent in covering(txn, ino, first_block, end_block):
        if extent.born != born or extent.blob is None:
            continue
        delete(txn, ino, extent)
        if extent.first_block < first_block:
            insert(txn, ino, extent._replace(block_count=first_block - extent.first_block))
        if extent.end_block > end_block:
            offset = extent.blob_offset + (end_block - extent.first_block) * BLOCK_BYTES
            behind = extent.end_block - end_block
            insert(txn, ino, extent._replace(first_block=end_block, block_count=behind, blob_offset=offset))
        blobs.append(extent.blob)
    return blobs


def mark_hidden(txn: Executes, ino: int, first_block: int, end_block: int) -> None:
    """Give `died` to every extent over that range, where there are new ones, of which nothing shows any more."""
    over = sorted(covering(txn, ino, first_block, end_block), key=lambda extent: extent.first_block)
    if all(one.end_block <= other.first_block for one, other in pairwise(over)):  # as where a file grows
        return
    # What reaches out of the range may be hidden there by others.
    around = covering(txn, ino, over[0].first_block, max(extent.end_block for extent in over))
    covers = [Cover(extent.first_block, extent.end_block, extent.order, True) for extent in around]
    seen = {index for _, _, index in shown(covers)}
    died = max(extent.born for extent in around)
    for index, extent in enumerate(around):
        if index not in seen:
            _set_died(txn, ino, extent, died)


def holes(ranges: Iterable[tuple[int, int]], born: int) -> Iterator[Extent]:
    """Holes over the union of ranges of blocks, given by their start; none longer than an extent may be."""
    covered = 0
    for start, end in ranges:
        position = max(start, covered)
        while position < end:
            count = min(end - position, EXTENT_MAX_BLOCKS)
            yield Extent(position, born, count, None, 0)
            position += count
        covered = max(covered, end)


def next_with_data(view: Executes, ino: int, block: int) -> int | None:
    """The first block from `block` on over which an extent with data lies that may show now."""
    sql = (
        "SELECT max(first_block, ?) FROM extent INDEXED BY extent_present WHERE ino=? AND first_block>? AND has_data"
        " AND first_block+block_count>? AND died IS NULL ORDER BY first_block LIMIT 1"
    )
    for (found,) in view.execute(sql, (block, ino, block - EXTENT_MAX_BLOCKS, block)):
        return int(found)
    return None


def wrongly_hidden(view: Executes) -> Iterator[tuple[int, Extent]]:
    """(ino, row) of every row that shows something at the revision at which it is said to have died."""
    for (ino,) in view.execute("SELECT DISTINCT ino FROM extent WHERE died IS NOT NULL").fetchall():
        sql = f"SELECT {_COLUMNS}, coalesce(died, {FOREVER}) FROM extent WHERE ino=? ORDER BY born DESC"
        to_come = [(Extent(*row[:5]), row[5]) for row in view.execute(sql, (ino,))]
        there: list[tuple[Extent, int]] = []
        for died in sorted({died for _, died in to_come} - {FOREVER}):
            while to_come and to_come[-1][0].born <= died:
                there.append(to_come.pop())
            # Of two holes born alike either may be the one that has died.
            covers = [
                Cover(
                    extent.first_block, extent.end_block, (extent.born, 2 * (extent.blob is not None) + (until != died)), True
                )
                for extent, until in there
            ]
            seen = {index for _, _, index in shown(covers)}
            yield from ((ino, extent) for index, (extent, until) in enumerate(there) if until == died and index in seen)
            there = [row for row in there if row[1] != died]


def show_again(txn: Executes, ino: int, extent: Extent) -> None:
    """Take a row's `died` away: it may show."""
    _set_died(txn, ino, extent, None)


def _set_died(txn: Executes, ino: int, extent: Extent, died: int | None) -> None:
    txn.execute(
        "UPDATE extent SET died=? WHERE ino=? AND first_block=? AND born=? AND has_data=?",
        (died, ino, extent.first_block, extent.born, extent.blob is not None),
    )
