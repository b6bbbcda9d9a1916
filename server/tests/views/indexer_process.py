"""What the tests of the indexer share: writing into a volume, and running the real process on it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vexfs import runtime
from vexfs.core import content, files
from vexfs.core.errors import ViewUnavailable
from vexfs.core.types import ROOT_INO, Ino
from vexfs.store.volume import Volume
from vexfs.views import derived
from vexfs.views.derived import DerivedReader
from vexfs.views.lexical import LexicalReader


def eventually(condition: Callable[[], object], timeout_s: float = 30.0, what: str = "") -> None:
    """Waits until the condition holds; fails with `what` when it never does. A view that is missing counts as no."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if condition():
                return
        except ViewUnavailable:
            pass
        if time.monotonic() > deadline:
            pytest.fail(f"never came true within {timeout_s} s: {what or condition}")
        time.sleep(0.005)


class Tree:
    """Writes files into a volume, as another process does while the indexer runs."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume

    def directory(self, name: str, parent: int = ROOT_INO) -> Ino:
        made = self._do(lambda txn: files.make_directory(txn, Ino(parent), name.encode(), mode=0o755, uid=0, gid=0))
        return Ino(made.ino)

    def put(self, name: str, data: bytes | str, parent: int = ROOT_INO) -> Ino:
        """Creates the file, or gives it another content."""
        data = data.encode() if isinstance(data, str) else data
        prepared = content.prepare(self.volume.blobs, [(0, data)])

        def write(txn):
            found = [e for e in files.list_directory(txn, Ino(parent)) if e.name == name.encode()]
            node = found[0].node if found else files.create(txn, Ino(parent), name.encode(), mode=0o644, uid=0, gid=0)
            content.replace(txn, node.ino, prepared)
            return node.ino

        return Ino(self._do(write))

    def move(self, name: str, new_name: str, parent: int = ROOT_INO, new_parent: int = ROOT_INO) -> None:
        self._do(lambda txn: files.rename(txn, Ino(parent), name.encode(), Ino(new_parent), new_name.encode()))

    def remove(self, name: str, parent: int = ROOT_INO) -> None:
        self._do(lambda txn: files.remove(txn, Ino(parent), name.encode()))

    def run(self, function):
        return self._do(function)

    def _do(self, function):
        return self.volume.queue.submit("test", function).result().value


class RunningIndexer:
    """The indexer process of one data folder, started, stopped and asked how far it is."""

    def __init__(self, data: Path) -> None:
        self.data = runtime.DataFolder(data)
        self.folder = derived.derived_folder(self.data.volume)
        self.derived = DerivedReader(self.folder)
        self.lexical = LexicalReader(self.folder / derived.LEXICAL_FOLDER)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        command = [sys.executable, "-m", "vexfs.views.indexer", "--data", str(self.data.path)]
        self.process = subprocess.Popen(command, env={**os.environ, **environment})
        pid = self.process.pid
        eventually(lambda: (runtime.read_ready(self.data.path, "indexer") or {}).get("pid") == pid, what="the indexer is ready")

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Ends the process; how many seconds that took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        if number == signal.SIGTERM:
            assert code == 0
        return time.monotonic() - started

    def wait(self, volume: Volume, view: str = derived.VIEW_LEXICAL, timeout_s: float = 60.0) -> None:
        """Until the view has everything the volume has now."""
        head = volume.head()
        eventually(lambda: self.derived.positions().get(view, 0) >= head, timeout_s, f"{view} at {head}")

    def found(self, words: str) -> list[int]:
        """The files that have these words, best first."""
        return list(dict.fromkeys(hit.ino for hit in self.lexical.search(words, 50)))

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.derived.close()
