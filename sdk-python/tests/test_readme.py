"""The README's programs run as they stand there, in their order, against one server."""

import os
import re
import subprocess
import sys
from pathlib import Path

from vexfs_client._settings import SETTINGS

from .server import REPOSITORY, Server

README = (REPOSITORY / "sdk-python/README.md").read_text()


def test_the_programs_of_the_readme_run(tmp_path: Path) -> None:
    programs = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(programs) >= 6
    server = Server(tmp_path).start()
    try:
        settings = {"VEXFS_ADDRESS": server.address, "VEXFS_TOKEN": server.token, "VEXFS_TIMEOUT": "120"}
        settings["VEXFS_URL"] = server.reach("rest")["url"]
        printed = []
        for program in programs:
            command = [sys.executable, "-W", "error", "-c", program]
            done = subprocess.run(
                command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=300, check=False
            )
            assert done.returncode == 0, f"{program}\n{done.stderr}"
            assert done.stderr == ""
            printed.append(done.stdout)
    finally:
        server.stop()
    assert printed[0].startswith("/notes/keys.md Access keys are rotated")
    assert "lunch.md 33" in printed[1]
    assert "FILE_NOT_FOUND" in printed[5]
    assert printed[6] == "1000000\n"
    assert "['/notes/report.txt'] b'written through fsspec'" in printed[7]


def test_the_table_of_settings_is_complete() -> None:
    for name, setting in SETTINGS.items():
        assert f"`{name}`" in README
        assert f"`{setting.variable}`" in README
