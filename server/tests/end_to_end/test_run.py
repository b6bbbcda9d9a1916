"""`make run`: what a new user sees, the first time and the second."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs import runtime
from vexfs.cli import exits
from vexfs.mount import lifecycle

from .conftest import needs_mount
from .running import MOUNT_OBSTACLE, Server, vexfs

START_SECONDS = 120.0


class Run:
    """One run in a folder of its own; `shown` is what it has printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "shown"
        environment = {name: value for name, value in os.environ.items() if name != "VEXFS_DATA"}
        environment |= {"VEXFS_REST_PORT": "0", "VEXFS_GRPC_PORT": "0", "PYTHONUNBUFFERED": "1"}
        self.begun = time.monotonic()
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "vexfs.cli.run"]
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )

    def shown(self) -> str:
        return self._log.read_text("utf-8")

    def wait_for(self, text: str, seconds: float) -> float:
        """The seconds from the start until it has printed that."""
        while text not in self.shown():
            assert self.process.poll() is None, self.shown()
            assert time.monotonic() - self.begun < seconds, f"no {text!r} within {seconds:g} s:\n{self.shown()}"
            time.sleep(0.05)
        return time.monotonic() - self.begun

    def stop(self) -> None:
        """Ctrl-C. Fails when that does not end it, and the server in order."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        assert "is killed" not in self.shown()

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    lifecycle.detach(tmp_path / "mnt")


def test_the_first_run_imports_and_finds_and_the_second_has_everything_at_once(folder: Path) -> None:
    first = Run(folder)
    try:
        first.wait_for("Ctrl-C stops.", START_SECONDS)
        shown = first.shown()
        assert shown.count("$ vexfs search --limit 3 '") == 3
        hits = [line for line in shown.splitlines() if line.startswith((" 1. ", " 2. ", " 3. "))]
        assert any("/argparse.py" in hit for hit in hits[:3])
        if MOUNT_OBSTACLE is None:
            listed = os.listdir(folder / "mnt" / ".search" / "parse command line arguments")  # noqa: PTH208 - it never iterates
            assert any(name.endswith("_argparse.py") for name in listed[:10])
        first.stop()
        assert first.process.returncode == 0
        assert not lifecycle.is_mounted(folder / "mnt")
    finally:
        first.close()
    second = Run(folder)
    try:
        second.wait_for("Ctrl-C stops.", START_SECONDS)
        assert "importing" not in second.shown()
        assert "/argparse.py" in second.shown()
        assert "dense #1" in second.shown(), "the examples were shown before searches by meaning were answered"
        assert vexfs("ls", data=folder / "data").startswith("python3.")
        log = runtime.DataFolder(folder / "data").log_file("serve")
        logged = log.read_bytes()
        third = subprocess.run(
            [sys.executable, "-m", "vexfs.cli.run"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert third.returncode != 0
        record = runtime.read_server(folder / "data")
        assert record is not None
        assert f"process {record['pid']}" in third.stderr
        assert log.read_bytes().startswith(logged), "the log is the running server's"
    finally:
        second.close()


def test_a_server_that_dies_ends_the_run_and_says_why(folder: Path) -> None:
    run = Run(folder)
    try:
        run.wait_for("VexFS serves ./data", START_SECONDS)
        record = runtime.read_server(folder / "data")
        assert record is not None
        os.kill(record["pid"], signal.SIGKILL)
        assert run.process.wait(30) == exits.UNREACHABLE
        assert "the server ended by itself" in run.shown()
        assert str(folder / "data/run/serve.log") in run.shown()
    finally:
        run.close()


@needs_mount
def test_where_the_mount_is_refused_everything_else_goes_on(folder: Path, server: Server) -> None:
    vexfs("mount", str(folder / "mnt"), data=server.data)
    run = Run(folder)
    try:
        run.wait_for("VexFS serves ./data", START_SECONDS)
        assert "not mounting: VexFS is mounted on" in run.shown()
        assert ", mounted on" not in run.shown()
        run.stop()
        assert run.process.returncode == 0
        assert lifecycle.is_mounted(folder / "mnt"), "the mount of somebody else stays"
    finally:
        run.close()


def test_ctrl_c_while_it_starts_ends_everything(folder: Path) -> None:
    run = Run(folder)
    try:
        children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
        while not (pids := children.read_text().split()):
            assert run.process.poll() is None, run.shown()
            time.sleep(0.005)
        run.stop()
        assert run.process.returncode == 0, run.shown()
        assert not any(runtime.is_alive(int(pid)) for pid in pids)
        assert "VexFS serves" not in run.shown()
    finally:
        run.close()
