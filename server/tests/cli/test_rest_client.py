"""The command line's REST client against servers that do not behave: gone connections, slow answers, answers of others."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vexfs.cli.exits import RemoteError
from vexfs.cli.options import Target
from vexfs.cli.rest_client import RestClient
from vexfs.contract.v1 import common_pb2, files_pb2

STAT = ("FilesService.StatFile", files_pb2.StatFileRequest(file=common_pb2.FileRef(path="/a")), files_pb2.StatFileResponse)
ANSWER = b'{"file": {"path": "/a", "aFieldOfTheFuture": 1}}'

Answer = Callable[[BaseHTTPRequestHandler, int], None]


class Peer:
    """An HTTP/1.1 server whose `answer` is told how many requests came before. `connections` counts those it accepted."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[tuple[str, Message]] = []
        self.connections = 0
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                peer.connections += 1

            def do_GET(self) -> None:
                peer.requests.append((self.path, self.headers))
                answer(self, len(peer.requests) - 1)

            do_POST = do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def peer(answer: Answer) -> Iterator[Peer]:
    made = Peer(answer)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        thread.join()
        made.server.server_close()


@contextmanager
def client(url: str, timeout_s: float | None = 20.0) -> Iterator[RestClient]:
    made = RestClient(url, "a-token-of-this-test", Target(Path("data"), None, url, None, None, None, timeout_s))
    try:
        yield made
    finally:
        made.close()


def say(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, kind: str = "application/json") -> None:
    handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def test_one_connection_serves_many_calls_and_carries_token_and_deadline() -> None:
    with peer(lambda handler, _count: say(handler, ANSWER)) as found, client(found.url) as made:
        for _ in range(3):
            assert made.call(*STAT).file.path == "/a"
        assert (len(found.requests), found.connections) == (3, 1)
        assert found.requests[0][1]["Authorization"] == "Bearer a-token-of-this-test"
        assert found.requests[0][1]["Grpc-Timeout"] == "20000m"


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    def answer(handler: BaseHTTPRequestHandler, count: int) -> None:
        hang_up(handler) if count == 1 else say(handler, ANSWER)

    with peer(answer) as found, client(found.url) as made:
        for _ in range(2):
            assert made.call(*STAT).file.path == "/a"
        assert (len(found.requests), found.connections) == (3, 2)


def test_a_server_that_hangs_up_at_once_is_not_asked_again() -> None:
    with peer(lambda handler, _count: hang_up(handler)) as found, client(found.url) as made:
        with pytest.raises(RemoteError) as caught:
            made.call(*STAT)
        assert caught.value.code == "UNAVAILABLE"
        assert found.url in caught.value.message
        assert len(found.requests) == 1


def test_content_is_not_sent_twice() -> None:
    def answer(handler: BaseHTTPRequestHandler, count: int) -> None:
        hang_up(handler) if count == 1 else say(handler, ANSWER)

    with peer(answer) as found, client(found.url) as made:
        made.call(*STAT)
        with pytest.raises(RemoteError) as caught:
            made.write(common_pb2.FileRef(path="/a"), iter([b"piece"]))
        assert caught.value.code == "UNAVAILABLE"
        assert len(found.requests) == 2


def test_an_answer_that_does_not_come_ends_the_call() -> None:
    free = threading.Event()
    with peer(lambda handler, _count: (free.wait(60), hang_up(handler))[1]) as found, client(found.url, 0.2) as made:
        try:
            with pytest.raises(RemoteError) as caught:
                made.call(*STAT)
            assert caught.value.code == "DEADLINE_EXCEEDED"
        finally:
            free.set()


@pytest.mark.parametrize(
    "body", [b"<html>404</html>", b"[]", b"{}", b'{"error": "no"}', b'{"error": {"status": "NOT_FOUND"}}', b"\xff"]
)
def test_an_error_of_somebody_else_is_not_taken_for_one_of_vexfs(body: bytes) -> None:
    with peer(lambda handler, _count: say(handler, body, 404)) as found, client(found.url) as made:
        with pytest.raises(RemoteError) as caught:
            made.call(*STAT)
        assert (caught.value.code, caught.value.reason) == ("UNKNOWN", "INTERNAL")
        assert "HTTP 404" in caught.value.message


def test_an_error_keeps_its_reason_and_details() -> None:
    body = (
        b'{"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy", "details": [{"@type": "x"},'
        b' {"@type": "y", "reason": "OVERLOADED", "metadata": {"retryable": "true"}}]}}'
    )
    with peer(lambda handler, _count: say(handler, body, 503)) as found, client(found.url) as made:
        with pytest.raises(RemoteError) as caught:
            made.call(*STAT)
        assert (caught.value.code, caught.value.reason, caught.value.message) == ("UNAVAILABLE", "OVERLOADED", "busy")
        assert caught.value.details == {"retryable": "true"}


def test_a_server_behind_a_path_is_asked_there_and_files_are_named_by_id_too() -> None:
    def answer(handler: BaseHTTPRequestHandler, count: int) -> None:
        say(handler, b"content", kind="application/octet-stream") if handler.command == "GET" else say(handler, ANSWER)

    with peer(answer) as found, client(found.url + "/behind/") as made:
        assert b"".join(made.read(common_pb2.FileRef(id=7, follow=True))) == b"content"
        made.write(common_pb2.FileRef(path="/a b"), [b"x"])
        paths = [path for path, _headers in found.requests]
        assert paths == ["/behind/v1/files/7/content?follow=true", "/behind/v1/content/a%20b"]


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"", b"\xff\xfe"])
def test_a_success_of_somebody_else_is_an_error_that_asks_who_that_is(body: bytes) -> None:
    with peer(lambda handler, _count: say(handler, body)) as found, client(found.url) as made:
        with pytest.raises(RemoteError) as caught:
            made.call(*STAT)
        assert caught.value.code == "UNKNOWN"
        assert "is it VexFS?" in caught.value.message


def break_off(handler: BaseHTTPRequestHandler, status: int = 200, *, chunked: bool = False) -> None:
    """An answer that promises more than comes before the connection ends."""
    handler.send_response(status)
    handler.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "100")))
    handler.end_headers()
    handler.wfile.write(b"64\r\n0123456789" if chunked else b"0123456789")
    hang_up(handler)


@pytest.mark.parametrize("chunked", [False, True])
def test_content_that_breaks_off_is_never_taken_for_all_of_it(chunked: bool) -> None:
    with peer(lambda handler, _count: break_off(handler, chunked=chunked)) as found, client(found.url) as made:
        with pytest.raises(RemoteError) as caught:
            list(made.read(common_pb2.FileRef(path="/a")))
        assert caught.value.code == "UNAVAILABLE"
        assert "broke off" in caught.value.message


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_breaks_off_says_so(status: int) -> None:
    with peer(lambda handler, _count: break_off(handler, status)) as found, client(found.url) as made:
        with pytest.raises(RemoteError) as caught:
            made.call(*STAT)
        assert "broke off" in caught.value.message


def test_content_that_stops_coming_ends_the_call() -> None:
    free = threading.Event()

    def answer(handler: BaseHTTPRequestHandler, _count: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"0123456789")
        free.wait(60)
        hang_up(handler)

    with peer(answer) as found, client(found.url, 0.2) as made:
        try:
            with pytest.raises(RemoteError) as caught:
                list(made.read(common_pb2.FileRef(path="/a")))
            assert caught.value.code == "DEADLINE_EXCEEDED"
        finally:
            free.set()
