"""The core of VexFS in this process: a volume and its search engine, called as functions, without server and network."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

import msgspec

import vexfs
from bench.peers.vectors.engine import Condition, K, Place, Rows, Vectors
from vexfs.core import collections, files, filters, points
from vexfs.core.errors import ViewUnavailable
from vexfs.core.points import PointInput
from vexfs.core.search import SearchEngine, VectorSearch
from vexfs.core.search.queries import Embedder
from vexfs.core.types import ROOT_INO, CollectionSchema, VectorSpec
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

_POLL_S = 0.05
_BUILD_TIMEOUT_S = 3600.0
_SEARCH_TIMEOUT_S = 300.0


class VexfsCore:
    efforts: tuple[int, ...] = ()
    recommended = 0
    writes_beside_searches = True

    def __init__(self, place: Place) -> None:
        self._volume = Volume.open(place.folder / "volume", "bench", create=True)
        self._engine = SearchEngine(self._volume, _no_model)
        self._engine.dense.start()  # without the model: no text is asked here
        self._written = 0
        """The revision of the newest rows: who asks with it finds them, as a writer who reads his own writes does."""

        def make(txn: Transaction) -> Any:
            node = files.make_directory(txn, ROOT_INO, b"bench", mode=0o755, uid=0, gid=0)
            schema = CollectionSchema(vectors=(VectorSpec("v", place.dimension, "cosine"),), embed_text=False)
            return collections.create(txn, node.ino, schema)

        self._collection = self._volume.queue.submit("bench", make).result().value
        self.about = {
            "version": vexfs.__version__,
            "settings": "its defaults",
            "durable": "its own group commit and fdatasync, 250 rows a transaction",
        }

    def insert(self, rows: Rows) -> None:
        items = [
            PointInput(str(number), {"": rows.vectors[place].tobytes()}, msgspec.json.encode(rows.numbers_of(place)))
            for place, number in enumerate(rows.ids)
        ]
        checked = points.validate(self._collection, items)
        waiting: list[Future[Any]] = [
            self._volume.queue.submit("bench", lambda txn, part=part: points.upsert(txn, self._collection, part))  # type: ignore[misc]
            for part in points.batches(checked)
        ]
        for future in waiting:
            self._written = future.result().revision

    def build(self) -> None:
        """Wait until the view has everything and wants no other generation."""
        dense, stored = self._engine.dense, self._volume.head()
        deadline = time.monotonic() + _BUILD_TIMEOUT_S
        dense.wait(lambda: dense.revision >= stored, deadline)
        while any(facts.building for facts in dense.indexes()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no generation within {_BUILD_TIMEOUT_S:.0f} s")
            time.sleep(_POLL_S)

    def set_effort(self, effort: int) -> None:
        del effort

    def prepare(self, vector: Vectors, condition: Condition | None) -> Any:
        chosen = None if condition is None else filters.Metadata(condition.name, filters.Equals(condition.value))
        return VectorSearch(self._collection.ino, vector.tobytes(), "v", K, filter=chosen), self._written

    def search(self, question: Any) -> list[int]:
        wanted, revision = question
        answer = self._engine.search_vectors(wanted, min_revision=revision, deadline_s=time.monotonic() + _SEARCH_TIMEOUT_S)
        return [int(hit.path.rpartition(b"/")[2]) for hit in answer.hits]

    def processes(self) -> list[int]:
        return []

    def close(self) -> None:
        self._engine.stop()
        self._volume.close()


def _no_model() -> Embedder:
    raise ViewUnavailable("no question of text is asked here")
