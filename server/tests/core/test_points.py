"""Points: what is refused before anything is written, and what is written."""

import stat
from typing import Any

import numpy as np
import pytest

from vexfs.core import attributes, collections, content, files, points
from vexfs.core.content import Prepared
from vexfs.core.errors import (
    CollectionNotFound,
    DimensionMismatch,
    InvalidMetadata,
    InvalidName,
    InvalidRequest,
    InvalidSchema,
    InvalidVector,
    IsADirectory,
    NameTooLong,
    NotARegularFile,
    NotFound,
    PointNotFound,
    VectorsDoNotFit,
    VexfsError,
)
from vexfs.core.points import PointInput
from vexfs.core.types import (
    CHANGE_ENTRY_ADDED,
    CHANGE_METADATA,
    CHANGE_VECTORS,
    VECTOR_BATCH_MAX,
    Change,
    Collection,
    CollectionSchema,
    Ino,
    VectorSpec,
)
from vexfs.store import versioned

from .helpers import Bench

SCHEMA = CollectionSchema(
    (VectorSpec("v", 3, "cosine"), VectorSpec("w", 2, "dot"), VectorSpec("e", 2, "euclidean")), embed_text=False
)


def vector(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


V = vector(1, 2, 3)


def collection(bench: Bench, schema: CollectionSchema = SCHEMA) -> Collection:
    directory = bench.directory(b"points")
    return bench.do(lambda txn: collections.create(txn, directory.ino, schema))


def upsert(bench: Bench, found: Collection, *items: PointInput) -> list[Ino]:
    checked = points.validate(found, items)
    return bench.do(lambda txn: points.upsert(txn, found, checked))


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (PointInput("p", {"v": vector(1, 2)}), DimensionMismatch),
        (PointInput("p", {"v": vector(1, 2, 3, 4)}), DimensionMismatch),
        (PointInput("p", {"v": b""}), DimensionMismatch),
        (PointInput("p", {"v": V[:-1]}), InvalidVector),
        (PointInput("p", {"v": vector(1, float("nan"), 3)}), InvalidVector),
        (PointInput("p", {"v": vector(1, float("inf"), 3)}), InvalidVector),
        (PointInput("p", {"v": vector(1, float("-inf"), 3)}), InvalidVector),
        (PointInput("p", {"v": vector(0, 0, 0)}), InvalidVector),
        (PointInput("p", {"v": vector(0, -0.0, 0)}), InvalidVector),
        (PointInput("p", {"x": V}), InvalidSchema),
        (PointInput("p", {"v": V, "w": V}), DimensionMismatch),
        (PointInput("", {"v": V}), InvalidName),
        (PointInput(".", {"v": V}), InvalidName),
        (PointInput("..", {"v": V}), InvalidName),
        (PointInput("a/b", {"v": V}), InvalidName),
        (PointInput("a\0b", {"v": V}), InvalidName),
        (PointInput("\ud800", {"v": V}), InvalidName),
        (PointInput("x" * 256, {"v": V}), NameTooLong),
        (PointInput("ü" * 128, {"v": V}), NameTooLong),
        (PointInput("p", {"v": V}, b"[]"), InvalidMetadata),
        (PointInput("p", {"v": V}, b"{"), InvalidMetadata),
        (PointInput("good", {"v": V}), InvalidRequest),
    ],
)
def test_a_batch_with_one_bad_point_is_refused_whole(bench: Bench, item: PointInput, error: type[VexfsError]) -> None:
    found = collection(bench)
    good = PointInput("good", {"v": V}, b"{}")
    refused = bench.refused(error, lambda _: points.validate(found, [good, item]))
    if error is DimensionMismatch:
        assert set(refused.details) == {"expected", "actual"}


@pytest.mark.parametrize(
    "vectors",
    [
        {},
        {"v": vector(1e-30, 0, 0)},
        {"w": vector(0, 0), "e": vector(0, 0)},
        {"v": vector(3.4e38, -3.4e38, 1e-45)},
        {"": V},
        {"v": V, "w": vector(1, 2), "e": vector(3, 4)},
    ],
)
def test_vectors_that_fit_come_back_bit_by_bit(bench: Bench, vectors: dict[str, bytes]) -> None:
    found = collection(bench)
    upsert(bench, found, PointInput("p", vectors))
    expected = {name or "v": data for name, data in vectors.items()}
    assert points.get(bench.view, found, "p").vectors == expected


