"""Looking, creating, linking, removing: every documented effect and every documented refusal."""

import stat
import time
from collections.abc import Callable

import pytest

from vexfs.core import acls, attributes, content, files
from vexfs.core.acls import GROUP_OBJ, MASK, OTHER, USER, USER_OBJ, Entry
from vexfs.core.errors import (
    AlreadyExists,
    DirectoryNotEmpty,
    InvalidName,
    InvalidRequest,
    IsADirectory,
    LinkNotPermitted,
    NameTooLong,
    NotADirectory,
    NotASymlink,
    NotFound,
    TooManyLinks,
    VexfsError,
)
from vexfs.core.types import (
    CHANGE_ENTRY_ADDED,
    CHANGE_ENTRY_REMOVED,
    CHANGE_NODE,
    CHANGE_NODE_REMOVED,
    CHANGE_XATTR,
    LINK_MAX,
    SYMLINK_TARGET_MAX_BYTES,
    Change,
    Ino,
)
from vexfs.store import nodes
from vexfs.store.writer import Transaction

from .helpers import Bench

ABSENT = Ino(1 << 40)
_NOBODY = 0xFFFFFFFF
NAMED_READER = acls.pack(
    [
        Entry(USER_OBJ, 7, _NOBODY),
        Entry(USER, 4, 1000),
        Entry(GROUP_OBJ, 5, _NOBODY),
        Entry(MASK, 5, _NOBODY),
        Entry(OTHER, 0, _NOBODY),
    ]
)


def create(bench: Bench, name: bytes, mode: int = 0o644) -> object:
    return lambda txn: files.create(txn, bench.home, name, mode=mode, uid=1, gid=1)


# -- creating ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK])
def test_a_file_of_each_type_is_created_as_asked(bench: Bench, kind: int) -> None:
    before_ns = time.time_ns()
    node = bench.do(lambda txn: files.create(txn, bench.home, b"file", mode=kind | 0o4640, uid=7, gid=8, rdev=0x103))
    assert (node.mode, node.nlink, node.uid, node.gid, node.rdev) == (kind | 0o4640, 1, 7, 8, 0x103)
    assert node.size_bytes == 0 and node.revision == node.content_revision > 0
    assert node.atime_ns == node.mtime_ns == node.ctime_ns == node.btime_ns
    assert before_ns <= node.btime_ns <= time.time_ns()
    assert bench.stat(node.ino) == files.lookup(bench.view, bench.home, b"file") == node


def test_many_files_are_made_as_each_alone_would_be(bench: Bench) -> None:
    directory = bench.directory(b"shared", mode=0o2775)
    bench.do(lambda txn: attributes.set_acl(txn, directory.ino, acls.DEFAULT, NAMED_READER))
    names = [b"%d" % n for n in range(1500)]  # more than numbers are reserved at a time
    inos = bench.do(lambda txn: files.create_many(txn, directory.ino, names, mode=0o664, uid=7, gid=8))
    alone = bench.do(lambda txn: files.create(txn, directory.ino, b"alone", mode=0o664, uid=7, gid=8))
    assert alone.flags and alone.gid == directory.gid
    for name, ino in zip(names, inos, strict=True):
        made = files.lookup(bench.view, directory.ino, name)
        assert made == alone._replace(
            ino=ino,
            revision=made.revision,
            content_revision=made.revision,
            **dict.fromkeys(("atime_ns", "mtime_ns", "ctime_ns", "btime_ns"), made.btime_ns),
        )
        assert attributes.get_xattr(bench.view, ino, acls.ACCESS) == attributes.get_xattr(bench.view, alone.ino, acls.ACCESS)
    assert len({*inos, alone.ino}) == 1501
    changes = bench.volume.tail.read(bench.commit() - 2)[0].changes
    for expected in (CHANGE_ENTRY_ADDED, CHANGE_NODE, CHANGE_XATTR):
        assert [change.ino for change in changes if change.kind == expected] == inos


