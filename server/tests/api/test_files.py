"""FilesService over gRPC against a real server: the tree, links, attributes, history, request ids."""

import stat

import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from running import Client, refused

from vexfs.contract.v1 import common_pb2
from vexfs.contract.v1.common_pb2 import FileRef


def put(api: Client, path: str, data: bytes = b"x", **options: object) -> common_pb2.File:
    from vexfs.contract.v1.content_pb2 import WriteOptions

    return api.put_content(file=FileRef(path=path), data=data, options=WriteOptions(**options)).file  # type: ignore[arg-type,no-any-return]


def names(api: Client, path: str, **fields: object) -> list[str]:
    return [file.path.rpartition("/")[2] for file in api.list_files(directory=FileRef(path=path), **fields).files]


def test_a_file_is_seen_as_it_was_written(api: Client, home: str) -> None:
    written = put(api, f"{home}/a.md", b"hello", mode=0o640)
    seen = api.stat_file(file=FileRef(path=f"{home}/a.md"))
    assert seen.file == written
    assert (seen.file.kind, seen.file.mode, seen.file.size_bytes) == (common_pb2.FILE_KIND_REGULAR, 0o640, 5)
    assert seen.revision >= seen.file.revision == seen.file.content_revision
    by_id = api.stat_file(file=FileRef(id=written.id)).file
    assert (by_id.path, by_id.id) == (f"{home}/a.md", written.id)


def test_the_root_is_a_directory(api: Client) -> None:
    root = api.stat_file(file=FileRef(path="/")).file
    assert (root.id, root.path, root.kind) == (1, "/", common_pb2.FILE_KIND_DIRECTORY)


def test_a_directory_is_listed_in_byte_order_page_by_page(api: Client, home: str) -> None:
    made = sorted(["b", "a", "Z", "ä", "0", "z" * 255], key=str.encode)
    for name in made:
        put(api, f"{home}/{name}")
    seen: list[str] = []
    token = ""
    pages = 0
    while True:
        page = api.list_files(directory=FileRef(path=home), page_size=2, page_token=token)
        seen += [file.path.rpartition("/")[2] for file in page.files]
        token = page.next_page_token
        pages += 1
        if not token:
            break
    assert seen == made
    assert pages == 4  # the last is empty: a full page does not know that it is the last
    with refused("INVALID_ARGUMENT"):
        api.list_files(directory=FileRef(path=home), page_token="?")


def test_a_name_that_is_not_utf8_travels_as_bytes(api: Client, home: str) -> None:
    path = f"{home}/".encode() + b"\xff\xfe"
    made = api.put_content(file=FileRef(path_bytes=path), data=b"x").file
    assert (made.path, made.path_bytes) == ("", path)
    listed = api.list_files(directory=FileRef(path=home)).files
    assert [(file.path, file.path_bytes) for file in listed] == [("", path)]
    assert api.get_content(file=FileRef(path_bytes=path)).data == b"x"


def test_directories_are_made_with_those_above_them(api: Client, home: str) -> None:
    with refused("FILE_NOT_FOUND"):
        api.make_directory(directory=FileRef(path=f"{home}/a/b/c"))
    first = api.make_directory(directory=FileRef(path=f"{home}/a/b/c"), make_parents=True, mode=0o700).file
    assert first.mode == 0o700
    assert api.make_directory(directory=FileRef(path=f"{home}/a/b/c"), make_parents=True).file.id == first.id
    with refused("FILE_EXISTS"):
        api.make_directory(directory=FileRef(path=f"{home}/a/b"))
    put(api, f"{home}/file")
    with refused("NOT_A_DIRECTORY"):
        api.make_directory(directory=FileRef(path=f"{home}/file/x"), make_parents=True)
    with refused("FILE_EXISTS"):
        api.make_directory(directory=FileRef(path=f"{home}/file"), make_parents=True)


