"""client.files against a real server, synchronously: every method, its answers and its errors."""

import io
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath

import pytest

from vexfs_client import (
    AlreadyExistsError,
    Client,
    FailedPreconditionError,
    FileKind,
    FileRef,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    Reason,
    UnauthenticatedError,
)

from .server import Server


def test_write_stat_read(client: Client, folder: str) -> None:
    written = client.files.write(f"{folder}/a/b.txt", b"hello", make_parents=True, mode=0o600)
    assert (written.path, written.name, written.size_bytes, written.mode) == (f"{folder}/a/b.txt", "b.txt", 5, 0o600)
    assert written.kind is FileKind.REGULAR
    assert not written.is_directory
    assert written.mtime is not None
    assert abs(datetime.now(UTC) - written.mtime) < timedelta(hours=1)
    again = client.files.stat(written.path)
    assert again == written
    assert again.at_revision >= written.at_revision == written.revision
    assert client.files.read(written) == b"hello"
    assert client.files.read(written, offset=1, length=3) == b"ell"
    assert client.files.read(written, offset=99) == b""


def test_a_file_is_named_in_many_ways(client: Client, folder: str) -> None:
    written = client.files.write(f"{folder}/f", b"x")
    for name in (written.path, written.id, written.path.encode(), PurePosixPath(written.path), written, FileRef(written.id)):
        assert client.files.stat(name).id == written.id
    for wrong in (1.5, None, True, ["/a"]):
        with pytest.raises(TypeError):
            client.files.stat(wrong)  # type: ignore[arg-type]


def test_a_path_that_is_not_utf8(client: Client, folder: str) -> None:
    path = folder.encode() + b"/\xff\xfe"
    written = client.files.write(path, b"x")
    assert (written.path, written.path_bytes) == ("", path)
    assert client.files.read(path) == b"x"
    (listed,) = client.files.list(folder)
    assert listed.path_bytes == path


def test_list_pages_by_itself(client: Client, folder: str) -> None:
    for number in range(7):
        client.files.write(f"{folder}/{number}", b"")
    items = client.files.list(folder, page_size=3)
    names = [file.name for file in items]
    assert names == [str(number) for number in range(7)]
    assert [file.name for file in items] == names, "it can be iterated over again"
    first = items.page()
    assert len(first.items) == 3
    assert first.revision > 0
    second = items.page(first.next_page_token)
    assert [file.name for file in second.items] == ["3", "4", "5"]
    assert items.page(second.next_page_token).next_page_token == ""


