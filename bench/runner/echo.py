"""The server that does nothing, started: what does a call cost by itself?

Used by `bench api` as the limit of its kind, and by `bench.runner.stages`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

from bench.clients.echo import METHOD
from bench.runner import grpcload, machine, processes


@contextlib.contextmanager
def echo_server() -> Iterator[dict[str, str]]:
    """The echo server's addresses, by protocol."""
    process = subprocess.Popen([sys.executable, "-m", "bench.clients.echo"], stdout=subprocess.PIPE, cwd=machine.ROOT)
    try:
        assert process.stdout is not None
        addresses: dict[str, str] = json.loads(process.stdout.readline())
        yield addresses
    finally:
        processes.end(process)


def call_us(message_bytes: int, calls: int) -> float:
    """Microseconds of a gRPC call that brings so many bytes back, one after another, from the client in C.

    Raises NotAvailable without a C compiler.
    """
    with echo_server() as addresses:
        load = grpcload.run_at(addresses["grpc"], "", METHOD, [bytes(message_bytes)] * calls, 1)
    return load.seconds * 1e6 / load.operations
