"""Several API processes on one gRPC port: any of them answers reads, the first does the rest, and nobody can tell which."""

import math
import os
import re
import signal
import struct
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc  # type: ignore[import-untyped]
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]

from vexfs import runtime
from vexfs.contract.v1 import collections_pb2, common_pb2, content_pb2, files_pb2, points_pb2, search_pb2, server_pb2

from .running import Server, wait_until

REPLICA = "api-replica-1"
PROCESSES = ("api", REPLICA)
DEADLINE_S = 20.0
_CONNECTIONS_MAX = 60
_REFUSED_AT_THE_END = 300


class Connection:
    """One connection of its own, which the kernel gives to one of the processes."""

    def __init__(self, server: Server) -> None:
        # Channels of one process with the same settings share a connection; a pool of its own keeps this one apart.
        self.channel = grpc.insecure_channel(server.record["grpc"], options=[("grpc.use_local_subchannel_pool", 1)])
        self.metadata = (("authorization", f"Bearer {server.token()}"),)

    def call(self, method: str, request: Any, response: Any, *, timeout: float = DEADLINE_S, token: str | None = None) -> Any:
        """One unary call; `method` is such as `FilesService/StatFile`."""
        stub = self.channel.unary_unary(
            f"/vexfs.v1.{method}", request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
        )
        metadata = self.metadata if token is None else (("authorization", f"Bearer {token}"),)
        return stub(request, timeout=timeout, metadata=metadata)

    def begin(self, method: str, request: Any, response: Any) -> Any:
        """The future of a unary call."""
        stub = self.channel.unary_unary(
            f"/vexfs.v1.{method}", request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
        )
        return stub.future(request, timeout=DEADLINE_S, metadata=self.metadata)

    def stream(self, method: str, requests: Any, response: Any) -> Any:
        stub = self.channel.stream_unary(
            f"/vexfs.v1.{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return stub.future(requests, timeout=DEADLINE_S, metadata=self.metadata)

    def stat(self, path: str) -> Any:
        request = files_pb2.StatFileRequest(file=common_pb2.FileRef(path=path))
        return self.call("FilesService/StatFile", request, files_pb2.StatFileResponse)

    def put(self, path: str, content: bytes) -> int:
        request = content_pb2.PutContentRequest(file=common_pb2.FileRef(path=path), data=content)
        return int(self.call("FilesService/PutContent", request, content_pb2.PutContentResponse).revision)

    def upsert(self, id: str, values: bytes) -> int:
        point = points_pb2.PointInput(id=id, vectors={"v": common_pb2.Vector(values=values)})
        request = points_pb2.UpsertPointsRequest(collection=POINTS, points=[point])
        return int(self.call("PointsService/UpsertPoints", request, points_pb2.UpsertPointsResponse).revision)

    def query(self, values: bytes, min_revision: int = 0) -> Any:
        vector = common_pb2.Vector(values=values)
        request = points_pb2.QueryPointsRequest(collection=POINTS, vector=vector, limit=1, min_revision=min_revision)
        return self.call("PointsService/QueryPoints", request, points_pb2.QueryPointsResponse)


POINTS = common_pb2.FileRef(path="/points")


def metrics_of(server: Server) -> str:
    """The page with the metrics of all processes; one that is slow to answer is left out of a page."""
    pages: list[str] = []

    def complete() -> bool:
        headers = {"Authorization": f"Bearer {server.token()}"}
        with urllib.request.urlopen(urllib.request.Request(server.record["rest"] + "/metrics", headers=headers)) as response:
            pages.append(response.read().decode())
        return f'process="{REPLICA}"' in pages[-1]

    wait_until(complete, 30, "a page of all metrics")
    return pages[-1]


def answered(server: Server, process: str, operation: str) -> float:
    """How many calls over gRPC the process has answered itself, as the metrics say."""
    label = "" if process == "api" else f'process="{process}",'
    found = re.findall(
        rf'^vexfs_operations_total{{operation="{operation}",outcome="\w+",{label}surface="grpc"}} (\S+)',
        metrics_of(server),
        re.M,
    )
    return sum(map(float, found))


@contextmanager
def connections(server: Server) -> Iterator[dict[str, Connection]]:
    """A connection to each of the processes, found by asking over new ones until both have answered."""
    found: dict[str, Connection] = {}
    spare = []
    for _ in range(_CONNECTIONS_MAX):
        before = answered(server, REPLICA, "StatFile")
        connection = Connection(server)
        connection.stat("/")
        spare.append(connection)
        found.setdefault(REPLICA if answered(server, REPLICA, "StatFile") > before else "api", connection)
        if len(found) == len(PROCESSES):
            break
    assert set(found) == set(PROCESSES), f"{_CONNECTIONS_MAX} connections all went to {set(found)}"
    try:
        yield found
    finally:
        for connection in spare:
            connection.channel.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("replicas"), arguments=("--api-processes", "2"))
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture(scope="module")
def both(server: Server) -> Iterator[dict[str, Connection]]:
    with connections(server) as found:
        schema = collections_pb2.CollectionSchema(vectors=[collections_pb2.VectorSpec(name="v", dimension=2)])
        request = collections_pb2.CreateCollectionRequest(collection=POINTS, schema=schema)
        found[REPLICA].call("CollectionsService/CreateCollection", request, collections_pb2.CreateCollectionResponse)
        yield found


