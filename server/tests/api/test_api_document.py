"""The commands of docs/api.md do what it says, against a running server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from running import Server

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"
COMMANDS = re.findall(r"^curl .*$", DOCUMENT.read_text("utf-8"), re.MULTILINE)


def test_there_are_commands_for_each_surface_of_the_port() -> None:
    assert len(COMMANDS) >= 5
    for part in ("/v1/search", "/v1/content/", "/vexfs.v1.FilesService/"):
        assert any(part in command for command in COMMANDS), part


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_every_command_is_answered(server: Server, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n")
    for command in COMMANDS:
        here = command.replace("http://127.0.0.1:8080", server.rest_url).replace("curl -s", "curl -s --fail-with-body", 1)
        environment = {**os.environ, "TOKEN": server.token}
        done = subprocess.run(here, shell=True, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert done.stdout, command
        assert b'"error"' not in done.stdout
