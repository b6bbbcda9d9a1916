"""The command as a whole: its list of commands, its start time, how errors end it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from vexfs.cli import exits, main

VEXFS = [sys.executable, "-m", "vexfs.cli.main"]


def vexfs(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VEXFS_")} | variables
    return subprocess.run([*VEXFS, *arguments], capture_output=True, text=True, env=environment, timeout=60, check=False)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_loads_and_explains_itself(name: str) -> None:
    command = main.LazyGroup().get_command(click.Context(main.vexfs), name)
    assert command is not None
    assert command.name == name
    assert command.help


@pytest.mark.parametrize("name", [name for name in main.COMMANDS if name != "serve"])
def test_every_command_speaks_json(name: str) -> None:
    command = main.LazyGroup().get_command(click.Context(main.vexfs), name)
    assert command is not None
    assert "--json" in [option for parameter in command.params for option in parameter.opts]


def test_help_lists_every_command_and_loads_none() -> None:
    program = (
        "import sys; from vexfs.cli import main; main.run(['--help']); "
        "heavy = {'grpc', 'google.protobuf', 'rich', 'apsw', 'numpy', 'pathspec'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert all(f"\n  {name} " in outcome.stdout for name in main.COMMANDS)


def test_an_unknown_command_is_a_usage_error() -> None:
    outcome = vexfs("serach", "x")
    assert outcome.returncode == exits.USAGE
    assert "serach" in outcome.stderr


@pytest.mark.parametrize(
    "arguments", [("search", "--json", "x", "--limit", "0"), ("ls", "--json", "--nothing"), ("put", "--json")]
)
def test_a_usage_error_is_json_when_json_was_asked_for(arguments: tuple[str, ...]) -> None:
    outcome = vexfs(*arguments)
    assert outcome.returncode == exits.USAGE
    error = json.loads(outcome.stderr)["error"]
    assert (error["code"], error["reason"]) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert error["message"]


def test_a_question_that_is_no_text_is_a_usage_error(tmp_path: Path) -> None:
    outcome = vexfs("search", "--json", os.fsdecode(b"caf\xe9"), "--data", str(tmp_path))
    assert outcome.returncode == exits.USAGE
    assert "UTF-8" in json.loads(outcome.stderr)["error"]["message"]


def test_without_a_server_a_command_says_what_to_do(tmp_path: Path) -> None:
    outcome = vexfs("ls", "--data", str(tmp_path))
    assert outcome.returncode == exits.UNREACHABLE
    assert outcome.stdout == ""
    assert "vexfs serve" in outcome.stderr
    assert "VEXFS_ADDRESS" in outcome.stderr


@pytest.mark.parametrize("where", [{"VEXFS_ADDRESS": "127.0.0.1:1"}, {"VEXFS_URL": "http://127.0.0.1:1"}])
def test_an_address_where_nothing_listens_is_named(where: dict[str, str], tmp_path: Path) -> None:
    outcome = vexfs("ls", "--json", "--data", str(tmp_path), **where)
    assert outcome.returncode == exits.UNREACHABLE
    error = json.loads(outcome.stderr)["error"]
    assert error["code"] == "UNAVAILABLE"
    assert "127.0.0.1:1" in error["message"]


def test_a_wrong_address_is_a_usage_error(tmp_path: Path) -> None:
    assert vexfs("ls", "--url", "localhost", "--data", str(tmp_path)).returncode == exits.USAGE
    assert vexfs("ls", "--address", "ftp://localhost:1", "--data", str(tmp_path)).returncode == exits.USAGE


def test_what_the_command_line_says_counts_more_than_the_environment(tmp_path: Path) -> None:
    outcome = vexfs("ls", "--url", "http://127.0.0.1:1", "--data", str(tmp_path), VEXFS_ADDRESS="127.0.0.1:2")
    assert "http://127.0.0.1:1" in outcome.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--tls-cert", "CERT"),
        ("--rest-port", "8083", "--grpc-port", "8083"),
        ("--rest-port", "70000"),
        ("--quota", "much"),
        ("--quota", "0"),
        ("--quota-files", "0"),
        ("--tls-cert", "/does/not/exist", "--tls-key", "/does/not/exist"),
    ],
)
def test_serve_refuses_options_that_make_no_sense(arguments: tuple[str, ...], tmp_path: Path) -> None:
    certificate = tmp_path / "CERT"
    certificate.write_text("")
    words = [str(certificate) if word == "CERT" else word for word in arguments]
    outcome = vexfs("serve", "--data", str(tmp_path / "data"), *words)
    assert outcome.returncode == exits.USAGE
    assert not (tmp_path / "data").exists()


def test_check_without_data_says_so(tmp_path: Path) -> None:
    outcome = vexfs("check", "--data", str(tmp_path))
    assert outcome.returncode == exits.NOT_FOUND
    assert "no VexFS data" in outcome.stderr


def test_umount_of_what_is_not_mounted_says_so(tmp_path: Path) -> None:
    outcome = vexfs("umount", str(tmp_path))
    assert outcome.returncode == exits.NOT_FOUND
    assert str(tmp_path) in outcome.stderr


def test_importing_what_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert vexfs("import", str(tmp_path / "absent")).returncode == exits.USAGE


def test_a_reader_that_left_before_the_first_line_ends_a_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        outcome = subprocess.run([*VEXFS, "--version"], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(writing)
    assert outcome.stderr == b""
    assert outcome.returncode in (1, 128 + signal.SIGPIPE)


def test_sharing_locks_is_for_the_mount(tmp_path: Path) -> None:
    outcome = vexfs("serve", "--data", str(tmp_path), "--shared-locks")
    assert outcome.returncode == exits.USAGE
    assert "--mount" in outcome.stderr
