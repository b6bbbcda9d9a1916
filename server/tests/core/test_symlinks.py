"""Following symbolic links inside a volume."""

import pytest

from vexfs.core import paths, symlinks
from vexfs.core.errors import NotADirectory, NotFound, PreconditionFailed, VexfsError
from vexfs.core.types import ROOT_INO

from .helpers import Bench


@pytest.fixture
def above(bench: Bench) -> tuple[bytes, ...]:
    """The path of the bench's directory."""
    return paths.parse(paths.path_of(bench.view, bench.home) or b"")


def test_every_kind_of_target_is_followed(bench: Bench, above: tuple[bytes, ...]) -> None:
    directory = bench.directory(b"directory")
    file = bench.file(b"file", parent=directory.ino)
    here = (*above, b"directory", b"file")
    targets = {
        b"relative": b"directory/file",
        b"absolute": b"/" + b"/".join(here),
        b"dotted": b"./directory/.//../directory/file",
        b"above": b"../" + above[-1] + b"/directory/file",
        b"beyond the root": b"../" * 20 + b"/".join(here),
        b"chain": b"relative",
        b"directory link": b"directory",
    }
    for name, target in targets.items():
        bench.symlink(name, target)
    for name in targets.keys() - {b"directory link"}:
        assert symlinks.follow(bench.view, (*above, name)) == (file, here)
    assert symlinks.follow(bench.view, (*above, b"directory link", b"file")) == (file, here)
    assert symlinks.follow(bench.view, (*above, b"directory")) == (directory._replace(**_now(bench, directory.ino)), here[:-1])
    assert symlinks.follow(bench.view, ())[0].ino == ROOT_INO
    bench.symlink(b"root", b"/")
    assert symlinks.follow(bench.view, (*above, b"root")) == (bench.stat(ROOT_INO), ())


def _now(bench: Bench, ino: int) -> dict[str, int]:
    return bench.stat(ino)._asdict()


@pytest.mark.parametrize(
    ("target", "error"),
    [(b"absent", NotFound), (b"it", PreconditionFailed), (b"file/more", NotADirectory), (b"file/..", NotADirectory)],
)
def test_links_that_lead_nowhere_say_so(bench: Bench, above: tuple[bytes, ...], target: bytes, error: type[VexfsError]) -> None:
    bench.file(b"file")
    bench.symlink(b"it", target)
    bench.refused(error, lambda txn: symlinks.follow(txn, (*above, b"it")))


def test_forty_links_are_followed_and_not_one_more(bench: Bench, above: tuple[bytes, ...]) -> None:
    node = bench.file(b"link-0")
    for number in range(1, symlinks.HOPS_MAX + 2):
        bench.symlink(b"link-%d" % number, b"link-%d" % (number - 1))
    assert symlinks.follow(bench.view, (*above, b"link-40"))[0] == node
    bench.refused(PreconditionFailed, lambda txn: symlinks.follow(txn, (*above, b"link-41")))
