"""What the views have at one moment, for all searches that shall be answered alike. What do several answers have in common?

Made by the engine on a snapshot; a single search has a moment of its own. Immutable values, used by whoever has the snapshot.
How far the views are is read before their indexes are, so that it never promises what a search does not see.
"""

from collections.abc import Mapping
from typing import NamedTuple

from vexfs.core.search.types import DENSE, LEXICAL, TextSearch
from vexfs.core.status import Trust
from vexfs.core.types import Ino, VectorSpec
from vexfs.store.reader import Snapshot
from vexfs.views.dense.index import IndexState
from vexfs.views.lexical import LexicalReader


class Halves(NamedTuple):
    """Which views a text search depends on."""

    dense: bool
    lexical: bool


def halves_of(request: TextSearch) -> Halves:
    """Those of this search."""
    by_text = request.vector is None and request.like is None
    return Halves(request.mode != LEXICAL, by_text and request.mode != DENSE)


class TextMoment(NamedTuple):
    """For text searches: the embedded passages and the words of a snapshot's files."""

    view: Snapshot
    trusts: Mapping[Halves, Trust]
    state: IndexState | None
    model: str
    """Whose vectors `state` has."""
    lexical: LexicalReader
    """Of one commit of the word index, if any of the searches needs it."""
    words: object
    """Which commit; None if none is needed, or there is none."""
    seen: tuple[object, ...]
    """Equal as long as nothing else of all this has changed, the trust aside."""


class VectorMoment(NamedTuple):
    """For searches of client vectors."""

    view: Snapshot
    trust: Trust
    indexes: Mapping[tuple[Ino, str], tuple[VectorSpec, IndexState | None]]
    """By collection and the name that was asked for."""
