"""Tables of facts that follow the log: which files of an index pass a filter, as of one snapshot?

Used by the matcher. A table is built once, by the first search that needs it while others wait, in short reads of its own.
After that it is a view like any other: it has a position, a search moves it to its own snapshot's revision by reading the
files that the log names since, and it can be thrown away. A search whose snapshot is older than the table looks by itself at
the files that have changed in between, so that every answer is that of its own snapshot. Any thread; each table has its lock.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager

import numpy as np

from vexfs.core import filters
from vexfs.core.filters import Compiled
from vexfs.core.search.columns import FactsTable
from vexfs.core.types import CHANGE_ENTRY_ADDED, CHANGE_ENTRY_REMOVED, Ino
from vexfs.store import log
from vexfs.store.reader import Snapshot
from vexfs.views.dense.rows import Keys, contains

OpenView = Callable[[], AbstractContextManager[Snapshot]]

FOLLOWED_RECORDS_MAX = 500
"""A table further behind than this is built anew when it is needed: the log would take as long to read."""
_TABLES_MAX = 4
_PAGE_FILES = 2_000
_PAGE_RECORDS = 1_000
_GONE_SLACK = 1_000
_ENTRY_CHANGES = frozenset({CHANGE_ENTRY_ADDED, CHANGE_ENTRY_REMOVED})


class FollowedFacts:
    """One table; see the module."""

    def __init__(self, open_view: OpenView) -> None:
        self._open_view = open_view
        self._lock = threading.Lock()
        self._table: FactsTable | None = None
        self._position = 0
        """The revision whose facts the table holds."""
        self._known: Keys | None = None
        """Files that the table all has: those that were asked for last."""

    def is_near(self, revision: int) -> bool:
        """Whether an answer at that revision costs little."""
        return self._table is not None and abs(revision - self._position) <= FOLLOWED_RECORDS_MAX

    def passing(self, view: Snapshot, universe: Keys, compiled: Compiled) -> Keys:
        """Those of the files (ascending) that exist in `view` and pass there, ascending."""
        with self._lock:
            try:
                table, apart = self._follow(view, universe, compiled.needs_names)
            except BaseException:
                self._table = None  # it may have been changed in part
                raise
            passed = table.passing(compiled)
            surplus = len(table) > len(universe)
        if apart:
            others = np.array(sorted(apart), dtype=np.int64)
            looked_at = filters.matching(view, [Ino(ino) for ino in others.tolist()], compiled)
            passed = np.union1d(passed[~contains(others, passed)], np.array(sorted(looked_at), dtype=np.int64))
        return passed[contains(universe, passed)] if surplus or apart else passed

    def _follow(self, view: Snapshot, universe: Keys, with_names: bool) -> tuple[FactsTable, set[int]]:
        """The table, which has all of the files, and those whose facts in it are not those of `view`."""
        table = self._table
        changed: set[int] | None = None
        if (
            table is not None
            and self.is_near(view.revision)
            and table.with_names >= with_names
            and not _outgrown(table, universe)
        ):
            changed = self._changed_since(view)
        if table is None or changed is None:
            with_names = with_names or (table is not None and table.with_names)
            self._table = table = None  # its memory is needed now
            table = self._build(universe, with_names)
            changed = self._changed_since(view)
            if changed is None:
                return table, set(universe.tolist())
        stale = {ino for ino in changed if ino in table}
        if universe is not self._known:
            stale.update(table.without(_beyond(self._known, universe)))
        if view.revision < self._position:
            return table, stale
        table.put(view, sorted(stale))
        self._position, self._known = view.revision, universe
        return table, set()

    def _changed_since(self, view: Snapshot) -> set[int] | None:
        """The files changed between the table's position and the view's revision, whichever is newer.

        None when the log has lost the older of the two.
        """
        if view.revision >= self._position:
            return changed_files(view, self._position, view.revision)
        with self._open_view() as newer:
            return changed_files(newer, view.revision, self._position)

    def _build(self, universe: Keys, with_names: bool) -> FactsTable:
        table = FactsTable(universe, with_names=with_names)
        with self._open_view() as view:
            began = view.revision
        for start in range(0, len(universe), _PAGE_FILES):
            with self._open_view() as view:
                table.put(view, universe[start : start + _PAGE_FILES].tolist())
        with self._open_view() as view:
            changed = changed_files(view, began, view.revision)
            table.put(view, universe.tolist() if changed is None else [ino for ino in changed if ino in table])
            self._position, self._known = view.revision, universe
        self._table = table
        return table


class FactsTables:
    """The few tables that the searches of a volume share, which are large: some 500 bytes a file. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[Hashable, FollowedFacts] = OrderedDict()

    def find(self, key: Hashable) -> FollowedFacts | None:
        """The table of that key, if there is one; it may not be built yet."""
        return self._tables.get(key)

    def obtain(self, key: Hashable, open_view: OpenView) -> FollowedFacts:
        """The table of that key; the one that was used least recently goes when there are too many."""
        with self._lock:
            found = self._tables.setdefault(key, FollowedFacts(open_view))
            self._tables.move_to_end(key)
            while len(self._tables) > _TABLES_MAX:
                self._tables.popitem(last=False)
            return found


def changed_files(view: Snapshot, after: int, until: int) -> set[int] | None:
    """The files that the log names above the revision `after` and up to `until`; None when it does not reach back so far."""
    found: set[int] = set()
    position = after
    while position < until:
        records = log.read(view, after=position, limit=min(_PAGE_RECORDS, until - position))
        if not records or records[0].revision != position + 1:
            return None
        for record in records:
            found.update(change.ino for change in record.changes)
            found.update(change.parent for change in record.changes if change.kind in _ENTRY_CHANGES)
        position = records[-1].revision
    return found


def _beyond(known: Keys | None, universe: Keys) -> Keys:
    """The files of the universe that are not known: those at its end, if it begins with what is known. Else any may be new."""
    if known is None or not np.array_equal(universe[: len(known)], known):
        return universe
    return universe[len(known) :]


def _outgrown(table: FactsTable, universe: Keys) -> bool:
    """Whether most files of the table are not asked for any more."""
    return len(table) > 2 * len(universe) + _GONE_SLACK
