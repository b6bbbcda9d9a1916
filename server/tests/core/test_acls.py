"""POSIX access control lists: against the rules, and against the file system of this machine."""

import errno
import os
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vexfs.core import acls, attributes, files, trees
from vexfs.core.acls import ACCESS, DEFAULT, GROUP_OBJ, MASK, OTHER, USER, USER_OBJ, Entry
from vexfs.core.errors import AttributeNotFound, InvalidRequest, PermissionDenied
from vexfs.core.types import CHANGE_NODE, CHANGE_XATTR, NODE_HAS_ACL, NODE_HAS_DEFAULT_ACL, Change, Ino, Node
from vexfs.store.check import check_volume

from .helpers import Bench

NONE = 0xFFFFFFFF


def acl(user: int, group: int, other: int, *, mask: int | None = None, users: dict[int, int] | None = None) -> bytes:
    """A list as bytes; `users` are named ones with their permissions."""
    entries = [Entry(USER_OBJ, user, NONE)]
    entries += [Entry(USER, permissions, uid) for uid, permissions in (users or {}).items()]
    entries.append(Entry(GROUP_OBJ, group, NONE))
    entries += [] if mask is None else [Entry(MASK, mask, NONE)]
    return acls.pack([*entries, Entry(OTHER, other, NONE)])


NAMED = acl(6, 4, 0, mask=6, users={1000: 6})


def set_acl(bench: Bench, ino: Ino, name: bytes, value: bytes | None, *, keep_setgid: bool = True) -> Node:
    return bench.do(lambda txn: attributes.set_acl(txn, ino, name, value, keep_setgid=keep_setgid))


def get(bench: Bench, ino: Ino, name: bytes) -> bytes | None:
    try:
        return attributes.get_xattr(bench.view, ino, name)
    except AttributeNotFound:
        return None


def test_a_list_is_bytes_in_the_kernels_format() -> None:
    entries = acls.parse(NAMED)
    assert entries[1] == Entry(USER, 6, 1000)
    assert acls.pack(entries) == NAMED
    assert struct.unpack_from("<IHHI", NAMED) == (2, 1, 6, NONE)
    assert acls.permissions(entries) == 0o660
    assert acls.permissions(acls.parse(acl(7, 5, 1))) == 0o751


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x01\0\0\0",
        acls.EMPTY,
        NAMED[:-1],
        acl(6, 4, 0)[:-8],
        acls.pack(acls.parse(NAMED)[::-1]),
        acls.pack([*acls.parse(acl(6, 4, 0)), Entry(OTHER, 0, NONE)]),
        acls.pack([Entry(3, 0, NONE), *acls.parse(acl(6, 4, 0))]),
        acl(6, 4, 0, users={1000: 6}),
        acl(9, 4, 0),
    ],
)
def test_what_is_no_list_is_refused(bench: Bench, value: bytes) -> None:
    with pytest.raises(InvalidRequest):
        acls.parse(value)
    if value != acls.EMPTY:
        ino = bench.file(b"f").ino
        bench.refused(InvalidRequest, lambda txn: attributes.set_xattr(txn, ino, ACCESS, value))


def test_an_access_list_and_the_mode_say_the_same(bench: Bench) -> None:
    ino = bench.file(b"f", mode=0o100600).ino
    node = set_acl(bench, ino, ACCESS, NAMED)
    assert (node.mode, node.flags) == (0o100660, NODE_HAS_ACL)
    assert get(bench, ino, ACCESS) == NAMED
    node = bench.do(lambda txn: files.set_attributes(txn, ino, mode=0o4741))
    assert node.mode == 0o104741
    assert get(bench, ino, ACCESS) == acl(7, 4, 1, mask=4, users={1000: 6})
    assert bench.do(lambda txn: files.set_attributes(txn, ino, uid=7)).flags == NODE_HAS_ACL


def test_a_list_that_says_no_more_than_the_mode_is_not_kept(bench: Bench) -> None:
    ino = bench.file(b"f").ino
    set_acl(bench, ino, ACCESS, NAMED)
    node = set_acl(bench, ino, ACCESS, acl(7, 5, 0))
    assert (node.mode & 0o7777, node.flags, get(bench, ino, ACCESS)) == (0o750, 0, None)


@pytest.mark.parametrize("value", [None, acls.EMPTY])
def test_removing_leaves_the_mode_and_is_fine_without_a_list(bench: Bench, value: bytes | None) -> None:
    ino = bench.file(b"f").ino
    set_acl(bench, ino, ACCESS, NAMED)
    for _ in range(2):
        node = set_acl(bench, ino, ACCESS, value)
        assert (node.mode, node.flags, get(bench, ino, ACCESS)) == (0o100660, 0, None)
    assert attributes.list_xattrs(bench.view, ino) == []


