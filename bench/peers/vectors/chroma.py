"""Chroma, embedded: HNSW in memory over a log in SQLite."""

from __future__ import annotations

from typing import Any

import chromadb
from chromadb.api.shared_system_client import SharedSystemClient
from chromadb.config import Settings

from bench.peers.vectors.engine import Condition, K, Place, Rows, Vectors


class Chroma:
    efforts = (16, 32, 48, 64, 80, 100, 128, 192, 256, 384, 512)
    recommended = 100
    writes_beside_searches = True

    def __init__(self, place: Place) -> None:
        self._place = place
        self._effort = self.recommended
        self._client = self._connect()
        self._collection = self._client.create_collection("bench", configuration={"hnsw": {"space": "cosine"}})
        self.about = {
            "version": chromadb.__version__,
            "settings": "PersistentClient, its defaults (HNSW 16 neighbours, ef_construction 100, ef_search 100), cosine",
            "durable": "its own commit of each batch to SQLite",
        }

    def _connect(self) -> Any:
        return chromadb.PersistentClient(str(self._place.folder), settings=Settings(anonymized_telemetry=False))

    def insert(self, rows: Rows) -> None:
        numbers: list[Any] = [rows.numbers_of(place) for place in range(len(rows.vectors))]
        self._collection.add(ids=[str(number) for number in rows.ids], embeddings=rows.vectors, metadatas=numbers)

    def build(self) -> None:
        """Its index grows with the rows; the first search brings it up to date."""
        self._collection.query(query_embeddings=[[1.0] * self._place.dimension], n_results=1, include=[])

    def set_effort(self, effort: int) -> None:
        """An index that is in memory keeps the effort it was opened with, so the database is opened again."""
        if effort == self._effort:
            return
        self._effort = effort
        self._collection.modify(configuration={"hnsw": {"ef_search": effort}})
        SharedSystemClient.clear_system_cache()
        self._client = self._connect()
        self._collection = self._client.get_collection("bench")

    def prepare(self, vector: Vectors, condition: Condition | None) -> Any:
        return vector, None if condition is None else {condition.name: condition.value}

    def search(self, question: Any) -> list[int]:
        vector, where = question
        found = self._collection.query(query_embeddings=[vector], n_results=K, where=where, include=[])
        return [int(number) for number in found["ids"][0]]

    def processes(self) -> list[int]:
        return []

    def close(self) -> None:
        pass
