"""Rules of content: chunks, extents, blobs and their files."""

import contextlib
from collections.abc import Iterator

from vexfs.core import content as core_content
from vexfs.core.errors import CorruptContent
from vexfs.core.types import BLOCK_BYTES, CHANGE_CONTENT, Change, Node
from vexfs.store import content, extents, log, nodes, patches, versioned
from vexfs.store.check.rule import Invariant, Problem
from vexfs.store.extents import Extent
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

DAMAGED_XATTR = b"user.vexfs.damaged"
"""Set by a repair that had to replace lost bytes by zeros; its value says which."""


def _find_content_of_nobody(view: Reader) -> Iterator[Problem]:
    nobody: dict[int, str] = {}
    for table in ("chunk", "extent"):
        sql = (
            f"SELECT DISTINCT ino FROM {table} c WHERE NOT EXISTS(SELECT 1 FROM node WHERE ino=c.ino)"
            " AND NOT EXISTS(SELECT 1 FROM node_history WHERE ino=c.ino)"
        )
        nobody.update((ino, table) for (ino,) in view.execute(sql).fetchall())
    if nobody:  # a file made and removed within one commit has no history; the trimmer finds it by its log row
        for (changes,) in view.execute("SELECT changes FROM log"):
            for change in log.unpack(changes):
                nobody.pop(change.ino, None)
    for ino, table in nobody.items():
        yield Problem(f"file {ino}", f"does not exist, and has rows in {table}", (ino,))


def _forget_content(txn: Transaction, problem: Problem) -> None:
    blobs = content.forget(txn, problem.data[0])
    content.condemn_unreferenced(txn, blobs, now_ns=txn.now_ns)


def _find_long_chunk(view: Reader) -> Iterator[Problem]:
    for chunk_id, ino, block, length in view.execute(
        "SELECT id, ino, block, length(data) FROM chunk WHERE length(data)>?", (BLOCK_BYTES,)
    ).fetchall():
        yield Problem(f"file {ino}", f"block {block} has {length} bytes", (chunk_id,))


def _cut_chunk(txn: Transaction, problem: Problem) -> None:
    txn.execute("UPDATE chunk SET data=substr(data, 1, ?) WHERE id=?", (BLOCK_BYTES, problem.data[0]))


def _find_unsound_patch(view: Reader) -> Iterator[Problem]:
    sql = "SELECT id, ino, block, runs, data FROM chunk WHERE runs IS NOT NULL"
    for chunk_id, ino, block, runs, data in view.execute(sql):
        if not patches.is_sound(runs, data):
            yield Problem(
                f"file {ino}", f"block {block} has a patch that does not say where its bytes go", (chunk_id, ino, block)
            )


def _give_up_patch(txn: Transaction, problem: Problem) -> None:
    """What it changed is lost: the block shows what it showed before, and an attribute says so."""
    chunk_id, ino, block = problem.data
    txn.execute("DELETE FROM chunk WHERE id=?", (chunk_id,))
    node = nodes.get(txn, ino)
    if node is not None:
        _mark_damaged(txn, node, f"changes of bytes {block * BLOCK_BYTES} to {(block + 1) * BLOCK_BYTES} were lost")


def _mark_damaged(txn: Transaction, node: Node, message: str) -> None:
    """The file's content is another now than it was written."""
    versioned.put_xattr(txn, node.ino, DAMAGED_XATTR, message.encode(), born=txn.revision)
    changed = node._replace(revision=txn.revision, content_revision=txn.revision)
    nodes.write_row(txn, changed, node, txn.keep_from)
    txn.note(Change(CHANGE_CONTENT, node.ino))


def _find_beyond_end(view: Reader) -> Iterator[Problem]:
    """Stored bytes behind a file's end would come back when it grows."""
    sql = (
        "SELECT DISTINCT n.ino FROM node n JOIN chunk c ON c.ino=n.ino"
        f" WHERE c.data IS NOT NULL AND c.block*{BLOCK_BYTES}"
        f"+CASE WHEN c.runs IS NULL THEN length(c.data) ELSE {BLOCK_BYTES} END>n.size_bytes"
        f" UNION SELECT n.ino FROM node n JOIN extent e ON e.ino=n.ino"
        f" WHERE e.has_data AND (e.first_block+e.block_count-1)*{BLOCK_BYTES}>=n.size_bytes"
    )
    for (ino,) in view.execute(sql).fetchall():
        if _shows_beyond_end(view, ino):
            yield Problem(f"file {ino}", "has content behind its end", (ino,))


