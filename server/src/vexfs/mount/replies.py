"""Nodes as the kernel wants them: entries and attributes packed for an answer.

Used by the operations, in the loop's thread and in those of `.search`. Pure functions. The times an answer may be cached are
long: whatever another process changes is invalidated from the log (`vexfs.mount.invalidation`).
"""

import os

from vexfs.core.types import Node
from vexfs.mount import wire
from vexfs.mount.open_files import OpenFile

CACHE_SECONDS = 3600
"""How long the kernel keeps names and attributes, absent names included, unless told otherwise."""
BLOCK_BYTES = 4096
_SECOND_NS = 1_000_000_000

_pack_entry = wire.fuse_entry_out.pack
_pack_attr = wire.fuse_attr_out.pack

NO_ENTRY = _pack_entry(0, 0, CACHE_SECONDS, 0, 0, 0, *([0] * 16))
"""The answer to a lookup of an absent name that lets the kernel remember the absence."""


def entry(node: Node, cache_seconds: int = CACHE_SECONDS, attr_seconds: int | None = None) -> bytes:
    """A fuse_entry_out. The node's number is its nodeid: numbers are never reused, so generation is always 0.

    `cache_seconds` is for the name, and for the attributes unless they have `attr_seconds` of their own.
    """
    ino, mode, nlink, uid, gid, rdev, size, atime, mtime, ctime, _, _, _, holes, _ = node
    atime_s, atime_ns = divmod(atime, _SECOND_NS)
    mtime_s, mtime_ns = divmod(mtime, _SECOND_NS)
    ctime_s, ctime_ns = divmod(ctime, _SECOND_NS)
    blocks = (size - holes + 511) >> 9
    return _pack_entry(
        ino, 0, cache_seconds, cache_seconds if attr_seconds is None else attr_seconds, 0, 0,
        ino, size, blocks, atime_s, mtime_s, ctime_s, atime_ns, mtime_ns, ctime_ns, mode, nlink, uid, gid, rdev, BLOCK_BYTES, 0,
    )  # fmt: skip


def attributes(node: Node, cache_seconds: int = CACHE_SECONDS) -> bytes:
    """A fuse_attr_out."""
    ino, mode, nlink, uid, gid, rdev, size, atime, mtime, ctime, _, _, _, holes, _ = node
    atime_s, atime_ns = divmod(atime, _SECOND_NS)
    mtime_s, mtime_ns = divmod(mtime, _SECOND_NS)
    ctime_s, ctime_ns = divmod(ctime, _SECOND_NS)
    blocks = (size - holes + 511) >> 9
    return _pack_attr(
        cache_seconds, 0,
        ino, size, blocks, atime_s, mtime_s, ctime_s, atime_ns, mtime_ns, ctime_ns, mode, nlink, uid, gid, rdev, BLOCK_BYTES, 0,
    )  # fmt: skip


def statx(node: Node, cache_seconds: int = CACHE_SECONDS) -> bytes:
    """A fuse_statx_out: the attributes with the time of creation."""
    times = [part for time in (node.atime_ns, node.btime_ns, node.ctime_ns, node.mtime_ns) for part in divmod(time, _SECOND_NS)]
    return wire.fuse_statx_out.pack(
        cache_seconds, 0, 0,
        wire.STATX_BASIC_STATS | wire.STATX_BTIME, BLOCK_BYTES, 0, node.nlink, node.uid, node.gid, node.mode, node.ino,
        node.size_bytes, (node.size_bytes - node.hole_bytes + 511) >> 9, 0, *times,
        os.major(node.rdev), os.minor(node.rdev), 0, 0,
    )  # fmt: skip


def entry_of(node: Node, file: OpenFile | None) -> bytes:
    """The entry of a file with what is pending of it."""
    if file is None or not file.pending:
        return entry(node)
    shown = file.shown(node)
    return entry(shown, CACHE_SECONDS, 0 if _is_estimate(node, shown) else CACHE_SECONDS)


def attributes_of(node: Node, file: OpenFile | None) -> bytes:
    """The attributes of a file with what is pending of it."""
    if file is None or not file.pending:
        return attributes(node)
    shown = file.shown(node)
    return attributes(shown, 0 if _is_estimate(node, shown) else CACHE_SECONDS)


def statx_of(node: Node, file: OpenFile | None) -> bytes:
    """As `attributes_of`, with the time of creation."""
    if file is None or not file.pending:
        return statx(node)
    shown = file.shown(node)
    return statx(shown, 0 if _is_estimate(node, shown) else CACHE_SECONDS)


def _is_estimate(node: Node, shown: Node) -> bool:
    """Whether the room that a file takes may come out differently once its pending bytes are stored."""
    return node.hole_bytes > 0 or shown.hole_bytes > 0


def join_time(seconds: int, nanoseconds: int) -> int:
    """A kernel time as nanoseconds."""
    return seconds * _SECOND_NS + nanoseconds
