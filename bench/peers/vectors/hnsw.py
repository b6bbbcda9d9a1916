"""hnswlib: the graph alone, in memory. A library, no database: durable when its file is written and synced."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import hnswlib
import numpy as np
from numpy.typing import NDArray

from bench.peers.vectors.engine import Condition, K, Place, Rows, Vectors, sync_folder


class Hnswlib:
    efforts = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    recommended = 48
    writes_beside_searches = False

    def __init__(self, place: Place) -> None:
        self._place = place
        self._index = hnswlib.Index(space="cosine", dim=place.dimension)
        self._index.init_index(max_elements=place.rows_max, ef_construction=200, M=16)
        self._index.set_num_threads(1)
        self._index.set_ef(self.recommended)
        self._numbers: dict[str, NDArray[np.int64]] = {name: np.full(place.rows_max, -1, np.int64) for name in place.names}
        self.about = {
            "version": metadata.version("hnswlib"),
            "settings": "M 16, ef_construction 200, ef 48; it filters by asking back for every candidate",
            "durable": "nothing until the whole is saved and synced at the end of the build",
        }

    def insert(self, rows: Rows) -> None:
        self._index.add_items(rows.vectors, rows.ids, num_threads=1)
        for name, values in rows.numbers.items():
            self._numbers[name][rows.first : rows.first + len(values)] = values

    def build(self) -> None:
        """The graph is there already; now it becomes durable."""
        self._index.save_index(str(self._place.folder / "index"))
        sync_folder(self._place.folder)

    def set_effort(self, effort: int) -> None:
        self._index.set_ef(effort)

    def prepare(self, vector: Vectors, condition: Condition | None) -> Any:
        if condition is None:
            return vector, None, K
        passing = self._numbers[condition.name] == condition.value
        return vector, passing.tolist().__getitem__, min(K, int(passing.sum()))

    def search(self, question: Any) -> list[int]:
        vector, passes, count = question
        try:
            found, _ = self._index.knn_query(vector, k=count, num_threads=1, filter=passes)
        except RuntimeError:
            return []  # it found fewer than were asked for, and gives none then
        ids: list[int] = found[0].tolist()
        return ids

    def processes(self) -> list[int]:
        return []

    def close(self) -> None:
        pass
