"""The systems under test: each starts fresh in a folder of its own, hands out where to reach it, and leaves nothing behind.

VexFS is always `vexfs serve` with its defaults: history, indexer and all processes on. Called by the benchmarks; one at a time.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.peers import agentfs, passthrough_hp
from bench.runner import build, machine, processes

VEXFS = "vexfs"
FUSER_MEMORY = "fuser_memory"
PASSTHROUGH_HP = passthrough_hp.NAME
AGENTFS = agentfs.NAME
PLAIN = "plain directory"
TMPFS = "tmpfs"

SHARED_MEMORY = Path("/dev/shm")
# passthrough_hp keeps a descriptor for every file the kernel knows.
DESCRIPTORS = 1 << 20

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Running:
    """A started system: the directory to work in, the process whose tree is the server (0: the kernel alone), and the folder
    where a durable server keeps its bytes (None: it has none but the directory)."""

    directory: Path
    pid: int = 0
    stored: Path | None = None


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
    """A directory of the disk's own file system, or of another place's: what the kernel does without a server."""

    def __init__(self, name: str = PLAIN, place: Path | None = None) -> None:
        self.name, self._place = name, place
        self.configuration: dict[str, Any] = {}

    @contextlib.contextmanager
    def start(self, pinning: str) -> Iterator[Running]:
        del pinning
        with temporary_folder(self._place) as folder:
            yield Running(folder)


def tmpfs() -> PlainDirectory:
    """A directory of `/dev/shm`. NotAvailable where that is no tmpfs."""
    if machine.filesystem_type(SHARED_MEMORY) != TMPFS:
        raise build.NotAvailable(f"{SHARED_MEMORY} is not a tmpfs here")
    return PlainDirectory(TMPFS, SHARED_MEMORY)


class FuserMemory:
    """The Rust memory file system of `peers/fuser_memory`."""

    def __init__(self) -> None:
        self.name = FUSER_MEMORY
        self.configuration: dict[str, Any] = {"fuser": "0.18.0", "session_threads": 1, "kernel_cache_s": 86_400}

    @contextlib.contextmanager
    def start(self, pinning: str) -> Iterator[Running]:
        with temporary_folder() as mount, _mounted_by([str(build.fuser_memory()), str(mount)], mount, pinning) as process:
            yield Running(mount, process.pid)


class PassthroughHp:
    """libfuse's `passthrough_hp` with its defaults, on a folder of a tmpfs."""

    def __init__(self, *, install: bool = True) -> None:
        self.name = PASSTHROUGH_HP
        self._binary = passthrough_hp.binary(install=install)
        self.configuration: dict[str, Any] = {
            "libfuse": passthrough_hp.version(),
            "command": "passthrough_hp --foreground TMPFS MOUNT",
        }
        tmpfs()

    @contextlib.contextmanager
    def start(self, pinning: str) -> Iterator[Running]:
        with temporary_folder(SHARED_MEMORY) as source, temporary_folder() as mount:
            command = [str(self._binary), "--foreground", str(source), str(mount)]
            with _mounted_by(command, mount, pinning) as process:
                with contextlib.suppress(OSError):  # without the right to raise it, a large directory has no number
                    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
                yield Running(mount, process.pid)


class Agentfs:
    """agentfs with its defaults: a store in one SQLite file, mounted by FUSE."""

    def __init__(self, *, install: bool = True) -> None:
        self.name = AGENTFS
        self._binary = agentfs.binary(install=install)
        self.configuration: dict[str, Any] = {
            "version": agentfs.VERSION,
            "command": "agentfs init BENCH; agentfs mount --foreground BENCH MOUNT",
        }

    @contextlib.contextmanager
    def start(self, pinning: str) -> Iterator[Running]:
        with temporary_folder() as folder:
            mount = folder / "mount"
            mount.mkdir()
            subprocess.run([str(self._binary), "init", "bench"], cwd=folder, check=True, capture_output=True)
            command = [str(self._binary), "mount", "--foreground", "bench", str(mount)]
            with _mounted_by(command, mount, pinning, folder=folder) as process:
                yield Running(mount, process.pid, folder / ".agentfs")


@contextlib.contextmanager
def _mounted_by(
    command: list[str], mount: Path, pinning: str, *, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A file system server from its start to its end."""
    with tempfile.TemporaryFile() as log:
        with processes.pinned(pinning):
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            try:
                processes.wait_for_mount(mount, process)
            except RuntimeError as error:
                log.seek(0)
                raise RuntimeError(f"{error}: {log.read().decode(errors='replace').strip()[-500:]}") from error
            yield process
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
    return Server(directory, process.pid, data, facts["grpc"], facts["rest"], token, data)


@contextlib.contextmanager
def temporary_files_removed(pattern: str) -> Iterator[None]:
    """What comes into the temporary directory under such a name is removed at the end.

    For a whole run, not for each start of a peer: an ext4 without a journal passes over numbers of files that were freed
    lately, so removing thousands makes whoever creates files next slower.
    """
    place = Path(tempfile.gettempdir())
    before = set(place.glob(pattern))
    try:
        yield
    finally:
        for file in set(place.glob(pattern)) - before:
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(place: Path | None = None) -> Iterator[Path]:
    """An empty folder at `place`, or on the disk that `TMPDIR` names, removed at the end, mounts in it excepted."""
    folder = Path(tempfile.mkdtemp(prefix="vexfs-bench-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
