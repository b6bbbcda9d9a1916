"""rename(2) in all its cases."""

from typing import Any

import numpy as np
import pytest

from vexfs.core import collections, files, points
from vexfs.core.errors import (
    AlreadyExists,
    DirectoryNotEmpty,
    IsADirectory,
    MoveIntoItself,
    NotADirectory,
    NotFound,
    VectorsDoNotFit,
    VexfsError,
)
from vexfs.core.types import CollectionSchema, Ino, Node, VectorSpec
from vexfs.store import nodes

from .helpers import Bench

KINDS = ("file", "symlink", "empty", "full")
"""`empty` and `full` are directories."""
SCHEMA = CollectionSchema((VectorSpec("v", 2, "dot"),), embed_text=False)


def make(bench: Bench, kind: str, name: bytes, parent: Ino) -> Node:
    if kind == "file":
        return bench.file(name, name, parent)
    if kind == "symlink":
        return bench.symlink(name, b"target", parent)
    directory = bench.directory(name, parent)
    if kind == "full":
        bench.file(b"inner", parent=directory.ino)
    return bench.stat(directory.ino)


def rename(bench: Bench, at: Ino, name: bytes, to: Ino, new_name: bytes, **options: Any) -> Any:
    return lambda txn: files.rename(txn, at, name, to, new_name, **options)


def expected_error(source: str, target: str) -> type[VexfsError] | None:
    if source in ("file", "symlink"):
        return IsADirectory if target in ("empty", "full") else None
    if target in ("file", "symlink"):
        return NotADirectory
    return DirectoryNotEmpty if target == "full" else None


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_renaming_over_each_kind_replaces_it_or_is_refused(bench: Bench, source: str, target: str, across: bool) -> None:
    other = bench.directory(b"other").ino if across else bench.home
    moved, replaced = make(bench, source, b"source", bench.home), make(bench, target, b"target", other)
    links = bench.stat(bench.home).nlink, bench.stat(other).nlink
    operation = rename(bench, bench.home, b"source", other, b"target")
    bench.refused(AlreadyExists, rename(bench, bench.home, b"source", other, b"target", no_replace=True))
    error = expected_error(source, target)
    if error is not None:
        bench.refused(error, operation)
        return
    removed = bench.do(operation)
    assert (removed.ino, removed.name, removed.last_link) == (replaced.ino, b"target", True)
    assert b"source" not in bench.names()
    found = files.lookup(bench.view, other, b"target")
    assert found.ino == moved.ino and found.ctime_ns >= moved.ctime_ns and found.mtime_ns == moved.mtime_ns
    bench.refused(NotFound, lambda txn: files.stat(txn, replaced.ino))
    lost = int(moved.is_directory)
    assert bench.stat(bench.home).nlink == links[0] - lost
    if across:
        assert bench.stat(other).nlink == links[1]


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_renaming_to_a_free_name_moves_the_file_and_all_below_it(bench: Bench, kind: str, across: bool) -> None:
    other = bench.directory(b"other").ino if across else bench.home
    moved = make(bench, kind, b"source", bench.home)
    bench.do(lambda txn: files.set_attributes(txn, bench.home, mtime_ns=1))
    links = bench.stat(bench.home).nlink, bench.stat(other).nlink
    assert bench.do(rename(bench, bench.home, b"source", other, b"target", no_replace=True)) is None
    assert files.lookup(bench.view, other, b"target").ino == moved.ino
    assert bench.stat(bench.home).mtime_ns > 1
    if kind == "full":
        assert bench.names(moved.ino) == [b"inner"]
    if across:
        delta = int(moved.is_directory)
        assert (bench.stat(bench.home).nlink, bench.stat(other).nlink) == (links[0] - delta, links[1] + delta)
    else:
        assert bench.stat(bench.home).nlink == links[0]


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_an_exchange_swaps_any_two_and_keeps_the_link_counts(bench: Bench, source: str, target: str, across: bool) -> None:
    other = bench.directory(b"other").ino if across else bench.home
    one, two = make(bench, source, b"one", bench.home), make(bench, target, b"two", other)
    assert bench.do(rename(bench, bench.home, b"one", other, b"two", exchange=True)) is None
    assert files.lookup(bench.view, bench.home, b"one").ino == two.ino
    assert files.lookup(bench.view, other, b"two").ino == one.ino
    directories = {ino: sum(e.node.is_directory for e in files.list_directory(bench.view, ino)) for ino in (bench.home, other)}
    assert {ino: bench.stat(ino).nlink for ino in directories} == {ino: 2 + count for ino, count in directories.items()}
    assert bench.stat(one.ino).nlink == one.nlink and bench.stat(two.ino).nlink == two.nlink


def test_there_is_nothing_to_exchange_with_a_free_name(bench: Bench) -> None:
    bench.file(b"one")
    bench.refused(NotFound, rename(bench, bench.home, b"one", bench.home, b"free", exchange=True))
    bench.refused(NotFound, rename(bench, bench.home, b"free", bench.home, b"one", exchange=True))


@pytest.mark.parametrize("exchange", [False, True])
def test_two_names_of_one_file_stay_both(bench: Bench, exchange: bool) -> None:
    node = bench.file(b"one")
    bench.do(lambda txn: files.link(txn, node.ino, bench.home, b"two"))
    for new_name in (b"one", b"two"):
        assert bench.do(rename(bench, bench.home, b"one", bench.home, new_name, exchange=exchange)) is None
    assert bench.names() == [b"one", b"two"] and bench.stat(node.ino).nlink == 2
    bench.refused(AlreadyExists, rename(bench, bench.home, b"one", bench.home, b"one", no_replace=True))


