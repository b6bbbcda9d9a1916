"""A deployment can be accepted with its address and a token: the command of the installed suite, against servers elsewhere."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from installing import Installed

from vexfs_conformance import cli
from vexfs_conformance.outcomes import Endpoint
from vexfs_conformance.reports import jsonl
from vexfs_conformance.results import Verdict
from vexfs_conformance.server import OwnServer, Target, look
from vexfs_conformance.session import PREFIX, Control

SOME = ("--case", "ListFiles/*", "--case", "Content/*", "--case", "NotFound/*", "--case", "Filters/*", "--case", "Calls/*")
_SDK_PYTHON = Path(__file__).parents[2] / "sdk-python"


@dataclass(frozen=True)
class Deployment:
    """A server that somebody else has started, and what its people tell those who may use it."""

    target: Target
    tell: tuple[str, ...]
    """What the command needs beside the token."""

    @property
    def token(self) -> str:
        return self.target.endpoint.token or ""

    def ask(self, method: str, request: dict[str, object]) -> dict[str, object]:
        control = Control(self.target)
        try:
            return control.ask(method, request)
        finally:
            control.close()

    def left_behind(self) -> list[str]:
        """The directories of runs that lie on the server."""
        files = self.ask("ListFiles", {"directory": {"path": "/"}}).get("files", [])
        assert isinstance(files, list)
        return [entry["path"] for entry in files if entry["path"].startswith(f"/{PREFIX}")]

    def revision(self) -> object:
        store = self.ask("GetServerInfo", {})["store"]
        assert isinstance(store, dict)
        return store["revision"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and the certificates of a server and of a client that it signed."""
    folder = tmp_path_factory.mktemp("certificates")
    if shutil.which("openssl") is None:
        pytest.fail("openssl is missing: it makes the certificates of this test")

    def issue(name: str, *more: str) -> None:
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        make += ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", *more]
        subprocess.run(make, cwd=folder, check=True, capture_output=True, timeout=60)

    issue("authority")
    signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-addext", "basicConstraints=critical,CA:FALSE"]
    issue("server", *signed, "-addext", "subjectAltName=IP:127.0.0.1")
    issue("client", *signed)
    return folder


@pytest.fixture(scope="module")
def plain(server: OwnServer) -> Deployment:
    endpoint = server.endpoint
    return Deployment(look(endpoint), ("--target", str(endpoint.url), "--grpc", str(endpoint.address)))


@pytest.fixture(scope="module")
def strict(certificates: Path) -> Iterator[Deployment]:
    """TLS on both ports, for clients with a certificate only."""
    files = {
        name: str(certificates / name) for name in ("server.pem", "server.key", "authority.pem", "client.pem", "client.key")
    }
    wanted = [
        f"VEXFS_TLS_CERT={files['server.pem']}",
        f"VEXFS_TLS_KEY={files['server.key']}",
        f"VEXFS_TLS_CLIENT_CA={files['authority.pem']}",
    ]
    running = OwnServer(["/usr/bin/env", *wanted, str(Path(sys.executable).with_name("vexfs"))])
    try:
        given = running.endpoint
        assert given.url is not None
        assert given.url.startswith("https://")
        shown = {
            "tls_ca": files["authority.pem"],
            "tls_client_cert": files["client.pem"],
            "tls_client_key": files["client.key"],
        }
        endpoint = Endpoint(address=given.address, url=given.url, token=given.token, tls=True, **shown)
        options = [text for name, file in shown.items() for text in (f"--{name.replace('_', '-')}", file)]
        yield Deployment(look(endpoint), ("--target", given.url, "--grpc", str(given.address), *options))
    finally:
        running.close()