def vector_of(degrees: float) -> bytes:
    """A direction that no other number of whole degrees has."""
    return struct.pack("<2f", math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


@pytest.mark.parametrize("writer", PROCESSES)
def test_a_read_sees_what_was_acknowledged_over_any_connection(
    server: Server, both: dict[str, Connection], writer: str
) -> None:
    before = {process: answered(server, process, "QueryPoints") for process in PROCESSES}
    for number in range(20):
        vector = vector_of(number + 90 * PROCESSES.index(writer))
        id = f"{writer}-{number}"
        revision = both[writer].upsert(id, vector)
        for process in (REPLICA, "api"):
            answer = both[process].query(vector)
            found = bool(answer.hits) and answer.hits[0].point.id == id
            # Either is promised; a replica, which waits for what it has not heard of, is to find it.
            assert found or (process == "api" and answer.partial), (process, id, answer)
            request = points_pb2.GetPointsRequest(collection=POINTS, ids=[id])
            read = both[process].call("PointsService/GetPoints", request, points_pb2.GetPointsResponse)
            assert read.revision >= revision
            assert read.points[0].id == id
            assert both[process].query(vector, min_revision=revision).hits[0].point.id == id
    for process in PROCESSES:
        assert answered(server, process, "QueryPoints") >= before[process] + 40
    assert answered(server, REPLICA, "UpsertPoints") == 0


def test_a_batch_of_queries_is_answered_alike_by_either_process(server: Server, both: dict[str, Connection]) -> None:
    """By a generation with a tail, of some vectors that are equal: in each process as its single queries are."""
    many = common_pb2.FileRef(path="/many")
    random = np.random.default_rng(5)
    rows = random.standard_normal((4000, 32)).astype("<f4")

    def upsert(first: int, vectors: Any) -> int:
        named = {f"{first + place}": common_pb2.Vector(values=row.tobytes()) for place, row in enumerate(vectors)}
        points = [points_pb2.PointInput(id=id, vectors={"v": vector}) for id, vector in named.items()]
        request = points_pb2.UpsertPointsRequest(collection=many, points=points)
        return int(both[REPLICA].call("PointsService/UpsertPoints", request, points_pb2.UpsertPointsResponse).revision)

    def single(process: str, request: Any) -> Any:
        return both[process].call("PointsService/QueryPoints", request, points_pb2.QueryPointsResponse)

    schema = collections_pb2.CollectionSchema(vectors=[collections_pb2.VectorSpec(name="v", dimension=32)])
    create = collections_pb2.CreateCollectionRequest(collection=many, schema=schema)
    both[REPLICA].call("CollectionsService/CreateCollection", create, collections_pb2.CreateCollectionResponse)
    upsert(0, rows)
    asked = points_pb2.QueryPointsRequest(collection=many, vector=common_pb2.Vector(values=rows[0].tobytes()), limit=5)
    for process in PROCESSES:
        wait_until(lambda process=process: single(process, asked).generation != "", 60, f"a generation in {process}")
    revision = upsert(5000, [rows[0]] * 10)
    vectors = [common_pb2.Vector(values=row.tobytes()) for row in (rows[:50] + rows[50:100])]
    queries = [points_pb2.QueryPointsRequest(collection=many, vector=vector, limit=7) for vector in vectors]
    queries[3:3] = [asked, points_pb2.QueryPointsRequest(collection=many, point_id="5", exact=True)] * 2
    request = points_pb2.BatchQueryPointsRequest(queries=queries, min_revision=revision)
    answers = {}
    for process in PROCESSES:
        before = answered(server, process, "BatchQueryPoints")
        answers[process] = (
            both[process].call("PointsService/BatchQueryPoints", request, points_pb2.BatchQueryPointsResponse).answers
        )
        assert answered(server, process, "BatchQueryPoints") == before + 1
        assert list(answers[process]) == [single(process, query) for query in queries]
    assert answers["api"] == answers[REPLICA]
    assert [hit.point.id for hit in answers["api"][3].hits] == ["0", *(str(number) for number in range(5000, 5004))]
    assert {answer.strategy for answer in answers["api"]} == {"scann", "exact"}


def test_a_read_waits_for_a_revision_that_comes_only_later(both: dict[str, Connection]) -> None:
    for process in PROCESSES:
        coming = both["api"].put("/waited-for.md", b"one") + 1
        request = files_pb2.StatFileRequest(file=common_pb2.FileRef(path="/waited-for.md"), min_revision=coming)
        asked = both[process].begin("FilesService/StatFile", request, files_pb2.StatFileResponse)
        both[REPLICA].put("/waited-for.md", b"three")
        assert asked.result().file.size_bytes == len(b"three")


def test_what_depends_on_the_first_process_is_asked_there(server: Server, both: dict[str, Connection]) -> None:
    asked = {
        "ServerService/GetServerInfo": (server_pb2.GetServerInfoRequest(), server_pb2.GetServerInfoResponse),
        "SearchService/WaitForViews": (search_pb2.WaitForViewsRequest(), search_pb2.WaitForViewsResponse),
    }
    for method, (request, response) in asked.items():
        name = method.partition("/")[2]
        before = answered(server, "api", name)
        assert both[REPLICA].call(method, request, response).revision > 0
        assert answered(server, "api", name) == before + 1
        assert answered(server, REPLICA, name) == 0
    check = both[REPLICA].channel.unary_unary(
        "/grpc.health.v1.Health/Check", response_deserializer=health_pb2.HealthCheckResponse.FromString
    )
    assert check(b"", timeout=DEADLINE_S).status == health_pb2.HealthCheckResponse.SERVING


def test_a_stream_of_writes_goes_through(both: dict[str, Connection]) -> None:
    content = os.urandom(3 << 20)
    chunks = [content[start : start + (1 << 20)] for start in range(0, len(content), 1 << 20)]
    first = content_pb2.WriteFileRequest(header=content_pb2.WriteFileHeader(file=common_pb2.FileRef(path="/streamed.bin")))
    messages = [first, *(content_pb2.WriteFileRequest(data=chunk) for chunk in chunks)]
    both[REPLICA].stream("FilesService/WriteFile", iter(messages), content_pb2.WriteFileResponse).result()
    for process in PROCESSES:
        assert both[process].stat("/streamed.bin").file.size_bytes == len(content)


def test_a_stream_that_is_cancelled_on_its_way_writes_nothing(server: Server, both: dict[str, Connection]) -> None:
    before = answered(server, "api", "WriteFile")
    release = threading.Event()

    def half() -> Iterator[content_pb2.WriteFileRequest]:
        header = content_pb2.WriteFileHeader(file=common_pb2.FileRef(path="/half.bin"))
        yield content_pb2.WriteFileRequest(header=header)
        yield content_pb2.WriteFileRequest(data=b"half")
        release.wait(DEADLINE_S)

    call = both[REPLICA].stream("FilesService/WriteFile", half(), content_pb2.WriteFileResponse)
    wait_until(lambda: running(server) > 0, what="the call's arrival")
    call.cancel()
    wait_until(lambda: answered(server, "api", "WriteFile") == before + 1, what="the call's end")
    release.set()
    for process in PROCESSES:
        with pytest.raises(grpc.RpcError) as raised:
            both[process].stat("/half.bin")
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_stream_that_is_refused_before_its_end_says_why(both: dict[str, Connection]) -> None:
    failures = []
    for process in PROCESSES:
        header = content_pb2.WriteFileRequest(header=content_pb2.WriteFileHeader(file=common_pb2.FileRef(path="/never.bin")))
        messages = [header, header, *[content_pb2.WriteFileRequest(data=bytes(1 << 16))] * 50]
        with pytest.raises(grpc.RpcError) as raised:
            both[process].stream("FilesService/WriteFile", iter(messages), content_pb2.WriteFileResponse).result()
        failures.append(told_by(raised.value))
    assert failures[0] == failures[1]
    assert failures[0][0] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_stream_that_is_refused_just_as_it_ends_says_why(both: dict[str, Connection]) -> None:
    """Who refuses a whole stream does so while the replica passes its end on: every one of many callers is told."""
    message = content_pb2.WriteFileRequest(header=content_pb2.WriteFileHeader())
    calls = [
        both[REPLICA].stream("FilesService/WriteFile", iter([message]), content_pb2.WriteFileResponse)
        for _ in range(_REFUSED_AT_THE_END)
    ]
    assert {call.code() for call in calls} == {grpc.StatusCode.INVALID_ARGUMENT}


def told_by(error: Any) -> tuple[Any, ...]:
    """All that a caller is told of an error: code, message, details and other trailers. The order in a map means nothing."""
    trailers = dict(error.trailing_metadata())
    details = status_pb2.Status.FromString(trailers.pop("grpc-status-details-bin")).details
    info = error_details_pb2.ErrorInfo()
    assert details[0].Unpack(info)
    return error.code(), error.details(), info, list(details)[1:], trailers


def failure_of(connection: Connection, method: str, request: Any, response: Any, token: str | None = None) -> tuple[Any, ...]:
    with pytest.raises(grpc.RpcError) as raised:
        connection.call(method, request, response, token=token)
    return told_by(raised.value)


def test_an_error_says_the_same_whoever_answers(both: dict[str, Connection]) -> None:
    absent = common_pb2.FileRef(path="/absent")
    calls = [
        ("FilesService/StatFile", files_pb2.StatFileRequest(file=absent), files_pb2.StatFileResponse),
        ("FilesService/RemoveFile", files_pb2.RemoveFileRequest(file=absent), files_pb2.RemoveFileResponse),
        ("FilesService/NoSuchMethod", files_pb2.StatFileRequest(), files_pb2.StatFileResponse),
        ("PointsService/QueryPoints", points_pb2.QueryPointsRequest(limit=-1), points_pb2.QueryPointsResponse),
    ]
    for call in calls:
        one, other = (failure_of(both[process], *call) for process in PROCESSES)
        assert one == other
    for call in calls[:2]:
        one, other = (failure_of(both[process], *call, token="wrong") for process in PROCESSES)
        assert one == other
        assert one[0] is grpc.StatusCode.UNAUTHENTICATED


def test_a_deadline_holds_where_a_forwarded_call_waits(server: Server, both: dict[str, Connection]) -> None:
    request = search_pb2.WaitForViewsRequest(min_revision=1 << 40)
    with pytest.raises(grpc.RpcError) as raised:
        both[REPLICA].call("SearchService/WaitForViews", request, search_pb2.WaitForViewsResponse, timeout=1.0)
    assert (
        told_by(raised.value)[2].reason == "REVISION_NOT_REACHED"
    )  # the first process knew the deadline, and answered in time


def test_a_call_that_its_caller_cancels_ends_in_the_first_process(server: Server, both: dict[str, Connection]) -> None:
    before = answered(server, "api", "WaitForViews")
    request = search_pb2.WaitForViewsRequest(min_revision=1 << 40)
    call = both[REPLICA].begin("SearchService/WaitForViews", request, search_pb2.WaitForViewsResponse)
    wait_until(lambda: running(server) > 0, what="the call's arrival")
    assert answered(server, "api", "WaitForViews") == before
    call.cancel()
    wait_until(lambda: answered(server, "api", "WaitForViews") == before + 1, what="the call's end")


def running(server: Server) -> float:
    """Calls over gRPC that the first process is answering now."""
    return sum(map(float, re.findall(r'^vexfs_operations_running\{surface="grpc"\} (\S+)', metrics_of(server), re.M)))


@pytest.mark.parametrize("name", PROCESSES)
def test_a_killed_process_comes_back_and_its_clients_go_on(server: Server, both: dict[str, Connection], name: str) -> None:
    before = server.pid_of(name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: (runtime.read_ready(server.data, name) or {"pid": before})["pid"] != before, 30, f"the return of {name}")
    assert f"the {name} process was ended by SIGKILL; starting it again" in server.log()
    for process in PROCESSES:  # a connection to the killed one is made anew, and may lead to another process then
        wait_until(lambda process=process: _answers(both[process]), 30, "an answer")
    with connections(server) as anew:
        for process in PROCESSES:
            revision = anew[process].put(f"/after-{name}-{process}.md", b"after")
            for reader in PROCESSES:
                assert anew[reader].stat(f"/after-{name}-{process}.md").revision >= revision


def test_a_first_process_that_is_slow_to_take_a_connection_is_waited_for(server: Server) -> None:
    before = server.pid_of(REPLICA)
    os.kill(before, signal.SIGKILL)
    wait_until(
        lambda: (runtime.read_ready(server.data, REPLICA) or {"pid": before})["pid"] != before, 30, "the replica's return"
    )
    with connections(server) as anew:
        first = server.pid_of("api")
        os.kill(first, signal.SIGSTOP)
        try:
            request = content_pb2.PutContentRequest(file=common_pb2.FileRef(path="/slow.md"), data=b"slow")
            written = anew[REPLICA].begin("FilesService/PutContent", request, content_pb2.PutContentResponse)
            time.sleep(0.5)  # how slow it is; nothing depends on what happens meanwhile
        finally:
            os.kill(first, signal.SIGCONT)
        assert written.result().revision > 0


def _answers(connection: Connection) -> bool:
    """Whether reads and writes go through again; until then they fail as something to be tried again."""
    try:
        connection.put("/tried.md", b"")
        return bool(connection.stat("/tried.md").revision)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE, error
        return False


def test_the_end_leaves_no_process_and_no_socket(server: Server) -> None:
    pids = [server.pid_of(name) for name in (*PROCESSES, "indexer")]
    assert server.stop() < 3.0
    assert server.process is not None
    assert server.process.returncode == 0
    assert not any(runtime.is_alive(pid) for pid in pids)
    assert not list((server.data / "run").glob("*.sock"))
    assert not list((server.data / "run").glob("*.ready.json"))
