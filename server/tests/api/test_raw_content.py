"""Content as raw bytes over HTTP: ranges, conditions, types, streaming, broken bodies."""

import random
import socket
import time

import pytest
from running import Client, HttpAnswer, Server, assert_error_shape

from vexfs.contract.v1.common_pb2 import FileRef

DATA = random.Random(5).randbytes(700_000)


@pytest.fixture
def stored(server: Server, home: str) -> str:
    """The address of a stored file."""
    address = f"/v1/content{home}/data.bin"
    assert server.http("PUT", address, DATA).status == 200
    return address


def test_what_is_put_is_what_is_got(server: Server, api: Client, home: str, stored: str) -> None:
    answer = server.http("GET", stored)
    file = api.stat_file(file=FileRef(path=f"{home}/data.bin")).file
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["etag"] == f'"{file.content_revision}"'
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["vexfs-file-id"] == str(file.id)
    by_id = server.http("GET", f"/v1/files/{file.id}/content")
    assert (by_id.body, by_id.headers["etag"]) == (DATA, answer.headers["etag"])
    head = server.http("HEAD", stored)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(DATA)))


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=100-", 100, len(DATA)),
        ("bytes=-7", len(DATA) - 7, len(DATA)),
        ("bytes=-9999999", 0, len(DATA)),
        ("bytes=65530-400000", 65530, 400_001),
        ("bytes=10-99999999", 10, len(DATA)),
    ],
)
def test_a_range_is_answered_with_that_part(server: Server, stored: str, header: str, start: int, end: int) -> None:
    answer = server.http("GET", stored, headers={"Range": header})
    assert answer.status == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert answer.body == DATA[start:end]


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-5", "bytes=-", "bytes=x-y"])
def test_a_range_that_is_none_is_ignored(server: Server, stored: str, header: str) -> None:
    answer = server.http("GET", stored, headers={"Range": header})
    assert (answer.status, len(answer.body)) == (200, len(DATA))


@pytest.mark.parametrize("header", [f"bytes={len(DATA)}-", "bytes=-0", "bytes=99999999-"])
def test_a_range_behind_the_end_is_416(server: Server, stored: str, header: str) -> None:
    answer = server.http("GET", stored, headers={"Range": header})
    assert (answer.status, answer.reason) == (416, "INVALID_ARGUMENT")
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


def test_if_range_sends_the_whole_of_another_content(server: Server, stored: str) -> None:
    etag = server.http("HEAD", stored).headers["etag"]
    assert server.http("GET", stored, headers={"Range": "bytes=0-4", "If-Range": etag}).status == 206
    assert server.http("GET", stored, headers={"Range": "bytes=0-4", "If-Range": '"1"'}).status == 200


def test_conditions_of_reading(server: Server, stored: str) -> None:
    etag = server.http("HEAD", stored).headers["etag"]
    for header in (etag, f'"1", {etag}', "*", f"W/{etag}"):
        answer = server.http("GET", stored, headers={"If-None-Match": header})
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert server.http("GET", stored, headers={"If-None-Match": '"1"'}).status == 200
    assert server.http("GET", stored, headers={"If-Match": etag}).status == 200
    refused = server.http("GET", stored, headers={"If-Match": '"1"'})
    assert (refused.status, refused.reason) == (412, "CONTENT_CHANGED")


def test_conditions_of_writing(server: Server, home: str) -> None:
    address = f"/v1/content{home}/a"
    assert server.http("PUT", address, b"0", headers={"If-Match": '"5"'}).reason == "CONTENT_CHANGED"
    first = server.http("PUT", address, b"1", headers={"If-None-Match": "*"})
    assert first.status == 200
    assert server.http("PUT", address, b"2", headers={"If-None-Match": "*"}).reason == "FILE_EXISTS"
    second = server.http("PUT", address, b"2", headers={"If-Match": first.headers["etag"]})
    lost = server.http("PUT", address, b"3", headers={"If-Match": first.headers["etag"]})
    assert (lost.status, lost.reason) == (412, "CONTENT_CHANGED")
    assert server.http("PUT", address, b"4", headers={"If-Match": "*"}).status == 200
    assert server.http("GET", address).body == b"4"
    assert first.headers["etag"] != second.headers["etag"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.py", "text/x-python; charset=utf-8"),
        ("a.tar.gz", "application/octet-stream"),
        ("none", "application/octet-stream"),
    ],
)
def test_the_type_goes_by_the_name(server: Server, home: str, name: str, kind: str) -> None:
    server.http("PUT", f"/v1/content{home}/{name}", b"x")
    answer = server.http("GET", f"/v1/content{home}/{name}")
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == (kind, "nosniff")


