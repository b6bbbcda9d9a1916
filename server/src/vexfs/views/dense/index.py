"""One index: all vectors of one name in one collection, or all embedded passages. What does a search see, how does it change?

A search reads one `IndexState`, an immutable value, without a lock. One writer (the view's thread) makes the next state and
publishes it by one assignment, so a search sees the whole of a change or nothing of it. A state has a *base* (rows sorted by
key; with a ScaNN searcher once a generation was adopted, else searched exactly) and a *tail* (what came since; with a searcher
over runs of its first rows once these were coded, the rest always exact). A removed row stays where it is and is marked dead,
until the next base leaves it out.

`apply` tells the index what a file's rows are now; telling it twice changes nothing. `adopt` takes a new base and keeps
whatever changed after the base was read. Never touches a disk, except to read rows of a compact base, which may raise
ViewUnavailable.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from vexfs.views.dense import metrics, quantization
from vexfs.views.dense.compact import CompactMatrix, CompactRows
from vexfs.views.dense.metrics import Query, Scores
from vexfs.views.dense.rows import (
    Keys,
    Mask,
    Matrix,
    RowIds,
    Rows,
    contains,
    empty_rows,
    files_of,
    rows_of_files,
    span_of,
    spans_of,
)

_FIRST_CAPACITY = 256


class IndexSpec(NamedTuple):
    """Which index, and how its rows compare. Collection 0 is the text of ordinary files."""

    collection: int
    vector: str
    dimension: int
    metric: str
    storage: str = quantization.FLOAT32
    """How the rows of a generation are kept in memory; all others are kept as float32."""

    @property
    def key(self) -> tuple[int, str]:
        return (self.collection, self.vector)


class Searcher(Protocol):
    """An approximate search over the rows of a base, or the first ones of a tail."""

    def candidates(self, query: Query, wanted: int) -> RowIds:
        """Ids of rows among which the `wanted` nearest probably are; more than that many, if there are."""

    def candidates_of_each(self, queries: Sequence[Query], wanted: int) -> list[RowIds]:
        """The same of several queries."""

    def cost_ns(self, wanted: int) -> float:
        """About what `candidates` takes with the scoring of what it finds, in nanoseconds of CPU."""


class Part(NamedTuple):
    """Rows that are scored together."""

    keys: Keys
    matrix: Matrix | CompactMatrix
    live: Mask
    live_count: int
    squared: Scores | None
    """Squared lengths of the rows; None under cosine, where all are 1, and of a compact matrix, which has its own."""


class Coded(NamedTuple):
    """A searcher over the rows of a tail from `first` up to `end`."""

    searcher: Searcher
    first: int
    end: int


class IndexState(NamedTuple):
    """What a search reads."""

    spec: IndexSpec
    base: Part
    tail: Part
    searcher: Searcher | None
    """None when the base is searched exactly."""
    generation: str
    """Id of the generation the base came from; empty when it came from none."""
    coded: tuple[Coded, ...] = ()
    """The first rows of the tail in runs, one behind the other; the rows behind them are searched exactly."""

    @property
    def live_count(self) -> int:
        return self.base.live_count + self.tail.live_count

    @property
    def coded_rows(self) -> int:
        """So many rows of the tail, the first ones, are coded."""
        return self.coded[-1].end if self.coded else 0

    def exactly(self) -> "IndexState":
        """The same rows, all of which a search compares."""
        return self._replace(searcher=None, coded=())


class _Tail:
    """Growing arrays. What lies below `count` never changes, so published slices stay valid; growth makes new arrays."""

    def __init__(self, dimension: int, metric: str) -> None:
        self._metric = metric
        self.count = 0
        self.tried = 0
        """Coding has been tried up to this row."""
        self.keys: Keys = np.empty(_FIRST_CAPACITY, dtype=np.int64)
        self.matrix: Matrix = np.empty((_FIRST_CAPACITY, dimension), dtype=np.float32)
        self.squared: Scores | None = None if metric == metrics.COSINE else np.empty(_FIRST_CAPACITY, dtype=np.float32)

    def append(self, rows: Rows) -> range:
        start, end = self.count, self.count + len(rows)
        if end > len(self.keys):
            self._grow(max(end, 2 * len(self.keys)))
        self.keys[start:end] = rows.keys
        self.matrix[start:end] = rows.matrix
        if self.squared is not None:
            self.squared[start:end] = metrics.squared_lengths(rows.matrix)
        self.count = end
        return range(start, end)

    def _grow(self, capacity: int) -> None:
        keys, matrix = np.empty(capacity, dtype=np.int64), np.empty((capacity, self.matrix.shape[1]), dtype=np.float32)
        keys[: self.count], matrix[: self.count] = self.keys[: self.count], self.matrix[: self.count]
        if self.squared is not None:
            squared = np.empty(capacity, dtype=np.float32)
            squared[: self.count] = self.squared[: self.count]
            self.squared = squared
        self.keys, self.matrix = keys, matrix

    def part(self, live: Mask, live_count: int) -> Part:
        end = self.count
        return Part(self.keys[:end], self.matrix[:end], live, live_count, None if self.squared is None else self.squared[:end])


class DenseIndex:
    """The writer's side of one index. One thread calls the methods; any thread may read `state`."""

    def __init__(self, spec: IndexSpec) -> None:
        self.spec = spec
        self.known_since = 0
        """Changes after this position are remembered file by file; an older base cannot be adopted."""
        self._tail_rows: dict[int, list[int]] = {}
        self._changed_at: dict[int, int] = {}
        self.load(empty_rows(spec.dimension), 0)

    @property
    def state(self) -> IndexState:
        return self._state

    @property
    def dead_count(self) -> int:
        state = self._state
        return len(state.base.keys) + len(state.tail.keys) - state.live_count

    @property
    def lost(self) -> bool:
        """Whether rows could not be read from their generation: the index has to be loaded anew."""
        matrix = self._state.base.matrix
        return isinstance(matrix, CompactMatrix) and matrix.lost

    # -- taking a base ---------------------------------------------------------------------------------

    def load(self, rows: Rows | CompactRows, position: int, searcher: Searcher | None = None, generation: str = "") -> None:
        """Start from these rows, true at `position`; everything else is forgotten. Rows are prepared for the metric."""
        spec = self.spec
        plain = None if isinstance(rows, CompactRows) or spec.metric == metrics.COSINE else rows.matrix
        squared = None if plain is None else metrics.squared_lengths(plain)
        base = Part(rows.keys, rows.matrix, np.ones(len(rows), dtype=np.bool_), len(rows), squared)
        self._tail = _Tail(spec.dimension, spec.metric)
        self._tail_rows = {}
        self._changed_at = {}
        self.known_since = position
        tail = self._tail.part(np.empty(0, dtype=np.bool_), 0)
        self._state = IndexState(spec, base, tail, searcher, generation)

    @property
    def tail(self) -> object:
        """Which tail the state has: another one after every base that was taken. Rows keep their places in one tail."""
        return self._tail

    @property
    def tail_matrix(self) -> Matrix:
        """The vectors of all rows of the tail."""
        return self._tail.matrix[: self._tail.count]

    @property
    def coding_tried(self) -> int:
        """So far coding the rows of the tail has been tried, with or without success."""
        return self._tail.tried

    def adopt_codes(self, tail: object, searcher: Searcher | None, rows: range) -> bool:
        """Search these rows of this tail with this searcher from now on; None when they could not be coded. They follow a run
        that stays, or are the first.

        False when nothing changes for a search, or the index has another tail by now.
        """
        if tail is not self._tail:
            return False
        self._tail.tried = rows.stop
        if searcher is None:
            return False
        before = tuple(run for run in self._state.coded if run.end <= rows.start)
        self._state = self._state._replace(coded=(*before, Coded(searcher, rows.start, rows.stop)))
        return True

    def adopt(self, rows: Rows | CompactRows, position: int, searcher: Searcher | None, generation: str) -> bool:
        """Take a generation that was read at `position` and put the changes since then on top of it.

        False, and nothing happens, when the changes since then are not known any more. Searches see the old state until the new
        one is complete.
        """
        if position < self.known_since:
            return False
        later = {ino: at for ino, at in self._changed_at.items() if at > position}
        successor = DenseIndex(self.spec)
        successor.load(rows, position, searcher, generation)
        # All at once: one by one, ten thousand of them would keep the interpreter from searches for 0.4 s.
        files = np.array(sorted(later), dtype=np.int64)
        replaced = rows_of_files(successor.state.base.keys, files).tolist()
        successor._publish(replaced, [], [self._rows_of_many(files)])
        successor._changed_at = later
        self._tail, self._tail_rows = successor._tail, successor._tail_rows
        self._changed_at, self.known_since = successor._changed_at, successor.known_since
        self._state = successor._state
        return True

    def demote(self) -> None:
        """Stop using the generation: the rows that the index has are searched exactly from now on."""
        self._state = self._state._replace(searcher=None, generation="")

    def compact(self, position: int) -> None:
        """Make one base of all live rows, true at `position`: for an index that is too small for a generation."""
        self.load(self.live_rows(), position)

    # -- following changes -----------------------------------------------------------------------------

    def apply(self, changed: Mapping[int, Rows], position: int) -> None:
        """What the rows of these files are at `position` (none: the file left the index). One new state for all of them."""
        removed_base: list[int] = []
        removed_tail: list[int] = []
        added: list[Rows] = []
        self._changed_at.update(dict.fromkeys(changed, position))
        known = self._known(changed)
        for ino, rows in changed.items():
            if ino not in known:
                if len(rows):
                    added.append(rows)
                continue
            kept = self._remove_outdated(ino, rows, removed_base, removed_tail)
            if len(kept) < len(rows):
                fresh = np.array([key not in kept for key in rows.keys.tolist()], dtype=np.bool_)
                added.append(Rows(rows.keys[fresh], rows.matrix[fresh]))
        self._publish(removed_base, removed_tail, added)

    def _known(self, inos: Iterable[int]) -> set[int]:
        """Those of the files that have, or had, rows in this state."""
        asked = np.fromiter(inos, np.int64)
        low, high = spans_of(self._state.base.keys, asked)
        return set(asked[low < high].tolist()).union(self._tail_rows.keys() & set(asked.tolist()))

    def _remove_outdated(self, ino: int, rows: Rows, removed_base: list[int], removed_tail: list[int]) -> set[int]:
        """Mark the file's rows that are gone or different; answers the keys that stand as they should."""
        wanted = {key: place for place, key in enumerate(rows.keys.tolist())}
        kept: set[int] = set()
        state = self._state
        span = span_of(state.base.keys, ino)
        in_base = [(row, state.base, removed_base) for row in range(span.start, span.stop)]
        in_tail = [(row, state.tail, removed_tail) for row in self._tail_rows.get(ino, ())]
        for row, part, removed in in_base + in_tail:
            if not part.live[row]:
                continue
            key = int(part.keys[row])
            place = wanted.get(key)
            if place is not None and key not in kept and np.array_equal(part.matrix[row], rows.matrix[place]):
                kept.add(key)
            else:
                removed.append(row)
        return kept

    def _publish(self, removed_base: list[int], removed_tail: list[int], added: list[Rows]) -> None:
        if not removed_base and not removed_tail and not added:
            return
        state = self._state
        base = state.base
        if removed_base:
            live = base.live.copy()
            live[removed_base] = False
            base = base._replace(live=live, live_count=base.live_count - len(removed_base))
        before = self._tail.count
        if added:
            keys = np.concatenate([rows.keys for rows in added])
            appended = self._tail.append(Rows(keys, np.concatenate([rows.matrix for rows in added])))
            for row, ino in zip(appended, files_of(keys).tolist(), strict=True):
                self._tail_rows.setdefault(ino, []).append(row)
        live = np.ones(self._tail.count, dtype=np.bool_)
        live[:before] = state.tail.live
        live[removed_tail] = False
        live_count = state.tail.live_count - len(removed_tail) + self._tail.count - before
        self._state = state._replace(base=base, tail=self._tail.part(live, live_count))

    # -- reading back ----------------------------------------------------------------------------------

    def has(self, ino: int) -> bool:
        """Whether the file has a live row."""
        state = self._state
        in_base = bool(state.base.live[span_of(state.base.keys, ino)].any())
        return in_base or any(state.tail.live[row] for row in self._tail_rows.get(ino, ()))

    def rows_of(self, ino: int) -> Rows:
        """The live rows of one file."""
        state = self._state
        span = span_of(state.base.keys, ino)
        base = np.flatnonzero(state.base.live[span]) + span.start
        tail = np.array([row for row in self._tail_rows.get(ino, ()) if state.tail.live[row]], dtype=np.int64)
        return _sorted_rows(state, base, tail)

    def _rows_of_many(self, files: Keys) -> Rows:
        """The live rows of these files, which ascend."""
        state = self._state
        base = rows_of_files(state.base.keys, files)
        tail = np.flatnonzero(state.tail.live & contains(files, files_of(state.tail.keys)))
        return _sorted_rows(state, base[state.base.live[base]], tail)

    def live_rows(self) -> Rows:
        """All live rows, sorted by key."""
        state = self._state
        return _sorted_rows(state, np.flatnonzero(state.base.live), np.flatnonzero(state.tail.live))


def _sorted_rows(state: IndexState, base: RowIds, tail: RowIds) -> Rows:
    keys = np.concatenate([state.base.keys[base], state.tail.keys[tail]])
    matrix = np.concatenate([state.base.matrix[base], state.tail.matrix[tail]])
    order = np.argsort(keys, kind="stable")
    return Rows(keys[order], matrix[order])
