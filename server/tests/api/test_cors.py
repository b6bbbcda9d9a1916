"""Cross-origin requests of browsers: which sites' pages may call, what a browser is told before and with an answer."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from connecting import ECHO, JSON, STREAM_JSON, envelope, post, unary_error
from running import HttpAnswer, Server, running

from vexfs.api.cors import REQUEST_HEADERS
from vexfs.cli.serve import serve_command
from vexfs.config import ServeSettings
from vexfs.core.errors import InvalidRequest
from vexfs.security.origins import parse_origin
from vexfs.supervisor import Supervisor

PAGE, OTHER = "https://app.example", "https://evil.example"
SERVER = [str(Path(__file__).parent / "echo_server.py")]


@pytest.fixture(scope="module")
def open_echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that pages of two other sites may call."""
    import echo_server

    echo_server.load_contract()
    options = ["--cors-origin", PAGE, "--cors-origin", "HTTP://LocalHost:5173/"]
    with running(tmp_path_factory.mktemp("open"), SERVER, *options) as server:
        yield server


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("open-contract"), ["-m", "vexfs.api"], "--cors-origin", PAGE) as server:
        yield server


def preflight(server: Server, path: str, origin: str, verb: str = "POST") -> HttpAnswer:
    headers = {"Origin": origin, "Access-Control-Request-Method": verb, "Access-Control-Request-Headers": "authorization"}
    return server.http("OPTIONS", path, headers=headers, token=None)


def names(header: str) -> set[str]:
    return {name.strip().lower() for name in header.split(",")}


@pytest.mark.parametrize("path", [f"{ECHO}/Echo", "/test/echo", "/v1/content/a.md", "/openapi.json"])
@pytest.mark.parametrize("origin", [PAGE, "http://localhost:5173"])
def test_a_browser_that_asks_first_is_told_what_a_page_may_do(open_echo: Server, path: str, origin: str) -> None:
    answer = preflight(open_echo, path, origin)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == origin
    assert names(answer.headers["access-control-allow-methods"]) == {"get", "head", "post", "put", "patch", "delete"}
    allowed = names(answer.headers["access-control-allow-headers"])
    assert {"authorization", "content-type", "connect-protocol-version", "connect-timeout-ms", "if-match", "range"} <= allowed
    assert int(answer.headers["access-control-max-age"]) > 0
    assert "origin" in names(answer.headers["vary"])
    assert "access-control-allow-credentials" not in answer.headers, "the token is sent by the page, never by the browser"


def test_the_names_of_the_headers_have_no_wildcard() -> None:
    assert not any("*" in name for name in REQUEST_HEADERS), "a wildcard does not cover Authorization"


def test_a_page_of_an_allowed_site_calls_over_connect_and_rest(open_echo: Server) -> None:
    for answer in (
        post(open_echo, f"{ECHO}/Echo", b"{}", JSON, Origin=PAGE),
        post(open_echo, f"{ECHO}/Count", envelope(b'{"upto": 2, "failAfter": -1}'), STREAM_JSON, Origin=PAGE),
        open_echo.http("GET", "/test/echo/a", headers={"Origin": PAGE}),
        open_echo.http("GET", "/test/count?upto=2&failAfter=-1", headers={"Origin": PAGE}),
    ):
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == PAGE


def test_a_page_can_read_the_errors_too(open_echo: Server) -> None:
    for answer, status in (
        (post(open_echo, f"{ECHO}/Echo", b"{", JSON, Origin=PAGE), 400),
        (post(open_echo, f"{ECHO}/Echo", b"{}", JSON, token=None, Origin=PAGE), 401),
        (open_echo.http("GET", "/test/echo/a", headers={"Origin": PAGE}, token=None), 401),
        (open_echo.http("GET", "/nowhere", headers={"Origin": PAGE}), 404),
    ):
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == PAGE


