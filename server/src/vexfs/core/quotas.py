"""The quota of a volume: whether what an operation adds still fits, and setting the limits.

Called by the operations of `vexfs.core` inside a transaction, before the first row is written, and by the API process at its
start. What is counted and when the counts are right is said in `vexfs.store.usage`. Only growth is refused: removing, cutting,
renaming and changing attributes go on when a volume holds as much as it may, or more because the limit was lowered.
"""

from vexfs.core.errors import QuotaExceeded
from vexfs.core.types import Node
from vexfs.store import usage
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction


def check_growth(txn: Transaction, node: Node, size_bytes: int, hole_bytes: int) -> None:
    """Raise QuotaExceeded when the file may not come to hold so much: `size_bytes`, less `hole_bytes`."""
    growth = size_bytes - hole_bytes - node.size_bytes + node.hole_bytes
    if growth > 0:
        check_bytes(txn.usage, growth)


def check_bytes(used: usage.Usage, growth: int) -> None:
    """Raise QuotaExceeded when there is no room for so many bytes more."""
    if growth > used.free_bytes:
        raise QuotaExceeded(
            f"the volume may hold {used.limit_bytes} bytes and holds {used.bytes}: {growth} more do not fit; remove something, "
            "or raise the server's --quota",
            limit_bytes=str(used.limit_bytes),
            used_bytes=str(used.bytes),
        )


def check_content(size_bytes: int, limit_bytes: int) -> None:
    """Raise QuotaExceeded when a content of that size fits into no volume with that limit, however empty it is."""
    if size_bytes > limit_bytes:
        raise QuotaExceeded(
            f"the content has {size_bytes} bytes or more, and the volume may hold {limit_bytes} in all",
            limit_bytes=str(limit_bytes),
        )


def limit_bytes(volume: Volume) -> int:
    """What the volume may hold at most; `usage.UNLIMITED` where there is no limit."""
    with volume.snapshot() as view:
        stored = usage.read(view).limit_bytes
    return usage.UNLIMITED if stored is None else stored


def check_new(txn: Transaction, count: int, size_bytes: int = 0) -> None:
    """Raise QuotaExceeded when there is no room for so many files more, or for so many bytes in them."""
    used = txn.usage
    if count > used.free_files:
        raise QuotaExceeded(
            f"the volume may hold {used.limit_files} files, and holds {used.files}: remove some, or raise the server's "
            "--quota-files",
            limit_files=str(used.limit_files),
            used_files=str(used.files),
        )
    if size_bytes:
        check_bytes(used, size_bytes)


def set_limits(volume: Volume, *, limit_bytes: int | None, limit_files: int | None) -> None:
    """Let the volume hold so much from now on, whoever writes; None is no limit. Durable when it returns.

    Writes nothing when that is so already. Limits below what is there remove nothing: they refuse what would add to it.
    """
    with volume.snapshot() as view:
        stored = usage.read(view)
    if (stored.limit_bytes, stored.limit_files) != (limit_bytes, limit_files):
        volume.queue.submit(
            "set_quota", lambda txn: usage.set_limits(txn, limit_bytes=limit_bytes, limit_files=limit_files)
        ).result()
