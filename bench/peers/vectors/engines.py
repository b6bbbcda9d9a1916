"""The engines by name, and where each is made. A module is imported when its engine is asked for, as it needs its packages."""

from __future__ import annotations

import importlib
from typing import Any

from bench.peers.vectors.engine import Engine, Place

PEERS = {
    "qdrant-edge": "qdrant_edge:QdrantEdge",
    "chroma": "chroma:Chroma",
    "lancedb": "lance:Lance",
    "pgvector": "pgvector:Pgvector",
    "milvus-lite": "milvus:Milvus",
    "hnswlib": "hnsw:Hnswlib",
    "faiss": "faiss_hnsw:Faiss",
}
VEXFS_CORE = "vexfs-core"
ENGINES = {**PEERS, VEXFS_CORE: "vexfs_core:VexfsCore"}


def open_engine(name: str, place: Place) -> Engine:
    module, _, made = ENGINES[name].partition(":")
    engine: Any = getattr(importlib.import_module(f"bench.peers.vectors.{module}"), made)
    opened: Engine = engine(place)
    return opened
