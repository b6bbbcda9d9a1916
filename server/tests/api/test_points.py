"""Collections and points over gRPC: schemas, vectors, payloads, batches, deletion."""

import struct

import numpy as np
import pytest
from google.protobuf.struct_pb2 import Struct
from running import Client, refused

from vexfs.contract.v1 import collections_pb2, points_pb2
from vexfs.contract.v1.collections_pb2 import CollectionSchema, VectorSpec
from vexfs.contract.v1.common_pb2 import FileRef, Vector
from vexfs.contract.v1.points_pb2 import PointInput


def vector(*values: float) -> Vector:
    return Vector(values=struct.pack(f"<{len(values)}f", *values))


def payload(**values: object) -> Struct:
    struct_ = Struct()
    struct_.update(values)
    return struct_


@pytest.fixture
def collection(api: Client, home: str) -> FileRef:
    """A collection with two named vectors."""
    specs = [VectorSpec(name="a", dimension=3), VectorSpec(name="b", dimension=2, metric=collections_pb2.METRIC_DOT)]
    ref = FileRef(path=f"{home}/points")
    api.create_collection(collection=ref, schema=CollectionSchema(vectors=specs))
    return ref


def test_a_collection_is_made_and_seen(api: Client, home: str, collection: FileRef) -> None:
    seen = api.get_collection(collection=collection).collection
    assert seen.path == f"{home}/points"
    assert [(spec.name, spec.dimension, spec.metric) for spec in seen.schema.vectors] == [
        ("a", 3, collections_pb2.METRIC_COSINE),
        ("b", 2, collections_pb2.METRIC_DOT),
    ]
    assert (seen.point_count, seen.schema.embed_text) == (0, False)
    assert [spec.storage for spec in seen.schema.vectors] == [collections_pb2.VECTOR_STORAGE_FLOAT32] * 2
    with refused("COLLECTION_EXISTS"):
        api.create_collection(collection=collection, schema=CollectionSchema(embed_text=True))
    with refused("COLLECTION_NOT_FOUND"):
        api.get_collection(collection=FileRef(path=home))


def test_collections_are_listed_the_roots_first_page_by_page(api: Client, home: str) -> None:
    for number in range(3):
        api.create_collection(collection=FileRef(path=f"{home}/{number}"), schema=CollectionSchema(embed_text=True))
    seen: list[int] = []
    token = ""
    while True:
        page = api.list_collections(page_size=2, page_token=token)
        seen += [collection.id for collection in page.collections]
        token = page.next_page_token
        if not token:
            break
    assert seen[0] == 1
    assert seen == sorted(set(seen))
    mine = [api.stat_file(file=FileRef(path=f"{home}/{number}")).file.id for number in range(3)]
    assert set(mine) <= set(seen)


def test_a_point_is_a_file_and_its_payload_the_files_metadata(api: Client, home: str, collection: FileRef) -> None:
    point = PointInput(id="p1", vectors={"a": vector(1, 2, 3)}, metadata=payload(colour="red", size=3), content=b"text")
    answer = api.upsert_points(collection=collection, points=[point])
    assert answer.upserted == 1
    path = f"{home}/points/p1"
    assert api.get_content(file=FileRef(path=path)).data == b"text"
    assert api.get_metadata(file=FileRef(path=path)).metadata == payload(colour="red", size=3)
    (seen,) = api.get_points(collection=collection, ids=["p1"], with_vectors=True).points
    assert (seen.id, seen.file_id) == ("p1", api.stat_file(file=FileRef(path=path)).file.id)
    assert (seen.revision, seen.vectors["a"], set(seen.vectors)) == (answer.revision, vector(1, 2, 3), {"a"})
    assert len(api.get_points(collection=collection, ids=["p1"]).points[0].vectors) == 0
    assert api.get_collection(collection=collection).collection.point_count == 1


def test_an_upsert_replaces_the_vectors_and_keeps_content_it_does_not_name(api: Client, home: str, collection: FileRef) -> None:
    both = {"a": vector(1, 2, 3), "b": vector(4, 5)}
    api.upsert_points(collection=collection, points=[PointInput(id="p", vectors=both, content=b"kept")])
    api.upsert_points(collection=collection, points=[PointInput(id="p", vectors={"b": vector(6, 7)})])
    (seen,) = api.get_points(collection=collection, ids=["p"], with_vectors=True).points
    assert dict(seen.vectors) == {"b": vector(6, 7)}
    assert api.get_content(file=FileRef(path=f"{home}/points/p")).data == b"kept"


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (PointInput(id="p", vectors={"a": vector(1, 2)}), "DIMENSION_MISMATCH"),
        (PointInput(id="p", vectors={"a": vector(1, float("nan"), 3)}), "INVALID_VECTOR"),
        (PointInput(id="p", vectors={"b": vector(1, float("inf"))}), "INVALID_VECTOR"),
        (PointInput(id="p", vectors={"a": vector(0, 0, 0)}), "INVALID_VECTOR"),
        (PointInput(id="p", vectors={"a": Vector(values=b"12345")}), "INVALID_VECTOR"),
        (PointInput(id="p", vectors={"a": Vector()}), "INVALID_ARGUMENT"),
        (PointInput(id="p", vectors={"c": vector(1)}), "INVALID_ARGUMENT"),
        (PointInput(id="p/q", vectors={"a": vector(1, 2, 3)}), "INVALID_NAME"),
        (PointInput(id="..", vectors={"a": vector(1, 2, 3)}), "INVALID_NAME"),
        (PointInput(id="a\0b", vectors={"a": vector(1, 2, 3)}), "INVALID_NAME"),
        (PointInput(id="n" * 256, vectors={"a": vector(1, 2, 3)}), "NAME_TOO_LONG"),
        (PointInput(id="p", metadata=payload(x="y" * 70_000)), "INVALID_METADATA"),
        (PointInput(id="p", metadata=payload(x=float("nan"))), "INVALID_METADATA"),
        (PointInput(id=""), "INVALID_ARGUMENT"),
    ],
)
def test_a_bad_point_is_refused_with_the_whole_batch(api: Client, collection: FileRef, point: PointInput, reason: str) -> None:
    good = [PointInput(id=f"good{number}", vectors={"a": vector(1, 2, 3)}) for number in range(300)]
    with refused(reason):
        api.upsert_points(collection=collection, points=[*good, point])
    assert len(api.list_points(collection=collection).points) == 0


