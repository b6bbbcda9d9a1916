"""The budget of bytes for requests that are worked on: what is beyond it comes again, on every surface."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from connecting import PROTO, post, reason_of
from running import Client, Server, assert_error_shape, eventually, running, status_of

from vexfs.api.request_memory import SMALL_BYTES, RequestMemory
from vexfs.contract.v1.collections_pb2 import CollectionSchema, VectorSpec
from vexfs.contract.v1.common_pb2 import FileRef, Vector
from vexfs.contract.v1.points_pb2 import PointInput, UpsertPointsRequest, UpsertPointsStreamRequest
from vexfs.core.errors import QueueFull

COLLECTION = FileRef(path="/points")
DIMENSION = 1024
UPSERT = UpsertPointsRequest(
    collection=COLLECTION,
    points=[PointInput(id=str(number), vectors={"v": Vector(values=b"\0\0\x80\x3f" * DIMENSION)}) for number in range(160)],
)
"""Two of them are more than the budget of 1 MiB."""
WAIT_SECONDS = 20.0


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("VEXFS_REQUEST_MEMORY_MIB", "1")
    with running(tmp_path / "data", ["-m", "vexfs.api"]) as started:
        yield started


@pytest.fixture
def api(server: Server) -> Iterator[Client]:
    client = Client(server)
    schema = CollectionSchema(vectors=[VectorSpec(name="v", dimension=DIMENSION)])
    client.create_collection(collection=COLLECTION, schema=schema)
    yield client
    client.close()


@contextmanager
def announced(server: Server, size_bytes: int) -> Iterator[None]:
    """A caller that has said how large its request is, and sends nothing of it."""
    host, _, port = server.rest_address.rpartition(":")
    head = f"POST /v1/points:upsert HTTP/1.1\r\nHost: {server.rest_address}\r\nAuthorization: Bearer {server.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {size_bytes}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=WAIT_SECONDS) as connection:
        connection.sendall(head.encode())
        yield


def is_refused(api: Client) -> bool:
    try:
        api.upsert_points(collection=COLLECTION, points=UPSERT.points)
    except grpc.RpcError as error:
        status, info = status_of(error)
        assert (error.code(), info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")  # type: ignore[attr-defined]
        assert info.metadata["retryable"] == "true"
        assert any(detail.TypeName() == "google.rpc.RetryInfo" for detail in status.details)
        return True
    return False


def wait_until_refused(api: Client, expected: bool) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while is_refused(api) is not expected:
        assert time.monotonic() < end, f"upserts never came to be {'refused' if expected else 'taken'}"


def test_upserts_beyond_the_budget_come_again_and_small_requests_go_on(server: Server, api: Client) -> None:
    assert 1 << 19 < UPSERT.ByteSize() < 1 << 20
    assert not is_refused(api)
    with announced(server, 500_000):
        wait_until_refused(api, True)
        answer = server.http("POST", "/v1/points:upsert", json.dumps({"points": "x" * 600_000}).encode())
        assert (answer.status, assert_error_shape(answer)["reason"]) == (429, "QUEUE_FULL")
        assert answer.headers["retry-after"] == "1"
        answer = post(server, "/vexfs.v1.PointsService/UpsertPoints", UPSERT.SerializeToString(), PROTO)
        assert reason_of(answer.json) == "QUEUE_FULL"
        assert api.stat_file(file=COLLECTION).file.path == "/points"
        api.upsert_points(collection=COLLECTION, points=[UPSERT.points[0]])
    wait_until_refused(api, False)


def test_a_message_of_a_stream_waits_for_its_room_and_leaves_it_to_others_when_it_is_put(server: Server, api: Client) -> None:
    rest = threading.Event()
    points = [PointInput(id=f"streamed {point.id}", vectors=point.vectors) for point in UPSERT.points]

    def put() -> int:
        return len(api.get_points(collection=COLLECTION, ids=[point.id for point in points]).points)

    def messages() -> Iterator[UpsertPointsStreamRequest]:
        yield UpsertPointsStreamRequest(collection=COLLECTION)
        yield UpsertPointsStreamRequest(points=points)
        assert rest.wait(WAIT_SECONDS)

    with announced(server, 500_000):
        wait_until_refused(api, True)
        call = api.begin_stream("upsert_points_stream", messages())
        time.sleep(0.5)
        assert put() == 0
    eventually(lambda: put() == len(points))
    with announced(server, 300_000):  # with a message of the stream there would be no room for both
        assert not is_refused(api)
    rest.set()
    assert call.result().upserted == len(points)


def test_a_request_that_is_alone_is_taken_however_large(server: Server, api: Client) -> None:
    points = [PointInput(id=f"{number}", vectors=UPSERT.points[0].vectors) for number in range(400)]
    assert api.upsert_points(collection=COLLECTION, points=points).upserted == 400


def test_the_bytes_of_a_call_are_given_back_when_it_ends_whatever_became_of_it() -> None:
    memory = RequestMemory(1 << 20)
    with memory.hold() as first, pytest.raises(QueueFull), memory.hold() as second:
        first.grow_to(SMALL_BYTES + 1)
        first.grow_to(600_000)
        first.grow_to(500_000)  # it has more already
        second.grow_to(SMALL_BYTES)
        second.grow_to((1 << 20) - 600_000)
        second.grow_to((1 << 20) - 600_000 + 1)
    with memory.hold() as alone:
        alone.grow_to(5 << 20)
        with memory.hold() as another, pytest.raises(QueueFull):
            another.grow_to(SMALL_BYTES + 1)
    with memory.hold() as after, memory.hold() as beside:
        after.grow_to(1 << 19)
        beside.grow_to(1 << 19)
