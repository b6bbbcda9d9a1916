"""The Connect protocol over a plain HTTP client: calls, streams, errors, deadlines, compression, limits, cancellation."""

import gzip
import http.client
import json
import socket
import time
from typing import Any

import grpc
import pytest
from connecting import (
    ECHO,
    JSON,
    PROTO,
    STREAM_JSON,
    STREAM_PROTO,
    envelope,
    message,
    parse,
    post,
    reason_of,
    stream_of,
    unary_error,
)
from prometheus_client.parser import text_string_to_metric_families
from running import Server

from vexfs.api.limits import BODY_MAX_BYTES, MESSAGE_MAX_BYTES
from vexfs.contract import descriptors
from vexfs.core import errors

WAIT_SECONDS = 20.0


def test_a_unary_call_is_answered_in_the_encoding_of_its_request(echo: Server) -> None:
    answer = post(echo, f"{ECHO}/Echo", message("EchoRequest", name="ä", big=5), PROTO)
    assert (answer.status, answer.headers["content-type"]) == (200, PROTO)
    assert parse("EchoResponse", answer.body).request.name == "ä"
    answer = post(echo, f"{ECHO}/Echo", '{"name": "ä", "big": "5"}'.encode(), "application/json; charset=utf-8")
    assert (answer.status, answer.headers["content-type"]) == (200, JSON)
    assert (answer.json["request"]["name"], answer.json["request"]["big"]) == ("ä", "5")


def test_an_empty_body_is_an_empty_message(echo: Server) -> None:
    for kind in (PROTO, JSON):
        assert post(echo, f"{ECHO}/Echo", b"", kind).status == 200


