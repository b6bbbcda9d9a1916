"""Where the next page of an answer begins, as a value and as the bytes of a token. Which question does a token belong to?

Made by `answers`, packed and read by the surfaces. A token holds all that the next page needs, so no server keeps anything for
it: any process of the volume can answer it, also after a restart. It is bound to its question by a digest, not signed: who
writes one by hand only asks for another part of an answer that is theirs anyway. Pure functions.
"""

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

import blake3

from vexfs.core.errors import InvalidRequest

if TYPE_CHECKING:  # which have a cursor themselves
    from vexfs.core.search.types import TextSearch, VectorSearch

HITS_MAX = 10_000
"""So many hits the pages of one question have in all."""
DEPTH_MAX = 1 << 22
"""No ranking is read deeper because a token says so."""
_LAYOUT = struct.Struct("<?HIIdq8s")


class Cursor(NamedTuple):
    """The end of a page. A ranking by vectors goes on after a key, one with words in it after a place."""

    answered: int = 0
    """Hits of all pages so far."""
    score: float = 0.0
    ino: int = 0
    """The key: score and file of the last hit."""
    place: int = 0
    """Candidates that were before the next page's."""
    depth: int = 0
    """How many rows deep the rankings were read for the first page."""
    reranked: bool = False
    """Whether the next page begins among the hits that a reranker orders: after `place` of them."""


def pack(cursor: Cursor, question: "TextSearch | VectorSearch") -> bytes:
    """The bytes of a token for the next page of that question."""
    return _LAYOUT.pack(
        cursor.reranked, cursor.answered, cursor.place, cursor.depth, cursor.score, cursor.ino, _digest(question)
    )


def unpack(data: bytes, question: "TextSearch | VectorSearch") -> Cursor | None:
    """The cursor in the bytes of a token; None in those of no token, which are empty.

    Raises InvalidRequest for what is no token of ours, or one of another question.
    """
    if not data:
        return None
    if len(data) != _LAYOUT.size:
        raise InvalidRequest("page_token is not one that this server gave")
    reranked, answered, place, depth, score, ino, digest = _LAYOUT.unpack(data)
    if digest != _digest(question):
        raise InvalidRequest(
            "page_token is of another question, or the point it asked about was changed: begin again with the first page"
        )
    if math.isnan(score) or depth > DEPTH_MAX:
        raise InvalidRequest("page_token is not one that this server gave")
    return Cursor(answered, score, ino, place, depth, reranked)


def _digest(question: "TextSearch | VectorSearch") -> bytes:
    """Equal for the pages of one question, whatever their size."""
    vector = question.vector or b""
    others = question._replace(vector=b"", limit=0, after=None)
    # The representation names the kind of each request, and of each node of its filter.
    return blake3.blake3(repr(others).encode("utf-8", "backslashreplace")).update(vector).digest(8)
