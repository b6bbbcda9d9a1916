"""The life of the API process: start, readiness, stop, TLS, wrong arguments."""

import contextlib
import json
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families
from running import Server, running, start

from vexfs import runtime

ECHO_SERVER = [str(Path(__file__).parent / "echo_server.py")]


def test_it_stops_cleanly_while_calls_and_streams_run(tmp_path: Path) -> None:
    server = start(tmp_path, ECHO_SERVER)
    threads = [threading.Thread(target=_hang, args=(server, path)) for path in ("/test/sleep?seconds=60",) * 4]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 20
    while _running(server) < len(threads):
        assert time.monotonic() < end, "the calls have not arrived"
        time.sleep(0.02)
    server.stop(signal.SIGTERM)  # which fails when the calls are waited for
    assert server.process.returncode == 0
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert "stopped" in server.log.read_text()
    assert not runtime.socket_path(tmp_path, "api").exists()


def _running(server: Server) -> float:
    """How many calls over REST are under way."""
    families = text_string_to_metric_families(server.http("GET", "/metrics").body.decode())
    samples = (sample for family in families for sample in family.samples)
    return sum(s.value for s in samples if s.name == "vexfs_operations_running" and s.labels["surface"] == "rest")


def _hang(server: Server, path: str) -> None:
    with contextlib.suppress(OSError):
        server.http("GET", path)


def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, ECHO_SERVER) as server:
        first = server.http("POST", "/test/directories", {"name": "kept", "requestId": "one"}).json
        server.process.kill()
    with running(tmp_path, ECHO_SERVER) as server:
        assert server.http("POST", "/test/directories", {"name": "kept"}).reason == "FILE_EXISTS"
        assert server.http("POST", "/test/directories", {"name": "kept", "requestId": "one"}).json == first


def test_the_token_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    with running(tmp_path, ECHO_SERVER) as server:
        token = server.token
        assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
        assert token not in server.log.read_text()
    with running(tmp_path, ECHO_SERVER) as server:
        assert server.token == token


def test_another_token_file_counts_when_it_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("an-own-token-of-this-test\n")
    other.chmod(0o600)
    with running(tmp_path / "data", ECHO_SERVER, "--token-file", str(other)) as server:
        assert server.http("GET", "/test/echo/a", token="an-own-token-of-this-test").status == 200
        assert not (tmp_path / "data" / "token").exists()


def test_a_taken_port_ends_the_start_with_a_sentence(echo: Server, tmp_path: Path) -> None:
    for option, address in (("--rest-port", echo.rest_address), ("--grpc-port", echo.grpc_address)):
        other = "--grpc-port" if option == "--rest-port" else "--rest-port"
        port = address.rpartition(":")[2]
        command = [sys.executable, *ECHO_SERVER, "--data", str(tmp_path / option), option, port, other, "0"]
        ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert ended.returncode != 0
        assert b"listen" in ended.stderr or b"in use" in ended.stderr


@pytest.mark.parametrize("variable", ["VEXFS_RESULT_CACHE_MIB", "VEXFS_REQUEST_MEMORY_MIB"])
def test_a_setting_that_makes_no_sense_ends_the_start_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "lots")
    command = [sys.executable, "-m", "vexfs.api", "--data", str(tmp_path), "--rest-port", "0", "--grpc-port", "0"]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert f"{variable} is 'lots'; give a".encode() in ended.stderr


def test_tls_needs_both_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vexfs.api", "--data", str(tmp_path), "--tls-cert", "x.pem"]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert b"--tls-key" in ended.stderr


def make_certificate(folder: Path, name: str, issuer: str | None = None) -> None:
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    if issuer:
        command += ["-CA", str(folder / f"{issuer}.pem"), "-CAkey", str(folder / f"{issuer}.key")]
        command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, check=True, capture_output=True)


def test_tls_serves_both_ports_and_mutual_tls_asks_for_the_callers_certificate(tmp_path: Path) -> None:
    for name, issuer in (("authority", None), ("server", "authority"), ("caller", "authority")):
        make_certificate(tmp_path, name, issuer)
    options = [
        "--tls-cert",
        tmp_path / "server.pem",
        "--tls-key",
        tmp_path / "server.key",
        "--tls-client-ca",
        tmp_path / "authority.pem",
    ]
    with running(tmp_path / "data", ECHO_SERVER, *map(str, options)) as server:
        assert server.rest_url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
        with pytest.raises(OSError):
            urllib.request.urlopen(f"{server.rest_url}/healthz", context=trusting, timeout=20).read()
        trusting.load_cert_chain(tmp_path / "caller.pem", tmp_path / "caller.key")
        with urllib.request.urlopen(f"{server.rest_url}/healthz", context=trusting, timeout=20) as answer:
            assert json.load(answer) == {"status": "SERVING"}
        authority, key, certificate = ((tmp_path / name).read_bytes() for name in ("authority.pem", "caller.key", "caller.pem"))
        for credentials, works in (
            (grpc.ssl_channel_credentials(authority, key, certificate), True),
            (grpc.ssl_channel_credentials(authority), False),
        ):
            with grpc.secure_channel(server.grpc_address, credentials) as channel:
                call = channel.unary_unary("/vexfs.test.v1.EchoService/Echo")
                if works:
                    assert call(b"", metadata=server.metadata, timeout=20) is not None
                else:
                    with pytest.raises(grpc.RpcError):
                        call(b"", metadata=server.metadata, timeout=2)


def test_it_listens_on_loopback_only_unless_told_otherwise(echo: Server) -> None:
    assert echo.rest_address.startswith("127.0.0.1:")
    listening = _listening_addresses(echo.process.pid)
    assert listening
    assert listening <= {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def _listening_addresses(pid: int) -> set[str]:
    sockets = {
        str(link.readlink()).partition("[")[2].rstrip("]") for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_socket()
    }
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets}