def test_many_files_are_made_together_or_not_at_all(bench: Bench) -> None:
    def many(*names: bytes, parent: Ino = bench.home) -> Callable[[Transaction], object]:
        return lambda txn: files.create_many(txn, parent, names, mode=0o644, uid=1, gid=1)

    bench.file(b"taken")
    bench.refused(AlreadyExists, many(b"a", b"taken", b"b"))
    bench.refused(AlreadyExists, many(b"a", b"a"))
    bench.refused(InvalidName, many(b"a", b"b/c"))
    bench.refused(NotFound, many(b"a", parent=ABSENT))
    bench.refused(NotADirectory, many(b"a", parent=bench.file(b"file").ino))
    assert bench.do(many()) == []
    assert bench.names() == [b"file", b"taken"]


def test_a_file_without_a_type_is_a_regular_one(bench: Bench) -> None:
    assert bench.file(b"file", mode=0o600).mode == stat.S_IFREG | 0o600


@pytest.mark.parametrize("mode", [stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777, 0o150000])
def test_create_makes_no_directories_links_or_unknown_types(bench: Bench, mode: int) -> None:
    bench.refused(InvalidRequest, create(bench, b"file", mode))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (b"", InvalidName),
        (b".", InvalidName),
        (b"..", InvalidName),
        (b"a/b", InvalidName),
        (b"a\0b", InvalidName),
        (b"x" * 256, NameTooLong),
        ("ü".encode() * 128, NameTooLong),
    ],
)
def test_a_name_that_cannot_be_one_is_refused_by_every_operation_that_makes_one(
    bench: Bench, name: bytes, error: type[VexfsError]
) -> None:
    node = bench.file(b"file")
    for operation in (
        lambda txn: files.create(txn, bench.home, name, mode=0o644, uid=1, gid=1),
        lambda txn: files.make_directory(txn, bench.home, name, mode=0o755, uid=1, gid=1),
        lambda txn: files.make_symlink(txn, bench.home, name, target=b"t", uid=1, gid=1),
        lambda txn: files.link(txn, node.ino, bench.home, name),
        lambda txn: files.rename(txn, bench.home, b"file", bench.home, name),
    ):
        bench.refused(error, operation)


@pytest.mark.parametrize("name", [b"x" * 255, b"\xff\xfe", b" ", b"...", b"\n", "ü".encode(), b"a\\b", b"*?"])
def test_a_name_is_any_bytes_a_kernel_allows(bench: Bench, name: bytes) -> None:
    node = bench.file(name)
    assert files.lookup(bench.view, bench.home, name).ino == node.ino
    assert bench.names() == [name]


def test_what_exists_is_not_created_again(bench: Bench) -> None:
    bench.file(b"taken")
    directory = bench.directory(b"directory")
    for name in (b"taken", b"directory"):
        for operation in (
            lambda txn, name=name: files.create(txn, bench.home, name, mode=0o644, uid=1, gid=1),
            lambda txn, name=name: files.make_directory(txn, bench.home, name, mode=0o755, uid=1, gid=1),
            lambda txn, name=name: files.make_symlink(txn, bench.home, name, target=b"t", uid=1, gid=1),
        ):
            bench.refused(AlreadyExists, operation)
    assert bench.stat(directory.ino).nlink == 2


@pytest.mark.parametrize(("parent", "error"), [("file", NotADirectory), ("absent", NotFound), ("removed", NotFound)])
def test_everything_needs_a_directory_that_is_there(bench: Bench, parent: str, error: type[VexfsError]) -> None:
    node = bench.file(b"file")
    removed = bench.directory(b"removed")
    bench.do(lambda txn: files.remove_directory(txn, bench.home, b"removed"))
    ino = {"file": node.ino, "absent": ABSENT, "removed": removed.ino}[parent]
    for operation in (
        lambda txn: files.create(txn, ino, b"x", mode=0o644, uid=1, gid=1),
        lambda txn: files.make_directory(txn, ino, b"x", mode=0o755, uid=1, gid=1),
        lambda txn: files.make_symlink(txn, ino, b"x", target=b"t", uid=1, gid=1),
        lambda txn: files.link(txn, node.ino, ino, b"x"),
        lambda txn: files.remove(txn, ino, b"x"),
        lambda txn: files.remove_directory(txn, ino, b"x"),
        lambda txn: files.rename(txn, ino, b"x", bench.home, b"y"),
        lambda txn: files.rename(txn, bench.home, b"file", ino, b"y"),
        lambda txn: files.lookup(txn, ino, b"x"),
        lambda txn: files.list_directory(txn, ino),
    ):
        bench.refused(error, operation)