def test_any_name_can_be_written_in_an_address(server: Server, api: Client, home: str) -> None:
    for raw, encoded in (("ä b?#%.txt".encode(), "%C3%A4%20b%3F%23%25.txt"), (b"\xff\xfe", "%ff%fe"), (b"a+b:c", "a+b:c")):
        assert server.http("PUT", f"/v1/content{home}/{encoded}", raw).status == 200
        assert api.get_content(file=FileRef(path_bytes=home.encode() + b"/" + raw)).data == raw
        assert server.http("GET", f"/v1/content{home}/{encoded}").body == raw


def test_an_empty_file_is_content_too(server: Server, home: str) -> None:
    assert server.http("PUT", f"/v1/content{home}/empty", b"").json["file"]["sizeBytes"] == "0"
    answer = server.http("GET", f"/v1/content{home}/empty")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


def test_parameters_of_writing_and_reading(server: Server, home: str) -> None:
    address = f"/v1/content{home}/new/deep/a"
    assert server.http("PUT", address, b"x").reason == "FILE_NOT_FOUND"
    made = server.http("PUT", f"{address}?make_parents=true&mode=600&request_id={home}", b"12345")
    assert made.json["file"]["mode"] == 0o600
    assert server.http("PUT", f"{address}?make_parents=true&mode=600&request_id={home}", b"12345").json == made.json
    server.http("PUT", f"{address}?offset=2", b"XX")
    assert server.http("GET", address).body == b"12XX5"
    assert server.http("GET", f"{address}?at_revision={made.json['revision']}").body == b"12345"
    for query in ("mode=9", "offset=x", "offset=-1", "make_parents=perhaps", "nope=1"):
        assert server.http("PUT", f"{address}?{query}", b"x").reason == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("verb", "address", "status", "reason"),
    [
        ("GET", "/v1/content/no/such", 404, "FILE_NOT_FOUND"),
        ("GET", "/v1/content/", 409, "IS_A_DIRECTORY"),
        ("GET", "/v1/content/a/../b", 400, "INVALID_PATH"),
        ("GET", "/v1/content/a//b", 400, "INVALID_PATH"),
        ("GET", "/v1/content/a%00b", 400, "INVALID_NAME"),
        ("GET", "/v1/content/" + "n" * 256, 400, "NAME_TOO_LONG"),
        ("GET", "/v1/files/999999/content", 404, "FILE_NOT_FOUND"),
        ("GET", "/v1/files/0/content", 400, "INVALID_ARGUMENT"),
        ("PUT", "/v1/content/", 409, "IS_A_DIRECTORY"),
        ("PUT", "/v1/content/..", 400, "INVALID_PATH"),
        ("PUT", "/v1/content/" + "n" * 256, 400, "NAME_TOO_LONG"),
        ("DELETE", "/v1/content/a", 405, "NOT_SUPPORTED"),
    ],
)
def test_bad_addresses_are_refused(server: Server, verb: str, address: str, status: int, reason: str) -> None:
    answer = server.http(verb, address, b"x" if verb == "PUT" else None)
    assert (answer.status, answer.reason) == (status, reason)


def test_content_needs_the_token_and_the_right_host(server: Server, stored: str) -> None:
    assert server.http("GET", stored, token=None).reason == "UNAUTHENTICATED"
    assert server.http("PUT", stored, b"x", token=None).reason == "UNAUTHENTICATED"
    assert server.http("PUT", stored, b"x", headers={"Origin": "http://evil.example"}).reason == "FOREIGN_ORIGIN"
    assert server.http("GET", stored).body == DATA


def test_a_body_that_breaks_off_changes_nothing(server: Server, stored: str) -> None:
    host, _, port = server.rest_address.rpartition(":")
    head = (
        f"PUT {stored} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.token}\r\nContent-Length: 5000000\r\n\r\n"
    ).encode()
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head + b"y" * 1_000_000)
        time.sleep(0.2)
    time.sleep(0.3)
    assert server.http("GET", stored).body == DATA


def test_a_client_that_waits_to_be_told_is_told_to_go_on(server: Server, home: str) -> None:
    host, _, port = server.rest_address.rpartition(":")
    head = f"PUT /v1/content{home}/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.token}\r\n"
    head += "Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(b"hello")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200")
    assert server.http("GET", f"/v1/content{home}/a").body == b"hello"


def test_a_chunked_body_of_unknown_length_is_stored(server: Server, home: str) -> None:
    host, _, port = server.rest_address.rpartition(":")
    head = f"PUT /v1/content{home}/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.token}\r\n"
    head += "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode() + b"".join(b"3\r\nab%d\r\n" % (n % 10) for n in range(1000)) + b"0\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200")
    assert len(server.http("GET", f"/v1/content{home}/a").body) == 3000


def test_errors_of_a_head_request_have_no_body(server: Server) -> None:
    answer: HttpAnswer = server.http("HEAD", "/v1/content/no/such")
    assert (answer.status, answer.body) == (404, b"")
    assert_error_shape(server.http("GET", "/v1/content/no/such"))
