"""The peers of the vector benchmark: the Python environment they live in, and each as a process that is told what to do.

The environment is made at the first call, from `bench/peers/vectors/requirements.txt`, and has nothing of the server's. A peer
that cannot be installed or started raises NotAvailable with the reason; the benchmark says so on its page.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.peers.vectors.engines import ENGINES, VEXFS_CORE
from bench.runner import build, machine, processes
from bench.runner.nearest import Answers, Condition
from bench.runner.vectors_data import DIMENSION
from vexfs.views.embedding import weights

REQUIREMENTS = machine.ROOT / "bench" / "peers" / "vectors" / "requirements.txt"
COMMAND_TIMEOUT_S = 5400.0
_STOP_TIMEOUT_S = 30.0


class Traits(NamedTuple):
    """What an engine says of itself when it is opened."""

    about: dict[str, str]
    efforts: list[int]
    recommended: int
    writes_beside_searches: bool


class Measured(NamedTuple):
    """What came of asking for a while."""

    operations: int
    seconds: float
    p50_ms: float
    p99_ms: float
    answers: Answers
    rows_written: int = 0
    write_seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.operations / self.seconds


class Files(NamedTuple):
    """Where rows and queries are read from; `numbers` are .npy files by name."""

    vectors: Path
    queries: Path
    numbers: dict[str, Path]
    rows_max: int


class Worker:
    """An engine in a process of its own, see `bench.peers.vectors.worker`. Methods raise RuntimeError when the engine fails."""

    def __init__(self, name: str, folder: Path, files: Files) -> None:
        self.name = name
        self._folder, self._files = folder, files
        data = folder / "data"
        data.mkdir()
        self.data = data
        self._log = (folder / "log").open("wb")
        python = sys.executable if name == VEXFS_CORE else str(python_of_peers())
        # The server's own processes have this; it counts before numpy is imported.
        extra = {"OPENBLAS_NUM_THREADS": "1"} if name == VEXFS_CORE else {}
        self._process = subprocess.Popen(
            [python, "-m", "bench.peers.vectors.worker", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=machine.ROOT,
            env=processes.environment(**extra),
        )  # fmt: skip
        try:
            self.traits = Traits(**self._do("open", **self._opening(data)))
        except BaseException:
            self.close()
            raise

    def _opening(self, data: Path) -> dict[str, Any]:
        numbers = {name: str(file) for name, file in self._files.numbers.items()}
        paths = {"folder": str(data), "vectors": str(self._files.vectors), "queries": str(self._files.queries)}
        return {**paths, "numbers": numbers, "dimension": DIMENSION, "rows_max": self._files.rows_max}

    def insert(self, start: int, count: int) -> float:
        return float(self._do("insert", start=start, count=count)["seconds"])

    def build(self) -> float:
        return float(self._do("build")["seconds"])

    def set_effort(self, effort: int) -> None:
        self._do("effort", value=effort)

    def search(self, places: NDArray[np.int64], clients: int, seconds: float, condition: Condition | None = None) -> Measured:
        return self._measured("search", places, clients=clients, seconds=seconds, **_filter(condition))

    def search_and_write(
        self,
        places: NDArray[np.int64],
        clients: int,
        seconds: float,
        start: int,
        rate: int,
        condition: Condition | None = None,
    ) -> Measured:
        return self._measured(
            "search_and_write", places, clients=clients, seconds=seconds, start=start, rate=rate, **_filter(condition)
        )

    def find_rows(self, start: int, count: int) -> int:
        return int(self._do("find_rows", start=start, count=count)["found"])

    def pids(self) -> list[int]:
        """All processes of the engine."""
        roots = [self._process.pid, *(pid for pid in self._do("processes")["pids"] if pid)]
        return list(dict.fromkeys(pid for root in roots for pid in processes.tree_of(root)))

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        with contextlib.suppress(RuntimeError, OSError):
            if self._process.poll() is None:
                self._do("close", timeout_s=_STOP_TIMEOUT_S)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            processes.end(self._process)
        self._log.close()

    def _measured(self, command: str, places: NDArray[np.int64], **arguments: Any) -> Measured:
        with tempfile.TemporaryDirectory(prefix="vexfs-bench-answers-") as folder:
            asked, answers = Path(folder) / "places.npy", Path(folder) / "answers.npz"
            np.save(asked, places)
            result = self._do(command, places=str(asked), answers=str(answers), **arguments)
            kept = np.load(answers)
            found = Answers(kept["places"], kept["ids"])
        result.pop("cpu_seconds")
        return Measured(answers=found, **result)

    def _do(self, command: str, *, timeout_s: float = COMMAND_TIMEOUT_S, **arguments: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
            ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
            line = self._process.stdout.readline() if ready else b""
        except OSError:
            line = b""
        if not line:
            ended = self._process.poll()
            if ended is None:
                processes.end(self._process)
            why = f"ended with status {ended}" if ended is not None else f"did not answer {command} within {timeout_s:.0f} s"
            raise RuntimeError(f"{self.name} {why}: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer["result"]

    def _last_words(self) -> str:
        lines = (self._folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"


def python_of_peers(*, install: bool = True) -> Path:
    """The Python of the peers' environment, made when it is missing or of other requirements, unless `install` is off."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = weights.cache_folder() / "bench" / f"peers-{digest}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    if not install:
        raise build.NotAvailable("the peers are not installed, and a tiny run installs nothing")
    sys.stderr.write("installing the peers into an environment of their own (1.1 GB, some minutes, once)\n")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes",
         "-r", str(REQUIREMENTS)],
    ):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise build.NotAvailable(f"the peers cannot be installed: {done.stderr.strip()[-1000:]}")
    (folder / "complete").touch()
    return python


@contextlib.contextmanager
def opened(name: str, folder: Path, files: Files, *, install: bool = True) -> Iterator[Worker]:
    """An engine on an empty folder. Raises NotAvailable with the reason when it cannot be started.

    Without `install`, peers that were not installed before are not available.
    """
    assert name in ENGINES
    if name != VEXFS_CORE:
        python_of_peers(install=install)
    folder.mkdir()
    folder.chmod(0o755)  # a database server started by root changes its user
    try:
        worker = Worker(name, folder, files)
    except (RuntimeError, OSError) as error:
        raise build.NotAvailable(str(error)) from error
    try:
        yield worker
    finally:
        worker.close()


def _filter(condition: Condition | None) -> dict[str, Any]:
    """What the worker is told of a condition."""
    return {} if condition is None else {"condition": condition.name, "values": condition.count}