def test_a_directory_begins_with_two_links_and_counts_its_subdirectories(bench: Bench) -> None:
    directory = bench.directory(b"directory", mode=0o1700)
    assert (directory.mode, directory.nlink) == (stat.S_IFDIR | 0o1700, 2)
    bench.directory(b"inner", directory.ino)
    bench.file(b"file", parent=directory.ino)
    assert bench.stat(directory.ino).nlink == 3
    assert bench.stat(bench.home).nlink == 3
    bench.do(lambda txn: files.remove_directory(txn, directory.ino, b"inner"))
    assert bench.stat(directory.ino).nlink == 2


def test_the_group_of_a_setgid_directory_is_inherited_and_handed_on(bench: Bench) -> None:
    shared = bench.do(lambda txn: files.make_directory(txn, bench.home, b"shared", mode=0o2775, uid=1, gid=77))
    file = bench.file(b"file", parent=shared.ino)
    link = bench.symlink(b"link", parent=shared.ino)
    inner = bench.directory(b"inner", parent=shared.ino)
    deeper = bench.directory(b"deeper", parent=inner.ino)
    assert [node.gid for node in (file, link, inner, deeper)] == [77] * 4
    assert not file.mode & stat.S_ISGID
    assert inner.mode & deeper.mode & stat.S_ISGID
    assert bench.file(b"outside").gid == 1000


def test_a_directory_holds_only_so_many_directories(bench: Bench) -> None:
    directory = bench.directory(b"full")
    moved = bench.directory(b"moved")
    bench.do(lambda txn: txn.execute("UPDATE node SET nlink=? WHERE ino=?", (LINK_MAX - 1, directory.ino)))
    bench.commit()
    bench.directory(b"last", directory.ino)
    bench.refused(TooManyLinks, lambda txn: files.make_directory(txn, directory.ino, b"more", mode=0o755, uid=1, gid=1))
    bench.refused(TooManyLinks, lambda txn: files.rename(txn, bench.home, b"moved", directory.ino, b"moved"))
    bench.file(b"a file fits", parent=directory.ino)
    assert moved.ino
    bench.do(lambda txn: files.remove(txn, directory.ino, b"a file fits"))
    bench.do(lambda txn: files.remove_directory(txn, directory.ino, b"last"))
    bench.commit()
    bench.do(lambda txn: txn.execute("UPDATE node SET nlink=2 WHERE ino=?", (directory.ino,)))


def test_creating_tells_the_log(bench: Bench) -> None:
    node = bench.file(b"file")
    head = bench.commit()
    (record,) = bench.volume.tail.read(head - 1)
    assert set(record.changes) == {Change(CHANGE_NODE, node.ino), Change(CHANGE_ENTRY_ADDED, node.ino, bench.home, b"file")}


# -- symbolic links ------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [b"x", b"/absolute", b"../\xff", b"t" * SYMLINK_TARGET_MAX_BYTES])
def test_a_symbolic_link_keeps_its_target(bench: Bench, target: bytes) -> None:
    node = bench.symlink(b"link", target)
    assert (node.mode, node.size_bytes) == (stat.S_IFLNK | 0o777, len(target))
    assert files.read_symlink(bench.view, node.ino) == target


@pytest.mark.parametrize(
    ("target", "error"),
    [(b"", InvalidRequest), (b"a\0b", InvalidRequest), (b"t" * (SYMLINK_TARGET_MAX_BYTES + 1), NameTooLong)],
)
def test_a_target_that_cannot_be_one_is_refused(bench: Bench, target: bytes, error: type[VexfsError]) -> None:
    bench.refused(error, lambda txn: files.make_symlink(txn, bench.home, b"link", target=target, uid=1, gid=1))