def test_set_group_id_goes_where_the_caller_may_not_keep_it(bench: Bench) -> None:
    ino = bench.file(b"f", mode=0o102755).ino
    assert set_acl(bench, ino, ACCESS, NAMED).mode == 0o102660
    assert set_acl(bench, ino, ACCESS, NAMED, keep_setgid=False).mode == 0o100660


def test_only_directories_have_default_lists_and_links_have_none(bench: Bench) -> None:
    file, link, directory = bench.file(b"f").ino, bench.symlink(b"l").ino, bench.directory(b"d").ino
    bench.refused(PermissionDenied, lambda txn: attributes.set_acl(txn, file, DEFAULT, NAMED))
    bench.refused(InvalidRequest, lambda txn: attributes.set_acl(txn, link, ACCESS, NAMED))
    assert set_acl(bench, file, DEFAULT, None).flags == 0
    node = set_acl(bench, directory, DEFAULT, NAMED)
    assert (node.mode, node.flags, get(bench, directory, DEFAULT)) == (0o40755, NODE_HAS_DEFAULT_ACL, NAMED)
    assert bench.do(lambda txn: attributes.remove_xattr(txn, directory, DEFAULT)).flags == 0


def test_the_log_tells_of_the_mode_and_of_the_list(bench: Bench) -> None:
    ino = bench.file(b"f").ino
    set_acl(bench, ino, ACCESS, NAMED)
    head = bench.commit()
    assert set(bench.volume.tail.read(head - 1)[0].changes) == {Change(CHANGE_NODE, ino), Change(CHANGE_XATTR, ino)}


def test_what_is_made_in_a_directory_inherits_its_default_list(bench: Bench) -> None:
    directory = bench.directory(b"d").ino
    set_acl(bench, directory, DEFAULT, acl(7, 5, 5, mask=7, users={1000: 7}))
    made = bench.do(lambda txn: files.create(txn, directory, b"f", mode=0o100666, uid=0, gid=0, umask=0o77))
    assert (made.mode, made.flags) == (0o100664, NODE_HAS_ACL)
    assert get(bench, made.ino, ACCESS) == acl(6, 5, 4, mask=6, users={1000: 7})
    inner = bench.do(lambda txn: files.make_directory(txn, directory, b"i", mode=0o770, uid=0, gid=0, umask=0o77))
    assert (inner.mode, inner.flags) == (0o40770, NODE_HAS_ACL | NODE_HAS_DEFAULT_ACL)
    assert get(bench, inner.ino, DEFAULT) == get(bench, directory, DEFAULT)
    nameless = bench.do(lambda txn: files.create_nameless(txn, directory, mode=0o600, uid=0, gid=0))
    assert get(bench, nameless.ino, ACCESS) == acl(6, 5, 0, mask=0, users={1000: 7})
    bench.do(lambda txn: files.forget_orphan(txn, nameless.ino))
    link = bench.symlink(b"l", parent=directory)
    assert (link.mode, link.flags) == (0o120777, 0)


def test_a_default_list_of_three_replaces_the_umask_only(bench: Bench) -> None:
    directory = bench.directory(b"d").ino
    set_acl(bench, directory, DEFAULT, acl(7, 7, 0))
    assert get(bench, directory, DEFAULT) == acl(7, 7, 0)
    made = bench.do(lambda txn: files.create(txn, directory, b"f", mode=0o100666, uid=0, gid=0, umask=0o77))
    assert (made.mode, made.flags, get(bench, made.ino, ACCESS)) == (0o100660, 0, None)


def test_without_a_default_list_the_umask_counts(bench: Bench) -> None:
    made = bench.do(lambda txn: files.create(txn, bench.home, b"f", mode=0o100666, uid=0, gid=0, umask=0o27))
    assert made.mode == 0o100640
    made = bench.do(lambda txn: files.make_directory(txn, bench.home, b"d", mode=0o777, uid=0, gid=0, umask=0o27))
    assert made.mode == 0o40750


def test_lists_follow_a_rename_and_a_copy(bench: Bench) -> None:
    file, directory = bench.file(b"f", b"x").ino, bench.directory(b"d").ino
    set_acl(bench, file, ACCESS, NAMED)
    bench.do(lambda txn: files.rename(txn, bench.home, b"f", directory, b"g"))
    assert get(bench, file, ACCESS) == NAMED and bench.stat(file).flags == NODE_HAS_ACL
    set_acl(bench, directory, DEFAULT, NAMED)
    copy = trees.TreeCopy(directory, recursive=True, no_replace=False, uid=0, gid=0)
    top = bench.do(lambda txn: copy.begin(txn, bench.home, b"copy")).top
    copied = files.lookup(bench.view, top.ino, b"g")
    assert (copied.mode, copied.flags, get(bench, copied.ino, ACCESS)) == (0o100660, NODE_HAS_ACL, NAMED)
    assert get(bench, top.ino, DEFAULT) == NAMED


