"""Deadlines, attempts, pauses and request ids: the rules on their own, and every driver against a server that misbehaves."""

import asyncio
import pickle
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from betterproto2 import Message

from vexfs_client import (
    AsyncClient,
    CancelledError,
    Client,
    DeadlineExceededError,
    FailedPreconditionError,
    UnavailableError,
    VexfsError,
    _status,
)
from vexfs_client._generated.vexfs import v1
from vexfs_client._retry import Attempts

from .faulty import Failure, Peer, Scripted

STAT = v1.StatFileResponse(revision=7, file=v1.File(id=2, path="/a"))
WRITTEN = v1.PutContentResponse(revision=8, file=v1.File(id=2, path="/a"))
BUSY = Failure(reason="QUEUE_FULL", code=grpc.StatusCode.RESOURCE_EXHAUSTED)


class Clock:
    """Time as a test wants it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def attempts(**options: Any) -> tuple[Attempts, Clock]:
    clock = Clock()
    return Attempts(clock=clock, **{"max_attempts": 9, "timeout": 0, "chance": lambda: 1.0, **options}), clock


UNAVAILABLE = _status.Failure("UNAVAILABLE", "")


def test_pauses_double_up_to_two_seconds() -> None:
    call, _ = attempts()
    pauses = []
    for _ in range(8):
        call.begin()
        pauses.append(call.pause_after(UNAVAILABLE))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    call.begin()
    assert call.pause_after(UNAVAILABLE) is None, "nine attempts are nine attempts"


def test_a_pause_is_random_and_no_shorter_than_the_server_asks() -> None:
    call, _ = attempts(chance=lambda: 0.25)
    call.begin()
    assert call.pause_after(UNAVAILABLE) == 0.025
    assert call.pause_after(_status.Failure("UNAVAILABLE", "", retry_after=3.5)) == 3.5


def test_the_deadline_covers_attempts_and_pauses() -> None:
    call, clock = attempts(timeout=1.0)
    assert call.begin() == 1.0
    clock.now += 0.6
    assert call.pause_after(UNAVAILABLE) == 0.1
    clock.now += 0.1
    assert call.begin() == pytest.approx(0.3)
    clock.now += 0.2
    assert call.pause_after(UNAVAILABLE) is None, "the pause would end behind the deadline"


def test_without_a_limit_there_is_none() -> None:
    call, clock = attempts(timeout=0)
    clock.now += 1e6
    assert call.begin() is None


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (_status.Failure("UNAVAILABLE", ""), True),
        (_status.Failure("UNAVAILABLE", "", "VIEW_UNAVAILABLE"), True),
        (_status.Failure("UNAVAILABLE", "", "VOLUME_READ_ONLY"), False),
        (_status.Failure("RESOURCE_EXHAUSTED", "", "QUEUE_FULL"), True),
        (_status.Failure("RESOURCE_EXHAUSTED", ""), False),
        (_status.Failure("DEADLINE_EXCEEDED", ""), False),
        (_status.Failure("INTERNAL", ""), False),
        (_status.Failure("ABORTED", "", "OF_A_LATER_RELEASE"), False),
        (_status.Failure("ABORTED", "", "OF_A_LATER_RELEASE", {"retryable": "true"}), True),
        (_status.Failure("NOT_FOUND", "", "FILE_NOT_FOUND", {"retryable": "true"}), False),
    ],
)
def test_what_is_tried_again(failure: _status.Failure, expected: bool) -> None:
    assert failure.retryable is expected


# ---- Every driver. ---------------------------------------------------------------------------------------------------------

Run = Callable[[Callable[[Any], Any], Scripted, dict[str, Any]], Awaitable[Any]]


async def _sync(call: Callable[[Any], Any], server: Scripted, options: dict[str, Any]) -> Any:
    with Client(**server.reach, token="t", **options) as client:
        return await asyncio.to_thread(call, client)


async def _async(call: Callable[[Any], Any], server: Scripted, options: dict[str, Any]) -> Any:
    async with AsyncClient(**server.reach, token="t", **options) as client:
        return await call(client)


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a call on a client of either kind."""
    driver: Run = request.param
    return driver


def stat(client: Any) -> Any:
    return client.files.stat("/a")