@pytest.mark.parametrize("size", [0, 1, 3 * 1024 * 1024, 3 * 1024 * 1024 + 1, 9_000_001])
def test_content_of_any_size(client: Client, folder: str, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert client.files.write(f"{folder}/f", content).size_bytes == size
    assert client.files.read(f"{folder}/f") == content
    assert b"".join(client.files.read_stream(f"{folder}/f")) == content
    assert client.files.read(f"{folder}/f", offset=max(0, size - 5)) == content[-5:]


def test_content_comes_as_bytes_files_or_pieces(client: Client, folder: str) -> None:
    for content in (bytearray(b"abc"), memoryview(b"abc"), io.BytesIO(b"abc"), iter([b"a", b"bc"]), [b"abc"]):
        client.files.write(f"{folder}/f", content)
        assert client.files.read(f"{folder}/f") == b"abc"
    for wrong in ("abc", ["abc"], [97]):
        with pytest.raises(TypeError):
            client.files.write(f"{folder}/g", wrong)  # type: ignore[arg-type]
    assert [file.name for file in client.files.list(folder)] == ["f"]


def test_pieces_that_fail_leave_the_file_as_it_was(client: Client, folder: str) -> None:
    client.files.write(f"{folder}/f", b"before")

    def pieces() -> "object":
        yield b"after"
        raise KeyError("of the caller")

    with pytest.raises(KeyError, match="of the caller"):
        client.files.write(f"{folder}/f", pieces())  # type: ignore[arg-type]
    assert client.files.read(f"{folder}/f") == b"before"


def test_writing_at_an_offset_and_under_a_condition(client: Client, folder: str) -> None:
    first = client.files.write(f"{folder}/f", b"0123456789", if_content_revision=0)
    with pytest.raises(AlreadyExistsError):
        client.files.write(first, b"", if_content_revision=0)
    second = client.files.write(first, b"ab", offset=3)
    assert client.files.read(first) == b"012ab56789"
    with pytest.raises(FailedPreconditionError) as error:
        client.files.write(first, b"", if_content_revision=first.content_revision)
    assert error.value.reason == Reason.CONTENT_CHANGED
    assert error.value.request_id
    client.files.write(first, [b"streamed"], if_content_revision=second.content_revision)
    assert client.files.read(first, at_revision=second.revision) == b"012ab56789"
    assert client.files.read(first) == b"streamed"


def test_the_same_request_id_takes_effect_once(client: Client, folder: str) -> None:
    first = client.files.write(f"{folder}/f", b"x", request_id=f"{folder}-1")
    again = client.files.write(f"{folder}/f", b"x", request_id=f"{folder}-1")
    assert again.content_revision == first.content_revision
    with pytest.raises(FailedPreconditionError) as error:
        client.files.write(f"{folder}/f", b"y", request_id=f"{folder}-1")
    assert error.value.reason == "REQUEST_ID_REUSED"


def test_directories(client: Client, folder: str) -> None:
    made = client.files.make_directory(f"{folder}/a/b", make_parents=True, mode=0o700)
    assert made.is_directory
    assert made.mode == 0o700
    with pytest.raises(AlreadyExistsError) as error:
        client.files.make_directory(f"{folder}/a")
    assert error.value.reason == Reason.FILE_EXISTS
    with pytest.raises(FailedPreconditionError) as not_empty:
        client.files.remove(f"{folder}/a")
    assert not_empty.value.reason == "DIRECTORY_NOT_EMPTY"
    removed = client.files.remove(f"{folder}/a", recursive=True)
    assert removed.removed == 2
    assert removed.revision > made.revision


def test_move_and_copy(client: Client, folder: str) -> None:
    client.files.write(f"{folder}/a", b"a")
    moved = client.files.move(f"{folder}/a", f"{folder}/b")
    assert moved.path == f"{folder}/b"
    client.files.write(f"{folder}/c", b"c")
    with pytest.raises(AlreadyExistsError):
        client.files.move(f"{folder}/b", f"{folder}/c", no_replace=True)
    client.files.move(f"{folder}/b", f"{folder}/c", exchange=True)
    assert client.files.read(f"{folder}/c") == b"a"
    copied = client.files.copy(f"{folder}/c", f"{folder}/d")
    assert (copied.copied, copied.file.path) == (1, f"{folder}/d")
    tree = client.files.copy(folder, f"{folder}-copy", recursive=True)
    assert tree.copied == 4
    with pytest.raises(AlreadyExistsError):
        client.files.copy(f"{folder}/c", f"{folder}/d", no_replace=True)


def test_links(client: Client, folder: str) -> None:
    file = client.files.write(f"{folder}/f", b"x")
    link = client.files.symlink(f"{folder}/s", "f")
    assert link.kind is FileKind.SYMLINK
    assert client.files.read_symlink(link) == "f"
    assert client.files.stat(FileRef(f"{folder}/s", follow=True)).id == file.id
    assert client.files.read(FileRef(f"{folder}/s", follow=True)) == b"x"
    client.files.symlink(f"{folder}/t", b"\xff")
    assert client.files.read_symlink(f"{folder}/t") == b"\xff"
    assert client.files.link(file, f"{folder}/g").nlink == 2
    with pytest.raises(FailedPreconditionError) as error:
        client.files.read_symlink(file)
    assert error.value.reason == Reason.NOT_A_SYMLINK


def test_attributes(client: Client, folder: str) -> None:
    client.files.write(f"{folder}/f", b"0123456789")
    when = datetime(2020, 2, 29, 12, 30, 15, 123456, timezone(timedelta(hours=2)))
    changed = client.files.set_attributes(f"{folder}/f", mode=0o640, uid=1000, gid=1001, mtime=when, atime=when, size_bytes=4)
    assert (changed.mode, changed.uid, changed.gid, changed.size_bytes) == (0o640, 1000, 1001, 4)
    assert changed.mtime == when
    assert client.files.set_attributes(f"{folder}/f", mode=0).mode == 0
    assert client.files.stat(f"{folder}/f").mtime == when, "what is not given stays"
    with pytest.raises(ValueError, match="32 bits"):
        client.files.set_attributes(f"{folder}/f", uid=2**32)
    with pytest.raises(ValueError, match="time zone"):
        client.files.set_attributes(f"{folder}/f", mtime=datetime(2020, 1, 1))


def test_extended_attributes(client: Client, folder: str) -> None:
    file = client.files.write(f"{folder}/f", b"")
    revision = client.files.set_xattr(file, "user.colour", b"\x00red", create_only=True)
    assert revision > file.revision
    assert client.files.get_xattr(file, "user.colour") == b"\x00red"
    assert client.files.list_xattrs(file) == ["user.colour"]
    with pytest.raises(AlreadyExistsError):
        client.files.set_xattr(file, "user.colour", b"", create_only=True)
    assert client.files.remove_xattr(file, "user.colour") > revision
    with pytest.raises(NotFoundError) as error:
        client.files.get_xattr(file, "user.colour")
    assert error.value.reason == Reason.ATTRIBUTE_NOT_FOUND
    with pytest.raises(NotFoundError):
        client.files.set_xattr(file, "user.colour", b"", replace_only=True)


def test_metadata(client: Client, folder: str) -> None:
    file = client.files.write(f"{folder}/f", b"")
    assert client.files.get_metadata(file) == {}
    metadata = {
        "year": 2024,
        "ratio": 0.5,
        "big": 2.0**60,
        "ok": True,
        "none": None,
        "tags": ["a", 1, {"b": []}],
        "é": {"": "x"},
    }
    client.files.set_metadata(file, metadata)
    read = client.files.get_metadata(file)
    assert read == metadata
    assert isinstance(read["year"], int)
    assert isinstance(read["big"], float)
    assert isinstance(read["ok"], bool)
    client.files.set_metadata(file, {})
    assert client.files.get_metadata(file) == {}
    for wrong in ({"a": b"bytes"}, {1: "a"}, {"a": {1, 2}}):
        with pytest.raises(TypeError):
            client.files.set_metadata(file, wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nan"):
        client.files.set_metadata(file, {"a": float("nan")})
    with pytest.raises(InvalidArgumentError) as error:
        client.files.set_metadata(file, {"a": "x" * 70_000})
    assert error.value.reason == Reason.INVALID_METADATA


def test_reading_the_past_and_waiting_for_a_revision(client: Client, folder: str) -> None:
    first = client.files.write(f"{folder}/f", b"1")
    second = client.files.write(f"{folder}/f", b"2")
    assert client.files.read(f"{folder}/f", at_revision=first.revision) == b"1"
    assert client.files.stat(f"{folder}/f", min_revision=second.revision) == second
    with pytest.raises(OutOfRangeError) as error:
        client.files.stat(f"{folder}/f", at_revision=second.revision + 1_000_000)
    assert error.value.reason == Reason.REVISION_NOT_AVAILABLE


def test_a_wrong_token(server: Server, transport: str) -> None:
    with Client(**server.reach(transport), token="wrong") as stranger:
        with pytest.raises(UnauthenticatedError) as error:
            stranger.files.stat("/")
        assert error.value.reason == Reason.UNAUTHENTICATED
        for _ in range(30):  # the stream is refused while it is being written
            with pytest.raises(UnauthenticatedError) as error:
                stranger.files.write("/x", iter([b"x"] * 5))
            assert error.value.reason == Reason.UNAUTHENTICATED


def test_a_client_survives_a_restart_of_the_server(tmp_path: Path, transport: str) -> None:
    running = Server(tmp_path / "restarted").start()
    try:
        with Client(**running.reach(transport), token=running.token, timeout=120, max_attempts=100) as client:
            client.files.write("/f", b"x")
            ports = running.ports
            running.stop()
            running.start(**ports)
            assert client.files.read("/f") == b"x"
    finally:
        running.stop()
