"""Collections: schemas, and which one a file belongs to."""

import numpy as np
import pytest

from vexfs.core import collections, files, paths, points
from vexfs.core.errors import (
    CollectionExists,
    CollectionNotFound,
    InvalidSchema,
    NotADirectory,
    NotFound,
    VectorsDoNotFit,
)
from vexfs.core.types import CHANGE_COLLECTION, DIMENSION_MAX, ROOT_INO, Change, CollectionSchema, Ino, VectorSpec
from vexfs.store import versioned

from .helpers import Bench

ABSENT = Ino(1 << 40)
SCHEMA = CollectionSchema((VectorSpec("v", 2, "cosine"), VectorSpec("w", 3, "dot")), embed_text=False)


def collection(bench: Bench, name: bytes, parent: Ino | None = None, schema: CollectionSchema = SCHEMA) -> Ino:
    directory = bench.directory(name, parent)
    bench.do(lambda txn: collections.create(txn, directory.ino, schema))
    return directory.ino


def point(bench: Bench, at: Ino, name: str) -> Ino:
    item = points.PointInput(name, {"v": np.ones(2, "<f4").tobytes()})
    return bench.do(lambda txn: points.upsert(txn, collections.get(txn, at), [item]))[0]


def schema(*vectors: tuple[str, int, str] | tuple[str, int, str, str]) -> CollectionSchema:
    return CollectionSchema(tuple(VectorSpec(*vector) for vector in vectors), embed_text=True)


@pytest.mark.parametrize(
    "declared",
    [
        schema(),
        schema(("v", 1, "dot")),
        schema(("v", 1, "dot", "float32"), ("w", 1, "dot", "bfloat16"), ("x", 1, "dot", "int8")),
        schema(("v", DIMENSION_MAX, "euclidean"), ("ü" * 32, 1, "cosine")),
        schema(*((f"v{n}", 2, "dot") for n in range(16))),
    ],
)
def test_a_schema_is_kept_as_declared(bench: Bench, declared: CollectionSchema) -> None:
    directory = bench.directory(b"directory")
    created = bench.do(lambda txn: collections.create(txn, directory.ino, declared))
    assert (
        created
        == collections.get(bench.view, directory.ino)
        == collections.Collection(directory.ino, declared, created.revision)
    )
    assert created in collections.list_all(bench.view)
    path = paths.path_of(bench.view, directory.ino)
    assert path is not None
    assert collections.resolve(bench.view, paths.parse(path)) == created
    head = bench.commit()
    assert bench.volume.tail.read(head - 1)[0].changes == (Change(CHANGE_COLLECTION, directory.ino),)


@pytest.mark.parametrize(
    "declared",
    [
        schema(("v", 0, "dot")),
        schema(("v", -1, "dot")),
        schema(("v", DIMENSION_MAX + 1, "dot")),
        schema(("v", 2, "manhattan")),
        schema(("v", 2, "")),
        schema(("v", 2, "dot", "float8")),
        schema(("v", 2, "dot", "")),
        schema(("", 2, "dot")),
        schema(("ü" * 33, 2, "dot")),
        schema(("v", 2, "dot"), ("v", 3, "dot")),
        schema(*((f"v{n}", 2, "dot") for n in range(17))),
    ],
)
def test_a_schema_outside_the_limits_is_refused(bench: Bench, declared: CollectionSchema) -> None:
    directory = bench.directory(b"directory")
    bench.refused(InvalidSchema, lambda txn: collections.create(txn, directory.ino, declared))


def test_a_schema_that_was_stored_before_there_was_a_choice_of_storage_means_float32(bench: Bench) -> None:
    directory = bench.directory(b"directory")
    stored = '[[["v",2,"dot"]],false]'
    bench.do(lambda txn: versioned.put_schema(txn, directory.ino, stored, born=txn.revision))
    found = collections.get(bench.view, directory.ino).schema
    assert found == CollectionSchema((VectorSpec("v", 2, "dot", "float32"),), embed_text=False)


