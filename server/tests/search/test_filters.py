"""Filters on real rows: what each condition means, and what is refused."""

import math
import stat
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.views.dense.volumes import new_volume, write
from vexfs.core import attributes, files, filters
from vexfs.core.errors import InvalidFilter
from vexfs.core.filters import (
    All,
    AnyOf,
    CreatedTime,
    Equals,
    Exists,
    Facts,
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
from vexfs.core.types import ROOT_INO, Ino, Node
from vexfs.store.volume import Volume

DOCUMENT = {
    "year": 2024,
    "price": 9.5,
    "draft": False,
    "title": "Rotating keys",
    "none": None,
    "author": {"name": "Ada", "links": [{"site": "a.example"}, {"site": "b.example"}]},
    "tags": ["ops", "security", 7],
}


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volume]:
    with new_volume(tmp_path_factory.mktemp("filters")) as opened:
        yield opened


@pytest.fixture(scope="module")
def inos(volume: Volume) -> dict[str, Ino]:
    """Two files: one with the document, linked twice; one without metadata."""

    def make(name: bytes, mode: int, uid: int) -> Ino:
        return write(volume, lambda txn: files.create(txn, ROOT_INO, name, mode=stat.S_IFREG | mode, uid=uid, gid=uid + 1)).ino

    full, bare = make(b"Report-1.md", 0o644, 1000), make(b"bare.txt", 0o600, 0)
    write(volume, lambda txn: attributes.set_metadata(txn, full, msgspec.json.encode(DOCUMENT)))
    write(volume, lambda txn: files.link(txn, full, ROOT_INO, b"alias.rst"))
    write(volume, lambda txn: files.set_attributes(txn, full, mtime_ns=5_000))
    return {"full": full, "bare": bare}


def passing(volume: Volume, inos: dict[str, Ino], condition: Filter) -> set[str]:
    with volume.snapshot() as view:
        found = filters.matching(view, list(inos.values()), filters.compile(condition))
    return {name for name, ino in inos.items() if ino in found}


@pytest.mark.parametrize(
    "condition",
    [
        Metadata("year", Equals(2024)),
        Metadata("year", Equals(2024.0)),
        Metadata("price", Range(gt=9, lte=9.5)),
        Metadata("draft", Equals(False)),
        Metadata("none", Equals(None)),
        Metadata("none", Exists(True)),
        Metadata("title", Prefix("Rotating")),
        Metadata("title", OneOf(("x", "Rotating keys"))),
        Metadata("author.name", Equals("Ada")),
        Metadata("author.links.site", Equals("b.example")),
        Metadata("tags", Equals("security")),
        Metadata("tags", Range(gte=7)),
        Metadata("tags", Prefix("sec")),
        Owner(1000),
        Group(1001),
        Name("Report-?.md"),
        Name("*.rst"),
        ModifiedTime(from_ns=5_000, until_ns=5_001),
        Not(Owner(0)),
        All((Metadata("year", Equals(2024)), Owner(1000))),
        AnyOf((Metadata("year", Equals(1)), Name("alias*"))),
    ],
    ids=repr,
)
def test_conditions_that_only_the_full_file_meets(volume: Volume, inos: dict[str, Ino], condition: Filter) -> None:
    assert passing(volume, inos, condition) == {"full"}
    assert passing(volume, inos, Not(condition)) == {"bare"}


@pytest.mark.parametrize(
    "condition",
    [
        Metadata("year", Equals("2024")),
        Metadata("draft", Equals(0)),
        Metadata("year", Equals(True)),
        Metadata("draft", Range(gte=0)),
        Metadata("title", Range(gte=0)),
        Metadata("year", Prefix("2")),
        Metadata("author", Equals("Ada")),
        Metadata("title.name", Exists(True)),
        Metadata("absent", Equals(None)),
        Name("report-1.md"),
        Name("Report-1"),
        ModifiedTime(until_ns=5_000, from_ns=0),
        CreatedTime(until_ns=1),
        SizeBytes(Range(gt=0)),
        Kind(stat.S_IFDIR),
    ],
    ids=repr,
)
def test_conditions_that_nothing_meets(volume: Volume, inos: dict[str, Ino], condition: Filter) -> None:
    assert passing(volume, inos, condition) == set()


def test_a_missing_value_passes_only_the_test_for_its_absence(volume: Volume, inos: dict[str, Ino]) -> None:
    assert passing(volume, inos, Metadata("year", Exists(False))) == {"bare"}
    assert passing(volume, inos, SizeBytes(Range(lte=0))) == {"full", "bare"}


def test_files_that_are_gone_do_not_pass(volume: Volume) -> None:
    with volume.snapshot() as view:
        assert filters.matching(view, [Ino(999_999)], filters.compile(Not(Owner(77)))) == set()


@pytest.mark.parametrize(
    "condition",
    [
        All(()),
        AnyOf(()),
        Metadata("", Equals(1)),
        Metadata("a..b", Equals(1)),
        Metadata("k" * 1025, Equals(1)),
        Metadata("k", Equals(math.nan)),
        Metadata("k", OneOf((1, math.inf))),
        Metadata("k", Equals([1])),  # type: ignore[arg-type]
        Metadata("k", Range()),
        Metadata("k", Range(gt=math.nan)),
        SizeBytes(Range()),
        Name(""),
        All(tuple(Owner(1) for _ in range(256))),
    ],
    ids=lambda condition: repr(condition)[:40],
)
def test_filters_that_make_no_sense_are_refused(condition: Filter) -> None:
    with pytest.raises(InvalidFilter):
        filters.compile(condition)


def test_nesting_ends_at_eight_levels() -> None:
    condition: Filter = Owner(1)
    for _ in range(filters.DEPTH_MAX - 1):
        condition = Not(condition)
    filters.compile(condition)
    with pytest.raises(InvalidFilter):
        filters.compile(Not(condition))


_scalars = st.one_of(st.booleans(), st.none(), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 1.5]), st.sampled_from(["", "a"]))


@given(value=_scalars, wanted=_scalars)
def test_equality_is_that_of_json(value: object, wanted: object) -> None:
    node = Node(*([0] * 13))
    predicate = filters.compile(Metadata("k", Equals(wanted))).predicate  # type: ignore[arg-type]
    same_kind = isinstance(value, bool) == isinstance(wanted, bool)
    assert predicate(Facts(node, {"k": value}, ())) == (same_kind and value == wanted)


def test_a_filter_reads_only_what_it_needs() -> None:
    assert not filters.compile(Owner(1)).needs_metadata
    assert filters.compile(Not(Metadata("k", Exists(True)))).needs_metadata
    assert filters.compile(AnyOf((Owner(1), Name("*")))).needs_names
