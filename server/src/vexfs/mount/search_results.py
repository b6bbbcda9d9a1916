"""What a search looks like as a directory: names, link targets, the files of facts.

Used by `search_queries`, in its worker threads and in the loop's. Immutable values; no requests, no network.
"""

import json
import posixpath
import re
import time
from typing import Any

from vexfs.core.types import NAME_MAX_BYTES
from vexfs.mount.api_client import Found, Hit
from vexfs.mount.search_questions import Question

RESULTS_NAME = b".results.jsonl"
STATUS_NAME = b".status"
EXPLAIN_NAME = b".explain"
LINK_NAME = re.compile(rb"[0-9]{3,}_")
"""How the name of an answer begins."""


class ResultSet:
    """The answer to one question as it was found once. `number` is unique in the life of the mount.

    `up` leads from the directory to the root of the mount. `took_s` is how long the search took.
    """

    def __init__(self, number: int, question: Question, found: Found, up: bytes, took_s: float) -> None:
        self.number = number
        self.question = question
        self.made_s = time.monotonic()
        self.time_ns = time.time_ns()
        width = max(3, len(str(len(found.hits))))
        self.names = [_name(rank, width, hit.score, hit.path) for rank, hit in enumerate(found.hits, start=1)]
        self.targets = [up + hit.path for hit in found.hits]
        self.inos = [hit.ino for hit in found.hits]
        self.index = {name: place for place, name in enumerate(self.names)}
        self.results = b"".join(
            _line({"rank": rank, "name": shown(self.names[rank - 1]), "path": shown(hit.path), **hit.record})
            for rank, hit in enumerate(found.hits, start=1)
        )
        self.status = document({"state": "answered", **found.facts})
        self.explanation = _explanation(question, found, took_s)


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


def _explanation(question: Question, found: Found, took_s: float) -> bytes:
    """How the question was answered, for people: what was asked, who answered, and why each file is where it is."""
    facts = found.facts
    dense = f"generation {facts['generation']}" if facts.get("generation") else "no generation, the fresh vectors only"
    compared = "every candidate was compared" if facts.get("exact") else "the most likely candidates were compared"
    lines = [
        f"asked     {question.request}",
        f"answered  {facts.get('strategy') or 'by nobody'}, revision {facts.get('revision')}, {took_s * 1000:.0f} ms",
        f"vectors   {dense}; {compared}",
        f"pending   {facts.get('pending')}",
        *(f"partial   {reason}" for reason in facts.get("partial_reasons", [])),
        f"hits      {len(found.hits)}",
        *(_why(rank, hit) for rank, hit in enumerate(found.hits, start=1)),
    ]
    return "\n".join(lines).encode("utf-8", "backslashreplace") + b"\n"


def _why(rank: int, hit: Hit) -> str:
    ways = [
        f"{str(match.get('mode', '')).removeprefix('SEARCH_MODE_').lower()} #{match.get('rank')} ({match.get('score', 0):.4f})"
        + (f" {', '.join(match['terms'])}" if match.get("terms") else "")
        for match in hit.record.get("matches", [])
    ]
    return f"{rank:6d}  {hit.score:.4f}  {shown(hit.path)}  {' + '.join(ways)}".rstrip()
