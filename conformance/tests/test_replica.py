"""A replica of the API, asked alone: every case over gRPC, through a process that answers a part and forwards the rest.

On the port of a server with several API processes the kernel chooses who takes a connection, so a run against it shows that
somebody answers right. Here a further replica listens on a port of its own, and everything goes to it.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from vexfs import runtime

from vexfs_conformance import suites
from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.outcomes import Endpoint
from vexfs_conformance.results import Verdict
from vexfs_conformance.server import OwnServer, Target, look
from vexfs_conformance.session import Choice, Session

NAME = "api-replica-2"
START_S = 60.0
READS = ("StatFile", "ReadFile", "ListFiles", "GetPoints", "QueryPoints", "ListCollections")
WRITES = ("PutContent", "UpsertPoints", "CreateCollection", "Search")


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """The data folder of a server of two API processes."""
    server = OwnServer(["/usr/bin/env", "VEXFS_API_PROCESSES=2", str(Path(sys.executable).with_name("vexfs"))])
    yield server.folder / "data"
    server.close()


@pytest.fixture(scope="module")
def replica(data: Path) -> Iterator[Target]:
    """A third one, alone on a port."""
    arguments = ["--data", str(data), "--grpc-port", "0", "--processes", "3", "--replica", "2"]
    process = subprocess.Popen([sys.executable, "-m", "vexfs.api", *arguments])
    try:
        end = time.monotonic() + START_S
        while (ready := runtime.read_ready(data, NAME)) is None:
            assert process.poll() is None and time.monotonic() < end, "the replica did not start"
            time.sleep(0.05)
        first = runtime.read_ready(data, "api")
        assert first is not None
        assert ready["grpc"] != first["grpc"]
        yield look(Endpoint(address=str(ready["grpc"]), token=(data / "token").read_text().strip()))
    finally:
        process.terminate()
        assert process.wait(30) == 0


def answered(data: Path) -> dict[str, float]:
    """How many calls the replica has answered itself, by method, as its own metrics say."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(runtime.socket_path(data, NAME)))
        with connection.makefile() as file:
            families = json.load(file)
    counted: dict[str, float] = {}
    for name, labels, value in (sample for family in families for sample in family["samples"]):
        if name == "vexfs_operations_total":
            counted[labels["operation"]] = counted.get(labels["operation"], 0.0) + value
    return counted


def test_every_case_passes_at_a_replica(data: Path, replica: Target) -> None:
    results = Session(replica, suites.load(None), Choice()).run([RawGrpc()])
    bad = [(result.case, result.step, result.differences) for result in results if result.bad]
    assert not bad, bad
    assert sum(result.verdict is Verdict.PASS for result in results) > 300
    itself = answered(data)
    assert all(itself[method] > 0 for method in READS), itself
    assert not any(method in itself for method in WRITES), itself
