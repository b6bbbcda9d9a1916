"""Whole trees: removed and copied in steps, with all that belongs to each file."""

from typing import Any

import numpy as np
import pytest

from vexfs.core import attributes, collections, content, files, points, trees
from vexfs.core.errors import (
    AlreadyExists,
    InvalidRequest,
    IsADirectory,
    MoveIntoItself,
    NotADirectory,
    NotFound,
    VectorsDoNotFit,
)
from vexfs.core.types import BLOCK_BYTES, ROOT_INO, CollectionSchema, Ino, VectorSpec
from vexfs.store import versioned

from .helpers import Bench

SCHEMA = CollectionSchema((VectorSpec("v", 2, "dot"), VectorSpec("w", 2, "dot")), embed_text=False)
LARGE = bytes(range(256)) * 2000


# The mount never copies or removes a tree: the kernel walks it.
pytestmark = pytest.mark.parametrize("volume", ["api"], indirect=True, scope="module")


def tree(bench: Bench, name: bytes = b"tree") -> Ino:
    top = bench.directory(name, mode=0o750)
    inner = bench.directory(b"inner", top.ino)
    small = bench.file(b"small", b"small", top.ino, mode=0o4711)
    bench.file(b"large", LARGE, inner.ino)
    bench.symlink(b"link", b"inner/large", top.ino)
    bench.do(lambda txn: attributes.set_xattr(txn, small.ino, b"user.a", b"1"))
    bench.do(lambda txn: attributes.set_metadata(txn, small.ino, b'{"a": 1}'))
    bench.do(lambda txn: files.set_attributes(txn, small.ino, uid=5, gid=6, atime_ns=7, mtime_ns=8))
    return top.ino


def vectors(value: float) -> dict[str, bytes]:
    return {name: np.full(2, value, "<f4").tobytes() for name in ("v", "w")}


def collection(bench: Bench, name: bytes, schema: CollectionSchema = SCHEMA) -> Ino:
    directory = bench.directory(name)
    found = bench.do(lambda txn: collections.create(txn, directory.ino, schema))
    item = points.PointInput("p", {spec.name: vectors(3)["v"] for spec in schema.vectors})
    bench.do(lambda txn: points.upsert(txn, found, [item]))
    return directory.ino


def show(bench: Bench, ino: Ino) -> dict[bytes, Any]:
    """What a copy has to have in common with its source."""
    shown: dict[bytes, Any] = {}
    for entry in files.list_directory(bench.view, ino):
        node = entry.node
        facts: list[Any] = [node.mode, node.uid, node.gid, node.size_bytes, node.atime_ns, node.mtime_ns]
        facts.append(attributes.get_metadata(bench.view, node.ino))
        facts += [(n, attributes.get_xattr(bench.view, node.ino, n)) for n in attributes.list_xattrs(bench.view, node.ino)]
        facts += [(row.name, row.data) for row in versioned.get_vectors(bench.view, node.ino)]
        if node.is_regular:
            facts.append(bench.read(node.ino))
        if node.is_symlink:
            facts.append(files.read_symlink(bench.view, node.ino))
        shown[entry.name] = facts
        if node.is_directory:
            del facts[4:6]  # its times move as its copy is filled
            shown |= {entry.name + b"/" + below: what for below, what in show(bench, node.ino).items()}
    return shown


def copy(bench: Bench, source: Ino, name: bytes, parent: Ino | None = None, **options: bool) -> trees.CopyState:
    how = trees.TreeCopy(source, **{"recursive": True, "no_replace": False} | options, uid=9, gid=9)
    at = bench.home if parent is None else parent
    state = bench.do(lambda txn: how.begin(txn, at, name))
    while not state.done:
        state = bench.do(lambda txn, state=state: how.step(txn, state, limit=2))
    return state


def test_missing_directories_are_made_and_those_there_are_used(bench: Bench) -> None:
    above = (b"home", b"of parents", b"deep")
    made = bench.do(lambda txn: trees.make_parents(txn, (*above, b"file"), mode=0o700, uid=1, gid=2))
    assert (made.mode & 0o7777, made.uid, made.gid) == (0o700, 1, 2)
    assert bench.do(lambda txn: trees.make_parents(txn, (*above, b"other"), mode=0o755, uid=1, gid=1)).ino == made.ino
    assert bench.do(lambda txn: trees.make_parents(txn, (b"top",), mode=0o755, uid=1, gid=1)).ino == ROOT_INO
    bench.file(b"file", parent=made.ino)
    bench.refused(NotADirectory, lambda txn: trees.make_parents(txn, (*above, b"file", b"x", b"y"), mode=0o755, uid=1, gid=1))


