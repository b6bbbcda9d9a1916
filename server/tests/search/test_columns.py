"""Columns against rows: a filter means the same, whichever way it is evaluated."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.views.dense.volumes import new_volume, write
from vexfs.core import attributes, files, filters
from vexfs.core.filters import (
    All,
    AnyOf,
    CreatedTime,
    Equals,
    Exists,
    Filter,
    Group,
    Kind,
    Metadata,
    ModifiedTime,
    Name,
    Not,
    OneOf,
    Owner,
    Prefix,
    Range,
    SizeBytes,
)
from vexfs.core.search.columns import FactsTable
from vexfs.core.types import ROOT_INO, Ino
from vexfs.store.volume import Volume

DOCUMENTS: list[dict[str, object] | None] = [
    None,
    {},
    {"a": 1},
    {"a": True},
    {"a": 1.0, "b": {"c": "x"}},
    {"a": "1"},
    {"a": None, "b": {"c": ["x", "y", 2]}},
    {"a": [], "b": [{"c": "y"}, {"c": 3}, {"d": 1}]},
    {"a": [1, [2, "xy"]], "b": {}},
    {"a": {"c": 1}, "b": {"c": False}},
    {"a": -2.5, "b": {"c": 0}},
]

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([1.0, 2.5, -2.5]), st.sampled_from(["1", "x", "xy"])
)
bounds = st.one_of(st.none(), st.integers(-3, 3).map(float))
ranges = st.builds(Range, bounds, bounds, bounds, bounds).filter(lambda found: any(bound is not None for bound in found))
tests = st.one_of(
    scalars.map(Equals),
    st.lists(scalars, max_size=3).map(lambda values: OneOf(tuple(values))),
    ranges,
    st.sampled_from(["", "x", "1"]).map(Prefix),
    st.booleans().map(Exists),
)
times = st.one_of(st.none(), st.integers(0, 12))
leaves = st.one_of(
    st.builds(Metadata, st.sampled_from(["a", "b", "b.c", "a.c", "b.d", "z"]), tests),
    ranges.map(SizeBytes),
    st.builds(ModifiedTime, times, times),
    st.builds(CreatedTime, times, times),
    st.sampled_from(["*", "f1*", "alias", "F*"]).map(Name),
    st.integers(0, 3).map(Owner),
    st.integers(0, 3).map(Group),
    st.sampled_from([0o100000, 0o040000]).map(Kind),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volume]:
    with new_volume(tmp_path_factory.mktemp("columns")) as opened:
        yield opened


@pytest.fixture(scope="module")
def inos(volume: Volume) -> list[Ino]:
    """A file a document, and the number of one that does not exist."""
    made = []
    for number, document in enumerate(DOCUMENTS):
        name = b"f%d" % number
        node = write(
            volume, lambda txn, name=name, n=number: files.create(txn, ROOT_INO, name, mode=0o100644, uid=n % 3, gid=n % 2)
        )
        write(volume, lambda txn, ino=node.ino, n=number: files.set_attributes(txn, ino, mtime_ns=n))
        if document is not None:
            payload = msgspec.json.encode(document)
            write(volume, lambda txn, ino=node.ino, payload=payload: attributes.set_metadata(txn, ino, payload))
        made.append(node.ino)
    write(volume, lambda txn: files.link(txn, made[3], ROOT_INO, b"alias"))
    return [*made, Ino(999_999)]


@settings(max_examples=300)
@given(tree=trees)
def test_a_table_passes_exactly_the_files_that_pass_one_by_one(volume: Volume, inos: list[Ino], tree: Filter) -> None:
    try:
        compiled = filters.compile(tree)
    except filters.InvalidFilter:
        return
    with volume.snapshot() as view:
        expected = filters.matching(view, inos, compiled)
        table = FactsTable(np.array(sorted(inos), dtype=np.int64), with_names=True)
        table.put(view, inos)
    assert table.passing(compiled).tolist() == sorted(expected)