def test_a_collection_without_vectors_takes_points_without_vectors(bench: Bench) -> None:
    found = collection(bench, CollectionSchema((), embed_text=True))
    upsert(bench, found, PointInput("p", {}, b'{"a": 1}'))
    bench.refused(InvalidSchema, lambda _: points.validate(found, [PointInput("p", {"": V})]))


def test_a_point_is_a_file_named_by_its_id(bench: Bench) -> None:
    found = collection(bench)
    (ino,) = upsert(bench, found, PointInput("ü p", {"v": V}, b'{"a": 1}'))
    node = files.lookup(bench.view, found.ino, "ü p".encode())
    assert node.ino == ino and stat.S_ISREG(node.mode) and node.size_bytes == 0
    assert attributes.get_metadata(bench.view, ino) == b'{"a": 1}'
    point = points.get(bench.view, found, "ü p")
    assert point == points.Point(ino, "ü p", b'{"a": 1}', {"v": V}, node.revision)
    assert points.list_page(bench.view, found) == [point]
    changes = set(bench.volume.tail.read(bench.commit() - 1)[0].changes)
    assert {Change(CHANGE_METADATA, ino), Change(CHANGE_VECTORS, ino, found.ino, b"v")} <= changes


def test_an_upsert_replaces_the_vectors_and_keeps_payload_and_content_that_are_not_given(bench: Bench) -> None:
    found = collection(bench)
    text = Prepared((), ((0, b"text"),), 4)
    (ino,) = upsert(bench, found, PointInput("p", {"v": V, "w": vector(1, 2)}, b'{"a": 1}', text))
    before = bench.stat(ino)
    assert upsert(bench, found, PointInput("p", {"w": vector(3, 4)})) == [ino]
    point = points.get(bench.view, found, "p")
    assert (point.metadata, point.vectors) == (b'{"a": 1}', {"w": vector(3, 4)})
    dropped = set(bench.volume.tail.read(bench.commit() - 1)[0].changes)
    assert Change(CHANGE_VECTORS, ino, found.ino, b"v") in dropped
    upsert(bench, found, PointInput("p", {}, b'{"b": 2}'))
    point = points.get(bench.view, found, "p")
    assert (point.metadata, point.vectors) == (b'{"b": 2}', {})
    after = bench.stat(ino)
    assert point.revision == after.revision > before.revision
    assert after.mtime_ns == before.mtime_ns and after.content_revision == before.content_revision
    upsert(bench, found, PointInput("p", {"v": V}, None, Prepared((), ((0, b"other"),), 5)))
    assert content.read(bench.view, ino, 0, 100) == b"other"


def test_the_past_shows_the_vectors_of_then(bench: Bench) -> None:
    found = collection(bench)
    upsert(bench, found, PointInput("p", {"v": V}))
    first = bench.commit()
    upsert(bench, found, PointInput("p", {"v": vector(7, 8, 9)}))
    second = bench.commit()
    bench.do(lambda txn: points.delete(txn, found, ["p"]))
    third = bench.commit()
    for at_revision, expected in ((first, V), (second, vector(7, 8, 9))):
        with bench.volume.snapshot(at_revision) as view:
            assert points.get(view, found, "p").vectors == {"v": expected}
    with bench.volume.snapshot(third) as view, pytest.raises(PointNotFound):
        points.get(view, found, "p")


@pytest.mark.parametrize("kind", ["directory", "symlink", "fifo"])
def test_a_name_of_another_kind_of_file_is_no_point(bench: Bench, kind: str) -> None:
    found = collection(bench)
    if kind == "fifo":
        bench.file(b"p", parent=found.ino, mode=stat.S_IFIFO | 0o600)
    else:
        getattr(bench, kind)(b"p", parent=found.ino)
    error = IsADirectory if kind == "directory" else NotARegularFile
    bench.refused(error, lambda txn: points.upsert(txn, found, [PointInput("p", {"v": V})]))
    bench.refused(PointNotFound, lambda txn: points.get(txn, found, "p"))
    assert points.list_page(bench.view, found) == []


