"""Two writers on one volume: what does the API wait while the mount writes at full speed, and what does the mount lose?"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.runner import client, machine, processes
from bench.runner.mounted import fsops_command, fsops_result, settle
from bench.runner.record import Benchmark, Key, Options, Ratio, Record, Target
from bench.runner.systems import VEXFS, Server, VexfsServe

ABOUT = """
`vexfs serve --mount` with its defaults, all cores free. One client in C creates files of 4 KiB on the mount as fast as it
can; one client over gRPC puts files of 1 KiB, each answered when it is durable, or gets such files. Each works alone, then
both together, in an order that changes with the round; a fresh server each round, quiet before each part.
"""

MOUNT, PUT, GET = "mount: create+4 KiB", "API: put 1 KiB", "API: get 1 KiB"
ALONE, WITH_API, WITH_MOUNT = "alone", "with API puts", "with the mount writing"
RATE, P50, P99, MAX = "ops/s", "p50 ms", "p99 ms", "max ms"
FILES_READ = 200
# The mount's writer begins before and ends after the API's client.
HEAD_START_S, TAIL_S = 0.3, 0.2
MANY = 10_000_000
LARGEST_P99_MS, SMALLEST_KEPT_RATE = 50.0, 0.5


@dataclass(frozen=True)
class Case:
    """Who works at the same time: an API operation ("" for none) and perhaps the mount; in folders of their own."""

    operation: str
    with_mount: bool

    @property
    def folder(self) -> str:
        return f"/{self.operation or 'none'}-{'mount' if self.with_mount else 'alone'}"


CASES = (Case("", True), Case("put", False), Case("put", True), Case("get", False), Case("get", True))


def run(options: Options, record: Record) -> None:
    rounds, seconds = options.rounds_or(5), options.size(5, 2, 1)
    system = VexfsServe()
    record.configuration |= {"rounds": rounds, "seconds_each": seconds, VEXFS: system.configuration}
    for number in range(rounds):
        with system.start(processes.FREE) as server:
            for case in CASES[number % len(CASES) :] + CASES[: number % len(CASES)]:
                sys.stderr.write(f"round {number + 1}/{rounds}: {case}\n")
                _prepare(server, case)
                settle(server, record, options, VEXFS)
                _measure(server, case, seconds, number, record)
    alone, beside = Key(MOUNT, ALONE, "", RATE), Key(MOUNT, WITH_API, "", RATE)
    kept = Ratio(f"{MOUNT}: {WITH_API} / {ALONE}", beside, alone)
    record.ratios.append(kept)
    record.targets += [
        Target(Key(PUT, WITH_MOUNT, "", P99), "median", "<=", LARGEST_P99_MS),
        Target(kept, "median", ">=", SMALLEST_KEPT_RATE),
    ]


def _measure(server: Server, case: Case, seconds: int, number: int, record: Record) -> None:
    if not case.operation:
        with _mount_writer(server, case, float(seconds)) as alone:
            record.add(Key(MOUNT, ALONE, "", RATE), number, _rate(alone))
        return
    with _api_client(server, case, seconds) as api, contextlib.ExitStack() as stack:
        writer = stack.enter_context(_mount_writer(server, case, seconds + HEAD_START_S + TAIL_S)) if case.with_mount else None
        time.sleep(HEAD_START_S)
        result = json.loads(api.communicate(b"go\n")[0].splitlines()[-1])
        _keep_api(record, number, PUT if case.operation == "put" else GET, WITH_MOUNT if case.with_mount else ALONE, result)
        if writer is not None and case.operation == "put":
            record.add(Key(MOUNT, WITH_API, "", RATE), number, _rate(writer))


def _prepare(server: Server, case: Case) -> None:
    with client.connected(server) as connection:
        connection.make_directory(case.folder)
    if case.operation == "get":
        command = [*_load_command(server, case, "put"), "--operations", str(FILES_READ)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **_where(server))


def _keep_api(record: Record, number: int, workload: str, system: str, result: dict[str, Any]) -> None:
    record.add(Key(workload, system, "", RATE), number, result["operations"] / result["seconds"])
    for unit, name in ((P50, "p50_ms"), (P99, "p99_ms"), (MAX, "max_ms")):
        record.add(Key(workload, system, "", unit), number, result[name])


def _load_command(server: Server, case: Case, operation: str) -> list[str]:
    return [sys.executable, "-m", "bench.clients.load", "grpc", operation, server.grpc, "--folder", case.folder]


def _where(server: Server) -> dict[str, Any]:
    return {"cwd": machine.ROOT, "env": processes.environment(VEXFS_TOKEN=server.token)}


@contextlib.contextmanager
def _api_client(server: Server, case: Case, seconds: int) -> Iterator[subprocess.Popen[bytes]]:
    """A load generator that is connected and waits for a line on its standard input."""
    command = [*_load_command(server, case, case.operation), "--gate", "--seconds", str(seconds)]
    command += ["--operations", str(MANY), *(["--cycle", str(FILES_READ)] if case.operation == "get" else [])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **_where(server))
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the API's load generator did not become ready")
        yield process
    finally:
        processes.end(process)


@contextlib.contextmanager
def _mount_writer(server: Server, case: Case, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    directory = server.directory / case.folder[1:]
    process = subprocess.Popen(fsops_command("create_4k", directory, MANY, seconds), stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        processes.end(process)


def _rate(writer: subprocess.Popen[bytes]) -> float:
    output = writer.communicate()[0]
    if writer.returncode:
        raise RuntimeError("the mount's writer failed")
    operations, seconds = fsops_result(output)
    return operations / seconds


BENCHMARK = Benchmark("fairness", "Two writers", ABOUT, run)
