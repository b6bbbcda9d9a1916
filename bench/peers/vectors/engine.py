"""The interface of all engines: rows in, questions prepared beforehand, ids out.

A row has a whole number as id, a vector of length 1, and some whole numbers by name to filter by. Nearness is the cosine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
K = 10


class Condition(NamedTuple):
    """Only rows whose number `name` is `value`."""

    name: str
    value: int


class Rows(NamedTuple):
    """Rows with the ids first, first + 1, …"""

    first: int
    vectors: Vectors
    numbers: Mapping[str, NDArray[np.int64]]

    @property
    def ids(self) -> list[int]:
        return list(range(self.first, self.first + len(self.vectors)))

    def numbers_of(self, place: int) -> dict[str, int]:
        return {name: int(values[place]) for name, values in self.numbers.items()}


class Place(NamedTuple):
    """Where an engine works: an empty folder, the dimension of vectors, the names of numbers, how many rows at most."""

    folder: Path
    dimension: int
    names: Sequence[str]
    rows_max: int


class Engine(Protocol):
    """A database or library, opened on an empty folder. Any thread calls `search`, one at a time everything else."""

    about: dict[str, str]
    """Versions and settings, for the page."""
    efforts: Sequence[int]
    """What its search can be set to, ascending; empty when it has no such setting."""
    recommended: int
    """Of `efforts`, what its makers set or name; 0 when it has none."""
    writes_beside_searches: bool
    """Whether rows may be inserted while other threads search."""

    def insert(self, rows: Rows) -> None:
        """Store new rows; on return they survive a power cut, by what the engine does itself or by `sync_folder`."""

    def build(self) -> None:
        """Whatever is needed so that searches use an index over all rows."""

    def set_effort(self, effort: int) -> None:
        """How thoroughly to search from now on."""

    def prepare(self, vector: Vectors, condition: Condition | None) -> Any:
        """A question as `search` takes it; not timed."""

    def search(self, question: Any) -> list[int]:
        """Ids of the K nearest rows, nearest first."""

    def processes(self) -> list[int]:
        """Processes that belong to the engine and are no descendants of this one."""

    def close(self) -> None:
        """End it."""


def sync_folder(folder: Path) -> None:
    """fsync of every file and folder below: for engines that leave that to their user."""
    for parent, _, names in os.walk(folder):
        for path in [*(Path(parent) / name for name in names), Path(parent)]:
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                continue
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
