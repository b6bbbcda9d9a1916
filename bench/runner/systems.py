"""The systems under test: each starts fresh in a folder of its own, hands out where to reach it, and leaves nothing behind.

VexFS is always `vexfs serve` with its defaults: history, indexer and all processes on. Called by the benchmarks; one at a time.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.runner import build, processes

VEXFS = "vexfs"
FUSER_MEMORY = "fuser_memory"
PLAIN = "plain directory"

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Running:
    """A started system: the directory to work in and the process whose tree is the server (0: the kernel alone)."""

    directory: Path
    pid: int = 0


@dataclass(frozen=True)
class Server(Running):
    """A running `vexfs serve`: also its addresses, its token and its data folder."""

    grpc: str = ""
    rest: str = ""
    token: str = ""
    data: Path = Path()

    def environment(self) -> dict[str, str]:
        """What the command line needs to find this server."""
        return {"VEXFS_ADDRESS": self.grpc, "VEXFS_URL": self.rest, "VEXFS_TOKEN": self.token}


class System(Protocol):
    name: str
    configuration: dict[str, Any]

    def start(self, pinning: str) -> contextlib.AbstractContextManager[Running]: ...


class PlainDirectory:
    """A directory of the disk's own file system: what the kernel does without a server."""

    def __init__(self) -> None:
        self.name = PLAIN
        self.configuration: dict[str, Any] = {}

    @contextlib.contextmanager
    def start(self, pinning: str) -> Iterator[Running]:
        del pinning
        with temporary_folder() as folder:
            yield Running(folder)


class FuserMemory:
    """The Rust memory file system of `peers/fuser_memory`."""

    def __init__(self) -> None:
        self.name = FUSER_MEMORY
        self.configuration: dict[str, Any] = {"fuser": "0.18.0", "session_threads": 1, "kernel_cache_s": 86_400}

    @contextlib.contextmanager
    def start(self, pinning: str) -> Iterator[Running]:
        binary = build.fuser_memory()
        with temporary_folder() as mount:
            with processes.pinned(pinning):
                process = subprocess.Popen([str(binary), str(mount)])
            try:
                processes.wait_for_mount(mount, process)
                yield Running(mount, process.pid)
            finally:
                processes.unmount(mount)
                processes.end(process, timeout_s=STOP_TIMEOUT_S)


class VexfsServe:
    """`vexfs serve --data D [--mount M]` on free ports, with its defaults; `arguments` and `environment` only where a
    benchmark measures what a setting is worth."""

    def __init__(
        self, name: str = VEXFS, *, mount: bool = True, arguments: Sequence[str] = (), environment: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self._mount = mount
        self._arguments = list(arguments)
        self._environment = environment or {}
        self.configuration: dict[str, Any] = {
            "command": " ".join(["vexfs serve --data DATA", *(["--mount MOUNT"] if mount else []), *self._arguments]),
            **({"environment": self._environment} if self._environment else {}),
        }

    @contextlib.contextmanager
    def start(self, pinning: str) -> Iterator[Server]:
        with temporary_folder() as folder:
            data, mount, ready = folder / "data", folder / "mount", folder / "ready.json"
            mount.mkdir()
            with processes.pinned(pinning), (folder / "log").open("wb") as log:
                command, environment = self._command(data, mount, ready), processes.environment(**self._environment)
                process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
            try:
                server = _wait_until_ready(process, ready, data, mount if self._mount else folder, folder / "log")
                yield server
            finally:
                processes.end(process, timeout_s=STOP_TIMEOUT_S)
                processes.unmount(mount)

    def _command(self, data: Path, mount: Path, ready: Path) -> list[str]:
        command = [str(vexfs_command()), "serve", "--data", str(data), "--ready-file", str(ready)]
        command += ["--rest-port", "0", "--grpc-port", "0"]
        return command + (["--mount", str(mount)] if self._mount else []) + self._arguments


def vexfs_command() -> Path:
    """The `vexfs` beside this Python."""
    command = Path(sys.executable).with_name("vexfs")
    if not command.exists():
        raise build.NotAvailable("vexfs is not installed beside this Python: run `make setup`, then use .venv/bin/python")
    return command


def _wait_until_ready(process: subprocess.Popen[bytes], ready: Path, data: Path, directory: Path, log: Path) -> Server:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"vexfs serve is not ready (status {process.poll()}):\n{tail}")
        time.sleep(0.02)
    facts = json.loads(ready.read_text(encoding="utf-8"))
    token = Path(facts["token_file"]).read_text(encoding="utf-8").strip()
    return Server(directory, process.pid, facts["grpc"], facts["rest"], token, data)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder on the disk that `TMPDIR` names, removed at the end, mounts in it excepted."""
    folder = Path(tempfile.mkdtemp(prefix="vexfs-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
