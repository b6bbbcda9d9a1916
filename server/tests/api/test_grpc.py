"""The gRPC surface by a real client: calls, streams, errors, deadlines, health, reflection, the Unix socket."""

import asyncio
import stat
import time

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from running import Server, status_of

from vexfs import runtime
from vexfs.api.limits import CALLS_MAX, MESSAGE_MAX_BYTES

ECHO = "/vexfs.test.v1.EchoService"


def message(kind: str, **fields: object) -> bytes:
    import echo_server

    return bytes(echo_server.message(kind)(**fields).SerializeToString())


def parse(name: str, data: bytes) -> object:
    import echo_server

    return echo_server.message(name).FromString(data)


def test_a_unary_call_is_answered(echo: Server) -> None:
    response = parse("EchoResponse", echo.unary(f"{ECHO}/Echo", message("EchoRequest", name="ä", big=5)))
    assert (response.request.name, response.request.big) == ("ä", 5)  # type: ignore[attr-defined]


def test_a_server_stream_arrives_and_its_error_after_it(echo: Server) -> None:
    numbers = []
    with echo.channel() as channel:
        responses = channel.unary_stream(f"{ECHO}/Count")(message("CountRequest", upto=5, fail_after=3), metadata=echo.metadata)
        with pytest.raises(grpc.RpcError) as caught:
            while True:
                numbers.append(parse("CountResponse", next(responses)).number)  # type: ignore[attr-defined]
    assert numbers == [0, 1, 2]
    assert status_of(caught.value)[1].reason == "FILE_NOT_FOUND"


def test_a_client_stream_is_added_up_and_each_message_is_checked(echo: Server) -> None:
    with echo.channel() as channel:
        call = channel.stream_unary(f"{ECHO}/Sum")
        numbers = (message("SumRequest", number=number) for number in range(100))
        assert parse("SumResponse", call(numbers, metadata=echo.metadata)).sum == 4950  # type: ignore[attr-defined]
        with pytest.raises(grpc.RpcError) as caught:
            call(iter([message("SumRequest", number=1), message("SumRequest", number=-1)]), metadata=echo.metadata)
    assert status_of(caught.value)[1].reason == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("path", "request_bytes", "options", "code", "reason"),
    [
        pytest.param("Echo", b"", {"token": None}, "UNAUTHENTICATED", "UNAUTHENTICATED", id="no token"),
        pytest.param("Echo", b"", {"token": "y" * 43}, "UNAUTHENTICATED", "UNAUTHENTICATED", id="wrong token"),
        pytest.param("Echo", b"", {"origin": "https://evil.example"}, "PERMISSION_DENIED", "FOREIGN_ORIGIN", id="origin"),
        pytest.param("Echo", b"\xff\xff\xff", {}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", id="broken protobuf"),
        pytest.param("Echo", b"\x0a\x02\xff\xfe", {}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", id="bad UTF-8"),
        pytest.param("Echo", b"\x0a\x65" + b"x" * 101, {}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", id="rule of the contract"),
        pytest.param("Echo", b"x" * (MESSAGE_MAX_BYTES + 1), {}, "RESOURCE_EXHAUSTED", "TOO_LARGE", id="too large"),
        pytest.param("Nothing", b"", {}, "UNIMPLEMENTED", "NOT_SUPPORTED", id="no method"),
        pytest.param("Fail", b"\x0a\x09TypeError", {}, "INTERNAL", "INTERNAL", id="bug of a handler"),
    ],
)
def test_every_error_over_grpc_has_its_details(
    echo: Server, path: str, request_bytes: bytes, options: dict[str, str], code: str, reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        echo.unary(f"{ECHO}/{path}", request_bytes, **options)  # type: ignore[arg-type]
    assert caught.value.code().name == code  # type: ignore[attr-defined]
    assert status_of(caught.value)[1].reason == reason
    assert echo.alive()


def test_a_message_above_the_transport_limit_is_refused_and_the_server_lives(echo: Server) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        echo.unary(f"{ECHO}/Echo", b"x" * (4 * MESSAGE_MAX_BYTES + 1))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]
    assert echo.alive()


def test_a_deadline_ends_the_call_with_its_reason_in_time(echo: Server) -> None:
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        echo.unary(f"{ECHO}/Sleep", message("SleepRequest", seconds=30), timeout=0.5)
    assert time.monotonic() - started < 20
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]
    assert status_of(caught.value)[0].message.startswith("the deadline passed")


def test_min_revision_waits_for_the_write_it_names(echo: Server) -> None:
    made = parse("MakeDirectoryResponse", echo.unary(f"{ECHO}/MakeDirectory", message("MakeDirectoryRequest", name="w0")))
    next_revision = made.revision + 1  # type: ignore[attr-defined]

    async def race() -> tuple[float, float]:
        async with grpc.aio.insecure_channel(echo.grpc_address) as channel:
            call = channel.unary_unary(f"{ECHO}/Echo")
            make = channel.unary_unary(f"{ECHO}/MakeDirectory")

            async def wait() -> float:
                await call(message("EchoRequest", min_revision=next_revision), metadata=echo.metadata, timeout=10)
                return time.monotonic()

            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0.3)
            assert not waiting.done()
            written = time.monotonic()
            await make(message("MakeDirectoryRequest", name="w1"), metadata=echo.metadata)
            return written, await waiting

    written, answered = asyncio.run(race())
    assert 0 < answered - written < 8


