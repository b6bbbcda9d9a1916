"""The program whose power is cut while a generation is made: `python -m tests.power.building FOLDER` under the recorder.

Its points are committed and never synced by their writer, as those of any process are for a moment; then a generation is built
of them, and marked. Few points: such a generation has no searcher, whose files the recorder cannot see.
"""

import sys
from pathlib import Path

import numpy as np

from vexfs.core import collections, files, points
from vexfs.core.types import ROOT_INO, Collection, CollectionSchema, VectorSpec
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction
from vexfs.views.dense import builder
from vexfs.views.dense.index import IndexSpec

from .recorder import mark

DIMENSION, POINTS = 8, 20


def _make_collection(txn: Transaction) -> Collection:
    directory = files.make_directory(txn, ROOT_INO, b"c", mode=0o40755, uid=0, gid=0)
    schema = CollectionSchema((VectorSpec("v", DIMENSION, "cosine"),), embed_text=False)
    return collections.create(txn, directory.ino, schema)


def main() -> None:
    with Volume.open(Path(sys.argv[1]), "api", create=True) as volume:
        collection = volume.queue.submit("collection", _make_collection).result().value
        assert collection is not None
        vectors = np.random.default_rng(1).standard_normal((POINTS, DIMENSION)).astype("<f4")
        items = [points.PointInput(f"p{place}", {"v": row.tobytes()}) for place, row in enumerate(vectors)]
        volume.queue.submit("points", lambda txn: points.upsert(txn, collection, items), durable=False).result()
        manifest = builder.build(volume, IndexSpec(collection.ino, "v", DIMENSION, "cosine"))
        assert manifest is not None
        mark(b"built")


if __name__ == "__main__":
    main()