@pytest.fixture(params=["plain", "strict"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Deployment)
    return found


def test_a_deployment_is_accepted(installed: Installed, deployment: Deployment, tmp_path: Path) -> None:
    done = installed.run("run", *deployment.tell, *SOME, "--report", str(tmp_path), VEXFS_TOKEN=deployment.token)
    assert done.returncode == cli.CONFORMANT, done.stdout + done.stderr
    report = jsonl.read(tmp_path / "report.jsonl")
    assert {(lane["sdk"], lane["transport"]) for lane in report.header.lanes} == {
        ("raw", "grpc"),
        ("raw", "rest"),
        ("raw", "connect"),
    }
    assert sum(result.verdict is Verdict.PASS for result in report.results) > 250
    assert deployment.left_behind() == []


def test_a_token_in_a_file(installed: Installed, plain: Deployment, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{plain.token}\n")
    done = installed.run(
        "run", *plain.tell, "--token-file", str(tmp_path / "token"), "--case", "Stat/*", "--report", str(tmp_path)
    )
    assert done.returncode == cli.CONFORMANT, done.stderr


def test_a_surface_that_does_not_answer_is_told(installed: Installed, plain: Deployment, tmp_path: Path) -> None:
    arguments = (*plain.tell[:2], "--grpc", "127.0.0.1:9", "--case", "Stat/the-root", "--report", str(tmp_path))
    done = installed.run("run", *arguments, VEXFS_TOKEN=plain.token)
    assert done.returncode == cli.CONFORMANT, done.stderr
    assert "LEFT OUT grpc: UNAVAILABLE" in done.stdout


def test_an_sdk_over_tls(installed: Installed, strict: Deployment, tmp_path: Path) -> None:
    if not (_SDK_PYTHON / ".venv").is_dir():
        pytest.skip("the Python SDK is not set up: make setup-sdk-python")
    adapter = ("--lane", "none", "--adapter", f"python={_SDK_PYTHON / 'conformance' / 'run'}")
    some = ("--case", "Stat/*", "--case", "Retries/*", "--case", "Content/round-trip")
    done = installed.run("run", *strict.tell, *adapter, *some, "--report", str(tmp_path), VEXFS_TOKEN=strict.token)
    assert done.returncode == cli.CONFORMANT, done.stdout + done.stderr
    report = jsonl.read(tmp_path / "report.jsonl")
    assert sum(result.verdict is Verdict.PASS for result in report.results) > 40


def test_the_read_only_profile_leaves_the_revision(installed: Installed, deployment: Deployment, tmp_path: Path) -> None:
    before = deployment.revision()
    arguments = ("--profile", "read-only", "--case", "Stat/*", "--case", "Unauthenticated/*", "--case", "NotFound/*")
    done = installed.run("run", *deployment.tell, *arguments, "--report", str(tmp_path), VEXFS_TOKEN=deployment.token)
    assert done.returncode == cli.CONFORMANT, done.stdout + done.stderr
    assert len(jsonl.read(tmp_path / "report.jsonl").results) > 100
    assert deployment.revision() == before


def begun(installed: Installed, deployment: Deployment, report: Path) -> "subprocess.Popen[str]":
    """A run of everything that is in the middle of its cases."""
    running = installed.start("run", *deployment.tell, "--report", str(report), VEXFS_TOKEN=deployment.token)
    try:
        wait_for(lambda: running.poll() is not None or in_a_case(deployment))
        assert running.poll() is None, running.communicate()
    except BaseException:
        running.kill()
        raise
    return running


def in_a_case(deployment: Deployment) -> bool:
    found = deployment.left_behind()
    return bool(found) and bool(deployment.ask("ListFiles", {"directory": {"path": found[0]}}).get("files"))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_interrupted_run_leaves_nothing_behind(installed: Installed, deployment: Deployment, tmp_path: Path) -> None:
    running = begun(installed, deployment, tmp_path)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode not in (cli.CONFORMANT, cli.NOT_CONFORMANT), said
    assert "Traceback" not in said
    assert deployment.left_behind() == []
    assert not (tmp_path / "report.jsonl").exists(), "half a run is no report"


def test_gc_removes_what_a_killed_run_left(installed: Installed, plain: Deployment, tmp_path: Path) -> None:
    running = begun(installed, plain, tmp_path)
    running.kill()
    running.communicate(timeout=60)
    (left,) = plain.left_behind()
    young = installed.run("gc", *plain.tell, VEXFS_TOKEN=plain.token)
    assert (young.returncode, young.stdout) == (cli.CONFORMANT, "nothing was left behind\n"), "it might be running still"
    assert plain.left_behind() == [left]
    old = installed.run("gc", *plain.tell, "--older-than", "0", VEXFS_TOKEN=plain.token)
    assert (old.returncode, old.stdout) == (cli.CONFORMANT, f"removed {left}\n")
    assert plain.left_behind() == []


REFUSED = {
    "a-wrong-token": (lambda plain, strict: (plain.tell, {"VEXFS_TOKEN": "wrong"}), "VEXFS_TOKEN"),
    "a-token-that-begins-with-a-dash": (lambda plain, strict: ((*plain.tell, "--token", "-wrong"), {}), "VEXFS_TOKEN"),
    "no-token": (lambda plain, strict: (plain.tell, {}), "--token-file"),
    "a-token-file-that-is-missing": (lambda plain, strict: ((*plain.tell, "--token-file", "none"), {}), "--token-file"),
    "nobody-there": (lambda plain, strict: (("--target", "http://127.0.0.1:9"), {}), "--target"),
    "no-port": (lambda plain, strict: (("--target", "http://127.0.0.1:x"), {}), "http://127.0.0.1:x"),
    "no-url": (lambda plain, strict: (("--target", "127.0.0.1"), {}), "http://"),
    "an-unknown-authority": (lambda plain, strict: (strict.tell[:4], {"VEXFS_TOKEN": strict.token}), "--tls-ca"),
    "no-certificate": (lambda plain, strict: (strict.tell[:6], {"VEXFS_TOKEN": strict.token}), "--tls-client-cert"),
    "a-certificate-without-its-key": (lambda plain, strict: (strict.tell[:8], {}), "--tls-client-key"),
    "an-authority-that-is-missing": (lambda plain, strict: ((*strict.tell[:4], "--tls-ca", "none"), {}), "--tls-ca"),
    "tls-where-is-none": (
        lambda plain, strict: ((plain.tell[0], plain.tell[1].replace("http:", "https:"), *plain.tell[2:]), {}),
        "http://",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_who_cannot_get_in_is_told_what_to_do(installed: Installed, plain: Deployment, strict: Deployment, name: str) -> None:
    make, advice = REFUSED[name]
    arguments, variables = make(plain, strict)
    done = installed.run("run", *arguments, "--case", "Stat/*", **variables)
    assert done.returncode in (cli.USAGE, cli.HARNESS), done.stderr
    assert "vexfs-conformance: " in done.stderr
    assert advice in done.stderr
    assert "Traceback" not in done.stderr
