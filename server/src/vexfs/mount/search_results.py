"""What a search looks like as a directory: names, link targets, the two files of facts.

Used by `search_directory`, in its worker threads and in the loop's. Immutable values; no requests, no network.
"""

import json
import posixpath
import time
from typing import Any

from vexfs.core.types import NAME_MAX_BYTES
from vexfs.mount.api_client import Found

RESULTS_NAME = b".results.jsonl"
STATUS_NAME = b".status"
_UP = b"../.."


class ResultSet:
    """The answer to one query as it was found once. `number` is unique in the life of the mount."""

    def __init__(self, number: int, found: Found) -> None:
        self.number = number
        self.made_s = time.monotonic()
        self.time_ns = time.time_ns()
        width = max(3, len(str(len(found.hits))))
        self.names = [_name(rank, width, hit.score, hit.path) for rank, hit in enumerate(found.hits, start=1)]
        self.targets = [_UP + hit.path for hit in found.hits]
        self.index = {name: place for place, name in enumerate(self.names)}
        self.results = b"".join(
            _line({"rank": rank, "name": shown(self.names[rank - 1]), "path": shown(hit.path), **hit.record})
            for rank, hit in enumerate(found.hits, start=1)
        )
        self.status = document({"state": "answered", **found.facts})


def _name(rank: int, width: int, score: float, path: bytes) -> bytes:
    """`001_0.912_notes.md`: the rank keeps `ls` in order. A long name loses its middle, not its ending."""
    prefix = f"{rank:0{width}d}_{score:.3f}_".encode()
    base = posixpath.basename(path) or b"root"
    room = NAME_MAX_BYTES - len(prefix)
    if len(base) > room:
        stem, ending = posixpath.splitext(base)
        ending = ending[:32]
        base = stem[: room - len(ending)] + ending
    return prefix + base


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def document(facts: dict[str, Any]) -> bytes:
    """A status file: one JSON object for people and programs."""
    return json.dumps(facts, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace") + b"\n"


def shown(name: bytes) -> str:
    """Bytes of a path for JSON: UTF-8, other bytes escaped."""
    return name.decode("utf-8", "backslashreplace")