def test_a_damaged_list_is_found_and_taken_away(bench: Bench) -> None:
    file, directory = bench.file(b"f").ino, bench.directory(b"d").ino
    set_acl(bench, file, ACCESS, NAMED)
    set_acl(bench, directory, DEFAULT, NAMED)
    bench.do(lambda txn: txn.execute("UPDATE node SET mode=33024 WHERE ino=?", (file,)))
    bench.do(lambda txn: txn.execute("UPDATE xattr SET value=x'00' WHERE ino=?", (directory,)))
    bench.commit()
    folder = bench.volume.folder
    found = [finding for finding in check_volume(folder, repair=True) if finding.invariant == "acl-agrees"]
    assert {finding.subject for finding in found} == {f"file {file}", f"file {directory}"}
    assert get(bench, file, ACCESS) == acl(4, 4, 0, mask=0, users={1000: 6})
    assert (bench.stat(directory).flags, get(bench, directory, DEFAULT)) == (0, None)


# -- beside the file system of this machine ------------------------------------------------------------


@pytest.fixture
def beside() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vexfs-acl-") as folder:
        try:
            os.setxattr(folder, DEFAULT, acl(7, 5, 5))
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            pytest.skip("this machine's file system has no access control lists")
        os.removexattr(folder, DEFAULT)
        Path(folder).chmod(0o755)
        yield Path(folder)


LISTS = [
    acl(7, 5, 5),
    acl(6, 6, 0),
    acl(7, 7, 7, mask=7, users={1000: 7, 1001: 4}),
    acl(6, 4, 4, mask=0, users={1000: 6}),
    acl(0, 0, 0, mask=2, users={5: 3}),
]
MODES = [0o777, 0o666, 0o640, 0o111, 0o000, 0o7777]


@pytest.mark.parametrize("default", LISTS)
@pytest.mark.parametrize("access", LISTS)
def test_inheriting_and_changing_modes_is_as_the_machines_own_file_system_does_it(
    bench: Bench, beside: Path, default: bytes, access: bytes
) -> None:
    os.setxattr(beside, DEFAULT, default)
    set_acl(bench, bench.home, DEFAULT, default)
    old_umask = os.umask(0o22)
    try:
        for number, mode in enumerate(MODES):
            for kind, make in (("f", _make_file), ("d", _make_directory)):
                node, path = make(bench, beside, f"{kind}{number}", mode)
                _same(bench, node.ino, path, f"made with {mode:o}")
                path.chmod(MODES[number - 1])
                bench.do(lambda txn, ino=node.ino, mode=MODES[number - 1]: files.set_attributes(txn, ino, mode=mode))  # type: ignore[misc]
                _same(bench, node.ino, path, "after chmod")
                os.setxattr(path, ACCESS, access)
                set_acl(bench, node.ino, ACCESS, access)
                _same(bench, node.ino, path, "after setting a list")
    finally:
        os.umask(old_umask)


def _make_file(bench: Bench, beside: Path, name: str, mode: int) -> tuple[Node, Path]:
    os.close(os.open(beside / name, os.O_CREAT | os.O_WRONLY, mode))
    home = bench.home
    return bench.do(
        lambda txn: files.create(txn, home, name.encode(), mode=0o100000 | mode, uid=0, gid=0, umask=0o22)
    ), beside / name


def _make_directory(bench: Bench, beside: Path, name: str, mode: int) -> tuple[Node, Path]:
    (beside / name).mkdir(mode & 0o1777)
    make: Callable[..., Node] = files.make_directory
    return bench.do(
        lambda txn: make(txn, bench.home, name.encode(), mode=mode & 0o1777, uid=0, gid=0, umask=0o22)
    ), beside / name


def _same(bench: Bench, ino: Ino, path: Path, when: str) -> None:
    node = bench.stat(ino)
    ours = node.mode & 0o1777, get(bench, ino, ACCESS), get(bench, ino, DEFAULT)
    names = {name.encode() for name in os.listxattr(path)}
    theirs = [os.getxattr(path, name) if name in names else None for name in acls.NAMES]
    assert ours == (stat.S_IMODE(path.stat().st_mode) & 0o1777, *theirs), when
