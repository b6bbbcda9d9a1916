"""Which files a search may answer: a path scope and a filter, applied lazily or to all. Does this file pass?

Made by the engine for one search, on that search's snapshot; used by one thread. Files are looked at in batches and remembered
for the length of the search. What is dear (the directories below a scope, the files that pass out of a whole index) is kept in
`MatchCache` from search to search, as long as the volume's revision stays the same; the tables that tell which files of a whole
index pass stay, and follow the log (`facts`).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from vexfs.core import files, filters
from vexfs.core.filters import Compiled
from vexfs.core.search.caches import BoundedCache
from vexfs.core.search.directories import DirectoryPaths
from vexfs.core.search.facts import FactsTables, OpenView
from vexfs.core.types import Ino
from vexfs.store import dentries
from vexfs.store.found_files import FoundFile
from vexfs.store.reader import Snapshot
from vexfs.views.dense.index import IndexState, Part
from vexfs.views.dense.ranking import Subset, subset_of
from vexfs.views.dense.rows import Keys, contains, files_of

T = TypeVar("T")
_ENTRIES_MAX = 64
_SUBSETS_BYTES = 64 << 20
"""The rows that pass, of 800 filters that let 10,000 rows pass each."""
_ROW_BY_ROW_MAX = 1_000
"""So few files are looked at one by one; of more a table is made."""


class RevisionCache:
    """Results that hold for one revision, the least recently used thrown out. Thread-safe."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[Any, Any]] = OrderedDict()

    def get(self, key: Hashable, valid_for: Any) -> Any:
        """What was put under the key for just this, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry[0] != valid_for:
                return None
            self._entries.move_to_end(key)
            return entry[1]

    def put(self, key: Hashable, valid_for: Any, value: Any) -> None:
        with self._lock:
            self._entries[key] = (valid_for, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._entries_max:
                self._entries.popitem(last=False)

    def obtain(self, key: Hashable, valid_for: Any, make: Callable[[], T]) -> T:
        found = self.get(key, valid_for)
        if found is None:
            found = make()
            self.put(key, valid_for, found)
        value: T = found
        return value


class MatchCache(RevisionCache):
    """What searches of one volume share: small results, the rows that passed a condition, a few tables, and the paths of
    directories."""

    def __init__(self) -> None:
        super().__init__(_ENTRIES_MAX)
        self.subsets: BoundedCache[tuple[Subset, Keys]] = BoundedCache("filtered_rows", _SUBSETS_BYTES)
        self.tables = FactsTables()
        self.directories = DirectoryPaths()


class Scope(NamedTuple):
    """A path scope as it stands at one revision."""

    ino: Ino
    directories: frozenset[int]
    """The directory and all below it; empty when the scope is a single file."""


class Matcher:
    """The condition of one search. Without scope and filter it is `trivial` and everything passes."""

    def __init__(
        self, view: Snapshot, open_view: OpenView, cache: MatchCache, scope: Ino | None, compiled: Compiled | None
    ) -> None:
        self._view = view
        self._open_view = open_view
        self._cache = cache
        self._filter = compiled
        # A NamedTuple equals any tuple of equal fields, so the filter itself would be no key.
        self._key = (scope, repr(compiled.source) if compiled is not None else "")
        self._known: dict[int, bool] = {}
        self.scope = None if scope is None else self._read_scope(scope)
        self.trivial = scope is None and compiled is None

    def passing(self, inos: Iterable[int]) -> set[int]:
        """Which of these files pass."""
        wanted = set(inos)
        if self.trivial:
            return wanted
        unknown = sorted(wanted - self._known.keys())
        if unknown:
            passed = self._evaluate(unknown)
            self._known.update((ino, ino in passed) for ino in unknown)
        return {ino for ino in wanted if self._known[ino]}

    def files_in_scope(self) -> Keys | None:
        """Every file of the scope, ascending; None without a scope."""
        scope = self.scope
        if scope is None:
            return None
        return self._cache.obtain(("files", scope.ino), self._view.revision, lambda: self._list_files(scope))

    def known_subset(self, state: IndexState) -> Subset | None:
        """What `subset` would answer, if that costs little: it is known, or its table is."""
        if self._has_table(state):
            return self.subset(state)
        found = self._cache.subsets.get(self._subset_key(state), self._valid_for(state))
        return None if found is None else found[0]

    def subset(self, state: IndexState) -> Subset:
        """All rows of the index whose files pass. Looks at every file, unless it is known: the last resort."""

        key, valid_for = self._subset_key(state), self._valid_for(state)
        known = self._cache.subsets.get(key, valid_for)
        if known is not None:
            return known[0]
        found = subset_of(state, self._all_passing(state))
        # The keys are kept with the answer, so that their id stays their own.
        self._cache.subsets.put(key, (found, state.base.keys), found.size_bytes, valid_for)
        return found

    def paths_of(self, files: Iterable[FoundFile]) -> dict[int, bytes]:
        """A path to each of the files, inside the scope when there is one; files that no name leads to any more have none."""
        inside = frozenset() if self.scope is None else self.scope.directories
        names = {
            file.node.ino: [entry for entry in file.names if entry[0] in inside] if inside else file.names for file in files
        }
        parents = {parent for entries in names.values() for parent, _ in entries}
        prefixes = self._cache.directories.prefixes(self._view, parents)
        found: dict[int, bytes] = {}
        for ino, entries in names.items():
            for parent, name in entries if len(entries) < 2 else sorted(entries):
                prefix = prefixes[parent]
                if prefix is not None:
                    found[ino] = prefix + name
                    break
        return found

    # -- inside ----------------------------------------------------------------------------------------

    def _read_scope(self, ino: Ino) -> Scope:
        def read() -> Scope:
            below = dentries.directories_below(self._view, ino) if files.stat(self._view, ino).is_directory else []
            return Scope(ino, frozenset(below))

        return self._cache.obtain(("directories", ino), self._view.revision, read)

    def _list_files(self, scope: Scope) -> Keys:
        if not scope.directories:
            return np.array([scope.ino], dtype=np.int64)
        found: set[int] = set()
        for directory in scope.directories:
            found.update(ino for (ino,) in self._view.execute("SELECT ino FROM dentry WHERE parent = ?", (directory,)))
        return np.array(sorted(found - scope.directories), dtype=np.int64)

    def _evaluate(self, inos: Sequence[int]) -> set[int]:
        candidates = [Ino(ino) for ino in inos if self._in_scope(ino)]
        if self._filter is None:
            return {int(ino) for ino in candidates}
        return {int(ino) for ino in filters.matching(self._view, candidates, self._filter)}

    def _in_scope(self, ino: int) -> bool:
        scope = self.scope
        if scope is None:
            return True
        if not scope.directories:
            return ino == scope.ino
        return any(parent in scope.directories for parent, _ in dentries.names_of(self._view, Ino(ino)))

    def _all_passing(self, state: IndexState) -> Keys:
        candidates = self._candidates(state)
        if self._filter is None:
            return candidates
        if len(candidates) <= _ROW_BY_ROW_MAX and not self._has_table(state):
            return np.array(sorted(self.passing(candidates.tolist())), dtype=np.int64)
        table = self._cache.tables.obtain(self._table_key(state), self._open_view)
        return table.passing(self._view, candidates, self._filter)

    def _has_table(self, state: IndexState) -> bool:
        table = self._cache.tables.find(self._table_key(state))
        return table is not None and table.is_near(self._view.revision)

    def _candidates(self, state: IndexState) -> Keys:
        """The files of the index that lie in the scope, ascending."""

        revision = 0 if self.scope is None else self._view.revision
        base_shape = (revision, id(state.base.keys), state.base.live_count)

        def of_part(part: Part) -> Keys:
            found = np.sort(files_of(part.keys[part.live]), kind="stable")  # ascending in the main: no work
            found = found[np.diff(found, prepend=-1) > 0]
            inside = self.files_in_scope()
            return found if inside is None else found[contains(inside, found)]

        def of_base() -> tuple[Keys, Keys]:
            return of_part(state.base), state.base.keys  # kept with them, so that its id stays its own

        def collect() -> tuple[Keys, Keys]:
            base = self._cache.obtain(("base", self._table_key(state)), base_shape, of_base)[0]
            return _union(base, of_part(state.tail)), state.base.keys

        return self._cache.obtain(("candidates", self._table_key(state)), (revision, *_shape_of(state)), collect)[0]

    def _subset_key(self, state: IndexState) -> Hashable:
        return (self._key, state.spec.key)

    def _table_key(self, state: IndexState) -> Hashable:
        return (self.scope and self.scope.ino, state.spec.key)

    def _valid_for(self, state: IndexState) -> tuple[int, ...]:
        """The same revision, and an index that has not moved since."""
        return (self._view.revision, *_shape_of(state))


def _union(many: Keys, few: Keys) -> Keys:
    """What is in either, ascending as both are."""
    if not len(many) or not len(few) or few[0] > many[-1]:
        return np.concatenate([many, few])
    more = few[~contains(many, few)]
    return np.insert(many, np.searchsorted(many, more), more)


def _shape_of(state: IndexState) -> tuple[int, int, int]:
    """Another one after every change of the index: its arrays only ever grow within one base."""
    return (id(state.base.keys), len(state.tail.keys), state.live_count)
