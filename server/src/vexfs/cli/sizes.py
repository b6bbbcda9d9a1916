"""Numbers of bytes as people write them: `10GiB`, `500MB`, `4096`. Pure functions."""

import re

from vexfs.core.errors import InvalidRequest

_FACTORS = {
    "": 1,
    "b": 1,
    **{f"{letter}ib": 1 << 10 * power for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", 1)},
    **{letter: 1 << 10 * power for power, letter in enumerate("kmgtp", 1)},
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
SIZE_MAX_BYTES = 1 << 60


def parse(text: str) -> int:
    """How many bytes the text means: GiB, or G, are powers of 1,024, GB powers of 1,000, no unit is bytes.

    Raises InvalidRequest for what is no size, less than one byte or above SIZE_MAX_BYTES.
    """
    found = _SIZE.fullmatch(text.strip())
    factor = _FACTORS.get(found[2].lower()) if found else None
    if not found or factor is None:
        raise InvalidRequest(f"{text!r} is no size: give a number with a unit, such as 500MB or 10GiB")
    size_bytes = int(float(found[1]) * factor) if "." in found[1] else int(found[1]) * factor
    if not 1 <= size_bytes <= SIZE_MAX_BYTES:
        raise InvalidRequest(f"{text!r} is no size from 1 byte to {SIZE_MAX_BYTES >> 50} PiB")
    return size_bytes
