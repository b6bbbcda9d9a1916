"""Which server does a command talk to, and with what token?

In this order: what the command line says (--address, --url), the variables VEXFS_ADDRESS and VEXFS_URL, the server that runs
on the local data folder (over its Unix socket). The token is VEXFS_TOKEN, else the local data folder's; the latter is sent to
this machine only.
"""

import contextlib
import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from vexfs import runtime
from vexfs.cli.client import Client
from vexfs.cli.options import Target
from vexfs.core.errors import InvalidRequest, Unavailable
from vexfs.security import token as token_files


@contextlib.contextmanager
def connected(target: Target) -> Iterator[Client]:
    """A client of the target server, closed at the end. Raises Unavailable when no server is known."""
    client = _connect(target)
    try:
        yield client
    finally:
        client.close()


def _connect(target: Target) -> Client:
    if target.address:
        return _grpc(target, target.address)
    if target.url:
        return _rest(target, target.url)
    if runtime.read_server(target.data) is None:
        raise Unavailable(
            f"no server runs on the data folder {target.data.absolute()}; start one with `vexfs serve --data {target.data}`, "
            "name another folder with --data, or say where the server is with VEXFS_ADDRESS or VEXFS_URL"
        )
    from vexfs.cli.grpc_client import GrpcClient

    return GrpcClient(
        f"unix:{runtime.socket_path(target.data, 'api')}", _token(target, "localhost"), timeout_s=target.timeout_s
    )


def _grpc(target: Target, address: str) -> Client:
    from vexfs.cli.grpc_client import GrpcClient, tls_credentials

    scheme, _, rest = address.rpartition("://")
    if scheme not in ("", "http", "https"):
        raise InvalidRequest(f"VEXFS_ADDRESS is host:port (https://host:port with TLS), not {address}")
    host = urlsplit(f"//{rest}").hostname or ""
    secure = scheme == "https" or target.tls_ca is not None
    tls = tls_credentials(target.tls_ca, target.tls_client_cert, target.tls_client_key) if secure else None
    return GrpcClient(rest, _token(target, host), timeout_s=target.timeout_s, tls=tls)


def _rest(target: Target, url: str) -> Client:
    from vexfs.cli.rest_client import RestClient

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest(f"VEXFS_URL is http://host:port or https://host:port, not {url}")
    return RestClient(url, _token(target, parts.hostname), target)


def _token(target: Target, host: str) -> str | None:
    given = os.environ.get("VEXFS_TOKEN")
    if given:
        return given
    if not _is_this_machine(host):
        return None
    record = runtime.read_server(target.data)
    file = Path(record["token_file"]) if record else runtime.DataFolder(target.data).token_file
    try:
        return token_files.read(file)
    except FileNotFoundError:
        return None


def _is_this_machine(host: str) -> bool:
    """Whether a host names the loopback interface: the only place a token file's content is sent to unasked."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
