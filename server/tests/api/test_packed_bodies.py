"""Bodies that travel packed (Content-Encoding: gzip) over REST and as raw content: unpacked whole, or refused."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import Server

from vexfs.api.compression import Unzip

PACKED = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


def test_a_packed_body_is_unpacked(echo: Server) -> None:
    answer = echo.http("POST", "/test/echo", gzip.compress(b'{"name": "packed"}'), headers=PACKED)
    assert answer.json["request"]["name"] == "packed"
    lines = gzip.compress(b'{"number": 1}\n') + gzip.compress(b'{"number": 2}\n')
    assert echo.http("POST", "/test/sum", lines, headers=PACKED).json["sum"] == "3"


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        pytest.param(gzip.compress(b'{"name": "x"}')[:-1], "gzip", 400, id="ends too early"),
        pytest.param(b'{"name": "x"}', "gzip", 400, id="not packed"),
        pytest.param(b"x", "br", 415, id="packed in another way"),
        pytest.param(b"x", "deflate", 415, id="packed in an old way"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(echo: Server, body: bytes, encoding: str, status: int) -> None:
    answer = echo.http("POST", "/test/echo", body, headers={**PACKED, "Content-Encoding": encoding})
    assert (answer.status, answer.reason) == (status, "INVALID_ARGUMENT" if status == 400 else "NOT_SUPPORTED")


def test_packed_content_is_stored_unpacked_and_whole_or_not_at_all(server: Server, home: str) -> None:
    content = b"line of content\n" * 100_000
    packed = gzip.compress(content)
    path = f"/v1/content{home}/packed.txt"
    broken = server.http("PUT", path, packed[: len(packed) // 2], headers={"Content-Encoding": "gzip"})
    assert broken.reason == "INVALID_ARGUMENT"
    assert server.http("GET", path).status == 404
    assert server.http("PUT", path, packed, headers={"Content-Encoding": "gzip"}).status == 200
    assert server.http("GET", path).body == content


@given(st.lists(st.binary(max_size=2000), max_size=4), st.integers(1, 300), st.booleans())
def test_unpacking_gives_back_what_was_packed_however_it_arrives(members: list[bytes], step: int, repeat: bool) -> None:
    members = [member * (1000 if repeat else 1) for member in members]
    packed = b"".join(map(gzip.compress, members))
    unzip = Unzip()
    found = b"".join(piece for at in range(0, len(packed), step) for piece in unzip.unpack(packed[at : at + step]))
    unzip.finish()
    assert found == b"".join(members)
