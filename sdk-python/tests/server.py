"""A real `vexfs serve` for tests: on free ports and a temporary folder."""

import json
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0


def command() -> list[str]:
    """What starts the server: VEXFS_COMMAND, or the command of the repository's own environment."""
    return shlex.split(os.environ.get("VEXFS_COMMAND", "")) or [str(REPOSITORY / ".venv" / "bin" / "vexfs")]


class Server:
    """One `vexfs serve`. `reach` and `token` say how to reach it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.record: dict[str, Any] = {}

    def start(self, *, grpc_port: int = 0, rest_port: int = 0) -> "Server":
        """Start it and wait for the ready file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        arguments = ["serve", "--data", str(self.folder / "data"), "--ready-file", str(ready)]
        arguments += ["--rest-port", str(rest_port), "--grpc-port", str(grpc_port), *self._arguments]
        kept = ("VEXFS_CACHE_DIR", "VEXFS_MODEL_DIR", "VEXFS_OFFLINE")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VEXFS_") or name in kept}
        with (self.folder / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command(), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{(self.folder / 'serve.log').read_text()}")
            time.sleep(0.05)
        self.record = json.loads(ready.read_text())
        return self

    @property
    def address(self) -> str:
        return str(self.record["grpc"])

    def reach(self, transport: str) -> dict[str, Any]:
        """The settings of a client that speaks so."""
        if transport == "rest":
            return {"transport": "rest", "url": str(self.record["rest"])}
        return {"address": self.address}

    @property
    def ports(self) -> dict[str, int]:
        """The ports, to start it on the same again."""
        return {f"{name}_port": int(self.record[name].rpartition(":")[2]) for name in ("grpc", "rest")}

    @property
    def token(self) -> str:
        return Path(self.record["token_file"]).read_text().strip()

    def stop(self) -> None:
        """End it, for good if it does not end by itself."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
