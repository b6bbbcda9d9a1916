"""API writes and reads over gRPC, REST and Connect, 1 and 16 clients, beside a server that only echoes: how near the limit?"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.runner import client, machine, processes
from bench.runner.echo import echo_server
from bench.runner.mounted import settle
from bench.runner.record import Benchmark, Key, Options, Ratio, Record
from bench.runner.systems import VEXFS, Server, VexfsServe

ABOUT = """
Small requests against `vexfs serve` with its defaults, over gRPC, REST and Connect (binary): put writes a new file of
1 KiB of text and is answered when it is durable, get reads it back (and checks it), stat looks at it. Beside it, in the
same rounds, a server on the same stack that does nothing but send the 1 KiB back: the limit for any server of this kind
with this client. The client is one Python process on asyncio; each of its clients has a connection of its own and sends
its next request when the last one is answered. Client and server share all cores; the indexer embeds what was put while
the puts go on, and has finished before the reads begin.
"""

ECHO = "echo"
PROTOCOLS = {"grpc": "gRPC", "rest": "REST", "connect": "Connect"}
CLIENTS = (1, 16)
OPERATIONS = ("put", "get", "stat")
RATE, P50, P99 = "ops/s", "p50 ms", "p99 ms"
VIEWS_TIMEOUT_S = 600.0


def run(options: Options, record: Record) -> None:
    rounds, count = options.rounds_or(5), options.size(400, 100, 3)
    system = VexfsServe(mount=False)
    record.configuration |= {"rounds": rounds, "content_bytes": 1024}
    record.configuration["operations"] = f"{count} with 1 client, {4 * count} with 16"
    record.configuration[VEXFS] = system.configuration
    for round_number in range(rounds):
        with system.start(processes.FREE) as server, echo_server() as echo:
            settle(server, record, options, VEXFS)
            for protocol in PROTOCOLS:
                for clients in CLIENTS:
                    sys.stderr.write(f"round {round_number + 1}/{rounds}, {protocol}, {clients} clients\n")
                    _one(Round(record, round_number, protocol, clients, count), server, echo)
    record.ratios += [
        Ratio(f"{_workload(operation, protocol, clients)}: {VEXFS} / {ECHO}", *_keys(operation, protocol, clients))
        for protocol in PROTOCOLS
        for clients in CLIENTS
        for operation in OPERATIONS
    ]


class Round:
    """One protocol with one number of clients in one round."""

    def __init__(self, record: Record, number: int, protocol: str, clients: int, count: int) -> None:
        self.record, self.number, self.protocol, self.clients = record, number, protocol, clients
        self.count = count if clients == 1 else 4 * count
        self.folder = f"/bench-{protocol}-{clients}"

    def add(self, operation: str, system: str, result: dict[str, Any]) -> None:
        workload = _workload(operation, self.protocol, self.clients)
        for unit, value in (
            (RATE, result["operations"] / result["seconds"]),
            (P50, result["p50_ms"]),
            (P99, result["p99_ms"]),
        ):
            self.record.add(Key(workload, system, "", unit), self.number, value)


def _one(current: Round, server: Server, echo: dict[str, str]) -> None:
    surface = "grpc" if current.protocol == "grpc" else "rest"  # REST and Connect share a port
    current.add(ECHO, ECHO, load(current, ECHO, echo[surface], ""))
    with client.connected(server) as connection:
        connection.make_directory(current.folder)
        for operation in OPERATIONS:
            address = server.grpc if surface == "grpc" else server.rest
            current.add(operation, VEXFS, load(current, operation, address, server.token))
            if operation == "put":
                connection.wait_for_views(VIEWS_TIMEOUT_S)


def load(current: Round, operation: str, address: str, token: str) -> dict[str, Any]:
    """Runs the load generator as a process of its own."""
    command = [sys.executable, "-m", "bench.clients.load", current.protocol, operation, address]
    command += ["--clients", str(current.clients), "--operations", str(current.count), "--folder", current.folder]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, cwd=machine.ROOT, env=processes.environment(VEXFS_TOKEN=token)
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _workload(operation: str, protocol: str, clients: int) -> str:
    name = {"put": "put 1 KiB", "get": "get 1 KiB", ECHO: "echo 1 KiB"}.get(operation, operation)
    return f"{name}, {PROTOCOLS[protocol]}, {clients} client{'s' if clients > 1 else ''}"


def _keys(operation: str, protocol: str, clients: int) -> tuple[Key, Key]:
    above = Key(_workload(operation, protocol, clients), VEXFS, "", RATE)
    return above, Key(_workload(ECHO, protocol, clients), ECHO, "", RATE)


BENCHMARK = Benchmark("api", "The API", ABOUT, run)
