"""REST from annotations alone: the methods here exist only in the tests' contract, no surface has a line for them."""

import json
import struct
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote

import pytest
from running import Server


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("big=9007199254740993", {"big": "9007199254740993"}),
        ("small=7&real=1.5&yes=true", {"small": 7, "real": 1.5, "yes": True}),
        ("yes=1", {"yes": True}),
        ("yes=false", {"yes": False}),
        ("data=" + quote(b64encode(b"\xff\xfe?").decode()), {"data": b64encode(b"\xff\xfe?").decode()}),
        ("data=" + urlsafe_b64encode(b"\xff\xfe?").decode(), {"data": b64encode(b"\xff\xfe?").decode()}),
        ("colour=COLOUR_RED", {"colour": "COLOUR_RED"}),
        ("colour=2", {"colour": "COLOUR_GREEN"}),
        ("numbers=1&numbers=2&numbers=3", {"numbers": [1, 2, 3]}),
        ("colours=COLOUR_RED&colours=2", {"colours": ["COLOUR_RED", "COLOUR_GREEN"]}),
        ("inner.text=x&inner.deeper.number=5", {"inner": {"text": "x", "deeper": {"number": "5"}}}),
        ("inner.tags=a&inner.tags=b%20c", {"inner": {"tags": ["a", "b c"]}}),
        ("time=2024-02-03T04:05:06.789Z", {"time": "2024-02-03T04:05:06.789Z"}),
        ("length=1.5s", {"length": "1.500s"}),
        ("maybe=0", {"maybe": 0}),
        ("minRevision=0&by_id=3", {"byId": "3"}),
        ("byPath=%2Fdocs%2F%C3%A4.md", {"byPath": "/docs/ä.md"}),
    ],
)
def test_query_parameters_become_fields(echo: Server, query: str, expected: dict[str, Any]) -> None:
    answer = echo.http("GET", f"/test/echo/me?{query}")
    assert answer.status == 200, answer
    request = answer.json["request"]
    assert request["name"] == "me"
    for name, value in expected.items():
        assert contains(request[name], value), request


def contains(value: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return all(contains(value[name], inner) for name, inner in part.items())
    return bool(value == part)


def test_the_variables_of_a_path_become_fields(echo: Server) -> None:
    assert echo.http("GET", "/test/echo/a%2Fb%20%C3%A4").json["request"]["name"] == "a/b ä"
    assert echo.http("GET", "/test/deep/docs/a%20b/c.md").json["request"]["inner"]["text"] == "docs/a b/c.md"
    request = echo.http("GET", "/test/kinds/COLOUR_GREEN/of/cats/tom:purr").json["request"]
    assert (request["colour"], request["name"]) == ("COLOUR_GREEN", "cats/tom")


def test_a_path_is_taken_as_sent(echo: Server) -> None:
    """Nothing on the way resolves dots or doubled slashes: that is the core's to judge."""
    assert echo.http("GET", "/test/deep/a/../b//c/.").json["request"]["inner"]["text"] == "a/../b//c/."


def test_a_whole_message_travels_in_the_body(echo: Server) -> None:
    body = {
        "name": "ä",
        "big": "-5",
        "inners": [{"text": "a"}, {"text": "b"}],
        "extra": {"list": [1, None, "x", {"y": True}]},
        "counts": {"k": 3},
        "data": b64encode(struct.pack("<2f", 1, 2)).decode(),
    }
    answer = echo.http("POST", "/test/echo", body)
    assert answer.status == 200, answer
    request = answer.json["request"]
    for name in ("name", "big", "extra", "counts", "data"):
        assert request[name] == body[name]
    assert [inner["text"] for inner in request["inners"]] == ["a", "b"]


def test_one_field_can_be_the_body_and_the_response(echo: Server) -> None:
    answer = echo.http("PUT", "/test/inner/me?small=4", {"text": "t"})
    assert (answer.json["name"], answer.json["inner"]["text"], answer.json["small"]) == ("me", "t", 4)


def test_a_repeated_field_can_be_the_body(echo: Server) -> None:
    assert echo.http("PATCH", "/test/numbers?name=n", [4, 5]).json["request"]["numbers"] == [4, 5]


def test_a_server_stream_is_one_json_object_a_line(echo: Server) -> None:
    answer = echo.http("GET", "/test/count?upto=3&failAfter=-1")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["number"] for line in answer.body.splitlines()] == [0, 1, 2]
    assert echo.http("GET", "/test/count?upto=0").body == b""


def test_a_stream_that_fails_ends_with_the_error_as_its_last_line(echo: Server) -> None:
    lines = [json.loads(line) for line in echo.http("GET", "/test/count?upto=9&failAfter=2").body.splitlines()]
    assert [line.get("number") for line in lines] == [0, 1, None]
    assert lines[-1]["error"]["details"][0]["reason"] == "FILE_NOT_FOUND"


def test_a_stream_that_fails_at_once_is_an_ordinary_error(echo: Server) -> None:
    answer = echo.http("GET", "/test/count?upto=9&failAfter=0")
    assert (answer.status, answer.reason) == (404, "FILE_NOT_FOUND")


@pytest.mark.parametrize("path", ["/test/echo/me?yes=perhaps", "/test/echo/me?small=x", "/test/echo/me?small=3000000000"])
def test_a_value_of_the_wrong_type_is_refused(echo: Server, path: str) -> None:
    assert (echo.http("GET", path).status, echo.http("GET", path).reason) == (400, "INVALID_ARGUMENT")


def test_a_client_stream_is_one_json_object_a_line_too(echo: Server) -> None:
    lines = b"".join(b'{"number": %d}\n' % number for number in range(50_000))
    assert echo.http("POST", "/test/sum", lines + b'\n{"number": 1}').json["sum"] == str(sum(range(50_000)) + 1)
    assert echo.http("POST", "/test/sum", b"").json["sum"] == "0"
    assert echo.http("POST", "/test/sum", b'{"number": 1}\n{"number": -1}').reason == "INVALID_ARGUMENT"
