"""What is tested: a server that the suite starts itself, or one that runs somewhere."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from vexfs_conformance import mounting
from vexfs_conformance.advice import refusal, told
from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.lanes.raw_rest import RawRest
from vexfs_conformance.outcomes import Answered, CallSpec, Endpoint, HarnessError, Json, Outcome

START_S = 120.0
DEFAULT_GRPC_PORT = 8083


@dataclass(frozen=True)
class Target:
    """A server to be tested: how to reach it, what it says of itself, which surfaces answer."""

    endpoint: Endpoint
    info: Json
    local: bool
    surfaces: tuple[str, ...]
    silent: tuple[str, ...] = ()
    """The surfaces that do not answer, each with what came instead."""

    @property
    def name(self) -> str:
        return self.endpoint.url or self.endpoint.address or ""


class OwnServer:
    """A `vexfs serve` on free ports and a temporary folder, mounted in there if asked, with a quota as `vexfs serve --quota`
    takes it. Raises HarnessError if it does not start.
    """

    def __init__(self, command: list[str] | None = None, *, mount: bool = False, quota: str | None = None) -> None:
        self._command = command or _command()
        self._quota = quota
        self.folder = Path(tempfile.mkdtemp(prefix="vexfs-conformance-"))
        self.mountpoint = self.folder / "mnt" if mount else None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        ready = self.folder / "ready.json"
        arguments = [
            "serve",
            "--data",
            str(self.folder / "data"),
            "--rest-port",
            "0",
            "--grpc-port",
            "0",
            "--ready-file",
            str(ready),
            *(["--mount", str(self.mountpoint)] if self.mountpoint else []),
            *(["--quota", self._quota] if self._quota else []),
        ]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VEXFS_") or key in _KEPT}
        with (self.folder / "serve.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, *arguments],
                stdout=log,
                stderr=log,
                env=environment,
                process_group=0,  # a Ctrl-C at the terminal reaches the suite only, which cleans up before it stops the server
            )
        end = time.monotonic() + START_S
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                raise HarnessError(f"the server did not start:\n{(self.folder / 'serve.log').read_text()[-3000:]}")
            time.sleep(0.05)
        self.record: dict[str, Any] = json.loads(ready.read_text())

    @property
    def endpoint(self) -> Endpoint:
        token = (self.folder / "data" / "token").read_text().strip()
        return Endpoint(address=self.record["grpc"], url=self.record["rest"], token=token)

    def close(self) -> None:
        """Stop it, unmount and remove its folder. May be called twice. Raises HarnessError if the mount does not come off."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self.mountpoint is not None and mounting.is_mounted(self.mountpoint):
            done = subprocess.run(
                [*self._command, "umount", "--lazy", str(self.mountpoint)], capture_output=True, text=True, check=False
            )
            if mounting.is_mounted(self.mountpoint):  # removing the folder would remove the files behind it
                raise HarnessError(f"{self.mountpoint} does not come off: {done.stderr.strip()}")
        shutil.rmtree(self.folder, ignore_errors=True)


_KEPT = ("VEXFS_CACHE_DIR", "VEXFS_MODEL_DIR", "VEXFS_OFFLINE")


def _command() -> list[str]:
    """`vexfs` beside this interpreter, or on PATH."""
    beside = Path(sys.executable).with_name("vexfs")
    found = str(beside) if beside.exists() else shutil.which("vexfs")
    if found is None:
        raise HarnessError("there is no command vexfs to start a server with; give --target a server that runs")
    return [found]


def endpoint_of(target: str, grpc_address: str | None, token: str | None, tls: dict[str, str]) -> Endpoint:
    """The endpoint of `--target`: an http(s) URL (gRPC is on port 8083 of the same host unless said otherwise)."""
    parts = _parts(target)
    if parts is None or not parts.hostname:
        raise ValueError(f"{target} is no address of REST: write http://HOST:PORT or https://HOST:PORT")
    for name, file in tls.items():
        if not Path(file).is_file():
            raise ValueError(f"--{name.replace('_', '-')}: there is no file {file}")
    if ("tls_client_cert" in tls) != ("tls_client_key" in tls):
        raise ValueError("--tls-client-cert and --tls-client-key belong together")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = grpc_address or f"{host}:{DEFAULT_GRPC_PORT}"
    secure = True if parts.scheme == "https" else None
    return Endpoint(address=address, url=target.rstrip("/"), token=token, tls=secure, **tls)  # type: ignore[arg-type]


def _parts(target: str) -> SplitResult | None:
    try:
        parts = urlsplit(target)
        return parts if parts.scheme in ("http", "https") and parts.port != 0 else None
    except ValueError:  # the port is no number
        return None


def look(endpoint: Endpoint) -> Target:
    """Ask the server what it is, over every surface. Raises HarnessError if none answers."""
    said: dict[str, Outcome] = {}
    for lane in (RawGrpc(), RawRest()):
        said[lane.name] = lane.call(CallSpec("GetServerInfo", [{}], endpoint, timeout_ms=30_000))
        lane.close()
    answers = {name: outcome for name, outcome in said.items() if isinstance(outcome, Answered)}
    if not answers:
        raise HarnessError(refusal(endpoint, said))
    info = dict(next(iter(answers.values())).messages[0])
    silent = tuple(f"{name}: {told(outcome)}" for name, outcome in said.items() if name not in answers)
    hosts = {urlsplit(endpoint.url or "").hostname, (endpoint.address or "").rpartition(":")[0].strip("[]")}
    return Target(endpoint, info, hosts <= {"127.0.0.1", "localhost", "::1", None, ""}, tuple(answers), silent)
