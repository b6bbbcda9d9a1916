"""Which token a command sends where: the given one anywhere, the data folder's to this machine only."""

import os
from pathlib import Path

import pytest

from vexfs.cli import connect
from vexfs.cli.options import Target
from vexfs.core.errors import InvalidRequest, PermissionDenied, Unavailable
from vexfs.security import token as token_files

SECRET = "a-token-of-this-folder"


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.delenv("VEXFS_TOKEN", raising=False)
    (tmp_path / "token").write_text(SECRET)
    (tmp_path / "token").chmod(0o600)
    return Target(tmp_path, None, None, None, None, None, 1.0)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_gets_the_folders_token(target: Target, host: str) -> None:
    assert connect._token(target, host) == SECRET


@pytest.mark.parametrize("host", ["10.0.0.1", "example.org", "localhost.example.org", "2001:db8::1", ""])
def test_other_machines_get_it_only_when_it_was_given(target: Target, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect._token(target, host) is None
    monkeypatch.setenv("VEXFS_TOKEN", "given-on-purpose-1")
    assert connect._token(target, host) == "given-on-purpose-1"


def test_a_folder_without_a_token_sends_none(target: Target) -> None:
    (target.data / "token").unlink()
    assert connect._token(target, "localhost") is None


def test_a_token_that_others_can_read_is_not_sent(target: Target) -> None:
    (target.data / "token").chmod(0o644)
    with pytest.raises(PermissionDenied, match="chmod 600"):
        connect._token(target, "localhost")


def test_the_token_of_a_running_server_lies_where_its_record_says(target: Target, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    made = token_files.load_or_create(other)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/server.json").write_text(f'{{"pid": {os.getpid()}, "token_file": "{other}"}}')
    assert connect._token(target, "localhost") == made


@pytest.mark.parametrize(
    ("address", "url"),
    [("ftp://localhost:1", None), (None, "localhost:8080"), (None, "ftp://localhost"), (None, "http://")],
)
def test_an_address_that_is_none_is_refused(target: Target, address: str | None, url: str | None) -> None:
    wrong = Target(target.data, address, url, None, None, None, 1.0)
    with pytest.raises(InvalidRequest), connect.connected(wrong):
        pass


def test_without_server_and_address_the_error_says_all_three_ways(target: Target) -> None:
    with pytest.raises(Unavailable, match=r"vexfs serve.*--data.*VEXFS_ADDRESS or VEXFS_URL"), connect.connected(target):
        pass