def test_a_page_sees_the_headers_of_raw_content(open_server: Server) -> None:
    page = {"Origin": PAGE}
    put = open_server.http("PUT", "/v1/content/a.txt", b"0123456789", headers=page)
    got = open_server.http("GET", "/v1/content/a.txt", headers={**page, "Range": "bytes=2-4"})
    same = open_server.http("GET", "/v1/content/a.txt", headers={**page, "If-None-Match": put.headers["etag"]})
    assert (put.status, got.status, got.body, same.status) == (200, 206, b"234", 304)
    for answer in (put, got, same):
        exposed = names(answer.headers["access-control-expose-headers"])
        always = {"content-type", "content-length", "last-modified", "date", "server", "vary", "transfer-encoding"}
        own = {name for name in answer.headers if not name.startswith("access-control-")} - always - {"x-content-type-options"}
        assert own <= exposed, "a header of ours that a page cannot read"
        assert answer.headers["access-control-allow-origin"] == PAGE


def test_a_page_of_another_site_is_refused_and_told_nothing(open_echo: Server) -> None:
    for origin in (OTHER, "null", f"{PAGE}:444", "http://app.example", f"{PAGE}.evil.example", PAGE.upper()):
        answer = post(open_echo, f"{ECHO}/Echo", b"{}", JSON, Origin=origin)
        assert unary_error(answer) == (403, "permission_denied", "FOREIGN_ORIGIN")
        for each in (answer, preflight(open_echo, f"{ECHO}/Echo", origin)):
            assert each.status >= 400
            assert not [name for name in each.headers if name.startswith("access-control-")]
            assert each.headers["vary"] == "Origin"


def test_an_allowed_page_still_has_to_know_the_servers_name(open_echo: Server) -> None:
    headers = {"Origin": PAGE, "Host": "evil.example"}
    assert open_echo.http("GET", "/healthz", headers=headers).reason == "FOREIGN_ORIGIN"
    headers["Access-Control-Request-Method"] = "POST"
    assert open_echo.http("OPTIONS", "/test/echo", headers=headers).reason == "FOREIGN_ORIGIN"


def test_without_the_setting_no_other_site_is_let_in(echo: Server) -> None:
    assert post(echo, f"{ECHO}/Echo", b"{}", JSON, Origin=PAGE).status == 403
    assert preflight(echo, f"{ECHO}/Echo", PAGE).status >= 400
    answer = post(echo, f"{ECHO}/Echo", b"{}", JSON)
    assert not [name for name in answer.headers if name.startswith("access-control-") or name == "vary"]


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://app.example", "https://app.example"),
        (" HTTPS://App.Example:443/ ", "https://app.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_an_origin_is_taken_as_browsers_write_it(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    ["", "*", "null", "app.example", "https://*.app.example", "https://a.example/b", "https://a.example?b", "ftp://a.example",
     "https://me@a.example", "https://a.example:no", "https://ä.example", "https://[::1"],
)  # fmt: skip
def test_what_is_no_origin_stops_the_start(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is no origin"):
        parse_origin(text)


def test_the_api_process_names_a_wrong_origin(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vexfs.api", "--data", str(tmp_path), "--cors-origin", "*"]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert b"--cors-origin" in ended.stderr


@pytest.mark.parametrize(
    ("options", "variable", "expected"),
    [
        ([], None, ()),
        (["--cors-origin", PAGE, "--cors-origin", OTHER], None, (PAGE, OTHER)),
        ([], f"{PAGE}, {OTHER}:443/", (PAGE, OTHER)),
        (["--cors-origin", OTHER], PAGE, (OTHER,)),
        ([], "", ()),
    ],
)
def test_serve_takes_the_option_and_the_variable_and_hands_them_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], variable: str | None, expected: tuple[str, ...]
) -> None:
    seen: list[ServeSettings] = []
    monkeypatch.setattr(Supervisor, "run", lambda self: seen.append(self.settings) or 0)
    if variable is not None:
        monkeypatch.setenv("VEXFS_CORS_ORIGINS", variable)
    result = CliRunner().invoke(serve_command, ["--data", str(tmp_path), *options], standalone_mode=False)
    assert result.exception is None, result.output
    assert seen[0].cors_origins == expected
    command = Supervisor(seen[0])._api_command()
    assert [command[at + 1] for at, word in enumerate(command) if word == "--cors-origin"] == list(expected)


def test_serve_says_which_origin_is_wrong(tmp_path: Path) -> None:
    result = CliRunner().invoke(serve_command, ["--data", str(tmp_path), "--cors-origin", "https://app.example/page"])
    assert result.exit_code == 2
    assert "is no origin" in result.output