def test_min_revision_that_does_not_come_says_how_far_the_volume_is(echo: Server) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        echo.unary(f"{ECHO}/Echo", message("EchoRequest", min_revision=10**9), timeout=0.3)
    _, info = status_of(caught.value)
    assert info.reason == "REVISION_NOT_REACHED"
    assert int(info.metadata["revision"]) < 10**9
    assert info.metadata["retryable"] == "true"


def test_a_request_id_makes_a_write_happen_once(echo: Server) -> None:
    path, request = f"{ECHO}/MakeDirectory", message("MakeDirectoryRequest", name="once", request_id="r-1")
    first = echo.unary(path, request)
    assert echo.unary(path, request) == first
    assert echo.unary(path, message("MakeDirectoryRequest", name="once", request_id="r-1", min_revision=1)) == first
    rest = echo.http("POST", "/test/directories", {"name": "once", "requestId": "r-1"})
    assert rest.json["id"] == str(parse("MakeDirectoryResponse", first).id)  # type: ignore[attr-defined]
    with pytest.raises(grpc.RpcError) as caught:
        echo.unary(path, message("MakeDirectoryRequest", name="twice", request_id="r-1"))
    assert status_of(caught.value)[1].reason == "REQUEST_ID_REUSED"
    with pytest.raises(grpc.RpcError) as caught:
        echo.unary(path, message("MakeDirectoryRequest", name="once"))
    assert status_of(caught.value)[1].reason == "FILE_EXISTS"


def test_the_unix_socket_serves_the_same_and_asks_for_the_same_token(echo: Server) -> None:
    path = runtime.socket_path(echo.data, "api")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with echo.channel(f"unix:{path}") as channel:
        call = channel.unary_unary(f"{ECHO}/Echo")
        assert parse("EchoResponse", call(message("EchoRequest", name="u"), metadata=echo.metadata)).request.name == "u"  # type: ignore[attr-defined]
        with pytest.raises(grpc.RpcError) as caught:
            call(message("EchoRequest"))
    assert status_of(caught.value)[1].reason == "UNAUTHENTICATED"


def test_health_says_serving_without_a_token(echo: Server) -> None:
    with echo.channel() as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "vexfs.test.v1.EchoService"):
            assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_tells_the_services_and_their_methods(echo: Server) -> None:
    with echo.channel() as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "vexfs.test.v1.EchoService" in database.get_services()
        file = database.FindFileContainingSymbol("vexfs.test.v1.EchoService")
        assert "MakeDirectory" in {method.name for method in file.service[0].method}


def test_more_calls_than_can_run_are_told_to_come_again(echo: Server) -> None:
    async def flood() -> list[object]:
        async with grpc.aio.insecure_channel(echo.grpc_address) as channel:
            call = channel.unary_unary(f"{ECHO}/Sleep")
            calls = [call(message("SleepRequest", seconds=3), metadata=echo.metadata) for _ in range(CALLS_MAX + 50)]
            return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(flood())
    refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert 1 <= len(refused) <= 50
    for error in refused:
        status, info = status_of(error)
        assert (info.reason, info.metadata["retryable"]) == ("QUEUE_FULL", "true")
        assert any(detail.TypeName() == "google.rpc.RetryInfo" for detail in status.details)
    assert echo.alive()
