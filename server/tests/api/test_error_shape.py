"""One error shape, from whatever source an error comes; the server is alive after each."""

import contextlib
import json
import socket
from typing import Any

import grpc
import pytest
from running import Server, assert_error_shape, status_of

from vexfs.api.limits import BODY_MAX_BYTES
from vexfs.core.errors import VexfsError

JSON = {"Content-Type": "application/json"}


def request(verb: str, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
    return {"verb": verb, "path": path, "body": body, **options}


@pytest.mark.parametrize(
    ("call", "status", "reason"),
    [
        pytest.param(request("GET", "/nowhere"), 404, "NOT_SUPPORTED", id="no route"),
        pytest.param(request("GET", "/nowhere", token=None), 404, "NOT_SUPPORTED", id="no route, no token"),
        pytest.param(request("DELETE", "/test/echo/a"), 405, "NOT_SUPPORTED", id="wrong verb"),
        pytest.param(request("POST", "/healthz"), 405, "NOT_SUPPORTED", id="wrong verb on a page"),
        pytest.param(request("POST", "/test/echo", b"{", headers=JSON), 400, "INVALID_ARGUMENT", id="broken JSON"),
        pytest.param(request("POST", "/test/echo", b"[]", headers=JSON), 400, "INVALID_ARGUMENT", id="JSON of another kind"),
        pytest.param(request("POST", "/test/echo", b'"\xff"', headers=JSON), 400, "INVALID_ARGUMENT", id="bad UTF-8 in a body"),
        pytest.param(
            request("POST", "/test/echo", b'{"name":"\\ud800"}', headers=JSON), 400, "INVALID_ARGUMENT", id="half a pair"
        ),
        pytest.param(request("POST", "/test/echo", b"[" * 100_000, headers=JSON), 400, "INVALID_ARGUMENT", id="deep JSON"),
        pytest.param(request("POST", "/test/echo", {"nope": 1}), 400, "INVALID_ARGUMENT", id="unknown field"),
        pytest.param(request("POST", "/test/echo", {"small": "x"}), 400, "INVALID_ARGUMENT", id="wrong type"),
        pytest.param(request("POST", "/test/echo", {"small": -1}), 400, "INVALID_ARGUMENT", id="rule of the contract"),
        pytest.param(request("POST", "/test/echo?small=1", {}), 400, "INVALID_ARGUMENT", id="query beside a whole body"),
        pytest.param(request("GET", "/test/echo/a?nope=1"), 400, "INVALID_ARGUMENT", id="unknown parameter"),
        pytest.param(request("GET", "/test/echo/a?name=b"), 400, "INVALID_ARGUMENT", id="parameter given twice over"),
        pytest.param(request("GET", "/test/echo/a?small=1&small=2"), 400, "INVALID_ARGUMENT", id="parameter twice"),
        pytest.param(request("GET", "/test/echo/a?inner=x"), 400, "INVALID_ARGUMENT", id="message as a parameter"),
        pytest.param(request("GET", "/test/echo/a?name.x=1"), 400, "INVALID_ARGUMENT", id="part of a text"),
        pytest.param(request("GET", "/test/echo/a", b"x"), 400, "INVALID_ARGUMENT", id="body where none belongs"),
        pytest.param(request("GET", "/test/echo/%ff"), 400, "INVALID_PATH", id="bad UTF-8 in a path"),
        pytest.param(request("GET", "/test/echo/a?byPath=%ff"), 400, "INVALID_ARGUMENT", id="bad UTF-8 in a query"),
        pytest.param(
            request("POST", "/test/echo", b"<a/>", headers={"Content-Type": "text/xml"}), 415, "NOT_SUPPORTED", id="media type"
        ),
        pytest.param(request("GET", "/test/echo/a", token=None), 401, "UNAUTHENTICATED", id="no token"),
        pytest.param(request("GET", "/test/echo/a", token="x" * 43), 401, "UNAUTHENTICATED", id="wrong token"),
        pytest.param(request("GET", "/test/echo/a", token="ä"), 401, "UNAUTHENTICATED", id="token not ASCII"),
        pytest.param(
            request("GET", "/test/echo/a", token=None, headers={"Authorization": "Basic eDp5"}),
            401,
            "UNAUTHENTICATED",
            id="scheme",
        ),
        pytest.param(request("GET", "/metrics", token=None), 401, "UNAUTHENTICATED", id="metrics without token"),
        pytest.param(request("GET", "/test/echo/a", headers={"Host": "evil.example"}), 403, "FOREIGN_ORIGIN", id="host"),
        pytest.param(
            request("GET", "/test/echo/a", headers={"Origin": "https://evil.example"}), 403, "FOREIGN_ORIGIN", id="origin"
        ),
        pytest.param(request("GET", "/test/echo/a", headers={"Origin": "null"}), 403, "FOREIGN_ORIGIN", id="origin null"),
        pytest.param(request("GET", "/healthz", headers={"Host": "evil.example"}), 403, "FOREIGN_ORIGIN", id="host on a page"),
        pytest.param(
            request("GET", "/test/sleep?seconds=5", headers={"Grpc-Timeout": "50m"}), 504, "DEADLINE_EXCEEDED", id="deadline"
        ),
        pytest.param(
            request("GET", "/test/echo/a", headers={"Grpc-Timeout": "soon"}), 400, "INVALID_ARGUMENT", id="no deadline"
        ),
        pytest.param(
            request("GET", "/test/echo/a?minRevision=99999", headers={"Grpc-Timeout": "50m"}),
            504,
            "REVISION_NOT_REACHED",
            id="rev",
        ),
        pytest.param(request("DELETE", "/test/fail/ZeroDivisionError"), 500, "INTERNAL", id="bug of a handler"),
        pytest.param(request("DELETE", "/test/fail/RecursionError"), 500, "INTERNAL", id="another bug"),
        pytest.param(
            request("POST", "/test/echo", b"x" * (BODY_MAX_BYTES + 1), headers=JSON), 413, "TOO_LARGE", id="large body"
        ),
    ],
)
def test_every_error_over_rest_has_one_shape(echo: Server, call: dict[str, Any], status: int, reason: str) -> None:
    answer = echo.http(**call)
    assert (answer.status, answer.reason) == (status, reason), answer.body[:500]
    assert b"12345" not in answer.body or reason != "INTERNAL", "the text of a fault of ours is not the caller's"
    assert echo.alive()


def all_subclasses(kind: type[VexfsError]) -> list[type[VexfsError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in all_subclasses(child))]


CORE_ERRORS = [kind for kind in all_subclasses(VexfsError) if kind.__module__ == "vexfs.core.errors"]


@pytest.mark.parametrize("kind", CORE_ERRORS, ids=lambda kind: kind.__name__)
def test_every_domain_error_arrives_with_its_code_and_reason(echo: Server, kind: type[VexfsError]) -> None:
    import echo_server

    answer = echo.http("DELETE", f"/test/fail/{kind.__name__}")
    assert answer.status == kind.http_status
    info = assert_error_shape(answer)
    assert (info["reason"], info["metadata"]["retryable"]) == (kind.reason, "true" if kind.retryable else "false")
    with pytest.raises(grpc.RpcError) as caught:
        echo.unary(f"/{echo_server.SERVICE}/Fail", echo_server.message("FailRequest")(error=kind.__name__).SerializeToString())
    status, details = status_of(caught.value)
    assert details.reason == kind.reason
    assert caught.value.code().name == kind.code  # type: ignore[attr-defined]
    assert status.message == "it fails as asked; the secret is 12345"


def test_violations_name_their_fields(echo: Server) -> None:
    details = echo.http("POST", "/test/echo", {"small": -1, "name": "x" * 101}).json["error"]["details"]
    bad = next(detail for detail in details if detail["@type"].endswith("BadRequest"))
    assert {violation["field"] for violation in bad["fieldViolations"]} == {"small", "name"}


def test_a_full_queue_says_when_to_try_again(echo: Server) -> None:
    answer = echo.http("DELETE", "/test/fail/QueueFull")
    assert answer.headers["retry-after"]
    assert any(detail["@type"].endswith("RetryInfo") for detail in answer.json["error"]["details"])


def test_a_wrong_verb_is_told_the_right_ones(echo: Server) -> None:
    assert echo.http("DELETE", "/test/echo/a").headers["allow"] == "GET"


def test_a_fault_of_ours_is_logged_with_the_incident_the_caller_was_told(echo: Server) -> None:
    info = assert_error_shape(echo.http("DELETE", "/test/fail/ZeroDivisionError"))
    lines = [json.loads(line) for line in echo.log.read_text().splitlines()]
    logged = next(line for line in lines if line.get("incident") == info["metadata"]["incident"])
    assert logged["level"] == "error"
    assert "ZeroDivisionError" in logged["exception"]


@pytest.mark.parametrize(
    "data",
    [
        b"this is no HTTP\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
    ids=["noise", "version", "long header"],
)
def test_what_is_no_http_is_answered_in_the_same_shape(echo: Server, data: bytes) -> None:
    host, _, port = echo.rest_address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(data)
        answer = b""
        # Who is hung up on while more of the request was still on its way is told of a reset once the answer is read.
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert json.loads(body)["error"]["details"][0]["reason"] == "INVALID_ARGUMENT"
    assert echo.alive()


def test_a_request_without_a_host_is_foreign(echo: Server) -> None:
    host, _, port = echo.rest_address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = connection.recv(65536)
    assert b" 403 " in answer.splitlines()[0]


def test_a_body_that_never_ends_is_refused_and_the_server_lives(echo: Server) -> None:
    host, _, port = echo.rest_address.rpartition(":")
    head = (
        f"POST /test/echo HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {echo.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(BODY_MAX_BYTES // 0x100000 + 2):
                connection.sendall(chunk)
            answer = connection.recv(65536)
        except ConnectionError:
            answer = b""  # it hung up on us, which is an answer too
    assert b" 413 " in answer.splitlines()[0] if answer else True
    assert echo.alive()
