"""The paths of directories, remembered from search to search. Where do the directories of these hits lie?

Owned by the cache that searches share; any thread. What is remembered is good for one revision: any write at all makes it
worthless. Two threads at different revisions make each other read again, and never get a path of another revision.
"""

from collections.abc import Iterable, Mapping

from vexfs.core import paths
from vexfs.store import dentries
from vexfs.store.reader import Snapshot

_DIRECTORIES_MAX = 10_000

Prefixes = Mapping[int, bytes | None]
"""By directory: its path with a slash at the end; None for one that no name leads to any more."""


class DirectoryPaths:
    """See the module."""

    def __init__(self) -> None:
        self._known: tuple[int, dict[int, bytes | None]] = (0, {})

    def prefixes(self, view: Snapshot, inos: Iterable[int]) -> Prefixes:
        """At least those of these directories, as `view` shows them; at most one statement."""
        revision, known = self._known
        if revision != view.revision or len(known) > _DIRECTORIES_MAX:
            known = {}
            self._known = (view.revision, known)
        missing = {ino for ino in inos if ino not in known}
        if missing:
            names = dentries.names_upward(view, missing)
            for ino in missing:
                path = paths.path_among(names, ino)
                known[ino] = None if path is None else path.rstrip(b"/") + b"/"
        return known