def test_a_move_keeps_the_file_and_replaces_what_is_there(api: Client, home: str) -> None:
    moved, _ = put(api, f"{home}/a", b"a"), put(api, f"{home}/b", b"b")
    with refused("FILE_EXISTS"):
        api.move_file(source=FileRef(path=f"{home}/a"), destination=FileRef(path=f"{home}/b"), no_replace=True)
    answer = api.move_file(source=FileRef(id=moved.id), destination=FileRef(path=f"{home}/b")).file
    assert (answer.id, answer.path) == (moved.id, f"{home}/b")
    assert names(api, home) == ["b"]
    assert api.get_content(file=FileRef(path=f"{home}/b")).data == b"a"


def test_two_files_change_places(api: Client, home: str) -> None:
    a, b = put(api, f"{home}/a"), put(api, f"{home}/b")
    api.move_file(source=FileRef(path=f"{home}/a"), destination=FileRef(path=f"{home}/b"), exchange=True)
    assert api.stat_file(file=FileRef(path=f"{home}/a")).file.id == b.id
    assert api.stat_file(file=FileRef(path=f"{home}/b")).file.id == a.id


def test_impossible_moves_are_refused(api: Client, home: str) -> None:
    api.make_directory(directory=FileRef(path=f"{home}/d/e"), make_parents=True)
    put(api, f"{home}/f")
    moves = [
        (f"{home}/d", f"{home}/d/e/x", "MOVE_INTO_ITSELF"),
        (f"{home}/f", f"{home}/d", "IS_A_DIRECTORY"),
        (f"{home}/d", f"{home}/f", "NOT_A_DIRECTORY"),
        ("/", f"{home}/x", "ROOT_IMMUTABLE"),
        (f"{home}/f", "/", "ROOT_IMMUTABLE"),
        (f"{home}/none", f"{home}/x", "FILE_NOT_FOUND"),
    ]
    for source, destination, reason in moves:
        with refused(reason):
            api.move_file(source=FileRef(path=source), destination=FileRef(path=destination))


def test_a_file_is_removed_by_path_or_id(api: Client, home: str) -> None:
    put(api, f"{home}/a")
    b = put(api, f"{home}/b")
    assert api.remove_file(file=FileRef(path=f"{home}/a")).removed == 1
    assert api.remove_file(file=FileRef(id=b.id)).removed == 1
    assert names(api, home) == []
    with refused("FILE_NOT_FOUND"):
        api.stat_file(file=FileRef(id=b.id))
    with refused("ROOT_IMMUTABLE"):
        api.remove_file(file=FileRef(path="/"), recursive=True)


def make_tree(api: Client, home: str, count: int) -> int:
    """A tree of `count` files in a few directories; returns how many names it has, its top included."""
    for directory in range(4):
        api.make_directory(directory=FileRef(path=f"{home}/tree/{directory}/deep"), make_parents=True)
    for number in range(count):
        put(api, f"{home}/tree/{number % 4}/deep/{number}", str(number).encode())
    api.create_symlink(link=FileRef(path=f"{home}/tree/link"), target="0/deep")
    return count + 4 * 2 + 2


