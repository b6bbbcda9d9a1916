"""A real `vexfs serve` for tests: on free ports and a temporary folder, asked through the `vexfs` command, ended for good."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from vexfs import runtime
from vexfs.cli.run import mount_obstacle
from vexfs.mount import lifecycle

START_SECONDS = 60.0
MOUNT_OBSTACLE = mount_obstacle()


def vexfs(*arguments: str, data: Path | None = None, check: bool = True, stdin: bytes | None = None, **variables: str) -> str:
    """Run the command; its standard output. Fails the test with what it said when it ends with another status than 0."""
    outcome = vexfs_outcome(*arguments, data=data, stdin=stdin, **variables)
    if check and outcome.returncode != 0:
        raise AssertionError(f"vexfs {' '.join(arguments)} ended with {outcome.returncode}: {outcome.stderr.decode()}")
    return outcome.stdout.decode()


def vexfs_outcome(
    *arguments: str, data: Path | None = None, stdin: bytes | None = None, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command with nothing of this test run's own settings."""
    environment = {name: value for name, value in os.environ.items() if not _is_setting(name)} | variables
    if data is not None:
        environment["VEXFS_DATA"] = str(data)
    command = [sys.executable, "-m", "vexfs.cli.main", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=120, check=False)


def settings_removed() -> dict[str, str]:
    """This process's environment without what would tell a command where to go or how to look."""
    return {name: value for name, value in os.environ.items() if not _is_setting(name) and name != "NO_COLOR"}


def _is_setting(name: str) -> bool:
    return name.startswith("VEXFS_") and name not in ("VEXFS_CACHE_DIR", "VEXFS_MODEL_DIR", "VEXFS_OFFLINE")


def lines(output: str) -> list[dict[str, Any]]:
    """The objects of --json."""
    return [json.loads(line) for line in output.splitlines()]


def begin_serving(data: Path, log_file: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start `vexfs serve` on free ports, and do not wait for it."""
    command = [sys.executable, "-m", "vexfs.cli.main", "serve", "--data", str(data), "--rest-port", "0", "--grpc-port", "0"]
    with log_file.open("ab") as log:
        return subprocess.Popen(
            [*command, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=settings_removed()
        )


class Server:
    """One `vexfs serve`. `log` is what it wrote; `record` what the ready file says."""

    def __init__(self, folder: Path, *, mounted: bool = False, arguments: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.mount = folder / "mnt" if mounted else None
        self.ready_file = folder / "ready.json"
        self.log_file = folder / "serve.log"
        self._arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None
        self.record: dict[str, Any] = {}

    def start(self) -> "Server":
        """Start it and wait for the ready file."""
        mount = ("--mount", str(self.mount)) if self.mount is not None else ()
        self.process = begin_serving(self.data, self.log_file, "--ready-file", str(self.ready_file), *self._arguments, *mount)
        deadline = time.monotonic() + START_SECONDS
        while not self.ready_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log()}")
            time.sleep(0.02)
        self.record = json.loads(self.ready_file.read_text())
        return self

    def stop(self, number: signal.Signals = signal.SIGINT) -> float:
        """Stop it; the seconds that took."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - begun

    def close(self) -> None:
        """End whatever is left, at the end of a test."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.mount is not None:
            lifecycle.detach(self.mount)

    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    def pid_of(self, name: str) -> int:
        """The process id of `api`, `indexer` or `mount`."""
        record = runtime.read_ready(self.data, name)
        assert record is not None, f"no {name} is running"
        return int(record["pid"])

    def vexfs(self, *arguments: str, check: bool = True, stdin: bytes | None = None, **variables: str) -> str:
        """The command, with this server's data folder."""
        return vexfs(*arguments, data=self.data, check=check, stdin=stdin, **variables)

    def search(self, *arguments: str, **variables: str) -> list[dict[str, Any]]:
        """The hits of a search."""
        return lines(self.vexfs("search", "--json", *arguments, **variables))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A REST call as curl makes it."""
        headers = {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.record["rest"] + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def token(self) -> str:
        return Path(self.record["token_file"]).read_text().strip()


def wait_until(condition: "object", seconds: float = 30.0, what: str = "it") -> None:
    """Poll a condition; fail the test when it does not come true in time."""
    deadline = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)