def write(client: Any) -> Any:
    return client.files.write("/a", b"x")


async def test_a_call_succeeds_after_failures_that_can_pass(run: Run, peer: Peer) -> None:
    with peer(Failure(), BUSY, Failure(reason="VIEW_UNAVAILABLE"), STAT) as server:
        assert (await run(stat, server, {})).path == "/a"
        assert len(server.seen) == 4


async def test_it_is_tried_no_more_often_than_allowed(run: Run, peer: Peer) -> None:
    with peer(Failure(reason="UNAVAILABLE")) as server:
        with pytest.raises(UnavailableError) as error:
            await run(stat, server, {"max_attempts": 3})
        assert len(server.seen) == 3
    assert (error.value.attempts, error.value.reason, error.value.retryable) == (3, "UNAVAILABLE", True)


async def test_what_cannot_pass_is_tried_once(run: Run, peer: Peer) -> None:
    failure = Failure(grpc.StatusCode.FAILED_PRECONDITION, "DIRECTORY_NOT_EMPTY", metadata={"path": "/a"})
    with peer(failure) as server:
        with pytest.raises(FailedPreconditionError) as error:
            await run(stat, server, {})
        assert len(server.seen) == 1
    said = error.value
    assert (said.code, said.reason, said.retryable, said.attempts) == ("FAILED_PRECONDITION", "DIRECTORY_NOT_EMPTY", False, 1)
    assert said.metadata == {"path": "/a"}
    assert said.message == "as the test says"


async def test_after_a_deadline_nothing_is_tried_again(run: Run, peer: Peer) -> None:
    with peer(Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "REVISION_NOT_REACHED"), STAT) as server:
        with pytest.raises(DeadlineExceededError) as error:
            await run(stat, server, {})
        assert len(server.seen) == 1
    assert (error.value.reason, error.value.retryable, error.value.attempts) == ("REVISION_NOT_REACHED", True, 1)


async def test_details_of_another_domain_are_no_reason_of_ours(run: Run, peer: Peer) -> None:
    with (
        peer(Failure(reason="VOLUME_READ_ONLY", domain="example.com")) as server,
        pytest.raises(UnavailableError) as error,
    ):
        await run(stat, server, {"max_attempts": 1})
    assert error.value.reason == ""
    assert error.value.retryable


async def test_a_writing_call_has_one_request_id_on_all_attempts(run: Run, peer: Peer) -> None:
    with peer(Failure(), Failure(), WRITTEN) as server:
        await run(write, server, {})
        ids = {seen.request.of(v1.PutContentRequest).request_id for seen in server.seen}
        assert len(server.seen) == 3
    assert len(ids) == 1
    assert len(ids.pop()) == 36


async def test_two_writing_calls_have_two_request_ids(run: Run, peer: Peer) -> None:
    with peer(WRITTEN) as server:
        await run(write, server, {})
        await run(write, server, {})
        ids = {seen.request.of(v1.PutContentRequest).request_id for seen in server.seen}
    assert len(ids) == 2


async def test_a_given_request_id_is_kept_and_told(run: Run, peer: Peer) -> None:
    with peer(Failure()) as server:
        with pytest.raises(UnavailableError) as error:
            await run(lambda client: client.files.write("/a", b"x", request_id="mine"), server, {"max_attempts": 2})
        assert {seen.request.of(v1.PutContentRequest).request_id for seen in server.seen} == {"mine"}
    assert (error.value.request_id, error.value.attempts) == ("mine", 2)


async def test_a_writing_call_without_request_id_is_tried_once(run: Run, peer: Peer) -> None:
    with peer(Failure()) as server:
        with pytest.raises(UnavailableError):
            await run(lambda client: client.files.write("/a", b"x", request_id=""), server, {})
        assert len(server.seen) == 1


async def test_the_server_is_told_the_deadline_that_is_left(run: Run, peer: Peer) -> None:
    with peer(Failure(retry_after=0.7), STAT) as server:
        await run(lambda client: client.files.stat("/a", timeout=9), server, {"timeout": 1})
        first, second = (seen.remaining for seen in server.seen)
    assert first is not None
    assert second is not None
    assert 1.5 < first < 9.5
    assert second <= first - 0.6