@pytest.mark.parametrize("method", list(descriptors.methods()), ids=lambda method: method.path)
def test_every_method_of_the_contract_is_reached_and_asks_for_the_token(server: Server, method: descriptors.Method) -> None:
    streams = method.server_streaming or method.client_streaming
    answer = post(server, method.path, b"", STREAM_PROTO if streams else PROTO, token=None)
    if streams:
        assert reason_of(stream_of(answer, STREAM_PROTO).end["error"]) == "UNAUTHENTICATED"
        return
    assert unary_error(answer) == (401, "unauthenticated", "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("kind", "request_body"), [(STREAM_PROTO, None), (STREAM_JSON, b'{"upto": 5, "failAfter": -1}')])
def test_a_server_stream_arrives_and_says_that_it_ended_well(echo: Server, kind: str, request_body: bytes | None) -> None:
    body = envelope(request_body or message("CountRequest", upto=5, fail_after=-1))
    stream = stream_of(post(echo, f"{ECHO}/Count", body, kind), kind)
    read: Any = json.loads if kind == STREAM_JSON else lambda data: {"number": parse("CountResponse", data).number}
    assert [read(data)["number"] for data in stream.messages] == [0, 1, 2, 3, 4]
    assert stream.end == {}


def test_the_error_of_a_stream_comes_after_what_came_before_it(echo: Server) -> None:
    body = envelope(message("CountRequest", upto=5, fail_after=3))
    stream = stream_of(post(echo, f"{ECHO}/Count", body, STREAM_PROTO), STREAM_PROTO)
    assert len(stream.messages) == 3
    assert (stream.end["error"]["code"], reason_of(stream.end["error"])) == ("not_found", "FILE_NOT_FOUND")


def test_the_messages_of_a_stream_do_not_wait_for_its_end(server: Server, home: str) -> None:
    """A file of many pieces is read while the client takes one at a time: the first is there long before the last is made."""
    size = 64 * 1024 * 1024
    assert server.http("PUT", f"/v1/content{home}/large", bytes(size)).status == 200
    request = envelope(json.dumps({"file": {"path": f"{home}/large"}}).encode())
    headers = {"Content-Type": STREAM_JSON, "Authorization": f"Bearer {server.token}"}
    connection = http.client.HTTPConnection(server.rest_address, timeout=WAIT_SECONDS)
    connection.request("POST", "/vexfs.v1.FilesService/ReadFile", request, headers)
    response = connection.getresponse()
    head = response.read(5)
    assert (response.status, head[0]) == (200, 0)
    assert len(response.read(int.from_bytes(head[1:], "big"))) < size / 4
    connection.close()
    assert server.alive()


def test_a_client_stream_is_added_up_and_each_message_is_checked(echo: Server) -> None:
    numbers = b"".join(envelope(message("SumRequest", number=number)) for number in range(100))
    stream = stream_of(post(echo, f"{ECHO}/Sum", numbers, STREAM_PROTO), STREAM_PROTO)
    assert [parse("SumResponse", data).sum for data in stream.messages] == [4950]
    assert stream.end == {}
    wrong = envelope(b'{"number": 1}') + envelope(b'{"number": -1}')
    stream = stream_of(post(echo, f"{ECHO}/Sum", wrong, STREAM_JSON), STREAM_JSON)
    assert (stream.messages, reason_of(stream.end["error"])) == ([], "INVALID_ARGUMENT")


def call(method: str, body: bytes, kind: str | None = PROTO, token: str | None = "", **headers: str) -> dict[str, Any]:
    return {"path": f"{ECHO}/{method}", "body": body, "content_type": kind, "token": token, **headers}


UNARY_ERRORS = [
    pytest.param(call("Echo", b"", token=None), 401, "unauthenticated", "UNAUTHENTICATED", id="no token"),
    pytest.param(call("Echo", b"", token="y" * 43), 401, "unauthenticated", "UNAUTHENTICATED", id="wrong token"),
    pytest.param(
        call("Echo", b"", Origin="https://evil.example"), 403, "permission_denied", "FOREIGN_ORIGIN", id="foreign origin"
    ),
    pytest.param(call("Echo", b"", Host="evil.example"), 403, "permission_denied", "FOREIGN_ORIGIN", id="foreign host"),
    pytest.param(call("Nothing", b""), 501, "unimplemented", "NOT_SUPPORTED", id="no method"),
    pytest.param(
        {**call("Echo", b""), "path": "/vexfs.v9.Nothing/Echo"}, 501, "unimplemented", "NOT_SUPPORTED", id="no service"
    ),
    pytest.param(call("Echo", b"", "text/plain"), 415, "unimplemented", "NOT_SUPPORTED", id="content type"),
    pytest.param(call("Echo", b"", None), 415, "unimplemented", "NOT_SUPPORTED", id="no content type"),
    pytest.param(call("Echo", b"", STREAM_PROTO), 415, "unimplemented", "NOT_SUPPORTED", id="stream for a unary method"),
    pytest.param(call("Count", b"", PROTO), 415, "unimplemented", "NOT_SUPPORTED", id="unary for a stream"),
    pytest.param(call("Echo", b"\xff\xff\xff"), 400, "invalid_argument", "INVALID_ARGUMENT", id="broken protobuf"),
    pytest.param(call("Echo", b"\x0a\x02\xff\xfe"), 400, "invalid_argument", "INVALID_ARGUMENT", id="bad UTF-8"),
    pytest.param(call("Echo", b"{", JSON), 400, "invalid_argument", "INVALID_ARGUMENT", id="broken JSON"),
    pytest.param(call("Echo", b'{"nope": 1}', JSON), 400, "invalid_argument", "INVALID_ARGUMENT", id="unknown field"),
    pytest.param(call("Echo", b'{"small": -1}', JSON), 400, "invalid_argument", "INVALID_ARGUMENT", id="rule"),
    pytest.param(
        call("Echo", b"", Connect_Protocol_Version="2"), 400, "invalid_argument", "INVALID_ARGUMENT", id="protocol version"
    ),
    pytest.param(call("Echo", b"", Connect_Timeout_Ms="soon"), 400, "invalid_argument", "INVALID_ARGUMENT", id="no timeout"),
    pytest.param(
        call("Echo", b"", Connect_Timeout_Ms="12345678901"), 400, "invalid_argument", "INVALID_ARGUMENT", id="long timeout"
    ),
    pytest.param(call("Echo", b"x", Content_Encoding="br"), 501, "unimplemented", "NOT_SUPPORTED", id="encoding"),
    pytest.param(call("Echo", b"x", Content_Encoding="gzip"), 400, "invalid_argument", "INVALID_ARGUMENT", id="no gzip"),
    pytest.param(
        call("Echo", gzip.compress(b"")[:-1], Content_Encoding="gzip"), 400, "invalid_argument", "INVALID_ARGUMENT", id="half"
    ),
    pytest.param(call("Echo", bytes(MESSAGE_MAX_BYTES + 1)), 429, "resource_exhausted", "TOO_LARGE", id="too large"),
    pytest.param(
        call("Echo", gzip.compress(bytes(MESSAGE_MAX_BYTES + 1)), Content_Encoding="gzip"),
        429,
        "resource_exhausted",
        "TOO_LARGE",
        id="too large when unpacked",
    ),
    pytest.param(
        call("Echo", b" " * (BODY_MAX_BYTES + 1), JSON), 429, "resource_exhausted", "TOO_LARGE", id="too large as JSON"
    ),
    pytest.param(call("Fail", b'{"error": "TypeError"}', JSON), 500, "internal", "INTERNAL", id="bug of a handler"),
    pytest.param(call("Fail", b'{"error": "ContentChanged"}', JSON), 400, "failed_precondition", "CONTENT_CHANGED", id="412"),
]


@pytest.mark.parametrize(("request_of", "status", "code", "reason"), UNARY_ERRORS)
def test_every_unary_error_has_one_shape(echo: Server, request_of: dict[str, Any], status: int, code: str, reason: str) -> None:
    answer = post(echo, **request_of)
    assert unary_error(answer) == (status, code, reason)
    assert echo.alive()


def test_another_verb_is_told_the_right_one(echo: Server) -> None:
    answer = echo.http("GET", f"{ECHO}/Echo")
    assert unary_error(answer) == (405, "unimplemented", "NOT_SUPPORTED")
    assert answer.headers["allow"] == "POST"


def all_subclasses(kind: type[errors.VexfsError]) -> list[type[errors.VexfsError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in all_subclasses(child))]


@pytest.mark.parametrize(
    "kind",
    [kind for kind in all_subclasses(errors.VexfsError) if kind.__module__ == "vexfs.core.errors"],
    ids=lambda kind: kind.__name__,
)
def test_every_domain_error_arrives_with_its_code_and_reason(echo: Server, kind: type[errors.VexfsError]) -> None:
    answer = post(echo, f"{ECHO}/Fail", message("FailRequest", error=kind.__name__), PROTO)
    status, code, reason = unary_error(answer)
    assert (code, reason) == (kind.code.lower(), kind.reason)
    assert grpc.StatusCode[kind.code].value[1].replace(" ", "_") == code
    assert status >= 400


def test_violations_name_their_fields(echo: Server) -> None:
    answer = post(echo, f"{ECHO}/Echo", b'{"small": -1}', JSON)
    bad = next(detail for detail in answer.json["details"] if detail["type"] == "google.rpc.BadRequest")
    assert bad["debug"]["fieldViolations"][0]["field"] == "small"


ONE = envelope(b'{"upto": 1}')


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        pytest.param(b"", {}, "INVALID_ARGUMENT", id="no message"),
        pytest.param(ONE + ONE, {}, "INVALID_ARGUMENT", id="two messages"),
        pytest.param(ONE[:3], {}, "INVALID_ARGUMENT", id="half a head"),
        pytest.param(ONE[:-1], {}, "INVALID_ARGUMENT", id="half a message"),
        pytest.param(envelope(b'{"upto": 1}', 2), {}, "INVALID_ARGUMENT", id="end of stream in a request"),
        pytest.param(envelope(b'{"upto": 1}', 128), {}, "INVALID_ARGUMENT", id="unknown flag"),
        pytest.param(envelope(gzip.compress(b"{}"), 1), {}, "INVALID_ARGUMENT", id="packed without saying how"),
        pytest.param(envelope(b"no gzip", 1), {"Connect_Content_Encoding": "gzip"}, "INVALID_ARGUMENT", id="no gzip"),
        pytest.param(
            envelope(gzip.compress(b"{}")[:-4], 1), {"Connect_Content_Encoding": "gzip"}, "INVALID_ARGUMENT", id="half a gzip"
        ),
        pytest.param(ONE, {"Connect_Content_Encoding": "zstd"}, "NOT_SUPPORTED", id="encoding"),
        pytest.param(b"\0\xff\xff\xff\xff", {}, "TOO_LARGE", id="too large"),
        pytest.param(
            envelope(gzip.compress(b" " * (BODY_MAX_BYTES + 1)), 1),
            {"Connect_Content_Encoding": "gzip"},
            "TOO_LARGE",
            id="too large when unpacked",
        ),
        pytest.param(envelope(b"{"), {}, "INVALID_ARGUMENT", id="broken JSON"),
        pytest.param(ONE, {"Connect_Timeout_Ms": "x"}, "INVALID_ARGUMENT", id="no timeout"),
        pytest.param(ONE, {"Origin": "https://evil.example"}, "FOREIGN_ORIGIN", id="origin"),
        pytest.param(ONE, {"token": None}, "UNAUTHENTICATED", id="no token"),
    ],
)
def test_every_error_of_a_stream_stands_at_its_end(echo: Server, body: bytes, headers: dict[str, Any], reason: str) -> None:
    stream = stream_of(post(echo, f"{ECHO}/Count", body, STREAM_JSON, **headers), STREAM_JSON)
    assert (stream.messages, reason_of(stream.end["error"])) == ([], reason)
    assert echo.alive()