def test_only_a_symbolic_link_has_a_target(bench: Bench) -> None:
    node = bench.file(b"file")
    bench.refused(NotASymlink, lambda txn: files.read_symlink(txn, node.ino))
    bench.refused(NotFound, lambda txn: files.read_symlink(txn, ABSENT))


# -- looking -------------------------------------------------------------------------------------------


def test_looking_for_what_is_not_there(bench: Bench) -> None:
    bench.refused(NotFound, lambda txn: files.stat(txn, ABSENT))
    bench.refused(NotFound, lambda txn: files.lookup(txn, bench.home, b"absent"))
    assert files.find(bench.view, bench.home, b"absent") is None
    bench.commit()
    with bench.volume.snapshot(bench.volume.head()) as past:
        assert files.find(past, bench.home, b"absent") is None


def test_a_directory_is_listed_by_pages_in_byte_order(bench: Bench) -> None:
    names = [b"B", b"a", b"\xff", b"a\x00b"[:1] + b"-", b"b", "ü".encode()]
    for name in names:
        bench.file(name)
    assert bench.names() == sorted(names)
    pages, after = [], b""
    while page := files.list_directory(bench.view, bench.home, after=after, limit=2):
        pages.append([entry.name for entry in page])
        after = page[-1].name
    assert pages == [sorted(names)[n : n + 2] for n in (0, 2, 4)]
    entry = files.list_directory(bench.view, bench.home)[0]
    assert entry.node == files.lookup(bench.view, bench.home, entry.name)


def test_a_listing_shows_a_subdirectory_as_it_is_now(bench: Bench) -> None:
    directory = bench.directory(b"directory")
    bench.directory(b"inner", directory.ino)
    (entry,) = files.list_directory(bench.view, bench.home)
    assert entry.node == bench.stat(directory.ino) and entry.node.nlink == 3


# -- hard links ----------------------------------------------------------------------------------------


def test_a_link_is_one_more_name_for_the_same_file(bench: Bench) -> None:
    node = bench.file(b"first", b"data")
    linked = bench.do(lambda txn: files.link(txn, node.ino, bench.home, b"second"))
    assert linked.ino == node.ino and linked.nlink == 2 and linked.mtime_ns == node.mtime_ns
    assert linked.ctime_ns >= node.ctime_ns and linked.content_revision == node.content_revision
    removed = bench.do(lambda txn: files.remove(txn, bench.home, b"first"))
    assert (removed.ino, removed.name, removed.last_link) == (node.ino, b"first", False)
    assert bench.stat(node.ino).nlink == 1 and bench.read(node.ino) == b"data"
    assert bench.do(lambda txn: files.remove(txn, bench.home, b"second")).last_link
    bench.refused(NotFound, lambda txn: files.stat(txn, node.ino))


def test_links_are_refused_where_they_cannot_be(bench: Bench) -> None:
    node, directory = bench.file(b"file"), bench.directory(b"directory")
    bench.refused(AlreadyExists, lambda txn: files.link(txn, node.ino, bench.home, b"directory"))
    bench.refused(LinkNotPermitted, lambda txn: files.link(txn, directory.ino, bench.home, b"x"))
    bench.refused(NotFound, lambda txn: files.link(txn, ABSENT, bench.home, b"x"))
    bench.do(lambda txn: txn.execute("UPDATE node SET nlink=? WHERE ino=?", (LINK_MAX, node.ino)))
    bench.refused(TooManyLinks, lambda txn: files.link(txn, node.ino, bench.home, b"x"))
    bench.do(lambda txn: txn.execute("UPDATE node SET nlink=1 WHERE ino=?", (node.ino,)))


