"""Saved queries: made, told, moved and removed in a volume; what they refuse."""

from collections.abc import Iterator

import pytest

from vexfs.core import attributes, files, saved_queries
from vexfs.core.errors import (
    AlreadyExists,
    InvalidName,
    InvalidPath,
    InvalidRequest,
    NotADirectory,
    NotFound,
    TooManyLinks,
    VexfsError,
)
from vexfs.core.saved_queries import SavedQuery
from vexfs.core.types import ROOT_INO, Ino

from .helpers import Bench


@pytest.fixture
def queries(bench: Bench) -> Iterator[Bench]:
    """A volume without saved queries, and without any after the test."""
    assert saved_queries.listed(bench.view) == []
    yield bench
    for name, _ in saved_queries.listed(bench.view):
        bench.do(lambda txn, name=name: saved_queries.remove(txn, name))


def make(bench: Bench, name: bytes) -> Ino:
    return bench.do(lambda txn: saved_queries.make(txn, name, uid=1, gid=2))


def change(bench: Bench, ino: Ino, setting: str, text: str) -> SavedQuery:
    bench.do(lambda txn: saved_queries.change(txn, ino, setting, text))
    return saved_queries.read(bench.view, ino)


def test_a_new_one_asks_its_name_with_the_defaults(queries: Bench) -> None:
    ino = make(queries, "how to réset".encode())
    assert saved_queries.read(queries.view, ino) == SavedQuery("how to réset", 20, "/", "", "hybrid")
    assert saved_queries.find(queries.view, "how to réset".encode()) == ino
    assert saved_queries.listed(queries.view) == [("how to réset".encode(), ino)]
    assert saved_queries.find(queries.view, b"other") is None


def test_settings_change_one_by_one_and_go_back_to_the_default(queries: Bench) -> None:
    ino = make(queries, b"q")
    path = b"/".join([b"", next(name for name, at in names(queries) if at == queries.home)]).decode()
    assert change(queries, ino, "limit", " 50\n").limit == 50
    assert change(queries, ino, "query", "what else\n").query == "what else"
    assert change(queries, ino, "path", path).path == path
    assert change(queries, ino, "mode", "dense").mode == "dense"
    told = change(queries, ino, "filter", '{"metadata": {"key": "a", "exists": true}}')
    assert told == SavedQuery("what else", 50, path, '{"metadata":{"key":"a","exists":true}}', "dense")
    assert change(queries, ino, "live", "yes").live is True
    assert saved_queries.show(saved_queries.read(queries.view, ino), "live") == "yes\n"
    assert change(queries, ino, "live", "no").live is False
    for setting in saved_queries.SETTINGS:
        change(queries, ino, setting, "\n")
    assert saved_queries.read(queries.view, ino) == SavedQuery("q")
    assert attributes.get_metadata(queries.view, ino) == b"{}"


def names(bench: Bench) -> list[tuple[bytes, Ino]]:
    return [(entry.name, entry.node.ino) for entry in files.list_directory(bench.view, ROOT_INO)]


