"""client.files.open: readers and writers as Python's file objects are."""

import csv
import gc
import io
import time
import zipfile

import pytest

from vexfs_client import AlreadyExistsError, Client, FailedPreconditionError, NotFoundError

from .server import Server

CONTENT = bytes(range(256)) * 20_000  # more than one range, more than one buffer


@pytest.fixture
def path(client: Client, folder: str) -> str:
    return client.files.write(f"{folder}/f", CONTENT).path


def test_reading_whole_in_parts_and_by_line(client: Client, path: str) -> None:
    with client.files.open(path) as file:
        assert file.file.size_bytes == len(CONTENT)
        assert file.read(10) == CONTENT[:10]
        assert file.read() == CONTENT[10:]
        assert file.read() == b""
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
    assert file.closed
    client.files.write(path, b"one\ntwo\n")
    with client.files.open(path) as lines:
        assert list(lines) == [b"one\n", b"two\n"]


def test_seeking(client: Client, path: str) -> None:
    with client.files.open(path) as file:
        assert file.seek(-5, io.SEEK_END) == len(CONTENT) - 5
        assert file.read() == CONTENT[-5:]
        assert file.seek(3_000_000) == 3_000_000
        assert file.read(4) == CONTENT[3_000_000:3_000_004]
        assert file.tell() == 3_000_004
        file.seek(-4, io.SEEK_CUR)
        assert file.read(4) == CONTENT[3_000_000:3_000_004]
        assert file.seek(10**9) == 10**9
        assert file.read() == b""
        with pytest.raises(ValueError, match="-1"):
            file.seek(-1)
    buffer = bytearray(4_000_000)
    with client.files.open(path) as file:
        assert file.readinto(buffer) == 4_000_000
    assert bytes(buffer) == CONTENT[:4_000_000]


def test_a_reader_shows_what_was_there_when_it_was_opened(client: Client, path: str) -> None:
    with client.files.open(path) as file:
        assert file.read(1) == CONTENT[:1]
        client.files.write(path, b"something else")
        client.files.remove(path)
        file.seek(2_000_000)
        assert file.read(100) == CONTENT[2_000_000:2_000_100]
        file.seek(0)
        assert file.read() == CONTENT


def test_the_standard_library_reads_and_writes_with_it(client: Client, folder: str) -> None:
    with client.files.open(f"{folder}/z.zip", "wb") as target, zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.txt", "hello")
    with client.files.open(f"{folder}/z.zip") as source, zipfile.ZipFile(source) as archive:
        assert archive.read("a.txt") == b"hello"
    with client.files.open(f"{folder}/t.csv", "wb") as target, io.TextIOWrapper(target, "utf-8", newline="") as text:
        csv.writer(text).writerows([["é", 1], ["b", 2]])
    assert client.files.read(f"{folder}/t.csv").decode() == "é,1\r\nb,2\r\n"


def test_what_was_written_is_there_when_it_is_closed_and_not_before(client: Client, path: str) -> None:
    with client.files.open(path, "wb") as file:
        for start in range(0, len(CONTENT), 700_000):
            file.write(CONTENT[start : start + 700_000])
        file.write(b"end")
        assert client.files.stat(path).size_bytes == len(CONTENT)
        assert file.file is None
    assert file.file is not None
    assert file.file.size_bytes == len(CONTENT) + 3
    assert client.files.read(path) == CONTENT + b"end"


def test_an_empty_file(client: Client, folder: str) -> None:
    with client.files.open(f"{folder}/empty", "wb"):
        pass
    assert client.files.stat(f"{folder}/empty").size_bytes == 0
    with client.files.open(f"{folder}/empty") as file:
        assert file.read() == b""


def test_an_exception_discards_what_was_written(client: Client, path: str) -> None:
    with pytest.raises(KeyError), client.files.open(path, "wb") as file:
        file.write(CONTENT[:2_000_000])
        raise KeyError
    assert file.closed
    assert client.files.read(path) == CONTENT


def test_a_writer_that_is_discarded_or_lost_leaves_the_file(client: Client, path: str) -> None:
    file = client.files.open(path, "wb")
    file.write(b"x")
    file.discard()
    file.discard()
    lost = client.files.open(path, "wb")
    lost.write(b"x" * 2_000_000)
    del lost
    gc.collect()
    assert client.files.read(path) == CONTENT
    with pytest.raises(ValueError, match="closed"):
        file.write(b"y")


def test_closing_twice_writes_once(client: Client, path: str) -> None:
    file = client.files.open(path, "wb")
    file.write(b"x")
    file.close()
    revision = client.files.stat(path).content_revision
    file.close()
    assert client.files.stat(path).content_revision == revision


def test_modes_and_their_errors(client: Client, folder: str) -> None:
    with client.files.open(f"{folder}/new/f", "xb", make_parents=True) as file:
        file.write(b"x")
    with pytest.raises(AlreadyExistsError), client.files.open(f"{folder}/new/f", "xb") as file:
        file.write(b"y")
    with pytest.raises(NotFoundError):
        client.files.open(f"{folder}/none")
    with pytest.raises(FailedPreconditionError) as error:
        client.files.open(folder)
    assert error.value.reason == "IS_A_DIRECTORY"
    with pytest.raises(NotFoundError), client.files.open(f"{folder}/none/f", "wb") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="'r'"):
        client.files.open(f"{folder}/new/f", "r")  # type: ignore[call-overload]


def test_writing_slowly_is_not_stopped_by_the_time_out_of_calls(
    server: Server, client: Client, transport: str, path: str
) -> None:
    with Client(**server.reach(transport), token=server.token, timeout=5) as hasty:
        with hasty.files.open(path, "wb") as file:
            file.write(b"a" * 2_000_000)
            time.sleep(6)
            file.write(b"b")
        assert client.files.stat(path).size_bytes == 2_000_001
