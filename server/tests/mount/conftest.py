"""Real mounts for the tests: a process, `/dev/fuse`, a temporary data folder.

A machine without `/dev/fuse` fails these tests with a sentence that says so; VEXFS_NO_FUSE=1 skips them on purpose.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vexfs import runtime
from vexfs.mount import lifecycle
from vexfs.store.volume import Volume

START_S = 60.0
STOP_S = 30.0


class Mounted:
    """A mount process and where its files are."""

    def __init__(
        self,
        data: Path,
        path: Path,
        log: Path,
        arguments: list[str],
        program: list[str],
        environment: dict[str, str] | None = None,
    ) -> None:
        self.data, self.path, self.log = data, path, log
        self._environment = environment
        path.mkdir()
        self._name = f"mount-{path.name}"
        self._command = [*program, "--data", str(data), str(path), "--ready-name", self._name, *arguments]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Mounted":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stderr=log, stdin=subprocess.DEVNULL, env=self._environment)
        deadline = time.monotonic() + START_S
        while (ready := runtime.read_ready(self.data, self._name)) is None or ready["pid"] != self.process.pid:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"no mount after {START_S} s: {self.log.read_text()}"
            time.sleep(0.01)
        return self

    def kill(self) -> None:
        """End the process without a chance to do anything."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)

    def restart(self) -> "Mounted":
        """Mount again after `kill` or `stop`: nothing of the old process is left but the data."""
        return self.start()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        lifecycle.detach(self.path)

    def logged(self, *levels: str) -> list[dict[str, object]]:
        """Log lines at these levels."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["level"] in levels]

    def errors(self) -> list[dict[str, object]]:
        """Log lines at level error or above."""
        return self.logged("error", "critical")


def need_fuse() -> None:
    """Skip the test, or fail it, where nothing can be mounted."""
    if os.environ.get("VEXFS_NO_FUSE") == "1":
        pytest.skip("VEXFS_NO_FUSE=1: tests on a real mount are off")
    if not Path("/dev/fuse").exists():
        pytest.fail("there is no /dev/fuse here: the mount cannot be tested. Set VEXFS_NO_FUSE=1 to leave these tests out")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short temporary folder: Unix sockets and mounts live in it."""
    need_fuse()
    path = Path(tempfile.mkdtemp(prefix="vexfs-mount-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


MakeMount = Callable[..., Mounted]


@pytest.fixture
def make_mount(folder: Path) -> Iterator[MakeMount]:
    """Start mounts of one volume, each at its own place; all end with the test."""
    mounts: list[Mounted] = []

    def make(*arguments: str, program: list[str] | None = None) -> Mounted:
        number = len(mounts)
        module = program or [sys.executable, "-m", "vexfs.mount"]
        mounts.append(Mounted(folder / "data", folder / f"mnt{number}", folder / f"log{number}", list(arguments), module))
        return mounts[-1].start()

    try:
        yield make
    finally:
        for mount in mounts:
            mount.end()


@pytest.fixture
def mount(make_mount: MakeMount) -> Mounted:
    return make_mount()


@pytest.fixture
def root(mount: Mounted) -> Path:
    """The mount point."""
    return mount.path


@pytest.fixture
def beside(mount: Mounted) -> Iterator[Volume]:
    """The same volume opened by this process, as the API has it."""
    with Volume.open(mount.data / "volumes" / "main", "api") as volume:
        yield volume


def eventually(condition: Callable[[], bool], within_s: float = 20.0) -> float:
    """Wait until `condition` holds; seconds it took. Fails when it does not within the time.

    Without a bound of the test's own it is one that a busy machine does not come near, and less than the kernel caches for.
    """
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < within_s, f"not within {within_s} s"
        time.sleep(0.001)
    return time.monotonic() - begun
