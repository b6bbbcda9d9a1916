"""`python -m bench.clients.load PROTOCOL OPERATION ADDRESS`: closed loops against a server, one connection a client.

Each of --clients sends its next request when the last is answered, until --operations are done together or --seconds are over.
Prints one JSON object: operations, seconds, p50_ms, p99_ms, max_ms. The token comes from VEXFS_TOKEN. A failed request ends the
program with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator

import uvloop

from bench.clients.connections import ConnectConnection, Connection, GrpcConnection, RestConnection

PROTOCOLS: dict[str, Callable[[str, str, str], Connection]] = {
    "grpc": GrpcConnection,
    "rest": RestConnection,
    "connect": ConnectConnection,
}
OPERATIONS = ("put", "get", "stat", "echo")
WARM_UP, WARM_UP_FILES = 5, 9_000_000


async def load(arguments: argparse.Namespace) -> dict[str, float]:
    make, token = PROTOCOLS[arguments.protocol], os.environ.get("VEXFS_TOKEN", "")
    connections = [make(arguments.address, token, arguments.folder) for _ in range(arguments.clients)]
    try:
        await asyncio.gather(*(_warm_up(connection, number, arguments) for number, connection in enumerate(connections)))
        indexes = (arguments.first + n % (arguments.cycle or n + 1) for n in range(arguments.operations))
        latencies_s: list[float] = []
        if arguments.gate:
            _wait_at_the_gate()
        began = time.perf_counter()
        deadline = began + arguments.seconds if arguments.seconds else float("inf")
        await asyncio.gather(*(_client(c, arguments.operation, indexes, deadline, latencies_s) for c in connections))
        seconds = time.perf_counter() - began
    finally:
        await asyncio.gather(*(connection.close() for connection in connections))
    return _summary(latencies_s, seconds)


async def _warm_up(connection: Connection, client: int, arguments: argparse.Namespace) -> None:
    """A few operations that do not count; new files of its own when it writes."""
    first = WARM_UP_FILES + client * WARM_UP if arguments.operation == "put" else arguments.first
    indexes = iter(range(first, first + min(WARM_UP, max(1, arguments.operations // arguments.clients))))
    await _client(connection, arguments.operation, indexes, float("inf"), [])


def _wait_at_the_gate() -> None:
    """Says that all is ready, and begins when the other side sends a line."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


async def _client(
    connection: Connection, operation: str, indexes: Iterator[int], deadline: float, latencies_s: list[float]
) -> None:
    call = getattr(connection, operation)
    for index in indexes:
        began = time.perf_counter()
        if began >= deadline:
            return
        await call(index)
        latencies_s.append(time.perf_counter() - began)


def _summary(latencies_s: list[float], seconds: float) -> dict[str, float]:
    ordered = sorted(latencies_s)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    return {"operations": len(ordered), "seconds": seconds, "p50_ms": p50, "p99_ms": p99, "max_ms": ordered[-1] * 1000}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.clients.load")
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument("address")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--operations", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=0.0, help="end earlier after this time")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--cycle", type=int, default=0, help="work on this many files over and over")
    parser.add_argument("--folder", default="/bench")
    parser.add_argument("--gate", action="store_true", help='print "ready", then wait for a line on standard input')
    return parser.parse_args()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(load(_parse()))) + "\n")