def test_an_unknown_method_says_so_in_the_stream_too(echo: Server) -> None:
    stream = stream_of(post(echo, f"{ECHO}/Nothing", ONE, STREAM_PROTO), STREAM_PROTO)
    assert (stream.end["error"]["code"], reason_of(stream.end["error"])) == ("unimplemented", "NOT_SUPPORTED")


def test_packed_requests_are_unpacked(echo: Server) -> None:
    body = gzip.compress(message("EchoRequest", name="packed"))
    answer = post(echo, f"{ECHO}/Echo", body, PROTO, Content_Encoding="gzip", Accept_Encoding="gzip")
    assert parse("EchoResponse", answer.body).request.name == "packed"
    assert "content-encoding" not in answer.headers
    packed = envelope(gzip.compress(message("SumRequest", number=2)), 1) + envelope(message("SumRequest", number=3))
    stream = stream_of(post(echo, f"{ECHO}/Sum", packed, STREAM_PROTO, Connect_Content_Encoding="gzip"), STREAM_PROTO)
    assert parse("SumResponse", stream.messages[0]).sum == 5


def test_nothing_packed_is_nothing(echo: Server) -> None:
    assert post(echo, f"{ECHO}/Echo", b"", PROTO, Content_Encoding="gzip").status == 200
    body = envelope(b"", 1)
    assert stream_of(post(echo, f"{ECHO}/Count", body, STREAM_PROTO, Connect_Content_Encoding="gzip"), STREAM_PROTO).end == {}


