"""What do the helpers and variables of a case stand for? Pure functions.

A helper is an object with one key: `{$text: "hello"}` the bytes of a text, `{$hex: ff00}` bytes, `{$fill: [a, 1000]}` a
text repeated, as bytes, `{$path: [text, ff]}` a text and bytes behind it, `{$vector: [1, 0]}` 32-bit floats, `{$join: [a,
[b, 3]]}` the string `abbb`, `{$times: [a, 3]}` the list of three a. Bytes are base64, as protojson has them.
"""

import base64
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from vexfs_conformance.outcomes import HarnessError

_VARIABLE = re.compile(r"\$\{([a-z_0-9]+)\}")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def vector_bytes(numbers: list[float]) -> bytes:
    """Floats as the contract packs them: 4 bytes each, little-endian. `NaN` and `Infinity` may be texts."""
    return struct.pack(f"<{len(numbers)}f", *map(float, numbers))


def _joined(parts: list[Any]) -> str:
    """A text, or a pair of a text and how often, one after another."""
    return "".join(part[0] * int(part[1]) if isinstance(part, list) else str(part) for part in parts)


HELPERS: Mapping[str, Callable[[Any], Any]] = {
    "$text": lambda value: _base64(str(value).encode()),
    "$hex": lambda value: _base64(bytes.fromhex(str(value))),
    "$fill": lambda value: _base64(str(value[0]).encode() * int(value[1])),
    "$vector": lambda value: _base64(vector_bytes(value)),
    "$join": _joined,
    "$path": lambda value: _base64(str(value[0]).encode() + bytes.fromhex(value[1])),
    "$nested": lambda value: _nested(int(value)),
    "$times": lambda value: [value[0]] * int(value[1]),
    "$points": lambda value: [{"id": f"p{number:05}"} for number in range(int(value))],
}


def _nested(levels: int) -> dict[str, Any]:
    """A filter of so many levels."""
    node: dict[str, Any] = {"metadata": {"key": "k", "exists": True}}
    for _ in range(levels - 1):
        node = {"negated": node}
    return node


def fill_in(value: Any, variables: Mapping[str, Any]) -> Any:
    """The value with its variables and helpers replaced; matchers stay. Raises HarnessError for an unknown variable."""
    if isinstance(value, str):
        return _substitute(value, variables)
    if isinstance(value, list):
        return [fill_in(each, variables) for each in value]
    if isinstance(value, dict):
        filled = {_substitute_text(key, variables): fill_in(each, variables) for key, each in value.items()}
        if len(filled) == 1:
            key, argument = next(iter(filled.items()))
            if key in HELPERS:
                return HELPERS[key](argument)
        return filled
    return value


def _substitute(text: str, variables: Mapping[str, Any]) -> Any:
    """A text that is one variable alone becomes its value, of whatever type."""
    whole = _VARIABLE.fullmatch(text)
    return _look_up(whole[1], variables) if whole else _substitute_text(text, variables)


def _substitute_text(text: str, variables: Mapping[str, Any]) -> str:
    return _VARIABLE.sub(lambda found: str(_look_up(found[1], variables)), text)


def _look_up(name: str, variables: Mapping[str, Any]) -> Any:
    if name not in variables:
        raise HarnessError(f"there is no variable {name}")
    return variables[name]


def place(message: Any, path: str) -> Any:
    """The value at a place such as `files.0.id`; None if there is none."""
    for part in path.split("."):
        if isinstance(message, list) and part.isdigit():
            message = message[int(part)] if int(part) < len(message) else None
        elif isinstance(message, dict):
            message = message.get(part)
        else:
            return None
    return message