def test_symbolic_links_and_special_files_can_be_linked(bench: Bench) -> None:
    for node in (bench.symlink(b"symlink"), bench.file(b"fifo", mode=stat.S_IFIFO | 0o600)):
        assert bench.do(lambda txn, node=node: files.link(txn, node.ino, bench.home, b"to-%d" % node.ino)).nlink == 2


# -- removing and orphans ------------------------------------------------------------------------------


def test_removing_moves_the_times_of_the_directory_only(bench: Bench) -> None:
    bench.file(b"file")
    bench.do(lambda txn: files.set_attributes(txn, bench.home, mtime_ns=5, atime_ns=6))
    before = bench.stat(bench.home)
    bench.do(lambda txn: files.remove(txn, bench.home, b"file"))
    after = bench.stat(bench.home)
    assert after.mtime_ns > before.mtime_ns == 5 and after.ctime_ns >= before.ctime_ns
    assert after.atime_ns == 6 and after.nlink == before.nlink


def test_remove_is_for_files_and_remove_directory_for_empty_directories(bench: Bench) -> None:
    bench.file(b"file")
    directory = bench.directory(b"directory")
    bench.file(b"inner", parent=directory.ino)
    bench.refused(IsADirectory, lambda txn: files.remove(txn, bench.home, b"directory"))
    bench.refused(NotADirectory, lambda txn: files.remove_directory(txn, bench.home, b"file"))
    bench.refused(DirectoryNotEmpty, lambda txn: files.remove_directory(txn, bench.home, b"directory"))
    for operation in (files.remove, files.remove_directory):
        bench.refused(NotFound, lambda txn, operation=operation: operation(txn, bench.home, b"absent"))
    bench.do(lambda txn: files.remove(txn, directory.ino, b"inner"))
    removed = bench.do(lambda txn: files.remove_directory(txn, bench.home, b"directory"))
    assert (removed.ino, removed.last_link) == (directory.ino, True)
    assert bench.names() == [b"file"]


def test_removing_tells_the_log(bench: Bench) -> None:
    node = bench.file(b"file")
    bench.do(lambda txn: files.remove(txn, bench.home, b"file"))
    head = bench.commit()
    assert set(bench.volume.tail.read(head - 1)[0].changes) == {
        Change(CHANGE_ENTRY_REMOVED, node.ino, bench.home, b"file"),
        Change(CHANGE_NODE_REMOVED, node.ino),
    }


def test_a_file_removed_while_open_lives_until_it_is_forgotten(bench: Bench) -> None:
    node = bench.file(b"file", b"data")
    removed = bench.do(lambda txn: files.remove(txn, bench.home, b"file", keep_open=True))
    assert removed.last_link and bench.names() == []
    assert bench.stat(node.ino).nlink == 0 and bench.read(node.ino) == b"data"
    assert (node.ino, bench.volume.origin) in nodes.orphans(bench.view)
    prepared = content.prepare(bench.volume.blobs, [(4, b" more")])
    bench.do(lambda txn: content.write(txn, node.ino, prepared))
    assert bench.read(node.ino) == b"data more"
    bench.refused(NotFound, lambda txn: files.link(txn, node.ino, bench.home, b"back"))
    bench.do(lambda txn: files.forget_orphan(txn, node.ino))
    bench.refused(NotFound, lambda txn: files.stat(txn, node.ino))
    assert nodes.orphans(bench.view) == []
    bench.do(lambda txn: files.forget_orphan(txn, node.ino))


def test_forgetting_a_file_that_has_a_name_does_nothing_to_it(bench: Bench) -> None:
    node = bench.file(b"file", b"data")
    bench.do(lambda txn: files.forget_orphan(txn, node.ino))
    assert bench.stat(node.ino) == node
    bench.do(lambda txn: files.link(txn, node.ino, bench.home, b"second"))
    bench.do(lambda txn: files.remove(txn, bench.home, b"file", keep_open=True))
    assert nodes.orphans(bench.view) == []


