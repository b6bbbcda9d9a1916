"""Filters over many files at once: attributes and metadata as columns. Which files of a whole index pass?

Used by `facts`, which keeps a table up to date, when a filter is so selective that looking at likely hits brings too little. A
table holds the facts of a set of files as they were read; a column of a metadata key is made when a filter first asks for it,
and changed with the files, so that other filters over the same files cost microseconds where reading rows costs 5 µs a file. It
means what `filters.compile` means; a test holds one against the other. One thread at a time.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vexfs.core import filters
from vexfs.core.filters import (
    All,
    AnyOf,
    Compiled,
    CreatedTime,
    Equals,
    Exists,
    Filter,
    Group,
    Kind,
    Metadata,
    ModifiedTime,
    Name,
    Not,
    OneOf,
    Owner,
    Prefix,
    Range,
    SizeBytes,
)
from vexfs.core.search.growing import Growing
from vexfs.core.types import Ino
from vexfs.store.reader import Reader
from vexfs.views.dense.rows import Keys, Mask, contains, marked

_BATCH_FILES = 500
_FILE_TYPE = 0o170000
_VALUES_SLACK = 1_000


_NO_CODE = -1
"""Of a value that is no file's any more."""


class _Column:
    """The values at one metadata key, each with the place of its file in the table; a file can have several."""

    def __init__(self, key: str) -> None:
        self._keys = key.split(".")
        self._present: Growing[np.bool_] = Growing(np.bool_)
        # Half as long as other integers here: equality with a code reads all of them, most of what a known filter costs.
        self._places: Growing[np.int32] = Growing(np.int32)
        self._codes: Growing[np.int32] = Growing(np.int32)
        self._numbers: Growing[np.float64] = Growing(np.float64)
        self._gone = 0
        self.code_of: dict[Any, int] = {}
        """Numbers of scalar values; only ever grows."""

    @property
    def present(self) -> Mask:
        """By place: whether the key leads to anything."""
        return self._present.values

    @property
    def places(self) -> NDArray[np.int32]:
        return self._places.values

    @property
    def codes(self) -> NDArray[np.int32]:
        """The number that stands for the value, in `code_of`; _NO_CODE if its file has it no more."""
        return self._codes.values

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The value if it is a number, else NaN, which no comparison holds for."""
        return self._numbers.values

    @property
    def is_stale(self) -> bool:
        """Whether most of the values, or of those that have a number, are those of no file any more."""
        live = len(self.places) - self._gone
        return max(len(self.code_of) - live, self._gone) > live + _VALUES_SLACK

    def put(self, metadata: Sequence[Any], changed: NDArray[np.int64]) -> None:
        """Take in what the files at these places have now, some of which may be new; `metadata` is that of all places."""
        before = len(self.present)
        self._present.append(np.zeros(len(metadata) - before, dtype=np.bool_))
        self._remove(changed[changed < before])
        places: list[int] = []
        codes: list[int] = []
        numbers: list[float] = []
        for place in changed.tolist():
            for found in filters.values_at(metadata[place], self._keys):
                self.present[place] = True
                for value in filters.elements(found):
                    if isinstance(value, dict):
                        continue
                    places.append(place)
                    codes.append(self.code_of.setdefault(filters.comparable(value), len(self.code_of)))
                    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
                    numbers.append(float(value) if is_number else np.nan)
        self._places.append(np.array(places, dtype=np.int32))
        self._codes.append(np.array(codes, dtype=np.int32))
        self._numbers.append(np.array(numbers, dtype=np.float64))

    def _remove(self, places: NDArray[np.int64]) -> None:
        if not len(places):
            return
        removed = marked(len(self.present), places)
        self.present[places] = False
        gone = np.flatnonzero(removed[self.places] & (self.codes != _NO_CODE))
        self.codes[gone] = _NO_CODE
        self.numbers[gone] = np.nan
        self._gone += len(gone)


class FactsTable:
    """The facts of some files, whose rows are empty until `put` reads them."""

    def __init__(self, inos: Keys, *, with_names: bool) -> None:
        self.with_names = with_names
        """Whether filters on names can be asked."""
        self._inos: Growing[np.int64] = Growing(np.int64)
        self._ascending = True
        self._place_of: dict[int, int] = {}
        self._found: Growing[np.bool_] = Growing(np.bool_)
        self._attributes: tuple[Growing[np.int64], ...] = tuple(Growing(np.int64) for _ in range(6))
        self._metadata: list[Any] = []
        self._names: list[tuple[str, ...]] = []
        self._columns: dict[str, _Column] = {}
        self._extend(inos.tolist())

    def __len__(self) -> int:
        return len(self._inos)

    def __contains__(self, ino: int) -> bool:
        return ino in self._place_of

    def without(self, inos: Keys) -> list[int]:
        """Those of the files that the table does not have."""
        known = self._inos.values if self._ascending else np.sort(self._inos.values)
        lacking: list[int] = inos[~contains(known, inos)].tolist()
        return lacking

    def put(self, view: Reader, inos: Iterable[int]) -> None:
        """Read what these files are in `view`; those that the table has not come to it."""
        wanted = list(dict.fromkeys(inos))
        if not wanted:
            return
        self._extend([ino for ino in wanted if ino not in self._place_of])
        places = np.array([self._place_of[ino] for ino in wanted], dtype=np.int64)
        self._found.values[places] = False
        for place in places.tolist():
            self._metadata[place], self._names[place] = {}, ()
        for start in range(0, len(wanted), _BATCH_FILES):
            self._fill(view, [Ino(ino) for ino in wanted[start : start + _BATCH_FILES]])
        self._columns = {key: column for key, column in self._columns.items() if not column.is_stale}
        for column in self._columns.values():
            column.put(self._metadata, places)

    def passing(self, compiled: Compiled) -> Keys:
        """The files that pass, ascending."""
        passed: Keys = self._inos.values[self._mask(compiled.source) & self._found.values]
        return passed if self._ascending else np.sort(passed)

    # -- inside ----------------------------------------------------------------------------------------

    def _extend(self, inos: Sequence[int]) -> None:
        """Make room for files that the table does not have."""
        if not inos:
            return
        before, count = len(self._inos), len(inos)
        self._place_of.update((ino, place) for place, ino in enumerate(inos, before))
        self._inos.append(np.array(inos, dtype=np.int64))
        self._ascending = self._ascending and bool(np.all(np.diff(self._inos.values[max(0, before - 1) :]) > 0))
        self._found.append(np.zeros(count, dtype=np.bool_))
        for attribute in self._attributes:
            attribute.append(np.zeros(count, dtype=np.int64))
        self._metadata += [{}] * count
        self._names += [()] * count

    def _fill(self, view: Reader, inos: Sequence[Ino]) -> None:
        asked = Compiled(All(()), lambda _: True, needs_metadata=True, needs_names=self.with_names)
        places, rows = [], []
        for node, metadata, names in filters.read(view, inos, asked):
            place = self._place_of[node.ino]
            places.append(place)
            rows.append((node.size_bytes, node.mtime_ns, node.btime_ns, node.uid, node.gid, node.mode))
            self._metadata[place], self._names[place] = metadata, names
        if places:
            self._found.values[places] = True
            for attribute, values in zip(self._attributes, np.array(rows, dtype=np.int64).T, strict=True):
                attribute.values[places] = values

    def _mask(self, node: Filter) -> Mask:
        if isinstance(node, All):
            every: Mask = np.logical_and.reduce([self._mask(child) for child in node.filters])
            return every
        if isinstance(node, AnyOf):
            some: Mask = np.logical_or.reduce([self._mask(child) for child in node.filters])
            return some
        if isinstance(node, Not):
            return ~self._mask(node.filter)
        if isinstance(node, Metadata):
            return self._metadata_mask(node)
        return self._attribute_mask(node)

    def _attribute_mask(self, node: SizeBytes | ModifiedTime | CreatedTime | Name | Owner | Group | Kind) -> Mask:
        size, mtime, btime, uid, gid, mode = (attribute.values for attribute in self._attributes)
        if isinstance(node, SizeBytes):
            return _within(size, node.range)
        if isinstance(node, (ModifiedTime, CreatedTime)):
            times = mtime if isinstance(node, ModifiedTime) else btime
            mask: Mask = np.ones(len(times), dtype=np.bool_)
            if node.from_ns is not None:
                mask &= times >= node.from_ns
            if node.until_ns is not None:
                mask &= times < node.until_ns
            return mask
        if isinstance(node, Name):
            matches = filters.name_test(node.pattern)
            return np.array([any(map(matches, names)) for names in self._names], dtype=np.bool_)
        if isinstance(node, Kind):
            same: Mask = (mode & _FILE_TYPE) == node.file_type
            return same
        owned: Mask = uid == node.uid if isinstance(node, Owner) else gid == node.gid
        return owned

    def _metadata_mask(self, node: Metadata) -> Mask:
        column = self._column(node.key)
        test = node.test
        if isinstance(test, Exists):
            return column.present if test.wanted else ~column.present
        if isinstance(test, Range):
            return marked(len(self), column.places[_within(column.numbers, test)])
        if isinstance(test, Prefix):
            wanted = [code for value, code in column.code_of.items() if isinstance(value, str) and value.startswith(test.text)]
        else:
            values = test.values if isinstance(test, OneOf) else (test.value,) if isinstance(test, Equals) else ()
            wanted = [code for value in values if (code := column.code_of.get(filters.comparable(value))) is not None]
        same = column.codes == wanted[0] if len(wanted) == 1 else np.isin(column.codes, wanted)
        return marked(len(self), column.places[same])

    def _column(self, key: str) -> _Column:
        column = self._columns.get(key)
        if column is None:
            column = self._columns[key] = _Column(key)
            column.put(self._metadata, np.arange(len(self)))
        return column


def _within(values: NDArray[Any], bounds: Range) -> Mask:
    mask: Mask = np.ones(len(values), dtype=np.bool_)
    if bounds.gt is not None:
        mask &= values > bounds.gt
    if bounds.gte is not None:
        mask &= values >= bounds.gte
    if bounds.lt is not None:
        mask &= values < bounds.lt
    if bounds.lte is not None:
        mask &= values <= bounds.lte
    return mask
