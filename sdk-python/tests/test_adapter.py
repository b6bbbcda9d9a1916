"""The conformance adapter speaks its protocol; what it says of the SDK is the conformance suite's business."""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .server import REPOSITORY, Server

sys.path.append(str(REPOSITORY / "sdk-python" / "conformance"))
from vexfs_client_conformance._generated.vexfs.conformance import v1
from vexfs_client_conformance.calls import HANDLERS

from vexfs_client import _methods


class Running:
    """An adapter's process."""

    def __init__(self, *arguments: str) -> None:
        command = [str(REPOSITORY / "sdk-python/conformance/run"), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def receive(self) -> v1.FromAdapter:
        assert self.process.stdout is not None
        (length,) = struct.unpack(">I", self.process.stdout.read(4))
        return v1.FromAdapter.parse(self.process.stdout.read(length))

    def call(self, method: str, request: object, **fields: object) -> v1.Result:
        message = bytes(v1.Call(id=7, method=f"vexfs.v1.X/{method}", requests=[json.dumps(request)], **fields))  # type: ignore[arg-type]
        assert self.process.stdin is not None
        self.process.stdin.write(struct.pack(">I", len(message)) + message)
        self.process.stdin.flush()
        result = self.receive().result
        assert result is not None
        assert result.id == 7
        return result


@pytest.fixture(params=[(), ("--sync",)], ids=["async", "sync"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Running]:
    running = Running(*request.param)
    yield running
    assert running.process.stdin is not None
    running.process.stdin.close()
    assert running.process.wait(60) == 0, "the end of the input is the end of the adapter"
    assert running.process.stdout is not None
    running.process.stdout.close()


def test_it_says_hello_and_answers_calls(adapter: Running, server: Server, transport: str, tmp_path: Path) -> None:
    hello = adapter.receive().hello
    assert hello is not None
    assert (hello.version, hello.transports) == ("0.1.0", ["grpc", "rest"])
    connection = v1.Connection(**server.reach(transport), token=server.token)
    answered = adapter.call("StatFile", {"file": {"path": "/"}}, connection=connection)
    assert answered.response is not None
    assert json.loads(answered.response.messages[0])["file"]["kind"] == "FILE_KIND_DIRECTORY"
    failed = adapter.call("StatFile", {"file": {"path": "/none"}}, connection=connection).sdk_error
    assert failed is not None
    assert (failed.code, failed.reason, failed.kinds) == ("NOT_FOUND", "FILE_NOT_FOUND", ["not_found"])
    assert adapter.call("StatFile", {}, connection=connection).unsupported
    refused = adapter.call(
        "StatFile", {"file": {"path": "/"}}, connection=v1.Connection(tls_ca=str(tmp_path / "none"))
    ).settings_error
    assert refused is not None
    assert refused.setting == "tls_ca"


def test_it_has_every_method() -> None:
    ours = {method.path.rpartition("/")[2] for method in vars(_methods).values() if isinstance(method, _methods.Method)}
    assert set(HANDLERS) == ours
