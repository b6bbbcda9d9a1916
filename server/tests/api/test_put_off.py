"""A build that is put off for want of memory: who asks how the server is learns of it, on every surface, until it goes on."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import Client, Server, start

from vexfs.contract.v1.collections_pb2 import CollectionSchema, VectorSpec
from vexfs.contract.v1.common_pb2 import FileRef, Vector
from vexfs.contract.v1.points_pb2 import PointInput

HERE = Path(__file__).parent
DIMENSION = 8
ROWS = 2_600
"""More than are searched exactly, so that the index wants a generation."""
BUILD_SECONDS = 240.0


class Machine:
    """The memory that the server is told of."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "proc").mkdir(parents=True)

    def has(self, mib: int) -> None:
        whole = self.root / "proc/meminfo.new"
        whole.write_text(f"MemAvailable: {mib * 1024} kB\n")
        whole.rename(self.root / "proc/meminfo")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "system")


@pytest.fixture
def narrow(tmp_path: Path, machine: Machine) -> Iterator[Server]:
    """A server with 20 MiB to build in."""
    machine.has(20)
    environment = {"VEXFS_TEST_SYSTEM": str(machine.root)}
    server = start(tmp_path / "data", [str(HERE / "narrow_server.py")], environment=environment)
    try:
        yield server
    finally:
        server.stop()


def fill(client: Client, path: str) -> None:
    """A collection with so many points that its index wants a generation."""
    collection = FileRef(path=path)
    schema = CollectionSchema(vectors=[VectorSpec(name="v", dimension=DIMENSION)])
    client.create_collection(collection=collection, schema=schema)
    rows = np.random.default_rng(7).normal(size=(ROWS, DIMENSION)).astype(np.float32)
    points = [PointInput(id=str(number), vectors={"v": Vector(values=row.tobytes())}) for number, row in enumerate(rows)]
    client.upsert_points(collection=collection, points=points)


def dense_view(client: Client) -> Any:
    return next(view for view in client.get_server_info().views if view.view == "dense")


def wait_until_told(client: Client, told: str, seconds: float) -> str:
    """What the view says of builds that were put off, once it has these words (or nothing, when they are empty)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        put_off: str = dense_view(client).put_off
        if told in put_off if told else not put_off:
            return put_off
        time.sleep(0.1)
    raise AssertionError(f"the view says {put_off!r}, not {told!r}, after {seconds} s")


def wait_for_generation(client: Client, path: str) -> None:
    """Return when what was put off has been built: queries are answered from it."""
    question = Vector(values=np.ones(DIMENSION, np.float32).tobytes())
    end = time.monotonic() + BUILD_SECONDS
    while not client.query_points(collection=FileRef(path=path), vector=question).generation:
        assert time.monotonic() < end, f"no generation of {path} after {BUILD_SECONDS} s"
        time.sleep(0.1)


def status(server: Server, *options: str) -> str:
    command = [sys.executable, "-m", "vexfs.cli.main", "status", "--address", server.grpc_address, *options]
    environment = {**os.environ, "VEXFS_TOKEN": server.token}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_build_that_is_put_off_is_told_until_it_goes_on(narrow: Server, machine: Machine) -> None:
    client = Client(narrow)
    try:
        fill(client, "/first")
        put_off = wait_until_told(client, "the index of v in /first: ", 30)
        assert "MiB of memory, and 20 MiB are available" in put_off and "more" not in put_off
        fill(client, "/second")
        put_off = wait_until_told(client, "(1 more index waits, too)", 30)

        assert put_off in status(narrow)
        views = {view["view"]: view["put_off"] for view in json.loads(status(narrow, "--json"))["views"]}
        assert views == {"text": "", "dense": put_off, "lexical": ""}
        shown = narrow.http("GET", "/v1/server").json["views"]
        assert {view["view"]: view.get("putOff") for view in shown} == {"text": "", "dense": put_off, "lexical": ""}
        asked = narrow.http("POST", "/vexfs.v1.ServerService/GetServerInfo", {}).json["views"]
        assert {view["view"]: view.get("putOff") for view in asked} == {"text": "", "dense": put_off, "lexical": ""}
        question = Vector(values=np.ones(DIMENSION, np.float32).tobytes())
        answer = client.query_points(collection=FileRef(path="/second"), vector=question)
        assert len(answer.hits) == 10 and not answer.partial and not answer.generation, "nothing is missing meanwhile"

        machine.has(8192)
        assert wait_until_told(client, "", BUILD_SECONDS) == ""
        assert "put off" not in status(narrow)
        wait_for_generation(client, "/first")
        wait_for_generation(client, "/second")
    finally:
        client.close()
