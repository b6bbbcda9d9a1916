"""Extended attributes and metadata."""

import pytest

from vexfs.core import attributes, files
from vexfs.core.errors import (
    AttributeExists,
    AttributeNotFound,
    InvalidMetadata,
    InvalidName,
    NameTooLong,
    NotFound,
    TooLarge,
    VexfsError,
)
from vexfs.core.types import CHANGE_METADATA, CHANGE_XATTR, METADATA_MAX_BYTES, XATTR_VALUE_MAX_BYTES, Change, Ino

from .helpers import Bench

ABSENT = Ino(1 << 40)


def test_an_attribute_is_set_read_listed_and_removed(bench: Bench) -> None:
    node = bench.file(b"file")
    for name, value in ((b"user.b", b"2"), (b"user.a", b""), (b"\xff", b"\0" * XATTR_VALUE_MAX_BYTES), (b"x" * 255, b"1")):
        bench.do(lambda txn, name=name, value=value: attributes.set_xattr(txn, node.ino, name, value))
        assert attributes.get_xattr(bench.view, node.ino, name) == value
    assert attributes.list_xattrs(bench.view, node.ino) == [b"user.a", b"user.b", b"x" * 255, b"\xff"]
    bench.do(lambda txn: attributes.remove_xattr(txn, node.ino, b"user.a"))
    assert attributes.list_xattrs(bench.view, node.ino) == [b"user.b", b"x" * 255, b"\xff"]
    bench.refused(AttributeNotFound, lambda txn: attributes.get_xattr(txn, node.ino, b"user.a"))
    bench.refused(AttributeNotFound, lambda txn: attributes.remove_xattr(txn, node.ino, b"user.a"))


def test_create_and_replace_are_what_they_say(bench: Bench) -> None:
    node = bench.file(b"file")
    set_xattr, name = attributes.set_xattr, b"user.a"
    bench.refused(AttributeNotFound, lambda txn: set_xattr(txn, node.ino, name, b"1", replace=True))
    bench.do(lambda txn: set_xattr(txn, node.ino, name, b"1", create=True))
    bench.refused(AttributeExists, lambda txn: set_xattr(txn, node.ino, name, b"2", create=True))
    bench.do(lambda txn: set_xattr(txn, node.ino, name, b"3", replace=True))
    assert attributes.get_xattr(bench.view, node.ino, name) == b"3"


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        (b"", b"", InvalidName),
        (b"a\0b", b"", InvalidName),
        (b"x" * 256, b"", NameTooLong),
        (b"user.a", b"x" * (XATTR_VALUE_MAX_BYTES + 1), TooLarge),
    ],
)
def test_attributes_beyond_the_limits_are_refused(bench: Bench, name: bytes, value: bytes, error: type[VexfsError]) -> None:
    node = bench.file(b"file")
    bench.refused(error, lambda txn: attributes.set_xattr(txn, node.ino, name, value))


@pytest.mark.parametrize("kind", ["file", "directory", "symlink"])
def test_every_kind_of_file_has_attributes_and_metadata_and_its_ctime_moves(bench: Bench, kind: str) -> None:
    node = getattr(bench, kind)(b"it")
    bench.do(lambda txn: files.set_attributes(txn, node.ino, mtime_ns=5, ctime_ns=6))
    for change in (
        lambda txn: attributes.set_xattr(txn, node.ino, b"user.a", b"1"),
        lambda txn: attributes.remove_xattr(txn, node.ino, b"user.a"),
        lambda txn: attributes.set_metadata(txn, node.ino, b'{"a": 1}'),
    ):
        before = bench.stat(node.ino)
        changed = bench.do(change)
        assert changed == bench.stat(node.ino) == before._replace(ctime_ns=changed.ctime_ns, revision=changed.revision)
        assert changed.ctime_ns > 6 and changed.revision > before.revision