def _shows_beyond_end(view: Reader, ino: int) -> bool:
    node = nodes.get(view, ino)
    if node is None:
        return False
    for piece in content.visible(view, ino, node.size_bytes // BLOCK_BYTES, 1 << 40):
        start = piece.first_block * BLOCK_BYTES
        with contextlib.suppress(CorruptContent):  # what another rule tells of
            if any(content.read_piece(view, piece)[max(0, node.size_bytes - start) :]):
                return True
    return False


def _cut_behind_end(txn: Transaction, problem: Problem) -> None:
    (ino,) = problem.data
    node = nodes.get(txn, ino)
    if node is not None:
        txn.execute("UPDATE node SET size_bytes=? WHERE ino=?", (1 << 46, ino))
        txn.usage.bytes += (1 << 46) - node.size_bytes
        core_content.truncate(txn, ino, node.size_bytes)


def _find_wrong_hole_count(view: Reader) -> Iterator[Problem]:
    for ino, said, counted in content.wrong_hole_bytes(view):
        yield Problem(f"file {ino}", f"says that {said} bytes of it are holes, and {counted} are", (ino, said, counted))


def _set_hole_count(txn: Transaction, problem: Problem) -> None:
    ino, said, counted = problem.data
    txn.usage.bytes -= counted - said
    txn.execute("UPDATE node SET hole_bytes=?, revision=? WHERE ino=?", (counted, txn.revision, ino))


def _find_unnamed_blob(view: Reader) -> Iterator[Problem]:
    sql = "SELECT DISTINCT blob FROM extent e WHERE has_data AND NOT EXISTS(SELECT 1 FROM blob WHERE hash=e.blob)"
    for (blob,) in view.execute(sql).fetchall():
        yield Problem(f"blob {blob.hex()}", "is used and has no row", (blob, view.blobs.size(blob)))


def _name_blob(txn: Transaction, problem: Problem) -> None:
    blob, size_bytes = problem.data
    txn.execute("INSERT INTO blob VALUES(?, ?, NULL)", (blob, size_bytes or 0))


def _find_missing_blob(view: Reader) -> Iterator[Problem]:
    sql = "SELECT hash, size_bytes FROM blob b WHERE EXISTS(SELECT 1 FROM extent WHERE blob=b.hash)"
    for blob, size_bytes in view.execute(sql).fetchall():
        found = view.blobs.size(blob)
        if found != size_bytes or size_bytes == 0:
            yield Problem(
                f"blob {blob.hex()}", "is missing" if found is None else f"has {found} of {size_bytes} bytes", (blob,)
            )


def _find_corrupt_blob(view: Reader) -> Iterator[Problem]:
    for (blob,) in view.execute("SELECT hash FROM blob b WHERE EXISTS(SELECT 1 FROM extent WHERE blob=b.hash)").fetchall():
        if view.blobs.size(blob) is not None and not view.blobs.verify(blob):
            yield Problem(f"blob {blob.hex()}", "does not have the bytes its name promises", (blob,))


def _give_up_blob(txn: Transaction, problem: Problem) -> None:
    """The bytes are gone: every file that shows them gets zeros there, and an attribute that says so."""
    (blob,) = problem.data
    for ino, first_block, count in txn.execute(
        "SELECT ino, first_block, block_count FROM extent WHERE blob=?", (blob,)
    ).fetchall():
        node = nodes.get(txn, ino)
        shown = node is not None and any(
            piece.base.blob == blob for piece in content.visible(txn, ino, first_block, first_block + count)
        )
        if node is None or not shown:
            continue
        message = f"bytes {first_block * BLOCK_BYTES} to {(first_block + count) * BLOCK_BYTES} were lost with blob {blob.hex()}"
        _mark_damaged(txn, node, message)
    _make_holes(txn, blob)


def _make_holes(txn: Transaction, blob: bytes) -> None:
    rows = txn.execute("SELECT ino, first_block, born, block_count FROM extent WHERE blob=?", (blob,)).fetchall()
    txn.execute("DELETE FROM extent WHERE blob=?", (blob,))
    for ino, first_block, born, count in rows:
        content.put_extents(txn, ino, [Extent(first_block, born, count, None, 0)])
    txn.execute("DELETE FROM blob WHERE hash=?", (blob,))
    txn.blobs.set_aside(blob)


def _find_wrongly_condemned(view: Reader) -> Iterator[Problem]:
    sql = "SELECT hash FROM blob b WHERE condemned_ns IS NOT NULL AND EXISTS(SELECT 1 FROM extent WHERE blob=b.hash)"
    for (blob,) in view.execute(sql).fetchall():
        yield Problem(f"blob {blob.hex()}", "is used and condemned", (blob, None))
    sql = "SELECT hash FROM blob b WHERE condemned_ns IS NULL AND NOT EXISTS(SELECT 1 FROM extent WHERE blob=b.hash)"
    for (blob,) in view.execute(sql).fetchall():
        yield Problem(f"blob {blob.hex()}", "is unused and not condemned", (blob, True))


def _set_condemned(txn: Transaction, problem: Problem) -> None:
    blob, condemned = problem.data
    txn.execute("UPDATE blob SET condemned_ns=? WHERE hash=?", (txn.now_ns if condemned else None, blob))


def _find_wrongly_hidden(view: Reader) -> Iterator[Problem]:
    for ino, extent in extents.wrongly_hidden(view):
        where = f"file {ino}, blocks {extent.first_block} to {extent.end_block}, revision {extent.born}"
        yield Problem(where, "is said to show nothing any more, and does", (ino, extent))


def _show_again(txn: Transaction, problem: Problem) -> None:
    ino, extent = problem.data
    extents.show_again(txn, ino, extent)


def _find_stray_blob(view: Reader) -> Iterator[Problem]:
    for blob in view.blobs.all_hashes():
        if not view.execute("SELECT 1 FROM blob WHERE hash=?", (blob,)).fetchall():
            yield Problem(f"blob {blob.hex()}", "lies on the disk and no row knows it", (blob,))


def _condemn_stray(txn: Transaction, problem: Problem) -> None:
    (blob,) = problem.data
    txn.execute("INSERT OR IGNORE INTO blob VALUES(?, ?, ?)", (blob, txn.blobs.size(blob) or 0, txn.now_ns))


INVARIANTS = (
    Invariant(
        "content-has-file",
        "Content belongs to a file that exists, or did inside the window.",
        _find_content_of_nobody,
        _forget_content,
    ),
    Invariant("chunk-fits-block", "A chunk is at most one block.", _find_long_chunk, _cut_chunk),
    Invariant("patch-sound", "A patch says where in its block its bytes go.", _find_unsound_patch, _give_up_patch),
    Invariant("blob-has-row", "Every blob that an extent names has a row.", _find_unnamed_blob, _name_blob),
    Invariant("blob-on-disk", "Every blob that an extent names lies on the disk, whole.", _find_missing_blob, _give_up_blob),
    Invariant("blob-intact", "Every blob holds the bytes its name promises.", _find_corrupt_blob, _give_up_blob, deep=True),
    Invariant("hidden-not-shown", "An extent that has died shows nothing.", _find_wrongly_hidden, _show_again),
    Invariant("nothing-behind-end", "No stored byte lies behind a file's end.", _find_beyond_end, _cut_behind_end),
    Invariant("holes-counted", "A file counts what of its size lies in holes.", _find_wrong_hole_count, _set_hole_count),
    Invariant(
        "condemned-unused", "A blob is condemned exactly when no extent names it.", _find_wrongly_condemned, _set_condemned
    ),
    Invariant("no-stray-blob", "Every blob file has a row.", _find_stray_blob, _condemn_stray),
)
