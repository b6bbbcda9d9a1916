"""Filters over many files at once: attributes and metadata as columns. Which files of a whole index pass?

Used by the matcher when a filter is so selective that looking at likely hits brings too little. A table holds the facts of a
set of files as they were read; a column of a metadata key is made when a filter first asks for it, so that other filters over
the same files cost microseconds where reading the rows costs 5 µs a file. It means what `filters.compile` means; a test holds
one against the other. A table is filled by one thread and read by several; making a column twice does no harm.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

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
    Facts,
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
from vexfs.core.types import Ino
from vexfs.store.reader import Reader
from vexfs.views.dense.rows import Keys, Mask

_PAGE_FILES = 2_000
_FILE_TYPE = 0o170000

OpenView = Callable[[], AbstractContextManager[Reader]]


class _Column(NamedTuple):
    """The values at one metadata key, by the places of their files in the table; a file can have several."""

    present: Mask
    places_of: dict[Any, NDArray[np.int64]]
    """Files by scalar value."""
    number_places: NDArray[np.int64]
    numbers: NDArray[np.float64]


class FactsTable:
    """The facts of some files, read in short pages."""

    def __init__(self, open_view: OpenView, inos: Keys) -> None:
        self.inos = inos
        self._found = np.zeros(len(inos), dtype=np.bool_)
        self._attributes = np.zeros((6, len(inos)), dtype=np.int64)
        self._metadata: list[Any] = [{}] * len(inos)
        self._names: list[tuple[str, ...]] | None = None
        self._columns: dict[str, _Column] = {}
        self._open_view = open_view
        for place, facts in self._read(metadata=True, names=False):
            node = facts.node
            self._found[place] = True
            self._attributes[:, place] = (node.size_bytes, node.mtime_ns, node.btime_ns, node.uid, node.gid, node.mode)
            self._metadata[place] = facts.metadata

    def _read(self, *, metadata: bool, names: bool) -> Iterator[tuple[int, Facts]]:
        """The facts of all files that exist, each with its place in the table."""
        asked = Compiled(All(()), lambda _: True, needs_metadata=metadata, needs_names=names)
        for start in range(0, len(self.inos), _PAGE_FILES):
            page = [Ino(ino) for ino in self.inos[start : start + _PAGE_FILES].tolist()]
            with self._open_view() as view:
                found = {facts.node.ino: facts for facts in filters.read(view, page, asked)}
            for place, ino in enumerate(page, start):
                if ino in found:
                    yield place, found[ino]

    def _all_names(self) -> list[tuple[str, ...]]:
        if self._names is None:
            names: list[tuple[str, ...]] = [()] * len(self.inos)
            for place, facts in self._read(metadata=False, names=True):
                names[place] = facts.names
            self._names = names
        return self._names

    def passing(self, compiled: Compiled) -> Keys:
        """The files that pass, ascending."""
        passed: Keys = self.inos[self._mask(compiled.source) & self._found]
        return passed

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
        size, mtime, btime, uid, gid, mode = self._attributes
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
            return np.array([any(map(matches, names)) for names in self._all_names()], dtype=np.bool_)
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
            return self._marked(column.number_places[_within(column.numbers, test)])
        if isinstance(test, Prefix):
            wanted = [value for value in column.places_of if isinstance(value, str) and value.startswith(test.text)]
        else:
            values = test.values if isinstance(test, OneOf) else (test.value,) if isinstance(test, Equals) else ()
            wanted = list(map(filters.comparable, values))
        none = np.empty(0, dtype=np.int64)
        return self._marked(np.concatenate([none, *(column.places_of.get(value, none) for value in wanted)]))

    def _marked(self, places: NDArray[np.int64]) -> Mask:
        mask = np.zeros(len(self.inos), dtype=np.bool_)
        mask[places] = True
        return mask

    def _column(self, key: str) -> _Column:
        if key not in self._columns:
            self._columns[key] = self._make_column(key.split("."))
        return self._columns[key]

    def _make_column(self, keys: Sequence[str]) -> _Column:
        present = np.zeros(len(self.inos), dtype=np.bool_)
        places_of: dict[Any, list[int]] = {}
        numbers: list[tuple[int, float]] = []
        for place, document in enumerate(self._metadata):
            for found in filters.values_at(document, keys):
                present[place] = True
                for value in filters.elements(found):
                    if isinstance(value, dict):
                        continue
                    places_of.setdefault(filters.comparable(value), []).append(place)
                    if isinstance(value, (int, float)) and not isinstance(value, bool):
                        numbers.append((place, float(value)))
        return _Column(
            present,
            {value: np.array(places, dtype=np.int64) for value, places in places_of.items()},
            np.array([place for place, _ in numbers], dtype=np.int64),
            np.array([number for _, number in numbers], dtype=np.float64),
        )


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