def test_changes_tell_the_log_what_changed(bench: Bench) -> None:
    node = bench.file(b"file")
    bench.do(lambda txn: attributes.set_xattr(txn, node.ino, b"user.a", b"1"))
    bench.do(lambda txn: attributes.set_metadata(txn, node.ino, b'{"a": 1}'))
    head = bench.commit()
    xattr, metadata = bench.volume.tail.read(head - 2)
    assert xattr.changes == (Change(CHANGE_XATTR, node.ino),)
    assert metadata.changes == (Change(CHANGE_METADATA, node.ino),)


# -- metadata ------------------------------------------------------------------------------------------


def test_metadata_is_kept_as_it_was_given(bench: Bench) -> None:
    node = bench.file(b"file")
    assert attributes.get_metadata(bench.view, node.ino) == b"{}"
    largest = b'{"x": "' + b"y" * (METADATA_MAX_BYTES - 9) + b'"}'
    for json in (b'{"b": [1, 2.5, null], "a": {"\xc3\xbc": true}}', b" { } ", b'{"a":1,"a":2}', largest):
        bench.do(lambda txn, json=json: attributes.set_metadata(txn, node.ino, json))
        assert attributes.get_metadata(bench.view, node.ino) == json
    bench.do(lambda txn: attributes.set_metadata(txn, node.ino, b"{}"))
    assert attributes.get_metadata(bench.view, node.ino) == b"{}"


@pytest.mark.parametrize(
    ("json", "what"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b'{"a": }', "JSON"),
        (b'{"a": NaN}', "JSON"),
        (b'{"a": "\xff"}', "JSON"),
        (b"[1, 2]", "array"),
        (b'"text"', "string"),
        (b"12", "bare"),
        (b"null", "bare"),
        (b'{"x": "' + b"y" * METADATA_MAX_BYTES + b'"}', "bytes"),
    ],
)
def test_what_is_no_json_object_within_the_limit_is_refused(bench: Bench, json: bytes, what: str) -> None:
    node = bench.file(b"file")
    error = bench.refused(InvalidMetadata, lambda txn: attributes.set_metadata(txn, node.ino, json))
    assert what in error.message


def test_metadata_nested_beyond_reason_is_refused_and_nothing_breaks(bench: Bench) -> None:
    node = bench.file(b"file")
    for start, end, levels in ((b'{"a":', b"}", 32), (b'{"a":[', b"]}", 16)):
        deepest = start * levels + b"1" + end * levels
        bench.do(lambda txn, json=deepest: attributes.set_metadata(txn, node.ino, json))
        for more in (1, 900, 5000):
            json = start * (levels + more) + b"1" + end * (levels + more)
            error = bench.refused(InvalidMetadata, lambda txn, json=json: attributes.set_metadata(txn, node.ino, json))
            assert error.details == {"limit": "32"}
        assert attributes.get_metadata(bench.view, node.ino) == deepest


def test_nothing_is_read_of_a_file_that_is_not_there_or_was_removed(bench: Bench) -> None:
    node = bench.file(b"file")
    bench.do(lambda txn: attributes.set_xattr(txn, node.ino, b"user.a", b"1"))
    bench.do(lambda txn: attributes.set_metadata(txn, node.ino, b'{"a": 1}'))
    revision = bench.commit()
    bench.do(lambda txn: files.remove(txn, bench.home, b"file"))
    for ino in (node.ino, ABSENT):
        for operation in (
            lambda txn, ino=ino: attributes.get_xattr(txn, ino, b"user.a"),
            lambda txn, ino=ino: attributes.list_xattrs(txn, ino),
            lambda txn, ino=ino: attributes.get_metadata(txn, ino),
            lambda txn, ino=ino: attributes.set_xattr(txn, ino, b"user.a", b""),
            lambda txn, ino=ino: attributes.remove_xattr(txn, ino, b"user.a"),
            lambda txn, ino=ino: attributes.set_metadata(txn, ino, b"{}"),
        ):
            bench.refused(NotFound, operation)
    bench.commit()
    with bench.volume.snapshot(revision) as past:
        assert attributes.get_xattr(past, node.ino, b"user.a") == b"1"
        assert attributes.get_metadata(past, node.ino) == b'{"a": 1}'