def test_a_tree_is_emptied_in_bounded_steps(bench: Bench) -> None:
    top = tree(bench)
    for number in range(10):
        bench.file(b"%d" % number, parent=top)
    removed, steps = 0, 0
    while True:
        step = bench.do(lambda txn: trees.empty_step(txn, top, limit=4))
        assert step.removed <= 4
        removed, steps = removed + step.removed, steps + 1
        if step.done:
            break
    assert removed == 14 and steps >= 4
    assert bench.names(top) == []
    file = bench.file(b"file")
    bench.refused(NotADirectory, lambda txn: trees.empty_step(txn, file.ino))


def test_a_small_tree_and_a_file_are_removed_at_once(bench: Bench) -> None:
    tree(bench)
    assert bench.do(lambda txn: trees.remove_at_once(txn, bench.home, b"tree")) == 5
    bench.file(b"file")
    assert bench.do(lambda txn: trees.remove_at_once(txn, bench.home, b"file")) == 1
    assert bench.names() == []
    bench.refused(NotFound, lambda txn: trees.remove_at_once(txn, bench.home, b"tree"))


def test_a_tree_too_large_for_one_step_is_left_whole(bench: Bench) -> None:
    tree(bench)
    with pytest.raises(trees.TreeTooLarge):
        bench.do(lambda txn: trees.remove_at_once(txn, bench.home, b"tree", limit=3))
    assert bench.do(lambda txn: trees.remove_at_once(txn, bench.home, b"tree")) == 5


def test_a_copied_tree_has_all_that_its_source_has(bench: Bench) -> None:
    source = tree(bench)
    state = copy(bench, source, b"copy")
    assert state.copied == 5 and state.top.ino != source
    assert show(bench, state.top.ino) == show(bench, source)
    inos = {e.node.ino for at in (source, state.top.ino) for e in files.list_directory(bench.view, at)}
    assert len(inos) == 6
    (small,) = [e.node for e in files.list_directory(bench.view, state.top.ino) if e.name == b"small"]
    bench.do(lambda txn: content.write(txn, small.ino, content.Prepared((), ((0, b"other"),), 5)))
    assert show(bench, state.top.ino) != show(bench, source)


def test_a_large_directory_is_copied_by_pages_in_steps(bench: Bench) -> None:
    source = bench.directory(b"source")
    for number in range(2 * trees._PAGE + 3):
        bench.file(b"%04d" % number, parent=source.ino)
    how = trees.TreeCopy(source.ino, recursive=True, no_replace=False, uid=9, gid=9)
    state = bench.do(lambda txn: how.begin(txn, bench.home, b"copy"))
    assert not state.done
    again = bench.do(lambda txn: how.step(txn, state))
    assert again.copied > state.copied and again.done
    assert bench.names(state.top.ino)[:1000] == bench.names(source.ino)[:1000]


