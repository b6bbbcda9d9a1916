"""The token file and the Host and Origin check."""

import multiprocessing
from pathlib import Path

import pytest

from vexfs.core.errors import ForeignOrigin, PermissionDenied, Unauthenticated
from vexfs.security import token
from vexfs.security.origins import OriginGuard
from vexfs.security.token import TokenGuard


def test_processes_that_start_together_agree_on_one_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with multiprocessing.get_context("fork").Pool(8) as pool:
        tokens = set(pool.map(token.load_or_create, [path] * 32))
    assert len(tokens) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["token"]


@pytest.mark.parametrize(
    "content", [b"", b"short\n", b"\xff" * 40, b"two words of a token here", b"x" * 5000, b"line one 1234567\nline"]
)
def test_a_file_that_holds_no_token_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(PermissionDenied, match="must hold one line"):
        token.read(path)


def test_a_token_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token.load_or_create(path)
    path.chmod(0o644)
    with pytest.raises(PermissionDenied, match="chmod 600"):
        token.read(path)


def test_the_guard_takes_the_right_token_and_no_other() -> None:
    guard = TokenGuard("the-right-token-1")
    guard.permissions_of("Bearer the-right-token-1")
    guard.permissions_of("bearer the-right-token-1")
    for wrong in (None, "", "Bearer", "Bearer ", "the-right-token-1", "Bearer the-right-token-2", "Basic the-right-token-1"):
        with pytest.raises(Unauthenticated):
            guard.permissions_of(wrong)


@pytest.mark.parametrize(
    ("bound", "host", "origin", "allowed"),
    [
        ("127.0.0.1", "localhost:8080", None, True),
        ("127.0.0.1", "127.0.0.1:8080", None, True),
        ("127.0.0.1", "LOCALHOST", None, True),
        ("127.0.0.1", "[::1]:8080", None, True),
        ("127.0.0.1", "localhost:8080", "http://localhost:3000", True),
        ("127.0.0.1", "evil.example", None, False),
        ("127.0.0.1", "localhost.evil.example", None, False),
        ("127.0.0.1", "evil.example:8080@localhost", None, True),  # the host of this is localhost, whatever stands before the @
        ("127.0.0.1", "10.0.0.1", None, False),
        ("127.0.0.1", "", None, False),
        ("127.0.0.1", "[bad", None, False),
        ("127.0.0.1", "localhost", "null", False),
        ("127.0.0.1", "localhost", "https://evil.example", False),
        ("files.example", "files.example:443", "https://files.example", True),
        ("files.example", "other.example", None, False),
        ("0.0.0.0", "10.1.2.3:8080", None, True),
        ("0.0.0.0", "evil.example", None, False),
        ("::", "[2001:db8::1]:8080", "http://[2001:db8::1]:8080", True),
    ],
)
def test_a_caller_must_know_the_server_by_its_own_name(bound: str, host: str, origin: str | None, allowed: bool) -> None:
    guard = OriginGuard(bound)
    if allowed:
        guard.check(host, origin)
        return
    with pytest.raises(ForeignOrigin):
        guard.check(host, origin)