def test_what_is_not_there_cannot_be_renamed(bench: Bench) -> None:
    bench.refused(NotFound, rename(bench, bench.home, b"absent", bench.home, b"new"))


def test_a_directory_does_not_move_below_itself(bench: Bench) -> None:
    top = bench.directory(b"top")
    inner = bench.directory(b"inner", top.ino)
    deep = bench.directory(b"deep", inner.ino)
    for target in (top, inner, deep):
        bench.refused(MoveIntoItself, rename(bench, bench.home, b"top", target.ino, b"new"))
        if target is not deep:
            name = b"inner" if target is top else b"deep"
            bench.refused(MoveIntoItself, rename(bench, bench.home, b"top", target.ino, name, exchange=True))
            bench.refused(MoveIntoItself, rename(bench, target.ino, name, bench.home, b"top", exchange=True))
    bench.refused(DirectoryNotEmpty, rename(bench, top.ino, b"inner", bench.home, b"top"))
    bench.do(rename(bench, inner.ino, b"deep", bench.home, b"deep"))
    bench.do(rename(bench, bench.home, b"top", deep.ino, b"top"))
    assert bench.names(deep.ino) == [b"top"]


def test_replacing_a_file_that_is_open_leaves_an_orphan(bench: Bench) -> None:
    bench.file(b"new")
    replaced = bench.file(b"old", b"still read")
    asked: list[Ino] = []

    def is_open(ino: Ino) -> bool:
        asked.append(ino)
        return True

    bench.do(rename(bench, bench.home, b"new", bench.home, b"old", keep_open=is_open))
    assert asked == [replaced.ino]
    assert bench.read(replaced.ino) == b"still read"
    bench.do(lambda txn: files.forget_orphan(txn, replaced.ino))
    assert nodes.orphans(bench.view) == []


def test_replacing_one_of_two_names_keeps_the_file(bench: Bench) -> None:
    bench.file(b"new")
    replaced = bench.file(b"old", b"data")
    bench.do(lambda txn: files.link(txn, replaced.ino, bench.home, b"other name"))
    removed = bench.do(rename(bench, bench.home, b"new", bench.home, b"old"))
    assert not removed.last_link and bench.stat(replaced.ino).nlink == 1
    assert bench.read(replaced.ino) == b"data"


# -- vectors -------------------------------------------------------------------------------------------


def collection(bench: Bench, name: bytes) -> Ino:
    directory = bench.directory(name)
    bench.do(lambda txn: collections.create(txn, directory.ino, SCHEMA))
    return directory.ino


def point(bench: Bench, at: Ino, name: str) -> Ino:
    item = points.PointInput(name, {"v": np.ones(2, "<f4").tobytes()})
    return bench.do(lambda txn: points.upsert(txn, collections.get(txn, at), [item]))[0]


def test_a_file_with_vectors_stays_in_its_collection(bench: Bench) -> None:
    here, there = collection(bench, b"here"), collection(bench, b"there")
    ino = point(bench, here, "p")
    below = bench.directory(b"below", here)
    for target in (there, bench.home):
        bench.refused(VectorsDoNotFit, rename(bench, here, b"p", target, b"p"))
        bench.refused(VectorsDoNotFit, lambda txn, target=target: files.link(txn, ino, target, b"p"))
    bench.file(b"plain", parent=there)
    bench.refused(VectorsDoNotFit, rename(bench, there, b"plain", here, b"p", exchange=True))
    bench.refused(VectorsDoNotFit, rename(bench, here, b"p", there, b"plain", exchange=True))
    bench.do(rename(bench, here, b"p", here, b"q"))
    bench.do(rename(bench, here, b"q", below.ino, b"p"))
    bench.refused(VectorsDoNotFit, rename(bench, here, b"below", bench.home, b"below"))
    bench.do(lambda txn: files.link(txn, ino, here, b"linked"))


def test_a_file_without_vectors_moves_anywhere(bench: Bench) -> None:
    here, there = collection(bench, b"here"), collection(bench, b"there")
    node = bench.file(b"plain", parent=here)
    bench.do(rename(bench, here, b"plain", there, b"plain"))
    bench.do(lambda txn: files.link(txn, node.ino, here, b"linked"))
    bench.do(rename(bench, there, b"plain", bench.home, b"plain"))


def test_a_collection_moves_whole_with_its_schema_and_vectors(bench: Bench) -> None:
    here, there = collection(bench, b"here"), collection(bench, b"there")
    point(bench, here, "p")
    bench.do(rename(bench, bench.home, b"here", there, b"moved"))
    found = collections.get(bench.view, here)
    assert found.schema == SCHEMA
    assert points.get(bench.view, found, "p").vectors == {"v": np.ones(2, "<f4").tobytes()}
    bench.do(rename(bench, there, b"moved", bench.home, b"here"))


def test_replacing_an_empty_collection_takes_its_schema_away(bench: Bench) -> None:
    old = collection(bench, b"old")
    bench.directory(b"new")
    bench.do(rename(bench, bench.home, b"new", bench.home, b"old"))
    assert old not in {found.ino for found in collections.list_all(bench.view)}
