"""A small client of the Connect protocol for the tests, made from its specification and not from the server's code."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from google.rpc import error_details_pb2
from running import HttpAnswer, Server

ECHO = "/vexfs.test.v1.EchoService"
PROTO, JSON = "application/proto", "application/json"
STREAM_PROTO, STREAM_JSON = "application/connect+proto", "application/connect+json"


def message(kind: str, **fields: object) -> bytes:
    """A message of the tests' contract, encoded."""
    import echo_server

    return bytes(echo_server.message(kind)(**fields).SerializeToString())


def parse(kind: str, data: bytes) -> Any:
    import echo_server

    return echo_server.message(kind).FromString(data)


def post(
    server: Server, path: str, body: bytes, content_type: str | None, token: str | None = "", **headers: str
) -> HttpAnswer:
    """One POST; `Connect_Timeout_Ms="5"` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type is not None:
        named["Content-Type"] = content_type
    return server.http("POST", path, body, headers=named, token=token)


def envelope(data: bytes, flags: int = 0) -> bytes:
    return bytes([flags]) + len(data).to_bytes(4, "big") + data


@dataclass
class Stream:
    """A whole streaming answer, taken apart."""

    messages: list[bytes]
    end: dict[str, Any]


def stream_of(answer: HttpAnswer, content_type: str) -> Stream:
    """Asserts everything the protocol says about the form of a streaming answer."""
    assert (answer.status, answer.headers["content-type"]) == (200, content_type), answer
    found, rest = [], answer.body
    while rest:
        flags, size = rest[0], int.from_bytes(rest[1:5], "big")
        assert len(rest) >= 5 + size, "the answer ends inside a message"
        found.append((flags, rest[5 : 5 + size]))
        rest = rest[5 + size :]
    assert [flags for flags, _ in found] == [0] * (len(found) - 1) + [2], "the end of the stream is its last message only"
    return Stream([data for _, data in found[:-1]], json.loads(found[-1][1]))


def reason_of(error: dict[str, Any]) -> str:
    """The reason in Connect's error; asserts its shape on the way."""
    assert set(error) == {"code", "message", "details"}
    assert error["code"].islower()
    assert error["message"]
    infos = [detail for detail in error["details"] if detail["type"] == "google.rpc.ErrorInfo"]
    assert len(infos) == 1
    value = infos[0]["value"]
    assert "=" not in value
    info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(value + "=" * (-len(value) % 4), validate=True))
    assert info.domain == "vexfs.v1"
    assert info.metadata["retryable"] in ("true", "false")
    assert infos[0]["debug"]["reason"] == info.reason
    return info.reason


def unary_error(answer: HttpAnswer) -> tuple[int, str, str]:
    """Status, code and reason of a unary error."""
    assert answer.headers["content-type"] == "application/json", answer
    return answer.status, answer.json["code"], reason_of(answer.json)