async def test_a_pause_is_as_long_as_the_server_asks(run: Run, peer: Peer) -> None:
    with peer(Failure(retry_after=0.7), STAT) as server:
        await run(stat, server, {})
        first, second = server.seen
        assert second.at - first.at >= 0.69


async def test_a_pause_behind_the_deadline_is_not_begun(run: Run, peer: Peer) -> None:
    with peer(Failure(retry_after=60)) as server:
        begun = time.monotonic()
        with pytest.raises(UnavailableError) as error:
            await run(stat, server, {"timeout": 30})
        assert time.monotonic() - begun < 15
    assert error.value.attempts == 1


async def test_a_call_ends_at_its_deadline(run: Run, peer: Peer) -> None:
    def hang() -> Message:
        ended.wait(30)
        return STAT

    ended = threading.Event()
    with peer(hang) as server:
        begun = time.monotonic()
        with pytest.raises(DeadlineExceededError) as error:  # a busy machine, too, gets a call to the server in this time
            await run(lambda client: client.files.stat("/a", timeout=4), server, {})
        assert time.monotonic() - begun < 25
        assert server.seen[0].ended.wait(10), "the server was told that nobody waits any more"
        ended.set()
    assert (error.value.code, error.value.reason, error.value.attempts) == ("DEADLINE_EXCEEDED", "", 1)


async def test_no_server_at_all_is_unavailable_and_the_call_is_tried_again(run: Run, peer: Peer) -> None:
    with peer(STAT) as server, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # its port is nobody else's, and nobody listens
        server.port = nobody.getsockname()[1]
        with pytest.raises(UnavailableError) as error:
            await run(stat, server, {"max_attempts": 2})
    assert (error.value.attempts, error.value.reason, error.value.retryable) == (2, "", True)


async def test_every_call_says_who_and_what_it_is(run: Run, peer: Peer) -> None:
    with peer(STAT) as server:
        await run(stat, server, {})
        headers = server.seen[0].metadata
    assert headers["authorization"] == "Bearer t"
    assert str(headers["user-agent"]).split()[0] == "vexfs-python/0.1.0"


async def test_a_stream_that_writes_is_sent_once(run: Run, peer: Peer) -> None:
    with peer(Failure()) as server:
        with pytest.raises(UnavailableError) as error:
            await run(lambda client: client.files.write("/a", [b"some", b"pieces"]), server, {})
        assert len(server.seen) == 1
    assert error.value.attempts == 1
    assert error.value.request_id


async def test_a_stream_that_writes_sends_header_and_pieces(run: Run, peer: Peer) -> None:
    with peer(v1.WriteFileResponse(revision=1, file=v1.File(id=3))) as server:
        await run(lambda client: client.files.write("/a", [b"some", b"", b"pieces"], request_id="r"), server, {})
        header = server.seen[0].request.of(v1.WriteFileRequest)
        pieces = [message.of(v1.WriteFileRequest) for message in server.received]
    assert header.header is not None
    assert header.request_id == "r"
    assert [piece.data for piece in pieces] == [b"some", b"pieces"]


def _piece(data: bytes, offset: int, *, file: bool = False) -> Message:
    described = v1.File(id=5, path="/a", size_bytes=8) if file else None
    return v1.ReadFileResponse(revision=9, data=data, offset=offset, file=described)


def _read_all(client: Any) -> Any:
    if isinstance(client, Client):
        return b"".join(client.files.read_stream("/a"))

    async def read() -> bytes:
        return b"".join([piece async for piece in client.files.read_stream("/a")])

    return read()


async def test_a_stream_that_breaks_goes_on_where_it_stopped_at_the_same_revision(run: Run, peer: Peer) -> None:
    with peer([_piece(b"abc", 0, file=True), Failure()], [_piece(b"defgh", 3, file=True)]) as server:
        assert await run(_read_all, server, {}) == b"abcdefgh"
        again = server.seen[1].request.of(v1.ReadFileRequest)
    assert (again.offset, again.length, again.at_revision) == (3, 5, 9)
    assert again.file is not None
    assert again.file.id == 5


