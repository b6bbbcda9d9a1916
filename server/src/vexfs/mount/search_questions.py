"""What does a name in `.search` ask? From the name, or from a saved query, to a SearchRequest of the contract.

Used by `search_tree` in the loop's thread. Pure functions and values; asks nobody. A name is a question in words; one that
begins with `{` is a SearchRequest as JSON, the way to filter without saving; `like:PATH`, percent-encoded, asks for files like
that one.
"""

import json
import posixpath
import urllib.parse
from typing import Any, NamedTuple

from vexfs.core import paths, saved_queries
from vexfs.core.saved_queries import SavedQuery
from vexfs.store.reader import Reader

LIMIT = saved_queries.LIMIT_DEFAULT
"""Hits of a question that does not say how many."""
_LIKE = "like:"


class Question(NamedTuple):
    """A SearchRequest as JSON."""

    request: str


def of_name(view: Reader, name: str) -> Question:
    """The question that a made-up name asks. Raises NotFound, InvalidPath and the like for a file that is not there."""
    if name.startswith(_LIKE):
        path = posixpath.join(b"/", urllib.parse.unquote_to_bytes(name.removeprefix(_LIKE)))
        return Question(json.dumps({"like": {"id": paths.resolve(view, paths.parse(path)).ino}, "limit": LIMIT}))
    if name.startswith("{"):
        return Question(name)
    request = {"text": name, "limit": LIMIT}
    return Question(json.dumps(request))


def of_saved(saved: SavedQuery) -> Question:
    """The question that a saved query asks."""
    request: dict[str, Any] = {"text": saved.query, "limit": saved.limit, "mode": f"SEARCH_MODE_{saved.mode.upper()}"}
    if saved.path != "/":
        request["scope"] = {"path": saved.path}
    if saved.filter:
        request["filter"] = json.loads(saved.filter)
    return Question(json.dumps(request))
