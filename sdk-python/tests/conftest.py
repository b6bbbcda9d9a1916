"""What the tests share: one server for all that need no own, clients of it, and a directory for each test."""

import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from vexfs_client import AsyncClient, Client

from .faulty import FaultyServer, Peer
from .faulty_http import FaultyHttpServer
from .server import Server


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set where the tests run is not meant for them."""
    for name in [name for name in os.environ if name.startswith("VEXFS_") and name != "VEXFS_COMMAND"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(params=["grpc", "rest"])
def transport(request: pytest.FixtureRequest) -> str:
    """Each way to speak; what uses a client is tested over both."""
    return str(request.param)


@pytest.fixture(params=[FaultyServer, FaultyHttpServer], ids=["grpc", "rest"])
def peer(request: pytest.FixtureRequest) -> Peer:
    """A server that answers as a script says, of either transport."""
    made: Peer = request.param
    return made


@pytest.fixture
def client(server: Server, transport: str) -> Iterator[Client]:
    with Client(**server.reach(transport), token=server.token, timeout=120) as made:
        yield made


@pytest.fixture
async def async_client(server: Server, transport: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(**server.reach(transport), token=server.token, timeout=120) as made:
        yield made


@pytest.fixture
def folder(client: Client) -> str:
    """A directory of the test's own."""
    return client.files.make_directory(f"/{uuid.uuid4().hex}").path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority, and a server's and a client's certificate that it signed."""
    made = tmp_path_factory.mktemp("certificates")
    _issue(made, "authority")
    for name in ("server", "client"):
        _issue(made, name, "-CA", "authority.pem", "-CAkey", "authority.key")
    return made


def _issue(folder: Path, name: str, *signed_by: str) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", *signed_by]
    if signed_by:
        command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