async def test_a_failure_behind_the_last_byte_is_none(run: Run, peer: Peer) -> None:
    with peer([_piece(b"abcdefgh", 0, file=True), Failure()]) as server:
        assert await run(_read_all, server, {}) == b"abcdefgh"
        assert len(server.seen) == 1


async def test_a_stream_that_keeps_breaking_ends_with_the_error(run: Run, peer: Peer) -> None:
    answers = [_piece(b"abc", 0, file=True), Failure()], Failure()
    with peer(*answers) as server, pytest.raises(UnavailableError) as error:
        await run(_read_all, server, {"max_attempts": 3})
    assert error.value.attempts == 3


# ---- Cancelling. -----------------------------------------------------------------------------------------------------------


async def test_a_cancelled_task_ends_the_call_on_the_server(peer: Peer) -> None:

    release = threading.Event()

    def hang() -> Message:
        release.wait(30)
        return STAT

    with peer(hang) as server:
        async with AsyncClient(**server.reach) as client:
            task = asyncio.create_task(client.files.stat("/a"))
            while not server.seen:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.seen[0].ended.wait, 10)
        release.set()


async def test_leaving_a_stream_ends_the_call_on_the_server(run: Run, peer: Peer) -> None:

    release = threading.Event()

    def hang() -> Message:
        release.wait(30)
        return v1.ReadFileResponse()

    def first_piece(client: Any) -> Any:
        if isinstance(client, Client):
            stream = client.files.read_stream("/a")
            piece = next(stream)
            stream.close()
            return piece

        async def read() -> bytes:
            stream = client.files.read_stream("/a")
            piece: bytes = await anext(stream)
            await stream.aclose()
            return piece

        return read()

    with peer([_piece(b"abc", 0, file=True), hang]) as server:
        assert await run(first_piece, server, {}) == b"abc"
        assert await asyncio.to_thread(server.seen[0].ended.wait, 10)
        release.set()


async def test_a_closed_client_refuses_calls(run: Run, peer: Peer) -> None:

    def after_closing(client: Any) -> Any:
        if isinstance(client, Client):
            client.close()
            client.close()
            return client.files.stat("/a")

        async def close() -> None:
            await client.aclose()
            await client.aclose()
            await client.files.stat("/a")

        return close()

    with peer(STAT) as server, pytest.raises(CancelledError):
        await run(after_closing, server, {})


def test_errors_survive_pickling() -> None:

    error = UnavailableError("gone", reason="UNAVAILABLE", metadata={"a": "b"}, request_id="r", retryable=True, attempts=3)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is UnavailableError
    assert vars(again) == vars(error)
    assert isinstance(again, VexfsError)


class Hanging:
    """An answer that comes when the test says so."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.release = threading.Event()

    def __call__(self) -> Message:
        self.arrived.set()
        self.release.wait(30)
        return STAT


def test_closing_the_client_ends_calls_under_way(peer: Peer) -> None:
    hanging = Hanging()

    def close_later(client: Client) -> None:
        hanging.arrived.wait(30)
        client.close()

    with peer(hanging) as server, Client(**server.reach) as client:
        closer = threading.Thread(target=close_later, args=(client,))
        closer.start()
        with pytest.raises(CancelledError):
            client.files.stat("/a")
        closer.join()
        assert server.seen[0].ended.wait(10)
        hanging.release.set()


@pytest.mark.parametrize(
    "call", [stat, _read_all, lambda client: client.files.write("/a", iter([b"x"]))], ids=["unary", "reading", "writing"]
)
async def test_closing_the_asynchronous_client_ends_calls_under_way(call: Callable[[Any], Any], peer: Peer) -> None:
    hanging = Hanging()
    with peer(hanging) as server:
        client = AsyncClient(**server.reach)
        task = asyncio.ensure_future(call(client))
        assert await asyncio.to_thread(hanging.arrived.wait, 30)
        await client.aclose()
        with pytest.raises(CancelledError):
            await task
        assert await asyncio.to_thread(server.seen[0].ended.wait, 10)
        hanging.release.set()


def test_an_asynchronous_client_can_be_made_before_there_is_a_loop(peer: Peer) -> None:
    with peer(STAT) as server:
        client = AsyncClient(**server.reach)

        async def use() -> int:
            async with client:
                return (await client.files.stat("/a")).id

        assert asyncio.run(use()) == 2