def test_only_a_directory_without_a_schema_becomes_a_collection(bench: Bench) -> None:
    node = bench.file(b"file")
    here = collection(bench, b"here")
    bench.refused(NotADirectory, lambda txn: collections.create(txn, node.ino, SCHEMA))
    bench.refused(NotFound, lambda txn: collections.create(txn, ABSENT, SCHEMA))
    bench.refused(CollectionExists, lambda txn: collections.create(txn, here, SCHEMA))
    bench.refused(CollectionNotFound, lambda txn: collections.get(txn, bench.home))
    bench.refused(NotFound, lambda txn: collections.resolve(txn, (b"absent",)))


def test_a_file_belongs_to_the_nearest_ancestor_with_a_schema(bench: Bench) -> None:
    outer = collection(bench, b"outer")
    plain = bench.directory(b"plain", outer)
    inner = collection(bench, b"inner", plain.ino)
    cases = {
        bench.file(b"top").ino: ROOT_INO,
        bench.file(b"a", parent=outer).ino: outer,
        bench.file(b"b", parent=plain.ino).ino: outer,
        bench.file(b"c", parent=inner).ino: inner,
        outer: outer,
        plain.ino: outer,
        ROOT_INO: ROOT_INO,
        ABSENT: ROOT_INO,
    }
    assert {ino: collections.owner_of(bench.view, ino).ino for ino in cases} == cases
    assert collections.owner_of(bench.view, bench.home).schema == CollectionSchema((), embed_text=True)
    assert collections.get(bench.view, ROOT_INO) == collections.Collection(ROOT_INO, CollectionSchema((), True), 0)


def test_the_root_can_be_declared_and_taken_back(bench: Bench) -> None:
    bench.do(lambda txn: collections.create(txn, ROOT_INO, SCHEMA))
    assert collections.owner_of(bench.view, bench.home).schema == SCHEMA
    assert collections.resolve(bench.view, ()).schema == SCHEMA
    bench.do(lambda txn: collections.delete(txn, ROOT_INO))
    assert collections.owner_of(bench.view, bench.home).schema == CollectionSchema((), embed_text=True)


def test_a_schema_goes_only_when_no_vectors_are_left(bench: Bench) -> None:
    here = collection(bench, b"here")
    below = bench.directory(b"below", here)
    bench.refused(CollectionNotFound, lambda txn: collections.delete(txn, below.ino))
    point(bench, here, "p")
    bench.do(lambda txn: files.rename(txn, here, b"p", below.ino, b"p"))
    bench.refused(VectorsDoNotFit, lambda txn: collections.delete(txn, here))
    bench.do(lambda txn: files.remove(txn, below.ino, b"p"))
    bench.do(lambda txn: collections.delete(txn, here))
    bench.refused(CollectionNotFound, lambda txn: collections.get(txn, here))
    assert bench.names(here) == [b"below"]
    bench.do(lambda txn: collections.create(txn, here, SCHEMA))


def test_a_directory_with_vectors_of_another_collection_below_cannot_become_one(bench: Bench) -> None:
    here = collection(bench, b"here")
    below = bench.directory(b"below", here)
    point(bench, here, "p")
    bench.do(lambda txn: files.rename(txn, here, b"p", below.ino, b"p"))
    bench.refused(VectorsDoNotFit, lambda txn: collections.create(txn, below.ino, SCHEMA))


def test_a_removed_directory_is_no_collection_any_more(bench: Bench) -> None:
    here = collection(bench, b"here")
    revision = bench.commit()
    bench.do(lambda txn: files.remove_directory(txn, bench.home, b"here"))
    assert here not in {found.ino for found in collections.list_all(bench.view)}
    bench.refused(CollectionNotFound, lambda txn: collections.get(txn, here))
    bench.commit()
    with bench.volume.snapshot(revision) as past:
        assert collections.get(past, here).schema == SCHEMA
        assert here in {found.ino for found in collections.list_all(past)}


def test_the_vectors_of_a_schema_are_found_by_name_and_the_first_by_none(bench: Bench) -> None:
    found = collections.get(bench.view, collection(bench, b"here"))
    assert collections.vector_spec(found, "w") == SCHEMA.vectors[1]
    assert collections.vector_spec(found, "") == SCHEMA.vectors[0]
    bench.refused(InvalidSchema, lambda _: collections.vector_spec(found, "x"))
    default = collections.get(bench.view, ROOT_INO)
    bench.refused(InvalidSchema, lambda _: collections.vector_spec(default, ""))
