"""How much of a file is holes: the count that every change of content brings along, so that nobody has to count afresh.

Called by `content` and `ranges` inside a transaction, before the rows change. A hole is a block in which nothing is stored;
`Node.hole_bytes` is what such blocks make of the size. A file without holes costs no statement. Pure counting: writes nothing.
"""

from collections.abc import Iterable

from vexfs.core.types import BLOCK_BYTES, Node
from vexfs.store import content as rows
from vexfs.store.log import Executes

Runs = list[tuple[int, int]]
"""Runs of blocks, (first, end), in order; none touches the next."""


def runs_with_data(view: Executes, node: Node, first_block: int, end_block: int) -> Runs:
    """The runs of blocks of that range in which something is stored now."""
    end_block = min(end_block, end_of(node.size_bytes))
    if first_block >= end_block:
        return []
    if node.hole_bytes == 0:
        return [(first_block, end_block)]
    return rows.data_runs(view, node.ino, first_block, end_block)


def end_of(size_bytes: int) -> int:
    """One past the last block of a file of that size."""
    return -(-size_bytes // BLOCK_BYTES)


def last_block(node: Node, size_bytes: int) -> Runs:
    """The last block of a file whose size becomes `size_bytes`: with a new size it counts for more, or for less."""
    end_block = end_of(node.size_bytes)
    return [(end_block - 1, end_block)] if size_bytes != node.size_bytes and end_block else []


def union(*parts: Iterable[tuple[int, int]]) -> Runs:
    """All runs together."""
    joined: Runs = []
    for first, end in sorted(run for part in parts for run in part):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((first, end))
    return joined


def outside(runs: Runs, first_block: int, end_block: int) -> Runs:
    """What of the runs lies outside that range."""
    parts = [part for first, end in runs for part in ((first, min(end, first_block)), (max(first, end_block), end))]
    return [(first, end) for first, end in parts if first < end]


def count(node: Node, size_bytes: int, before: Runs, after: Runs) -> int:
    """`hole_bytes` of the file once it has `size_bytes`, where the runs with data `before` have become those `after`.

    Both have to tell of every block whose state changes and, when the size changes, of the last block of the old size.
    """
    stored = node.size_bytes - node.hole_bytes
    stored += rows.stored_bytes(after, size_bytes) - rows.stored_bytes(before, node.size_bytes)
    return min(max(0, size_bytes - stored), size_bytes)


def after_write(view: Executes, node: Node, written: Runs, size_bytes: int) -> int:
    """`hole_bytes` once something is written to those runs of blocks and the file has grown to `size_bytes`."""
    end_block = end_of(node.size_bytes)
    if node.hole_bytes == 0 and (not written or (len(written) == 1 and written[0][0] <= end_block)):
        return 0
    asked = union(written, last_block(node, size_bytes))
    before = [run for first, end in asked for run in runs_with_data(view, node, first, end)]
    return count(node, size_bytes, before, union(before, written))


def after_resize(view: Executes, node: Node, size_bytes: int) -> int:
    """`hole_bytes` once the file is cut, or extended without a write, to `size_bytes`."""
    if size_bytes == 0:
        return 0
    first_block = min(size_bytes, max(node.size_bytes - 1, 0)) // BLOCK_BYTES
    before = runs_with_data(view, node, first_block, end_of(node.size_bytes))
    return count(node, size_bytes, before, before)