def test_the_largest_message_is_taken(echo: Server) -> None:
    data = bytes(MESSAGE_MAX_BYTES - 16)
    answer = post(echo, f"{ECHO}/Echo", message("EchoRequest", data=data), PROTO)
    assert parse("EchoResponse", answer.body).request.data == data


def test_a_deadline_ends_the_call_with_its_reason_in_time(echo: Server) -> None:
    began = time.monotonic()
    answer = post(echo, f"{ECHO}/Sleep", b'{"seconds": 30}', JSON, Connect_Timeout_Ms="300")
    assert time.monotonic() - began < 10
    assert unary_error(answer) == (504, "deadline_exceeded", "DEADLINE_EXCEEDED")
    answer = post(echo, f"{ECHO}/Echo", b'{"minRevision": "1000000000"}', JSON, Connect_Timeout_Ms="300")
    assert unary_error(answer) == (504, "deadline_exceeded", "REVISION_NOT_REACHED")


def test_a_request_id_makes_a_write_happen_once_over_all_surfaces(echo: Server) -> None:
    request = message("MakeDirectoryRequest", name="connected", request_id="c-1")
    first = post(echo, f"{ECHO}/MakeDirectory", request, PROTO).body
    assert post(echo, f"{ECHO}/MakeDirectory", request, PROTO).body == first
    assert echo.unary(f"{ECHO}/MakeDirectory", request) == first
    again = post(echo, f"{ECHO}/MakeDirectory", message("MakeDirectoryRequest", name="connected"), PROTO)
    assert unary_error(again) == (409, "already_exists", "FILE_EXISTS")


