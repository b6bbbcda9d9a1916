"""TLS and mutual TLS against a real server with certificates."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs_client import AsyncClient, Client, UnavailableError

from .server import Server


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Server]:
    """A server that wants to see a certificate."""
    options = ("--tls-cert", str(certificates / "server.pem"), "--tls-key", str(certificates / "server.key"))
    running = Server(tmp_path_factory.mktemp("tls"), *options, "--tls-client-ca", str(certificates / "authority.pem"))
    try:
        yield running.start()
    finally:
        running.stop()


def test_who_trusts_the_server_and_shows_a_certificate_gets_through(
    strict_server: Server, certificates: Path, transport: str
) -> None:
    reach = {**strict_server.reach(transport), "token": strict_server.token}
    trust = {"tls_ca": certificates / "authority.pem"}
    show = {"tls_client_cert": certificates / "client.pem", "tls_client_key": certificates / "client.key"}
    with Client(**reach, timeout=60, **trust, **show) as client:
        client.files.write("/a", b"x")
        assert client.files.read("/a") == b"x"

    async def read() -> bytes:
        async with AsyncClient(**reach, timeout=60, **trust, **show) as client:
            return await client.files.read("/a")

    assert asyncio.run(read()) == b"x"
    for incomplete in (trust, show, {}, {"tls": True}):
        with (
            Client(**reach, max_attempts=1, **incomplete) as stranger,  # type: ignore[arg-type]
            pytest.raises(UnavailableError),
        ):
            stranger.files.read("/a")