def test_a_large_batch_goes_in_steps_and_its_request_id_still_counts_once(api: Client, collection: FileRef) -> None:
    vectors = np.random.default_rng(1).random((1000, 3), dtype=np.float32)
    points = [PointInput(id=f"{number:04}", vectors={"a": Vector(values=row.tobytes())}) for number, row in enumerate(vectors)]
    first = api.upsert_points(collection=collection, points=points, request_id="batch")
    assert first.upserted == 1000
    assert api.upsert_points(collection=collection, points=points, request_id="batch") == first
    assert api.stat_file(file=collection).revision >= first.revision
    seen: list[points_pb2.Point] = []
    token = ""
    while True:
        page = api.list_points(collection=collection, page_size=300, page_token=token, with_vectors=True)
        seen += page.points
        token = page.next_page_token
        if not token:
            break
    assert [point.id for point in seen] == [point.id for point in points]
    assert all(point.vectors["a"].values == row.tobytes() for point, row in zip(seen, vectors, strict=True))
    ids = [point.id for point in points]
    assert api.delete_points(collection=collection, ids=[*ids[:600], "nobody"], request_id="gone").deleted == 600
    assert api.delete_points(collection=collection, ids=[*ids[:600], "nobody"], request_id="gone").deleted == 600
    assert [point.id for point in api.list_points(collection=collection).points] == ids[600:]


def test_what_is_no_point_is_not_listed(api: Client, home: str, collection: FileRef) -> None:
    api.make_directory(directory=FileRef(path=f"{home}/points/directory"))
    api.create_symlink(link=FileRef(path=f"{home}/points/link"), target="x")
    api.upsert_points(collection=collection, points=[PointInput(id="p")])
    assert [point.id for point in api.list_points(collection=collection, page_size=1).points] == ["p"]
    assert [point.id for point in api.get_points(collection=collection, ids=["directory", "p", "none"]).points] == ["p"]


def test_deleting_a_collection_takes_its_vectors_and_leaves_the_files(api: Client, home: str, collection: FileRef) -> None:
    points = [PointInput(id=f"{n:03}", vectors={"a": vector(1, 2, 3), "b": vector(1, 2)}) for n in range(600)]
    api.upsert_points(collection=collection, points=points)
    api.delete_collection(collection=collection)
    with refused("COLLECTION_NOT_FOUND"):
        api.list_points(collection=collection)
    assert len(api.list_files(directory=collection).files) == 600
    api.move_file(source=FileRef(path=f"{home}/points/000"), destination=FileRef(path=f"{home}/free"))
    with refused("ROOT_IMMUTABLE"):
        api.delete_collection(collection=FileRef(path="/"))


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (CollectionSchema(), "INVALID_SCHEMA"),
        (CollectionSchema(vectors=[VectorSpec(name="a", dimension=2)] * 2), "INVALID_SCHEMA"),
        (CollectionSchema(vectors=[VectorSpec(name="a", dimension=0)]), "INVALID_ARGUMENT"),
        (CollectionSchema(vectors=[VectorSpec(name="a", dimension=5000)]), "INVALID_ARGUMENT"),
        (CollectionSchema(vectors=[VectorSpec(name="Not good", dimension=5)]), "INVALID_ARGUMENT"),
        (CollectionSchema(vectors=[VectorSpec(name="a", dimension=2, storage=7)]), "INVALID_ARGUMENT"),
    ],
)
def test_a_schema_that_cannot_be_is_refused(api: Client, home: str, schema: CollectionSchema, reason: str) -> None:
    with refused(reason):
        api.create_collection(collection=FileRef(path=f"{home}/c"), schema=schema)
    with refused("FILE_NOT_FOUND"):
        api.stat_file(file=FileRef(path=f"{home}/c"))


def test_points_do_not_leave_for_a_collection_they_do_not_fit(api: Client, home: str, collection: FileRef) -> None:
    other = FileRef(path=f"{home}/other")
    api.create_collection(collection=other, schema=CollectionSchema(vectors=[VectorSpec(name="a", dimension=4)]))
    api.upsert_points(collection=collection, points=[PointInput(id="p", vectors={"a": vector(1, 2, 3)})])
    source, target = FileRef(path=f"{home}/points/p"), FileRef(path=f"{home}/other/p")
    for call in (api.move_file, api.copy_file):
        with refused("VECTORS_DO_NOT_FIT"):
            call(source=source, destination=target)
    with refused("VECTORS_DO_NOT_FIT"):
        api.create_link(file=source, link=target)
    copied = api.copy_file(source=collection, destination=FileRef(path=f"{home}/copy"), recursive=True)
    assert copied.copied == 2
    (seen,) = api.get_points(collection=FileRef(path=f"{home}/copy"), ids=["p"], with_vectors=True).points
    assert seen.vectors["a"] == vector(1, 2, 3)
