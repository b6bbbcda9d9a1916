"""Content over gRPC: at once and in streams, at places, under conditions, larger than memory would like."""

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import Client, Server, refused

from vexfs.api.methods.defaults import CONTENT_MAX_BYTES
from vexfs.contract.v1.common_pb2 import FileRef
from vexfs.contract.v1.content_pb2 import WriteFileHeader, WriteFileRequest, WriteOptions

BLOCK = 65_536


def stream(
    path: str, data: bytes, *, piece: int = 100_000, request_id: str = "", **options: object
) -> Iterator[WriteFileRequest]:
    header = WriteFileHeader(file=FileRef(path=path), options=WriteOptions(**options))  # type: ignore[arg-type]
    yield WriteFileRequest(header=header, request_id=request_id)
    for start in range(0, len(data), piece):
        yield WriteFileRequest(data=data[start : start + piece])


def read_all(api: Client, path: str, **fields: object) -> bytes:
    return b"".join(piece.data for piece in api.read_file(file=FileRef(path=path), **fields))


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 262_144, 262_145, 3_000_000])
def test_what_is_put_is_what_is_got(api: Client, home: str, size: int) -> None:
    data = random.Random(size).randbytes(size)
    path = f"{home}/a"
    answer = api.put_content(file=FileRef(path=path), data=data)
    assert (answer.file.size_bytes, answer.file.content_revision) == (size, answer.revision)
    assert api.get_content(file=FileRef(path=path)).data == data
    assert read_all(api, path) == data
    assert api.get_content(file=FileRef(path=path), offset=size // 2, length=100).data == data[size // 2 :][:100]
    assert read_all(api, path, offset=size // 3) == data[size // 3 :]
    assert read_all(api, path, offset=size + 5) == b""


@pytest.mark.parametrize("size", [0, 10, 262_144, 10_000_000])
def test_a_stream_becomes_the_whole_content(api: Client, home: str, size: int) -> None:
    data = random.Random(size).randbytes(size)
    api.put_content(file=FileRef(path=f"{home}/a"), data=b"old and gone" * 100_000)
    written = api.write_stream(stream(f"{home}/a", data))
    assert written.file.size_bytes == size
    pieces = list(api.read_file(file=FileRef(path=f"{home}/a")))
    assert b"".join(piece.data for piece in pieces) == data
    assert pieces[0].file.id == written.file.id
    assert {piece.revision for piece in pieces} == {pieces[0].revision}


@pytest.mark.parametrize("offset", [0, 1, 1000, BLOCK, BLOCK + 7, 2_000_000, 3_100_000])
@pytest.mark.parametrize("size", [0, 3, BLOCK, BLOCK + 1, 300_000, 1_500_001])
def test_a_stream_is_laid_over_what_is_there(api: Client, home: str, offset: int, size: int) -> None:
    before = random.Random(1).randbytes(3_000_000)
    data = random.Random(2).randbytes(size)
    api.put_content(file=FileRef(path=f"{home}/a"), data=before)
    api.write_stream(stream(f"{home}/a", data, piece=50_021, offset=offset))
    expected = bytearray(before)
    if size:
        expected.extend(bytes(max(0, offset - len(expected))))
        expected[offset : offset + size] = data
    assert hashlib.sha256(read_all(api, f"{home}/a")).digest() == hashlib.sha256(expected).digest()


def test_a_part_is_put_at_its_place(api: Client, home: str) -> None:
    ref = FileRef(path=f"{home}/a")
    api.put_content(file=ref, data=b"hello world")
    api.put_content(file=ref, data=b"WORLD!", options=WriteOptions(offset=6))
    assert api.get_content(file=ref).data == b"hello WORLD!"
    api.put_content(file=ref, data=b"end", options=WriteOptions(offset=14))
    assert api.get_content(file=ref).data == b"hello WORLD!\0\0end"


def test_a_stream_that_breaks_changes_nothing(api: Client, home: str) -> None:
    api.put_content(file=FileRef(path=f"{home}/a"), data=b"before")

    def broken() -> Iterator[WriteFileRequest]:
        yield from stream(f"{home}/a", b"x" * 1_000_000)
        raise RuntimeError("the client dies")

    with pytest.raises(Exception):  # noqa: B017 - what a client library raises for its own end is its business
        api.write_stream(broken())
    assert api.get_content(file=FileRef(path=f"{home}/a")).data == b"before"


def test_a_stream_that_is_given_up_after_its_last_piece_changes_nothing(api: Client, home: str) -> None:
    """gRPC shows its end as one that the caller has made, and tells a little later that it was not."""
    for attempt in range(120):
        ref, sent, given_up = FileRef(path=f"{home}/{attempt}"), threading.Event(), threading.Event()

        def pieces(path: str = ref.path, sent: threading.Event = sent, given_up: threading.Event = given_up) -> Iterator[Any]:
            yield from stream(path, b"x" * 100_000, piece=8_192)
            sent.set()
            given_up.wait(20)

        call = api.begin_write_stream(pieces())
        assert sent.wait(20)
        time.sleep(attempt % 10 / 2000)
        call.cancel()
        given_up.set()
    time.sleep(0.2)
    assert not api.list_files(directory=FileRef(path=home)).files


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [WriteFileRequest(data=b"x")],
        [WriteFileRequest()],
        [WriteFileRequest(header=WriteFileHeader(file=FileRef(path="/never"))), WriteFileRequest()],
        [WriteFileRequest(header=WriteFileHeader(file=FileRef(path="/never")))] * 2,
        [WriteFileRequest(header=WriteFileHeader())],
    ],
    ids=["nothing", "data first", "empty first", "empty later", "two headers", "no file"],
)
def test_a_stream_out_of_order_is_refused(api: Client, messages: list[WriteFileRequest]) -> None:
    with refused("INVALID_ARGUMENT"):
        api.write_stream(iter(messages))
    with refused("FILE_NOT_FOUND"):
        api.stat_file(file=FileRef(path="/never"))


