"""Servers the tests of the API share: one with the tests' own contract, one with the real one."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.contract.v1.common_pb2 import FileRef

sys.path.insert(0, str(Path(__file__).parent))

from running import Client, Server, running

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the tests' own contract."""
    import echo_server

    echo_server.load_contract()
    with running(tmp_path_factory.mktemp("echo"), [str(HERE / "echo_server.py")]) as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the contract. The tests share it: each works below a directory of its own."""
    with running(tmp_path_factory.mktemp("served"), ["-m", "vexfs.api"]) as started:
        yield started


@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[Client]:
    """A gRPC client of that server."""
    client = Client(server)
    yield client
    client.close()


@pytest.fixture
def home(api: Client, request: pytest.FixtureRequest) -> str:
    """The path of a directory for this test alone."""
    path = "/" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:200]
    api.make_directory(directory=FileRef(path=path))
    return path
