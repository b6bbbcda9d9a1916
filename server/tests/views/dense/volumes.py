"""Volumes for the tests of the dense view: a real store, a collection, points in it."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vexfs.core import collections, files, points
from vexfs.core.types import ROOT_INO, Collection, CollectionSchema, Ino, Revision, VectorSpec
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction
from vexfs.views.dense.view import DenseView

VECTOR = "v"
T = TypeVar("T")


def write(volume: Volume, operation: Callable[[Transaction], T]) -> T:
    """One durable transaction."""
    return volume.queue.submit("test", operation).result().value


def make_collection(
    volume: Volume, name: bytes, dimension: int, metric: str = "cosine", storage: str = "float32"
) -> Collection:
    directory = write(volume, lambda txn: files.make_directory(txn, ROOT_INO, name, mode=0o40755, uid=0, gid=0))
    schema = CollectionSchema((VectorSpec(VECTOR, dimension, metric, storage),), embed_text=False)
    return write(volume, lambda txn: collections.create(txn, directory.ino, schema))


def put_points(
    volume: Volume,
    collection: Collection,
    vectors: NDArray[np.float32],
    first: int = 0,
    metadata: Iterable[bytes] | None = None,
) -> list[Ino]:
    """One point a row, named p00000, p00001, …; answers their files."""
    payloads = list(metadata) if metadata is not None else [None] * len(vectors)
    items = [
        points.PointInput(f"p{first + place:05}", {VECTOR: row.tobytes()}, payload)
        for place, (row, payload) in enumerate(zip(vectors, payloads, strict=True))
    ]
    inos: list[Ino] = []
    for batch in points.batches(items):
        inos += write(volume, partial(points.upsert, collection=collection, items=batch))
    return inos


def delete_points(volume: Volume, collection: Collection, numbers: Iterable[int]) -> Revision:
    ids = [f"p{number:05}" for number in numbers]
    return volume.queue.submit("test", lambda txn: points.delete(txn, collection, ids)).result().revision


@contextmanager
def running_view(volume: Volume) -> Iterator[DenseView]:
    view = DenseView(volume)
    view.start()
    try:
        yield view
    finally:
        view.stop()


def catch_up(view: DenseView, volume: Volume, timeout_s: float = 30) -> None:
    head = volume.head()
    assert view.wait(lambda: view.revision >= head, time.monotonic() + timeout_s), "the view did not catch up"


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


def new_volume(folder: Path) -> Volume:
    return Volume.open(folder / "volumes" / "main", "api", create=True)