def test_a_file_with_a_name_outside_the_collection_gets_no_vectors(bench: Bench) -> None:
    found = collection(bench)
    node = bench.file(b"p", parent=found.ino)
    bench.do(lambda txn: files.link(txn, node.ino, found.ino, b"inside"))
    upsert(bench, found, PointInput("p", {}, b'{"a": 1}'))
    bench.do(lambda txn: files.link(txn, node.ino, bench.home, b"outside"))
    bench.refused(VectorsDoNotFit, lambda txn: points.upsert(txn, found, [PointInput("p", {"v": V})]))
    bench.do(lambda txn: files.remove(txn, bench.home, b"outside"))
    upsert(bench, found, PointInput("p", {"v": V}))


def test_a_batch_makes_new_points_and_changes_those_there(bench: Bench) -> None:
    found = collection(bench)
    (there,) = upsert(bench, found, PointInput("b", {"v": V, "w": vector(1, 2)}, b'{"n": 1}'))
    before = bench.stat(there)
    text = Prepared((), ((0, b"text"),), 4)
    items = [
        PointInput("a", {"w": vector(3, 4)}, b'{"n": 2}'),
        PointInput("b", {"v": vector(7, 8, 9)}),
        PointInput("c", {"v": V, "e": vector(5, 6)}, None, text),
    ]
    a, b, c = upsert(bench, found, *items)
    assert b == there and len({a, b, c}) == 3
    assert [bench.stat(ino).revision - before.revision for ino in (a, b, c)] == [1, 1, 1]
    listed = points.list_page(bench.view, found)
    assert [(point.ino, point.id, point.vectors) for point in listed] == [
        (ino, item.id, item.vectors) for ino, item in zip((a, b, c), items, strict=True)
    ]
    assert [point.metadata for point in listed] == [b'{"n": 2}', b'{"n": 1}', attributes.NO_METADATA]
    assert content.read(bench.view, c, 0, 100) == b"text"
    changes = bench.volume.tail.read(bench.commit() - 1)[0].changes
    assert [(change.ino, change.name) for change in changes if change.kind == CHANGE_ENTRY_ADDED] == [(a, b"a"), (c, b"c")]
    dropped = Change(CHANGE_VECTORS, b, found.ino, b"w")
    assert dropped in changes and changes.count(Change(CHANGE_VECTORS, c, found.ino, b"e")) == 1
    assert bench.stat(found.ino).revision == bench.commit()


def test_two_points_that_are_one_file_leave_the_last_ones_vectors(bench: Bench) -> None:
    found = collection(bench)
    (ino,) = upsert(bench, found, PointInput("p", {"v": V}))
    bench.do(lambda txn: files.link(txn, ino, found.ino, b"q"))
    upsert(bench, found, PointInput("p", {"v": vector(7, 8, 9), "w": vector(1, 2)}), PointInput("q", {"v": V}))
    assert points.get(bench.view, found, "p").vectors == points.get(bench.view, found, "q").vectors == {"v": V}


def test_what_is_not_there_is_not_found(bench: Bench) -> None:
    found = collection(bench)
    for id in ("absent", "\ud800", "a/b"):
        bench.refused(PointNotFound, lambda txn, id=id: points.get(txn, found, id))
    gone = found._replace(ino=Ino(1 << 40))
    bench.refused(CollectionNotFound, lambda txn: points.upsert(txn, gone, [PointInput("p", {"v": V})]))


def test_a_schema_that_changed_since_the_batch_was_checked_checks_it_again(bench: Bench) -> None:
    found = collection(bench)
    checked = points.validate(found, [PointInput("p", {"v": V})])
    bench.do(lambda txn: collections.delete(txn, found.ino))
    bench.refused(CollectionNotFound, lambda txn: points.upsert(txn, found, checked))
    bench.do(lambda txn: collections.create(txn, found.ino, CollectionSchema((VectorSpec("v", 5, "dot"),), False)))
    bench.refused(DimensionMismatch, lambda txn: points.upsert(txn, found, checked))