def count(server: Server, operation: str, outcome: str) -> float:
    labels = {"surface": "connect", "operation": operation, "outcome": outcome}
    text = server.http("GET", "/metrics").body.decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == "vexfs_operations_total" and sample.labels == labels)


def test_calls_are_counted_under_their_surface(echo: Server) -> None:
    ends = [("Echo", "OK"), ("Count", "FILE_NOT_FOUND"), ("Sleep", "DEADLINE_EXCEEDED")]
    before = [count(echo, *end) for end in ends]
    post(echo, f"{ECHO}/Echo", b"", PROTO)
    post(echo, f"{ECHO}/Count", envelope(message("CountRequest", upto=2, fail_after=1)), STREAM_PROTO)
    post(echo, f"{ECHO}/Sleep", message("SleepRequest", seconds=30), PROTO, Connect_Timeout_Ms="50")
    assert [count(echo, *end) for end in ends] == [number + 1 for number in before]


def raw_request(server: Server, path: str, kind: str, body: bytes, announced: int | None = None) -> socket.socket:
    """A request on a socket of its own, left open; `announced` is a body length that is never reached."""
    host, _, port = server.rest_address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=WAIT_SECONDS)
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {server.token}", f"Content-Type: {kind}"]
    head.append(f"Content-Length: {len(body) if announced is None else announced}")
    connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return connection


def running_calls(server: Server) -> float:
    text = server.http("GET", "/metrics").body.decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(s.value for s in samples if s.name == "vexfs_operations_running" and s.labels["surface"] == "connect")


def until(condition: Any) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("method", "kind", "body", "announced"),
    [
        pytest.param("Sleep", JSON, b'{"seconds": 600}', None, id="unary"),
        pytest.param("Echo", JSON, b'{"minRevision": "1000000000"}', None, id="waiting for a revision"),
        pytest.param("Sum", STREAM_PROTO, envelope(b""), 1000, id="inside a client stream"),
        pytest.param("Echo", PROTO, b"x", 1000, id="inside a body"),
    ],
)
def test_a_call_ends_when_its_caller_has_gone(echo: Server, method: str, kind: str, body: bytes, announced: int | None) -> None:
    before, running_before = count(echo, method, "CANCELLED"), running_calls(echo)
    connection = raw_request(echo, f"{ECHO}/{method}", kind, body, announced)
    until(lambda: running_calls(echo) == running_before + 1)
    connection.close()
    until(lambda: count(echo, method, "CANCELLED") == before + 1)
    assert running_calls(echo) == running_before


def test_a_stream_ends_when_its_caller_has_gone(echo: Server) -> None:
    before = count(echo, "Count", "CANCELLED")
    connection = raw_request(echo, f"{ECHO}/Count", STREAM_JSON, envelope(b'{"upto": 2000000000, "failAfter": -1}'))
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    connection.close()
    until(lambda: count(echo, "Count", "CANCELLED") == before + 1)
    assert echo.alive()