def test_a_file_made_without_a_name_gets_one_or_goes(bench: Bench) -> None:
    bench.do(lambda txn: files.set_attributes(txn, bench.home, mode=0o2755, gid=77))
    before = bench.stat(bench.home)
    made = [bench.do(lambda txn: files.create_nameless(txn, bench.home, mode=0o100640, uid=5, gid=6)) for _ in range(2)]
    assert [(node.mode, node.nlink, node.uid, node.gid) for node in made] == [(0o100640, 0, 5, 77)] * 2
    assert bench.stat(bench.home) == before and bench.names() == []
    assert {ino for ino, _ in nodes.orphans(bench.view)} >= {node.ino for node in made}
    bench.file(b"taken")
    kept, gone = made
    bench.refused(AlreadyExists, lambda txn: files.link(txn, kept.ino, bench.home, b"taken", nameless=True))
    assert bench.do(lambda txn: files.link(txn, kept.ino, bench.home, b"kept", nameless=True)).nlink == 1
    assert bench.do(lambda txn: files.link(txn, kept.ino, bench.home, b"twice", nameless=True)).nlink == 2
    bench.do(lambda txn: files.forget_orphan(txn, gone.ino))
    assert nodes.orphans(bench.view) == []
    bench.refused(NotFound, lambda txn: files.create_nameless(txn, ABSENT, mode=0o600, uid=0, gid=0))
    bench.refused(NotADirectory, lambda txn: files.create_nameless(txn, kept.ino, mode=0o600, uid=0, gid=0))


# -- attributes ----------------------------------------------------------------------------------------


def test_only_the_attributes_given_change_and_ctime_moves(bench: Bench) -> None:
    node = bench.file(b"file", b"data")
    for given in (
        {"mode": 0o4711},
        {"uid": 5},
        {"gid": 6},
        {"atime_ns": 7},
        {"mtime_ns": -8},
        {"mode": 0o600, "uid": 0, "gid": 0, "atime_ns": 0, "mtime_ns": 0},
        {},
    ):
        before = bench.stat(node.ino)
        changed = bench.do(lambda txn, given=given: files.set_attributes(txn, node.ino, **given))
        expected = before._replace(**given)
        expected = expected._replace(mode=stat.S_IFREG | stat.S_IMODE(expected.mode))
        assert changed == expected._replace(ctime_ns=changed.ctime_ns, revision=changed.revision) == bench.stat(node.ino)
        assert changed.ctime_ns >= before.ctime_ns and changed.revision > before.revision
        assert changed.content_revision == node.content_revision
    assert bench.do(lambda txn: files.set_attributes(txn, node.ino, ctime_ns=9)).ctime_ns == 9


def test_the_type_of_a_file_cannot_be_changed(bench: Bench) -> None:
    directory = bench.directory(b"directory")
    bench.directory(b"inner", directory.ino)
    changed = bench.do(lambda txn: files.set_attributes(txn, directory.ino, mode=stat.S_IFREG | 0o700))
    assert changed.mode == stat.S_IFDIR | 0o700 and changed.nlink == 3
    bench.refused(NotFound, lambda txn: files.set_attributes(txn, ABSENT, mode=0))


def test_changes_of_a_directory_in_one_group_add_up(bench: Bench) -> None:
    """Pending times, written attributes and new entries of one directory within one commit of the mount."""
    directory = bench.directory(b"directory")
    bench.directory(b"one", directory.ino)
    bench.do(lambda txn: files.set_attributes(txn, directory.ino, mode=0o700))
    bench.directory(b"two", directory.ino)
    assert (bench.stat(directory.ino).nlink, bench.stat(directory.ino).mode) == (4, stat.S_IFDIR | 0o700)
    expected = bench.stat(directory.ino)
    bench.commit()
    with bench.volume.snapshot() as view:
        assert files.stat(view, directory.ino) == expected
    for name in (b"one", b"two"):
        bench.do(lambda txn, name=name: files.remove_directory(txn, directory.ino, name))
    bench.do(lambda txn: files.remove_directory(txn, bench.home, b"directory"))
    head = bench.commit()
    with bench.volume.snapshot(head) as view, pytest.raises(NotFound):
        files.stat(view, directory.ino)