def test_deleting_takes_those_that_are_there(bench: Bench) -> None:
    found = collection(bench)
    (ino,) = upsert(bench, found, PointInput("p", {"v": V}))
    upsert(bench, found, PointInput("q", {"v": V}))
    removed = bench.do(lambda txn: points.delete(txn, found, ["absent", "p", "also absent"]))
    assert [(one.ino, one.name) for one in removed] == [(ino, b"p")]
    assert Change(CHANGE_VECTORS, ino, found.ino, b"v") in bench.volume.tail.read(bench.commit() - 1)[0].changes
    assert [point.id for point in points.list_page(bench.view, found)] == ["q"]
    bench.refused(NotFound, lambda txn: files.stat(txn, ino))


# -- many ----------------------------------------------------------------------------------------------


def sizes(items: list[PointInput]) -> list[int]:
    return [len(batch) for batch in points.batches(items)]


def test_a_large_batch_is_split_at_250_vectors() -> None:
    one, two, none = {"v": V}, {"v": V, "w": V}, {}
    assert VECTOR_BATCH_MAX == 250

    def items(vectors: Any, count: int) -> list[PointInput]:
        return [PointInput(str(n), vectors) for n in range(count)]

    assert sizes([]) == []
    assert sizes(items(one, 250)) == [250]
    assert sizes(items(one, 251)) == [250, 1]
    assert sizes(items(two, 300)) == [125, 125, 50]
    assert sizes(items(none, 501)) == [250, 250, 1]
    assert sizes(items(one, 249) + items(two, 1)) == [249, 1]
    assert sizes([PointInput("p", {str(n): V for n in range(300)})]) == [1]
    split = items(one, 251)
    assert [item for batch in points.batches(split) for item in batch] == split


def test_points_are_listed_by_full_pages_whatever_lies_between(bench: Bench) -> None:
    found = collection(bench)
    for n in range(7):
        bench.directory(b"%02d-directory" % n, found.ino)
        upsert(bench, found, PointInput(f"{n:02d}-point", {"v": V}))
    listed, after = [], b""
    while page := points.list_page(bench.view, found, after=after, limit=3):
        listed.append([point.id for point in page])
        after = page[-1].id.encode()
    assert [len(page) for page in listed] == [3, 3, 1]
    assert [id for page in listed for id in page] == [f"{n:02d}-point" for n in range(7)]


def test_a_scan_of_a_collection_yields_the_present_vectors_of_files_that_exist(bench: Bench) -> None:
    found = collection(bench)
    inos = upsert(bench, found, *(PointInput(str(n), {"v": vector(1, n, 0), "w": vector(n, n)}) for n in range(6)))
    upsert(bench, found, PointInput("1", {"v": vector(9, 9, 9)}))
    bench.do(lambda txn: points.delete(txn, found, ["2", "3"]))
    expected = {inos[n]: vector(1, n, 0) for n in (0, 4, 5)} | {inos[1]: vector(9, 9, 9)}
    assert {row.ino: row.data for row in versioned.iterate_collection(bench.view, found.ino, "v")} == expected
    asked = versioned.collection_vectors_of(bench.view, found.ino, "v", [*reversed(inos[:5]), found.ino])
    assert asked == [(ino, expected[ino]) for ino in (inos[0], inos[1], inos[4])]
    assert versioned.collection_vectors_of(bench.view, bench.home, "v", inos) == []
    page = versioned.collection_vectors(bench.view, found.ino, "v", after_ino=inos[0], limit=2)
    assert [row.ino for row in page] == [inos[1], inos[4]]
    assert versioned.collection_vectors(bench.view, found.ino, "absent") == []
    row = {row.name: row for row in versioned.get_vectors(bench.view, inos[1])}.get("v")
    assert row is not None and row.data == vector(9, 9, 9)
    assert "absent" not in {row.name for row in versioned.get_vectors(bench.view, inos[0])}