def test_what_goes_while_a_tree_is_copied_is_passed_over(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tree(bench)
    how = trees.TreeCopy(source, recursive=True, no_replace=False, uid=9, gid=9)
    with monkeypatch.context() as patch:
        patch.setattr(how, "step", lambda _txn, state: state)  # the first step copies nothing below the top yet
        state = bench.do(lambda txn: how.begin(txn, bench.home, b"copy"))
    while b"inner" not in bench.names(state.top.ino):
        state = bench.do(lambda txn, state=state: how.step(txn, state, limit=1))
    bench.do(lambda txn: files.remove(txn, source, b"small"))
    while not state.done:
        state = bench.do(lambda txn, state=state: how.step(txn, state))
    assert bench.names(state.top.ino) == [b"inner", b"link"]


def test_copies_are_refused_where_they_cannot_be(bench: Bench) -> None:
    source = tree(bench)
    file = bench.file(b"file", b"data")
    inner = files.lookup(bench.view, source, b"inner")

    def begin(ino: Ino, at: Ino, name: bytes, **options: bool) -> Any:
        how = trees.TreeCopy(ino, **{"recursive": True, "no_replace": False} | options, uid=9, gid=9)
        return lambda txn: how.begin(txn, at, name)

    bench.refused(NotFound, begin(Ino(1 << 40), bench.home, b"x"))
    bench.refused(IsADirectory, begin(source, bench.home, b"x", recursive=False))
    bench.refused(MoveIntoItself, begin(source, source, b"x"))
    bench.refused(MoveIntoItself, begin(source, inner.ino, b"x"))
    bench.refused(MoveIntoItself, begin(ROOT_INO, bench.home, b"x"))
    bench.refused(AlreadyExists, begin(source, bench.home, b"file"))
    bench.refused(AlreadyExists, begin(source, bench.home, b"tree"))
    bench.refused(AlreadyExists, begin(file.ino, bench.home, b"file", no_replace=True))
    bench.refused(InvalidRequest, begin(file.ino, bench.home, b"file"))
    bench.refused(IsADirectory, begin(file.ino, bench.home, b"tree"))


def test_a_file_is_copied_over_another(bench: Bench) -> None:
    source, target = bench.file(b"source", LARGE), bench.file(b"target", b"old")
    state = copy(bench, source.ino, b"target", recursive=False)
    assert state.done and state.copied == 1
    found = files.lookup(bench.view, bench.home, b"target")
    assert found.ino == state.top.ino != target.ino
    assert bench.read(found.ino) == LARGE


def test_holes_stay_holes_in_a_copy(bench: Bench) -> None:
    source = bench.file(b"source", b"start")
    bench.do(lambda txn: content.truncate(txn, source.ino, 100 * BLOCK_BYTES))
    state = copy(bench, source.ino, b"copy")
    assert bench.stat(state.top.ino).size_bytes == 100 * BLOCK_BYTES
    assert bench.view.execute("SELECT count(*) FROM chunk WHERE ino=?", (state.top.ino,)).fetchall() == [(1,)]


# -- vectors -------------------------------------------------------------------------------------------


def test_a_copied_collection_is_one_with_its_points(bench: Bench) -> None:
    source = collection(bench, b"source")
    state = copy(bench, source, b"copy")
    found = collections.get(bench.view, state.top.ino)
    assert found.schema == SCHEMA and found.ino == state.top.ino
    assert points.get(bench.view, found, "p").vectors == {name: vectors(3)["v"] for name in ("v", "w")}
    assert trees.count_points(bench.view, found.ino) == 1


def test_a_point_is_copied_where_its_vectors_fit_and_nowhere_else(bench: Bench) -> None:
    source, alike = collection(bench, b"source"), collection(bench, b"alike")
    other = collection(bench, b"other", CollectionSchema((VectorSpec("v", 2, "dot"),), embed_text=False))
    point = files.lookup(bench.view, source, b"p")
    copied = copy(bench, point.ino, b"copied", alike).top
    assert {row.collection for row in versioned.get_vectors(bench.view, copied.ino)} == {alike}
    how = trees.TreeCopy(point.ino, recursive=False, no_replace=False, uid=1, gid=1)
    for at in (other, bench.home):
        bench.refused(VectorsDoNotFit, lambda txn, at=at: how.begin(txn, at, b"copied"))


def test_vectors_are_dropped_by_steps(bench: Bench) -> None:
    directory = collection(bench, b"points")
    found = collections.get(bench.view, directory)
    items = [points.PointInput(f"p{number}", vectors(number + 1)) for number in range(5)]
    inos = bench.do(lambda txn: points.upsert(txn, found, items))
    bench.do(lambda txn: points.upsert(txn, found, [points.PointInput("p0", {"w": vectors(1)["w"]})]))
    assert [row.name for row in versioned.get_vectors(bench.view, inos[0])] == ["w"]
    steps = 0
    while not bench.do(lambda txn: trees.drop_vectors_step(txn, found, limit=2)):
        steps += 1
    assert steps == 3
    assert list(versioned.iterate_collection(bench.view, directory, "v")) == []
    bench.do(lambda txn: collections.delete(txn, directory))
