"""Qdrant's own engine as a library: HNSW over segments, a write-ahead log, indexes of payload fields."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import qdrant_edge as qdrant

from bench.peers.vectors.engine import Condition, K, Place, Rows, Vectors


class QdrantEdge:
    efforts = (16, 32, 48, 64, 80, 100, 128, 192, 256, 384, 512)
    recommended = 100
    writes_beside_searches = True

    def __init__(self, place: Place) -> None:
        vectors = qdrant.EdgeVectorParams(size=place.dimension, distance=qdrant.Distance.Cosine)
        self._shard = qdrant.EdgeShard.create(str(place.folder), qdrant.EdgeConfig(vectors=vectors))
        for name in place.names:
            self._shard.update(qdrant.UpdateOperation.create_field_index(name, qdrant.PayloadSchemaType.Integer))
        self._parameters = qdrant.SearchParams(hnsw_ef=self.recommended)
        self.about = {
            "version": metadata.version("qdrant-edge-py"),
            "settings": "its defaults (HNSW m 16, ef_construct 100, hnsw_ef 100), numbers indexed; optimize() after the load, "
            "not while rows come in",
            "durable": "flush() after each batch",
        }

    def insert(self, rows: Rows) -> None:
        points = [
            qdrant.Point(number, vector, rows.numbers_of(place))
            for place, (number, vector) in enumerate(zip(rows.ids, rows.vectors.tolist(), strict=True))
        ]
        self._shard.update(qdrant.UpdateOperation.upsert_points(points))
        self._shard.flush()

    def build(self) -> None:
        self._shard.optimize()

    def set_effort(self, effort: int) -> None:
        self._parameters = qdrant.SearchParams(hnsw_ef=effort)

    def prepare(self, vector: Vectors, condition: Condition | None) -> Any:
        chosen = None
        if condition is not None:
            match = qdrant.FieldCondition(condition.name, match=qdrant.MatchValue(condition.value))
            chosen = qdrant.Filter(must=[match])
        query = qdrant.Query.Nearest(vector.tolist())
        return qdrant.SearchRequest(query=query, limit=K, filter=chosen, params=self._parameters)

    def search(self, question: Any) -> list[int]:
        return [point.id for point in self._shard.search(question)]

    def processes(self) -> list[int]:
        return []

    def close(self) -> None:
        self._shard.close()
