"""What is a path, where it leads, and what leads to a file."""

import pytest

from vexfs.core import files, paths
from vexfs.core.errors import InvalidName, InvalidPath, NameTooLong, NotADirectory, NotFound, VexfsError
from vexfs.core.types import PATH_MAX_BYTES, ROOT_INO, Ino

from .helpers import Bench


@pytest.mark.parametrize(
    ("path", "components"),
    [
        ("/", ()),
        ("/a", (b"a",)),
        ("/a/", (b"a",)),
        ("/a/b c/ü", (b"a", b"b c", "ü".encode())),
        (b"/\xff/\xfe", (b"\xff", b"\xfe")),
        ("/...", (b"...",)),
        ("/" + "x" * 255, (b"x" * 255,)),
        ("/a" * (PATH_MAX_BYTES // 2), (b"a",) * (PATH_MAX_BYTES // 2)),
    ],
)
def test_a_path_is_its_components(path: str | bytes, components: tuple[bytes, ...]) -> None:
    assert paths.parse(path) == components


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("", InvalidPath),
        ("a", InvalidPath),
        ("./a", InvalidPath),
        ("//", InvalidPath),
        ("//a", InvalidPath),
        ("/a//b", InvalidPath),
        ("/a//", InvalidPath),
        ("/.", InvalidPath),
        ("/..", InvalidPath),
        ("/a/../b", InvalidPath),
        ("/a/./b", InvalidPath),
        ("/a\0b", InvalidName),
        ("/\ud800", InvalidPath),
        ("/" + "x" * 256, NameTooLong),
        ("/" + "ü" * 128, NameTooLong),
        ("/a" * (PATH_MAX_BYTES // 2) + "/", NameTooLong),
    ],
)
def test_what_is_no_path_is_refused(path: str, error: type[VexfsError]) -> None:
    with pytest.raises(VexfsError) as refused:
        paths.parse(path)
    assert type(refused.value) is error


def test_names_are_shown_to_people_with_odd_bytes_escaped() -> None:
    assert paths.show("ü".encode() + b"\xff") == "ü\\xff"


def test_a_path_is_followed_to_its_file(bench: Bench) -> None:
    directory = bench.directory(b"directory")
    inner = bench.directory(b"inner", directory.ino)
    node = bench.file(b"\xff", parent=inner.ino)
    link = bench.symlink(b"link", b"inner", directory.ino)
    home = paths.path_of(bench.view, bench.home)
    assert home is not None
    above = paths.parse(home)
    assert paths.resolve(bench.view, ()).ino == ROOT_INO
    assert paths.resolve(bench.view, (*above, b"directory", b"inner", b"\xff")) == node
    assert paths.resolve(bench.view, (*above, b"directory", b"link")) == link
    for components, error in (
        ((*above, b"absent"), NotFound),
        ((*above, b"absent", b"more"), NotFound),
        ((*above, b"directory", b"link", b"\xff"), NotADirectory),
        ((*above, b"directory", b"inner", b"\xff", b"more"), NotADirectory),
    ):
        refused = bench.refused(error, lambda txn, components=components: paths.resolve(txn, components))
        assert "/" in refused.details["path"]


def test_the_parent_of_a_path_need_not_have_its_last_name(bench: Bench) -> None:
    above = paths.parse(paths.path_of(bench.view, bench.home) or b"")
    node = bench.file(b"file")
    assert paths.resolve_parent(bench.view, (*above, b"new")) == (bench.stat(bench.home), b"new")
    assert paths.resolve_parent(bench.view, (b"new",))[0].ino == ROOT_INO
    bench.refused(InvalidPath, lambda txn: paths.resolve_parent(txn, ()))
    bench.refused(NotADirectory, lambda txn: paths.resolve_parent(txn, (*above, b"file", b"new")))
    bench.refused(NotFound, lambda txn: paths.resolve_parent(txn, (*above, b"absent", b"new")))
    assert node.ino


def test_the_path_of_a_file_follows_it(bench: Bench) -> None:
    directory = bench.directory(b"directory")
    node = bench.file(b"file", parent=directory.ino)
    home = paths.path_of(bench.view, bench.home)
    assert home is not None
    assert paths.path_of(bench.view, ROOT_INO) == b"/"
    assert paths.path_of(bench.view, node.ino) == home + b"/directory/file"
    bench.do(lambda txn: files.rename(txn, bench.home, b"directory", bench.home, b"renamed"))
    assert paths.path_of(bench.view, node.ino) == home + b"/renamed/file"
    bench.do(lambda txn: files.link(txn, node.ino, bench.home, b"a link"))
    assert paths.path_of(bench.view, node.ino) == home + b"/a link"
    bench.do(lambda txn: files.remove(txn, bench.home, b"a link"))
    bench.do(lambda txn: files.remove(txn, directory.ino, b"file", keep_open=True))
    assert paths.path_of(bench.view, node.ino) is None
    assert paths.path_of(bench.view, 1 << 40) is None
    bench.do(lambda txn: files.forget_orphan(txn, node.ino))


def test_a_file_deeper_than_any_path_has_none(bench: Bench) -> None:
    parent = bench.home

    def deeper(txn: object) -> Ino:
        at = parent
        for _ in range(500):
            at = files.make_directory(txn, at, b"d", mode=0o755, uid=1, gid=1).ino  # type: ignore[arg-type]
        return at

    for _ in range(5):
        parent = bench.do(deeper)
    assert paths.path_of(bench.view, parent) is None
