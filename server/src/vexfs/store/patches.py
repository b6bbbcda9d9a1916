"""Small changes of a block: a row with what has changed, instead of one with all 64 KiB of it.

Called by `store.content`. A patch is a row of `chunk` whose `runs` is not NULL: `data` has the changed bytes, `runs` says where
in the block they go. It lies over what the block showed before. Writes no rows, and reads none.
"""

import struct
from collections.abc import Sequence

from vexfs.core.types import BLOCK_BYTES

PATCHES_MAX = 16
"""So many may lie over each other: whoever reads the block reads each of them. The next change writes the whole block."""
BASE_MIN_BYTES = 8192
"""Smaller contents are written whole: two pages of the database."""
_PART_OF_BASE = 4
"""A patch is at most that part of what it lies over, and all patches together twice as much."""

Part = tuple[int, bytes]
"""Changed bytes, and where in their block they begin."""

_RUN = struct.Struct("<HI")


def pay(base_bytes: int, patched_bytes: int, changed_bytes: int) -> bool:
    """Whether a change is better kept as a patch over so many stored bytes, of which so many lie in patches already."""
    if base_bytes < BASE_MIN_BYTES:
        return False
    return _PART_OF_BASE * changed_bytes <= base_bytes and _PART_OF_BASE * (patched_bytes + changed_bytes) <= 2 * base_bytes


def pack(parts: Sequence[Part]) -> tuple[bytes, bytes]:
    """The `runs` and the `data` of a patch; later parts lie over earlier ones."""
    return b"".join(_RUN.pack(start, len(data)) for start, data in parts), b"".join(data for _, data in parts)


def lay_over(block: bytearray, runs: bytes, data: bytes) -> None:
    """Change the bytes of a block as a patch says."""
    position = 0
    for start, length in _RUN.iter_unpack(runs):
        change(block, start, data[position : position + length])
        position += length


def change(block: bytearray, start: int, part: bytes) -> None:
    """Lay one part over a block; what lies between its end and the part is zeros."""
    if len(block) < start:
        block.extend(bytes(start - len(block)))
    block[start : start + len(part)] = part


def is_sound(runs: bytes, data: bytes | None) -> bool:
    """Whether every run lies inside the block, and all of them together have those bytes."""
    if not runs or len(runs) % _RUN.size or data is None:
        return False
    parts = list(_RUN.iter_unpack(runs))
    return sum(length for _, length in parts) == len(data) and all(start + length <= BLOCK_BYTES for start, length in parts)
