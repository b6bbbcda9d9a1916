"""A server with certificates: commands that trust it and show theirs get through, others do not."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from vexfs.cli import exits

from .running import Server, vexfs, vexfs_outcome

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


def issue(folder: Path, name: str, *signed_by: str) -> None:
    """A key and a certificate for 127.0.0.1, self-signed or signed by another."""
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", *signed_by]
    if signed_by:
        command += ["-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    folder = tmp_path / "certificates"
    folder.mkdir()
    issue(folder, "authority")
    for name in ("server", "client"):
        issue(folder, name, "-CA", "authority.pem", "-CAkey", "authority.key")
    return folder


@pytest.mark.parametrize("processes", ["1", "3"])
def test_only_who_trusts_the_server_and_shows_a_certificate_gets_through(
    make_server: Callable[..., Server], certificates: Path, processes: str
) -> None:
    authority = str(certificates / "authority.pem")
    options = ("--tls-cert", str(certificates / "server.pem"), "--tls-key", str(certificates / "server.key"))
    running = make_server(arguments=(*options, "--tls-client-ca", authority, "--api-processes", processes)).start()
    assert running.record["rest"].startswith("https://127.0.0.1:")
    assert running.vexfs("put", "-", "/a.md", stdin=b"a") == ""  # the local socket needs no certificate
    trust = {"VEXFS_TOKEN": running.token(), "VEXFS_TLS_CA": authority}
    show = {
        "VEXFS_TLS_CLIENT_CERT": str(certificates / "client.pem"),
        "VEXFS_TLS_CLIENT_KEY": str(certificates / "client.key"),
    }
    for where in ({"VEXFS_URL": running.record["rest"]}, {"VEXFS_ADDRESS": "https://" + running.record["grpc"]}):
        assert vexfs("cat", "/a.md", **where, **trust, **show) == "a"
        assert vexfs_outcome("cat", "/a.md", **where, **trust).returncode == exits.UNREACHABLE
        assert vexfs_outcome("cat", "/a.md", **where, VEXFS_TOKEN=running.token(), **show).returncode == exits.UNREACHABLE
