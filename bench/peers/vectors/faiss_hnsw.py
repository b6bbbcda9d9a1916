"""faiss: its HNSW over plain vectors. A library, no database: durable when its file is written and synced."""

from __future__ import annotations

from functools import cache
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from bench.peers.vectors.engine import Condition, K, Place, Rows, Vectors, sync_folder

_NEIGHBOURS, _BUILD_EFFORT = 32, 200


class Faiss:
    efforts = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    recommended = 64
    writes_beside_searches = False

    def __init__(self, place: Place) -> None:
        faiss.omp_set_num_threads(1)
        self._place = place
        self._index = faiss.IndexHNSWFlat(place.dimension, _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = _BUILD_EFFORT
        self._numbers: dict[str, list[NDArray[np.int64]]] = {name: [] for name in place.names}
        self._effort = self.recommended
        self.about = {
            "version": faiss.__version__,
            "settings": f"IndexHNSWFlat {_NEIGHBOURS}, efConstruction {_BUILD_EFFORT}, efSearch 64; is given the ids that pass",
            "durable": "nothing until the whole is saved and synced at the end of the build",
        }

    def insert(self, rows: Rows) -> None:
        self._index.add(rows.vectors)
        for name, values in rows.numbers.items():
            self._numbers[name].append(np.array(values))

    def build(self) -> None:
        """The graph is there already; now it becomes durable."""
        faiss.write_index(self._index, str(self._place.folder / "index"))
        sync_folder(self._place.folder)

    def set_effort(self, effort: int) -> None:
        self._effort = effort

    def prepare(self, vector: Vectors, condition: Condition | None) -> Any:
        chosen = {} if condition is None else {"sel": self._selector(condition)}
        return vector.reshape(1, -1), faiss.SearchParametersHNSW(efSearch=self._effort, **chosen)

    @cache  # noqa: B019 - one engine a process
    def _selector(self, condition: Condition) -> Any:
        passing = np.concatenate(self._numbers[condition.name]) == condition.value
        return faiss.IDSelectorBitmap(np.packbits(passing, bitorder="little"))

    def search(self, question: Any) -> list[int]:
        vector, parameters = question
        _, found = self._index.search(vector, K, params=parameters)
        return [number for number in found[0].tolist() if number >= 0]

    def processes(self) -> list[int]:
        return []

    def close(self) -> None:
        pass
