"""Load over gRPC from a process of its own: `grpcload`, which is in C, or the same in Python. How fast does a server answer?"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.clients.answers import answers_of, write_requests
from bench.runner import build, machine, processes
from bench.runner.systems import Server


class Load(NamedTuple):
    """What came of it. `answers`: (place among the requests, message), in the order of their ends."""

    operations: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    client_cpu_seconds: float
    answers: list[tuple[int, bytes]]


def run(server: Server, method: str, requests: Sequence[bytes], clients: int, *, seconds: float = 0.0) -> Load:
    """Closed loops, one connection a client, until all requests are answered or the time is over.

    Raises RuntimeError when a call fails, NotAvailable without a C compiler.
    """
    return run_at(server.grpc, server.token, method, requests, clients, seconds=seconds)


def run_at(address: str, token: str, method: str, requests: Sequence[bytes], clients: int, *, seconds: float = 0.0) -> Load:
    """As `run`, of any server at `host:port`."""
    with tempfile.TemporaryDirectory(prefix="vexfs-bench-load-") as folder:
        kept = Path(folder) / "answers"
        load = _run([str(build.grpcload())], address, token, method, requests, clients, seconds, Path(folder), [str(kept)])
        return load._replace(answers=list(answers_of(kept)))


def run_python(server: Server, method: str, requests: Sequence[bytes], clients: int, *, seconds: float = 0.0) -> Load:
    """The same through gRPC's Python; `answers` stays empty."""
    with tempfile.TemporaryDirectory(prefix="vexfs-bench-load-") as folder:
        command = [sys.executable, "-m", "bench.clients.replay"]
        return _run(command, server.grpc, server.token, method, requests, clients, seconds, Path(folder), [])


def _run(
    client: list[str],
    address: str,
    token: str,
    method: str,
    requests: Sequence[bytes],
    clients: int,
    seconds: float,
    folder: Path,
    more: list[str],
) -> Load:
    write_requests(requests, folder / "requests")
    host, _, port = address.rpartition(":")
    command = [*client, host, port, method, str(folder / "requests"), str(clients), str(seconds), *more]
    environment = processes.environment(VEXFS_TOKEN=token)
    done = subprocess.run(command, cwd=machine.ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the load on {method} failed: {done.stderr.strip()[-500:]}")
    return Load(**json.loads(done.stdout), answers=[])
