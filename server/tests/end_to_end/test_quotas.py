"""A server with a quota: every way in is refused alike, room can be made, and the next start may say otherwise."""

import errno
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.api.running import status_of
from vexfs.contract.v1 import common_pb2, content_pb2, files_pb2_grpc
from vexfs.store.check import check_volume

from .conftest import needs_mount
from .running import Server

LIMIT = 4 << 20
EDQUOT = {"check": lambda error: error.errno == errno.EDQUOT}


def put(server: Server, name: str, data: bytes) -> tuple[int, dict[str, Any]]:
    """PUT raw bytes, as curl does it: the status, and the error's facts."""
    headers = {"Authorization": f"Bearer {server.token()}", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{server.record['rest']}/v1/content/{name}", data, headers, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, {}
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]


def delete(server: Server, name: str) -> None:
    server.vexfs("rm", f"/{name}")


def stored(server: Server) -> int:
    """Bytes that the blobs take on the disk."""
    return sum(path.stat().st_size for path in (server.data / "volumes" / "main" / "blobs").rglob("*") if path.is_file())


class Grpc:
    """The files of a server over gRPC."""

    def __init__(self, server: Server) -> None:
        self._channel = grpc.insecure_channel(server.record["grpc"])
        self._stub = files_pb2_grpc.FilesServiceStub(self._channel)
        self._metadata = (("authorization", f"Bearer {server.token()}"),)

    def put(self, path: str, data: bytes) -> None:
        request = content_pb2.PutContentRequest(file=common_pb2.FileRef(path=path), data=data)
        self._stub.PutContent(request, metadata=self._metadata)

    def write(self, path: str, pieces: Iterator[bytes]) -> None:
        header = content_pb2.WriteFileHeader(file=common_pb2.FileRef(path=path))
        requests = (content_pb2.WriteFileRequest(data=piece) for piece in pieces)

        def stream() -> Iterator[content_pb2.WriteFileRequest]:
            yield content_pb2.WriteFileRequest(header=header)
            yield from requests

        self._stub.WriteFile(stream(), metadata=self._metadata)

    def close(self) -> None:
        self._channel.close()


def assert_refused(work: Callable[[], None]) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        work()
    status, info = status_of(raised.value)
    assert (status.code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], "QUOTA_EXCEEDED")
    assert info.metadata["limit_bytes"] == str(LIMIT)
    assert info.metadata["retryable"] == "false"


def test_the_api_refuses_what_is_too_much_and_goes_on_when_there_is_room(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(arguments=("--quota", "4MiB", "--quota-files", "3")).start()
    assert put(server, "a", b"a" * (LIMIT - 100))[0] == 200
    status, error = put(server, "b", b"b" * 101)
    assert (status, error["status"]) == (507, "RESOURCE_EXHAUSTED")
    assert error["details"][0]["reason"] == "QUOTA_EXCEEDED"
    rpc = Grpc(server)
    try:
        assert_refused(lambda: rpc.put("/b", b"b" * 101))
        assert_refused(lambda: rpc.write("/b", iter([b"b" * 50] * 3)))
        rpc.put("/b", b"b" * 100)
        rpc.put("/b", b"c" * 100)
        told = json.loads(server.vexfs("status", "--json"))
        assert (told["used_bytes"], told["quota_bytes"], told["files"], told["quota_files"]) == (LIMIT, LIMIT, 3, 3)
        assert "4.0 MiB of 4.0 MiB, 3 of 3 files" in server.vexfs("status")
        delete(server, "a")
        rpc.write("/c", iter([b"c" * 1000] * 10))
        assert put(server, "d", b"")[0] == 507, "the root and two files are there: one too many"
        delete(server, "c")
        before = stored(server)
        assert_refused(lambda: rpc.write("/d", iter([b"d" * (1 << 20)] * 50)))
        assert stored(server) <= before + LIMIT + (1 << 20), "what can never fit does not fill the disk first"
    finally:
        rpc.close()


@needs_mount
def test_mount_and_api_share_the_quota_until_a_start_without_one(make_server: Callable[..., Server]) -> None:
    server = make_server(mounted=True, arguments=("--quota", "4MiB")).start()
    assert server.mount is not None
    path = server.mount / "f"
    with pytest.raises(OSError, **EDQUOT):
        path.write_bytes(os.urandom(LIMIT + 1))
    path.write_bytes(os.urandom(LIMIT - 10))
    assert put(server, "g", b"g" * 11)[0] == 507
    assert put(server, "g", b"g" * 10)[0] == 200
    with pytest.raises(OSError, **EDQUOT), path.open("ab", buffering=0) as file:
        file.write(b"x")
    df = os.statvfs(server.mount)
    assert (df.f_blocks * df.f_frsize, df.f_bavail) == (LIMIT, 0)
    (server.mount / "g").unlink()
    with path.open("ab", buffering=0) as file:
        assert file.write(b"x" * 10) == 10
    server.stop()
    again = make_server(mounted=True).start()
    assert again.mount is not None
    told = json.loads(again.vexfs("status", "--json"))
    assert (told["used_bytes"], told["quota_bytes"], told["quota_files"]) == (LIMIT, None, None)
    (again.mount / "large").write_bytes(b"y" * 2 * LIMIT)
    again.stop()
    assert [finding for finding in check_volume(again.data / "volumes" / "main") if finding.invariant != "no-stray-blob"] == []


@needs_mount
def test_programs_on_the_mount_and_at_the_api_race_for_the_last_bytes(make_server: Callable[..., Server]) -> None:
    """What each was told is there is there, and together it is no byte more than the quota."""
    server = make_server(mounted=True, arguments=("--quota", "4MiB")).start()
    assert server.mount is not None
    kept: dict[str, int] = {}
    piece = 100_000

    def through_the_mount(folder: Path) -> None:
        for number in range(100):
            path = folder / f"mount-{number}"
            try:
                with path.open("wb", buffering=0) as file:
                    file.write(b"m" * piece)
                    os.fsync(file.fileno())
            except OSError as error:
                assert error.errno == errno.EDQUOT
                path.unlink()
                return
            kept[path.name] = piece

    def through_the_api() -> None:
        for number in range(100):
            status, error = put(server, f"api-{number}", b"a" * piece)
            if status != 200:
                assert error["details"][0]["reason"] == "QUOTA_EXCEEDED"
                return
            kept[f"api-{number}"] = piece

    racing = [threading.Thread(target=through_the_mount, args=(server.mount,)), threading.Thread(target=through_the_api)]
    for thread in racing:
        thread.start()
    for thread in racing:
        thread.join()
    assert {path.name: path.stat().st_size for path in server.mount.iterdir()} == kept
    assert LIMIT - 2 * piece < sum(kept.values()) <= LIMIT
    df = os.statvfs(server.mount)
    assert df.f_bfree * df.f_frsize <= LIMIT - sum(kept.values())