@pytest.mark.parametrize("count", [10, 600], ids=["one step", "several steps"])
def test_a_tree_is_copied_and_removed_whole(api: Client, home: str, count: int) -> None:
    size = make_tree(api, home, count)
    with refused("IS_A_DIRECTORY"):
        api.copy_file(source=FileRef(path=f"{home}/tree"), destination=FileRef(path=f"{home}/copy"))
    request = {"source": FileRef(path=f"{home}/tree"), "destination": FileRef(path=f"{home}/copy"), "recursive": True}
    copied = api.copy_file(**request, request_id=home)
    assert copied.copied == size
    assert api.copy_file(**request, request_id=home) == copied
    for number in (0, count // 2, count - 1):
        path = f"{home}/copy/{number % 4}/deep/{number}"
        assert api.get_content(file=FileRef(path=path)).data == str(number).encode()
    assert api.read_symlink(file=FileRef(path=f"{home}/copy/link")).target == "0/deep"
    with refused("FILE_EXISTS"):
        api.copy_file(**request)
    with refused("DIRECTORY_NOT_EMPTY"):
        api.remove_file(file=FileRef(path=f"{home}/copy"))
    removed = api.remove_file(file=FileRef(path=f"{home}/copy"), recursive=True, request_id=f"{home}-r")
    assert removed.removed == size
    assert api.remove_file(file=FileRef(path=f"{home}/copy"), recursive=True, request_id=f"{home}-r") == removed
    assert names(api, home) == ["tree"]
    assert api.get_content(file=FileRef(path=f"{home}/tree/0/deep/0")).data == b"0"


def test_a_copy_has_everything_the_file_had_and_lives_on_its_own(api: Client, home: str) -> None:
    source = FileRef(path=f"{home}/a")
    data = bytes(range(256)) * 4096  # large enough to be shared, not copied
    put(api, f"{home}/a", data, mode=0o600)
    metadata = Struct()
    metadata.update({"k": [1, "two", None]})
    api.set_metadata(file=source, metadata=metadata)
    api.set_xattr(file=source, name="user.x", value=b"\xff")
    api.set_attributes(file=source, mtime=Timestamp(seconds=1000, nanos=5))
    copy = FileRef(path=f"{home}/b")
    copied = api.copy_file(source=source, destination=copy).file
    assert (copied.mode, copied.size_bytes, copied.mtime) == (0o600, len(data), Timestamp(seconds=1000, nanos=5))
    assert api.get_metadata(file=copy).metadata == metadata
    assert api.get_xattr(file=copy, name="user.x").value == b"\xff"
    put(api, f"{home}/a", b"new")
    assert api.get_content(file=copy).data == data
    with refused("INVALID_ARGUMENT"):
        api.copy_file(source=copy, destination=copy)
    with refused("FILE_EXISTS"):
        api.copy_file(source=copy, destination=source, no_replace=True)
    api.copy_file(source=copy, destination=source)
    assert api.get_content(file=source).data == data


def test_a_directory_is_not_copied_into_itself(api: Client, home: str) -> None:
    api.make_directory(directory=FileRef(path=f"{home}/d/e"), make_parents=True)
    with refused("MOVE_INTO_ITSELF"):
        api.copy_file(source=FileRef(path=f"{home}/d"), destination=FileRef(path=f"{home}/d/e/f"), recursive=True)


def test_symbolic_links_are_followed_only_when_asked(api: Client, home: str) -> None:
    put(api, f"{home}/real/a", b"content", make_parents=True)
    for name, target in (
        ("file", "real/a"),
        ("directory", f"{home}/real"),
        ("up", "real/../../.." + home + "/real/./a"),
        ("gone", "no"),
    ):
        api.create_symlink(link=FileRef(path=f"{home}/{name}"), target=target)
    link = api.stat_file(file=FileRef(path=f"{home}/file")).file
    assert (link.kind, link.size_bytes) == (common_pb2.FILE_KIND_SYMLINK, len("real/a"))
    for name in ("file", "up", "directory/a"):
        found = api.get_content(file=FileRef(path=f"{home}/{name}", follow=True))
        assert (found.data, found.file.path) == (b"content", f"{home}/real/a")
    with refused("NOT_A_REGULAR_FILE"):
        api.get_content(file=FileRef(path=f"{home}/file"))
    with refused("NOT_A_DIRECTORY"):
        api.stat_file(file=FileRef(path=f"{home}/directory/a"))
    with refused("FILE_NOT_FOUND"):
        api.stat_file(file=FileRef(path=f"{home}/gone", follow=True))
    api.create_symlink(link=FileRef(path=f"{home}/circle"), target="circle")
    with refused("FAILED_PRECONDITION"):
        api.stat_file(file=FileRef(path=f"{home}/circle", follow=True))
    api.create_symlink(link=FileRef(path=f"{home}/raw"), target_bytes=b"\xff")
    assert api.read_symlink(file=FileRef(path=f"{home}/raw")).target_bytes == b"\xff"
    with refused("NOT_A_SYMLINK"):
        api.read_symlink(file=FileRef(path=f"{home}/real"))


def test_a_file_has_several_names(api: Client, home: str) -> None:
    first = put(api, f"{home}/a", b"one")
    linked = api.create_link(file=FileRef(path=f"{home}/a"), link=FileRef(path=f"{home}/b")).file
    assert (linked.id, linked.nlink, linked.path) == (first.id, 2, f"{home}/b")
    api.remove_file(file=FileRef(path=f"{home}/a"))
    assert api.get_content(file=FileRef(path=f"{home}/b")).data == b"one"
    with refused("LINK_NOT_PERMITTED"):
        api.create_link(file=FileRef(path=home), link=FileRef(path=f"{home}/c"))


def test_attributes_change_one_by_one(api: Client, home: str) -> None:
    put(api, f"{home}/a", b"12345678")
    ref = FileRef(path=f"{home}/a")
    changed = api.set_attributes(file=ref, mode=0o4755, uid=7, gid=8, atime=Timestamp(seconds=5), size_bytes=3).file
    assert (changed.mode, changed.uid, changed.gid, changed.atime.seconds, changed.size_bytes) == (0o4755, 7, 8, 5, 3)
    assert stat.S_ISUID & changed.mode
    assert api.set_attributes(file=ref, size_bytes=5).file.mode == 0o4755
    assert api.get_content(file=ref).data == b"123\0\0"
    with refused("IS_A_DIRECTORY"):
        api.set_attributes(file=FileRef(path=home), size_bytes=0)


def test_extended_attributes(api: Client, home: str) -> None:
    put(api, f"{home}/a")
    ref = FileRef(path=f"{home}/a")
    api.set_xattr(file=ref, name="user.b", value=b"2", create_only=True)
    api.set_xattr(file=ref, name="user.a", value=b"")
    assert list(api.list_xattrs(file=ref).names) == ["user.a", "user.b"]
    with refused("ATTRIBUTE_EXISTS"):
        api.set_xattr(file=ref, name="user.b", value=b"3", create_only=True)
    with refused("ATTRIBUTE_NOT_FOUND"):
        api.set_xattr(file=ref, name="user.c", value=b"3", replace_only=True)
    api.remove_xattr(file=ref, name="user.a")
    with refused("ATTRIBUTE_NOT_FOUND"):
        api.get_xattr(file=ref, name="user.a")


def test_metadata_is_kept_as_json_has_it(api: Client, home: str) -> None:
    ref = FileRef(path=home)
    assert len(api.get_metadata(file=ref).metadata.fields) == 0
    metadata = Struct()
    metadata.update({"a": {"b": [1, 2.5, True, None, "ä"]}, "big": 2**53, "": "x"})
    api.set_metadata(file=ref, metadata=metadata)
    assert api.get_metadata(file=ref).metadata == metadata
    api.set_metadata(file=ref, metadata=Struct())
    assert len(api.get_metadata(file=ref).metadata.fields) == 0


def test_the_past_is_read_at_its_revision(api: Client, home: str) -> None:
    ref = FileRef(path=f"{home}/a")
    first = api.put_content(file=ref, data=b"first")
    second = api.put_content(file=ref, data=b"second")
    api.remove_file(file=ref)
    for written, data in ((first, b"first"), (second, b"second")):
        answer = api.get_content(file=ref, at_revision=written.revision)
        assert (answer.data, answer.revision) == (data, written.revision)
        listed = api.list_files(directory=FileRef(path=home), at_revision=written.revision)
        assert [file.size_bytes for file in listed.files] == [len(data)]
        assert api.stat_file(file=ref, at_revision=written.revision).file.content_revision == written.revision
        pieces = list(api.read_file(file=ref, at_revision=written.revision))
        assert b"".join(piece.data for piece in pieces) == data
    with refused("FILE_NOT_FOUND"):
        api.get_content(file=ref)
    with refused("REVISION_NOT_AVAILABLE"):
        api.get_content(file=ref, at_revision=10**9)


def test_revisions_grow_by_one_and_every_answer_says_where_it_is(api: Client, home: str) -> None:
    revisions = [api.put_content(file=FileRef(path=f"{home}/{n}"), data=b"").revision for n in range(5)]
    assert revisions == list(range(revisions[0], revisions[0] + 5))
    assert api.stat_file(file=FileRef(path=home), min_revision=revisions[-1]).revision >= revisions[-1]