@pytest.mark.parametrize(
    ("setting", "text", "error"),
    [
        ("limit", "0", InvalidRequest),
        ("limit", "1001", InvalidRequest),
        ("limit", "1.5", InvalidRequest),
        ("limit", "9" * 5000, InvalidRequest),
        ("mode", "fuzzy", InvalidRequest),
        ("path", "relative", InvalidPath),
        ("path", "/absent", NotFound),
        ("live", "1", InvalidRequest),
        ("filter", "{", InvalidRequest),
        ("filter", '"text"', InvalidRequest),
        ("filter", "[" * 100_000, InvalidRequest),
        ("query", "x" * 8193, InvalidRequest),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_and_changes_nothing(
    queries: Bench, setting: str, text: str, error: type[VexfsError]
) -> None:
    ino = make(queries, b"q")
    queries.refused(error, lambda txn: saved_queries.change(txn, ino, setting, text))
    assert saved_queries.read(queries.view, ino) == SavedQuery("q")


def test_what_somebody_else_wrote_is_checked_when_it_is_read(queries: Bench) -> None:
    ino = make(queries, b"q")
    for nonsense in (b'{"limit": true}', b'{"limit": 2.5}', b'{"mode": 1}', b'{"filter": "x"}', b'{"path": "x"}'):
        queries.do(lambda txn, json=nonsense: attributes.set_metadata(txn, ino, json))
        with pytest.raises(InvalidRequest):
            saved_queries.read(queries.view, ino)
    queries.do(lambda txn: attributes.set_metadata(txn, ino, b'{"limit": 30.0, "owner": "me"}'))
    assert saved_queries.read(queries.view, ino) == SavedQuery("q", 30)


def test_renaming_changes_the_question_only_where_none_was_told(queries: Bench) -> None:
    ino = make(queries, b"old")
    make(queries, b"in the way")
    queries.do(lambda txn: saved_queries.rename(txn, b"old", b"new"))
    assert saved_queries.read(queries.view, ino).query == "new"
    change(queries, ino, "query", "kept")
    queries.refused(AlreadyExists, lambda txn: saved_queries.rename(txn, b"new", b"in the way", no_replace=True))
    queries.do(lambda txn: saved_queries.rename(txn, b"new", b"in the way"))
    assert saved_queries.listed(queries.view) == [(b"in the way", ino)]
    assert saved_queries.read(queries.view, ino).query == "kept"
    queries.do(lambda txn: saved_queries.remove(txn, b"in the way"))
    with pytest.raises(NotFound):
        saved_queries.read(queries.view, ino)


def test_names_that_cannot_be_asked_are_refused_and_never_listed(queries: Bench) -> None:
    make(queries, b"q")
    for name in (b".hidden", b" ", b"caf\xe9", b""):
        queries.refused(InvalidName, lambda txn, name=name: saved_queries.make(txn, name, uid=0, gid=0))
    queries.refused(AlreadyExists, lambda txn: saved_queries.make(txn, b"q", uid=0, gid=0))
    queries.refused(InvalidName, lambda txn: saved_queries.rename(txn, b"q", b".q"))
    folder = files.lookup(queries.view, ROOT_INO, saved_queries.FOLDER).ino
    queries.do(lambda txn: files.make_directory(txn, folder, b".mine", mode=0o755, uid=0, gid=0))
    queries.do(lambda txn: files.create(txn, folder, b"a file", mode=0o644, uid=0, gid=0))
    assert [name for name, _ in saved_queries.listed(queries.view)] == [b"q"]
    assert saved_queries.find(queries.view, b"a file") is None
    queries.do(lambda txn: files.remove(txn, folder, b"a file"))
    queries.do(lambda txn: files.remove_directory(txn, folder, b".mine"))


def test_there_are_not_arbitrarily_many(queries: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_queries, "SAVED_MAX", 3)
    for name in (b"1", b"2", b"3"):
        make(queries, name)
    queries.refused(TooManyLinks, lambda txn: saved_queries.make(txn, b"4", uid=0, gid=0))


def test_a_file_of_the_folders_name_is_not_replaced(queries: Bench) -> None:
    if files.find(queries.view, ROOT_INO, saved_queries.FOLDER) is not None:
        queries.do(lambda txn: files.remove_directory(txn, ROOT_INO, saved_queries.FOLDER))
    queries.refused(NotFound, lambda txn: saved_queries.remove(txn, b"q"))
    queries.do(lambda txn: files.create(txn, ROOT_INO, saved_queries.FOLDER, mode=0o644, uid=0, gid=0))
    queries.refused(NotADirectory, lambda txn: saved_queries.make(txn, b"q", uid=0, gid=0))
    queries.do(lambda txn: files.remove(txn, ROOT_INO, saved_queries.FOLDER))
