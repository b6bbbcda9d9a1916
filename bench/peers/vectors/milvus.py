"""Milvus Lite through pymilvus, which starts it: segments in Parquet files, a FAISS index a segment."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from pymilvus import DataType, MilvusClient

from bench.peers.vectors.engine import Condition, K, Place, Rows, Vectors, sync_folder


class Milvus:
    efforts = (16, 32, 48, 64, 80, 100, 128, 192, 256, 384, 512)
    recommended = 64
    writes_beside_searches = True

    def __init__(self, place: Place) -> None:
        self._place = place
        self._client = MilvusClient(str(place.folder / "bench.db"))
        schema = MilvusClient.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=place.dimension)
        for name in place.names:
            schema.add_field(name, DataType.INT64)
        self._client.create_collection("bench", schema=schema)
        self._effort = self.recommended
        self.about = {
            "version": f"milvus-lite {metadata.version('milvus-lite')}, pymilvus {metadata.version('pymilvus')}",
            "settings": "HNSW M 16, efConstruction 200, cosine, an INVERTED index on each number, flush() after the load",
            "durable": "fsync of its folder after each batch, by the benchmark",
        }

    def insert(self, rows: Rows) -> None:
        points = [
            {"id": number, "vector": rows.vectors[place], **rows.numbers_of(place)} for place, number in enumerate(rows.ids)
        ]
        self._client.insert("bench", points)
        sync_folder(self._place.folder)

    def build(self) -> None:
        self._client.flush("bench")
        indexes = self._client.prepare_index_params()
        parameters = {"M": 16, "efConstruction": 200}
        indexes.add_index("vector", index_type="HNSW", metric_type="COSINE", params=parameters)
        for name in self._place.names:
            indexes.add_index(name, index_type="INVERTED")
        self._client.create_index("bench", indexes)
        self._client.load_collection("bench")

    def set_effort(self, effort: int) -> None:
        self._effort = effort

    def prepare(self, vector: Vectors, condition: Condition | None) -> Any:
        return vector.tolist(), "" if condition is None else f"{condition.name} == {condition.value}"

    def search(self, question: Any) -> list[int]:
        vector, chosen = question
        parameters = {"metric_type": "COSINE", "params": {"ef": self._effort}}
        found = self._client.search("bench", data=[vector], filter=chosen, limit=K, search_params=parameters)
        return [hit["id"] for hit in found[0]]

    def processes(self) -> list[int]:
        return []

    def close(self) -> None:
        self._client.close()