def test_conditions_guard_against_lost_updates(api: Client, home: str) -> None:
    ref = FileRef(path=f"{home}/a")
    with refused("CONTENT_CHANGED"):
        api.put_content(file=ref, data=b"1", options=WriteOptions(if_content_revision=7))
    first = api.put_content(file=ref, data=b"1", options=WriteOptions(if_content_revision=0)).file
    with refused("FILE_EXISTS"):
        api.put_content(file=ref, data=b"2", options=WriteOptions(if_content_revision=0))
    second = api.put_content(file=ref, data=b"2", options=WriteOptions(if_content_revision=first.content_revision)).file
    with refused("CONTENT_CHANGED") as info:
        api.write_stream(stream(f"{home}/a", b"3", if_content_revision=first.content_revision))
    assert info.metadata["content_revision"] == str(second.content_revision)
    assert api.get_content(file=ref).data == b"2"


def test_a_written_stream_is_done_once(api: Client, home: str) -> None:
    first = api.write_stream(stream(f"{home}/a", b"abc", request_id=home))
    api.put_content(file=FileRef(path=f"{home}/a"), data=b"later")
    assert api.write_stream(stream(f"{home}/a", b"abc", request_id=home)) == first
    assert api.get_content(file=FileRef(path=f"{home}/a")).data == b"later"
    with refused("REQUEST_ID_REUSED"):
        api.write_stream(stream(f"{home}/b", b"abc", request_id=home))


def test_another_stream_under_the_same_request_id_is_refused(api: Client, home: str) -> None:
    api.write_stream(stream(f"{home}/a", b"abc", request_id=home))
    with refused("REQUEST_ID_REUSED"):
        api.write_stream(stream(f"{home}/a", b"other bytes", request_id=home))


def test_content_over_the_limit_of_a_message_is_refused_with_the_way_out(api: Client, home: str) -> None:
    with refused("TOO_LARGE"):
        api.put_content(file=FileRef(path=f"{home}/a"), data=bytes(CONTENT_MAX_BYTES + 1))
    api.write_stream(stream(f"{home}/a", bytes(CONTENT_MAX_BYTES + 1)))
    with refused("TOO_LARGE"):
        api.get_content(file=FileRef(path=f"{home}/a"))
    assert len(api.get_content(file=FileRef(path=f"{home}/a"), length=CONTENT_MAX_BYTES).data) == CONTENT_MAX_BYTES


def test_only_regular_files_have_content(api: Client, home: str) -> None:
    with refused("IS_A_DIRECTORY"):
        api.get_content(file=FileRef(path=home))
    with refused("IS_A_DIRECTORY"):
        list(api.read_file(file=FileRef(path=home)))
    with refused("IS_A_DIRECTORY"):
        api.put_content(file=FileRef(path=home), data=b"x")
    with refused("FILE_NOT_FOUND"):
        api.put_content(file=FileRef(path=f"{home}/no/a"), data=b"x")
    api.put_content(file=FileRef(path=f"{home}/no/a"), data=b"x", options=WriteOptions(make_parents=True))


def test_memory_does_not_grow_with_the_stream(api: Client, server: Server, home: str) -> None:
    def resident_kib() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    piece = bytes(1_000_000)

    def large() -> Iterator[WriteFileRequest]:
        yield from stream(f"{home}/large", b"")
        for _ in range(200):
            yield WriteFileRequest(data=piece)

    api.write_stream(stream(f"{home}/warm", bytes(5_000_000)))
    before = resident_kib()
    api.write_stream(large(), timeout=60)
    total = sum(len(part.data) for part in api.read_file(file=FileRef(path=f"{home}/large"), timeout=60))
    assert total == 200_000_000
    assert resident_kib() - before < 60_000
