"""LanceDB, embedded: columns in versioned files, an IVF index whose partitions are HNSW graphs over 8-bit vectors."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import lancedb
import pyarrow as pa
from lancedb.index import HnswSq

from bench.peers.vectors.engine import Condition, K, Place, Rows, Vectors, sync_folder


class Lance:
    efforts = (1, 2, 4, 8, 16, 32)
    """How many partitions are searched; `refine_factor` and `ef` grow with it."""
    recommended = 8
    writes_beside_searches = True

    def __init__(self, place: Place) -> None:
        self._place = place
        fields = [pa.field("id", pa.int64()), pa.field("vector", pa.list_(pa.float32(), place.dimension))]
        fields += [pa.field(name, pa.int64()) for name in place.names]
        self._schema = pa.schema(fields)
        self._table = lancedb.connect(str(place.folder)).create_table("bench", schema=self._schema)
        self._effort = self.recommended
        self.about = {
            "version": metadata.version("lancedb"),
            "settings": "index IVF_HNSW_SQ with its defaults, cosine, refine_factor 5, a bitmap index on each number",
            "durable": "fsync of its folder after each batch, by the benchmark",
        }

    def insert(self, rows: Rows) -> None:
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.vectors.ravel()), self._place.dimension)
        columns = [pa.array(rows.ids, pa.int64()), vectors, *(pa.array(rows.numbers[name]) for name in self._place.names)]
        self._table.add(pa.Table.from_arrays(columns, schema=self._schema))
        sync_folder(self._place.folder)

    def build(self) -> None:
        self._table.optimize()
        self._table.create_index("vector", config=HnswSq(distance_type="cosine"))
        for name in self._place.names:
            self._table.create_scalar_index(name, index_type="BITMAP")
        sync_folder(self._place.folder)

    def set_effort(self, effort: int) -> None:
        self._effort = effort

    def prepare(self, vector: Vectors, condition: Condition | None) -> Any:
        return vector, None if condition is None else f"{condition.name} = {condition.value}"

    def search(self, question: Any) -> list[int]:
        vector, where = question
        query = self._table.search(vector).distance_type("cosine").nprobes(self._effort).refine_factor(5)
        if where is not None:
            query = query.where(where)
        found: list[int] = query.limit(K).select(["id", "_distance"]).to_arrow()["id"].to_pylist()
        return found

    def processes(self) -> list[int]:
        return []

    def close(self) -> None:
        pass
