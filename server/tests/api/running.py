"""A server process for the tests of the API, and small clients that speak to it over both surfaces."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from vexfs import runtime
from vexfs.contract import descriptors

START_SECONDS = 60.0


@dataclass
class HttpAnswer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The reason of an error; asserts the one shape of all errors on the way."""
        return assert_error_shape(self)["reason"]


def assert_error_shape(answer: HttpAnswer) -> dict[str, Any]:
    """Every error looks like this, from whatever source; returns its ErrorInfo."""
    assert answer.headers["content-type"] == "application/json", answer
    body = answer.json
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"code", "status", "message", "details"}
    assert error["code"] == answer.status
    assert error["status"] in {code.name for code in grpc.StatusCode}
    assert error["message"]
    infos = [detail for detail in error["details"] if detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"]
    assert len(infos) == 1
    info = infos[0]
    assert info["domain"] == "vexfs.v1"
    assert info["metadata"]["retryable"] in ("true", "false")
    return dict(info)


def status_of(error: grpc.RpcError) -> tuple[status_pb2.Status, error_details_pb2.ErrorInfo]:
    """The google.rpc.Status of a failed gRPC call and its ErrorInfo."""
    trailers = dict(error.trailing_metadata() or ())  # type: ignore[attr-defined]
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]  # type: ignore[attr-defined]
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.domain == "vexfs.v1"
    return status, info


class Server:
    """A running API process."""

    def __init__(self, data: Path, process: "subprocess.Popen[bytes]", facts: dict[str, Any], log: Path) -> None:
        self.data = data
        self.process = process
        self.log = log
        self.grpc_address: str = facts["grpc"]
        self.rest_url: str = facts["rest"]
        self.rest_address = self.rest_url.partition("://")[2]
        self.token = (data / "token").read_text().strip() if (data / "token").exists() else ""
        self.metadata = (("authorization", f"Bearer {self.token}"),)

    def http(
        self, verb: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, token: str | None = ""
    ) -> HttpAnswer:
        """One HTTP request. `body` is bytes, or anything JSON; `token` None sends none."""
        all_headers = {} if token is None else {"Authorization": f"Bearer {token or self.token}"}
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
            all_headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self.rest_address, timeout=20)
        try:
            connection.request(verb, path, body=body, headers={**all_headers, **(headers or {})})
            response = connection.getresponse()
            return HttpAnswer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    @contextmanager
    def channel(self, target: str | None = None) -> Iterator[grpc.Channel]:
        with grpc.insecure_channel(target or self.grpc_address) as channel:
            yield channel

    def unary(self, path: str, request: bytes, *, token: str | None = "", timeout: float = 20, **metadata: str) -> bytes:
        """One unary gRPC call of bytes."""
        pairs = [] if token is None else [("authorization", f"Bearer {token or self.token}")]
        with self.channel() as channel:
            call = channel.unary_unary(path)
            return bytes(call(request, metadata=[*pairs, *metadata.items()], timeout=timeout))

    def alive(self) -> bool:
        return self.process.poll() is None and self.http("GET", "/healthz").status == 200

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Stop it; returns the seconds it took. Fails when it does not end."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(timeout=30)
        return time.monotonic() - started


def start(data: Path, command: list[str], *options: str, environment: dict[str, str] | None = None) -> Server:
    """Start `python COMMAND --data DATA …` on free ports and wait until it says it answers."""
    runtime.DataFolder(data).create()
    runtime.DataFolder(data).ready_file("api").unlink(missing_ok=True)
    log = data / "api.log"
    arguments = [sys.executable, *command, "--data", str(data), "--rest-port", "0", "--grpc-port", "0", *options]
    with log.open("wb") as stderr:
        process = subprocess.Popen(arguments, stderr=stderr, stdout=stderr, env={**os.environ, **(environment or {})})
    end = time.monotonic() + START_SECONDS
    while (facts := runtime.read_ready(data, "api")) is None or facts["pid"] != process.pid:
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            process.wait()
            raise RuntimeError(f"the server did not start:\n{log.read_text()}")
        time.sleep(0.02)
    return Server(data, process, facts, log)


@contextmanager
def running(data: Path, command: list[str], *options: str) -> Iterator[Server]:
    """A server for the length of a with block; a fault it logged fails the test unless the test looked for it."""
    server = start(data, command, *options)
    try:
        yield server
    finally:
        server.stop()


class Client:
    """A gRPC client of the contract: `client.stat_file(…)`, each method by its name in Python's way."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._channel = grpc.insecure_channel(server.grpc_address, options=[("grpc.max_receive_message_length", -1)])
        self._methods = {re.sub(r"(?<!^)([A-Z])", r"_\1", method.name).lower(): method for method in descriptors.methods()}

    def __getattr__(self, name: str) -> Any:
        if name not in self._methods:
            raise AttributeError(f"the contract has no method {name}")
        method = self._methods[name]

        def call(*, timeout: float = 20, **fields: Any) -> Any:
            stub = self._channel.unary_stream if method.server_streaming else self._channel.unary_unary
            invoke = stub(method.path, type(method.request_class()).SerializeToString, method.response_class.FromString)
            return invoke(method.request_class(**fields), metadata=self.server.metadata, timeout=timeout)

        return call

    def write_stream(self, messages: Any, timeout: float = 20) -> Any:
        return self.begin_stream("write_file", messages, timeout).result()

    def begin_write_stream(self, messages: Any, timeout: float = 20) -> Any:
        return self.begin_stream("write_file", messages, timeout)

    def begin_stream(self, name: str, messages: Any, timeout: float = 20) -> Any:
        """A call with a stream of requests, which can be cancelled."""
        method = self._methods[name]
        invoke = self._channel.stream_unary(
            method.path, method.request_class.SerializeToString, method.response_class.FromString
        )
        return invoke.future(messages, metadata=self.server.metadata, timeout=timeout)

    def close(self) -> None:
        self._channel.close()


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until the condition holds. Raises AssertionError when it does not in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


@contextmanager
def refused(reason: str) -> Iterator[error_details_pb2.ErrorInfo]:
    """The body has to fail over gRPC with that reason; its ErrorInfo is filled in afterwards."""
    info = error_details_pb2.ErrorInfo()
    try:
        yield info
    except grpc.RpcError as error:
        status, found = status_of(error)
        info.CopyFrom(found)
        assert found.reason == reason, (found.reason, status.message)
        contract = descriptors.reasons()[reason]
        assert (contract.code, contract.retryable) == (error.code().name, found.metadata["retryable"] == "true")  # type: ignore[attr-defined]
        return
    raise AssertionError(f"this was not refused; {reason} was expected")
