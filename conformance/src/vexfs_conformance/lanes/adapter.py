"""An SDK behind its adapter: a process that speaks frames of protobuf on its standard input and output.

`AdapterProcess` owns the process; a thread reads its frames. `SdkLane` is one transport of it. Calls may come from several
threads. An adapter that says nothing in time, or ends, answers with a fault, and is started again for the next call.
"""

import contextlib
import json
import os
import queue
import struct
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from vexfs_conformance import contract
from vexfs_conformance.lanes.raw import DEFAULT_TIMEOUT_S, normal
from vexfs_conformance.outcomes import (
    Answered,
    CallSpec,
    Failed,
    Fault,
    HarnessError,
    Outcome,
    SettingsRefused,
    Unsupported,
)

START_S = 300.0
"""How long an adapter may take to say who it is: the first start of some builds it."""
PATIENCE_S = 30.0
"""How long an adapter may take beyond the time-out of a call."""
_FRAME_MAX_BYTES = 256 << 20


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """One frame: the length as 4 bytes, big-endian, then the message."""
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame; None at the end. Raises ValueError for one that is cut off or no frame."""
    head = stream.read(4)
    if not head:
        return None
    if len(head) < 4:
        raise ValueError("the output ends inside a frame")
    (length,) = struct.unpack(">I", head)
    if length > _FRAME_MAX_BYTES:
        raise ValueError(f"a frame of {length} bytes: something prints on standard output ({head!r})")
    data = stream.read(length)
    if len(data) < length:
        raise ValueError("the output ends inside a frame")
    return data


class AdapterProcess:
    """A running adapter. Raises HarnessError if it does not start."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self.name = name
        self._command = list(command)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("VEXFS_")}
        self._environment = {**kept, **(environment or {})}
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[Any]] = {}
        self._next_id = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 – closed with the adapter
        self.hello = self._start()

    def _start(self) -> Any:
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=self._environment
            )
        except OSError as error:
            raise HarnessError(f"the adapter {self.name} does not start: {error}") from error
        greeting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(self._process, greeting), daemon=True).start()
        try:
            hello = greeting.get(timeout=START_S)
        except queue.Empty:
            hello = f"it did not say hello in {START_S:.0f} s"
        if isinstance(hello, str):
            tail = self.log_tail()
            self.close()
            raise HarnessError(f"the adapter {self.name} does not start: {hello}\n{tail}")
        return hello

    def _read(self, process: "subprocess.Popen[bytes]", greeting: "queue.SimpleQueue[Any]") -> None:
        """Runs in a thread: hands each result to whoever waits for it; at the end tells all that wait."""
        assert process.stdout is not None
        end = "it ended"
        try:
            while (data := read_frame(process.stdout)) is not None:
                frame: Any = contract.message_class("vexfs.conformance.v1.FromAdapter").FromString(data)
                if frame.WhichOneof("message") == "hello":
                    greeting.put(frame.hello)
                    continue
                with self._lock:
                    waiting = self._waiting.pop(frame.result.id, None)
                if waiting is not None:
                    waiting.put(frame.result)
        except (ValueError, DecodeError, OSError) as error:
            end = str(error)
        process.stdout.close()
        greeting.put(end)
        with self._lock:
            left, self._waiting = self._waiting, {}
        for each in left.values():
            each.put(end)

    def call(self, spec: CallSpec) -> Outcome:
        """Make one call and wait for its result."""
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            process = self._process
            assert process is not None
            assert process.stdin is not None
            self._next_id += 1
            number = self._next_id
            self._waiting[number] = answer
            try:
                write_frame(process.stdin, _frame(number, spec))
            except OSError as error:
                self._waiting.pop(number, None)
                return Fault(f"the adapter has gone: {error}\n{self.log_tail()}")
        milliseconds = spec.timeout_ms or spec.endpoint.timeout_ms
        try:
            result = answer.get(timeout=(milliseconds / 1000 if milliseconds else DEFAULT_TIMEOUT_S) + PATIENCE_S)
        except queue.Empty:
            process.kill()
            return Fault(f"the adapter did not answer\n{self.log_tail()}")
        if isinstance(result, str):
            return Fault(f"the adapter answered nothing: {result}\n{self.log_tail()}")
        return read_result(result, contract.methods()[spec.method])

    def log_tail(self) -> str:
        """The end of what the adapter wrote on standard error."""
        try:
            size = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, size - 2000))
            return self._log.read().decode(errors="replace")
        except ValueError:
            return ""

    def close(self) -> None:
        """End its input, give it a moment to finish, then end it."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it has gone already
            process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._log.close()


def _frame(number: int, spec: CallSpec) -> bytes:
    message: Any = contract.message_class("vexfs.conformance.v1.Call")()
    message.id = number
    message.method = contract.methods()[spec.method].full_name
    message.requests.extend(json.dumps(request) for request in spec.requests)
    for key, value in asdict(spec.endpoint).items():
        if value is not None:
            setattr(message.connection, key, value)
    message.connection.SetInParent()
    for key in ("timeout_ms", "cancel_after_ms", "take", "hits_page_size"):
        if getattr(spec, key) is not None:
            setattr(message, key, getattr(spec, key))
    message.paging = int(spec.one_page)
    return bytes(message.SerializeToString())


def read_result(result: Any, method: contract.Method) -> Outcome:
    """What an adapter's result says. A response that is not the contract's message is a fault."""
    kind = result.WhichOneof("outcome")
    if kind == "response":
        try:
            return Answered([normal(json.loads(each), method) for each in result.response.messages])
        except (ValueError, json_format.ParseError) as error:
            return Fault(f"the adapter's response is not {method.response_name}: {error}")
    if kind == "sdk_error":
        said = result.sdk_error
        return Failed(
            said.code, said.reason, said.message, dict(said.metadata), said.request_id, said.retryable,
            said.attempts, list(said.kinds),
        )  # fmt: skip
    if kind == "settings_error":
        return SettingsRefused(result.settings_error.setting, result.settings_error.message)
    if kind == "unsupported":
        return Unsupported(result.unsupported)
    return Fault(result.adapter_fault or "a result without an outcome")


class SdkLane:
    """One transport of an SDK."""

    raw = False

    def __init__(self, process: AdapterProcess, transport: str) -> None:
        self._process = process
        hello = process.hello
        self.name = process.name
        self.transport = transport
        self.version = hello.version
        # What every SDK has; an adapter without one says that it is plain.
        own = frozenset(hello.features)
        self.features = own if "plain" in own else own | {"sdk", "retry"}
        self.unreported = frozenset(hello.unreported_fields)

    def call(self, spec: CallSpec) -> Outcome:
        """Make one call through the SDK."""
        return self._process.call(spec)

    def close(self) -> None:
        """The process belongs to all of its transports; closing it once is enough."""
        self._process.close()


def repository() -> Path | None:
    """The checkout that this suite lies in, if it does; the SDKs' adapters are there."""
    root = Path(__file__).parents[4]
    return root if (root / "proto" / "vexfs").is_dir() else None


def command_of(name: str) -> list[str]:
    """How the adapter of a known SDK is started. Raises HarnessError if it is not there."""
    root = repository()
    path = root / f"sdk-{name}" / "conformance" / "run" if root else None
    if path is None or not os.access(path, os.X_OK):
        raise HarnessError(f"there is no adapter sdk-{name}/conformance/run; name one with --adapter {name}=COMMAND")
    return [str(path)]
