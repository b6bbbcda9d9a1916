"""A command on a terminal, as a person starts it: what it shows there, escapes and all."""

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

from .running import settings_removed, wait_until


class OnTerminal:
    """`vexfs …` with a terminal for standard input, output and error. `shown` is what has appeared so far."""

    def __init__(self, *arguments: str, data: Path, **variables: str) -> None:
        environment = settings_removed() | {"VEXFS_DATA": str(data), "TERM": "xterm", "COLUMNS": "200"} | variables
        self._ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "vexfs.cli.main", *arguments]
        # A shell that starts these tests in the background has them ignore SIGINT; what a person starts does not.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        finally:
            signal.signal(signal.SIGINT, before)
            os.close(theirs)
        self._shown = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._ours, 65536):
                self._shown += piece
        except OSError:  # a terminal that everybody has left
            return

    @property
    def shown(self) -> str:
        return self._shown.decode("utf-8", "replace").replace("\r\n", "\n")

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Until that has appeared."""
        wait_until(lambda: text in self.shown or self.process.poll() is not None, seconds, f"{text!r} on the terminal")
        assert text in self.shown, self.shown

    def end(self, seconds: float = 60.0) -> int:
        """Wait for the end of the command; its exit status."""
        status = self.process.wait(seconds)
        self._reader.join(10)
        return status

    def close(self) -> None:
        """End whatever is left, at the end of a test."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(10)
        os.close(self._ours)
