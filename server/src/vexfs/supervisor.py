"""The supervisor (`vexfs serve`): which processes make a server, and what happens when one starts, ends or must stop?

Starts the API, then the indexer and the mount, and the API's replicas last; starts a crashed one again, waiting longer each
time, and says so; stops all of them within `STOP_SECONDS` on SIGINT or SIGTERM, the mount first. Called by `vexfs serve` alone.
One thread; it sleeps in one selector that signals wake. It never opens the store and never imports what serves.

A child ends with the supervisor, whatever ends that: the kernel kills it when the supervisor's thread ends. The mount gets
SIGTERM instead, so that it unmounts.
"""

import contextlib
import errno
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any

from vexfs import runtime
from vexfs.config import ServeSettings
from vexfs.core.errors import Unavailable, VexfsError
from vexfs.mount import lifecycle
from vexfs.security import token

#: From the signal until a process that has not ended by itself is ended by force. The whole stop takes at most 3 s.
STOP_SECONDS = 2.2
#: The indexer has no promise to keep: it may be loading its model, and loses nothing when it is killed.
INDEXER_STOP_SECONDS = 1.2
#: The head start of the mount, which writes out and unmounts, before the API is told to stop.
MOUNT_AHEAD_SECONDS = 0.5
#: A child that has not answered by then after its start does not come up at all.
START_SECONDS = 120.0
BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_MAX_SECONDS = 10.0
#: After that long a life a crash counts as the first again.
SETTLED_SECONDS = 30.0
_POLL_SECONDS = 0.02
#: Has gRPC read and write in the thread that waits for calls, as it did for years, instead of handing each step to a pool of
#: threads. An empty call of one client takes 290 instead of 430 µs of CPU, and 330 instead of 490 µs until it comes back. gRPC
#: reads it when it is loaded.
_GRPC_WITHOUT_THREADS = {"GRPC_EXPERIMENTS": "-event_engine_listener"}

_log = logging.getLogger("vexfs.supervisor")


@dataclass(kw_only=True)
class Child:
    """One process of the server and its history. `command` is asked anew at each start: ports are known after the first."""

    name: str
    command: Callable[[], list[str]]
    death_signal: signal.Signals = signal.SIGKILL
    #: Seconds it gets to end by itself.
    patience_s: float = STOP_SECONDS
    process: subprocess.Popen[bytes] | None = None
    ready: dict[str, Any] | None = None
    started: float = 0.0
    crashes: int = 0
    restart_at: float | None = None
    #: It ended by itself in good order, as a mount does that somebody unmounts, and stays so.
    retired: bool = False

    def is_running(self) -> bool:
        """Whether the process lives (asks the kernel, reaps it when it has ended)."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.process is not None and self.is_running():
            self.process.send_signal(number)

    def was_killed(self) -> bool:
        """Whether a signal has ended the process, before it could put anything in order."""
        return self.process is not None and (self.process.returncode or 0) < 0

    def ending(self) -> str:
        """How the process ended, in words."""
        status = self.process.returncode if self.process is not None else None
        if status is not None and status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}"

    def next_delay(self, now: float) -> float:
        """Seconds to wait before the next start: doubles with each crash, starts over after a long life."""
        self.crashes = 1 if now - self.started > SETTLED_SECONDS else self.crashes + 1
        return float(min(BACKOFF_FIRST_SECONDS * 2 ** (self.crashes - 1), BACKOFF_MAX_SECONDS))


@dataclass
class Supervisor:
    """A running server. `run` returns the exit status of `vexfs serve`."""

    settings: ServeSettings
    children: list[Child] = field(init=False)
    #: What the ready file says.
    record: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.folder = runtime.DataFolder(self.settings.data)
        self.token_file = self.settings.token_file or self.folder.token_file
        self._signals: list[int] = []
        self._wake = selectors.DefaultSelector()
        self.children = [
            Child(name="api", command=self._api_command),
            Child(name="indexer", command=self._indexer_command, patience_s=INDEXER_STOP_SECONDS),
        ]
        #: Further API processes on the gRPC port, which they learn from the first one.
        self.replicas = [
            Child(name=f"api-replica-{number}", command=partial(self._api_command, number))
            for number in range(1, self.settings.api_processes)
        ]
        self.children += self.replicas
        if self.settings.mount is not None:
            self.children.append(Child(name="mount", command=self._mount_command, death_signal=signal.SIGTERM))

    # ---- the whole life -------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Serve until a signal. Raises VexfsError when another server has the folder or a process does not come up."""
        lock = runtime.ServerLock(self.settings.data)
        lock.acquire()
        try:
            for port in (self.settings.rest_port, self.settings.grpc_port):
                _refuse_taken(self.settings.host, port)
            token.load_or_create(self.token_file)
            self._forget_records()
            self._prepare_mount_point()
            with self._signal_wakeups():
                try:
                    if self._start_all():
                        self._publish()
                        self._watch()
                finally:
                    self._stop_all()
        finally:
            self._forget_records()
            lock.release()
        return 0

    def _prepare_mount_point(self) -> None:
        """A dead mount is taken off, a missing directory made."""
        target = self.settings.mount
        if target is None:
            return
        if lifecycle.is_dead(target):
            _log.warning("the mount on %s had lost its process; mounting it again", target)
            lifecycle.detach(target)
        target.mkdir(parents=True, exist_ok=True)

    def _start_all(self) -> bool:
        """Start and await everything. False when a signal came meanwhile.

        A new volume is made by the API, so the others wait for it; on one that is there, all start at once, but for the API's
        replicas, which share its port.
        """
        api, *others = (child for child in self.children if child not in self.replicas)
        self._start(api)
        if not self.folder.volume.is_dir() and not self._await_ready([api]):
            return False
        for child in others:
            self._start(child)
        if not self._await_ready([api, *others]):
            return False
        self.record = {
            "pid": os.getpid(),
            "grpc": str((api.ready or {})["grpc"]),
            "rest": str((api.ready or {})["rest"]),
            "token_file": str(self.token_file),
        }
        for replica in self.replicas:
            self._start(replica)
        return self._await_ready(self.replicas)

    def _watch(self) -> None:
        """Sleep until a signal asks for the end; meanwhile start again what crashed."""
        while not self._signals:
            now = time.monotonic()
            for child in self.children:
                if child.retired:
                    continue
                if child.restart_at is None and not child.is_running():
                    self._note_end(child, now)
                elif child.restart_at is not None and now >= child.restart_at:
                    self._start(child)
            due = [child.restart_at for child in self.children if child.restart_at is not None]
            self._sleep(max(0.0, min(due) - time.monotonic()) if due else None)

    def _stop_all(self) -> None:
        """End every child: mount and indexer first, then the API; by force what is not gone when its patience ends."""
        begun = time.monotonic()
        self._signals.clear()
        first = [child for child in self.children if child.name != "api"]
        for child in first:
            child.send(signal.SIGTERM)
        self._await_end([child for child in first if child.name == "mount"], begun + MOUNT_AHEAD_SECONDS)
        for child in self.children:
            child.send(signal.SIGTERM)
        for child in sorted(self.children, key=lambda child: child.patience_s):
            self._await_end([child], begun + child.patience_s)
            if child.is_running():
                _log.warning("the %s process did not stop in time and is ended by force", child.name)
                child.send(signal.SIGKILL)
        self._await_end(self.children, time.monotonic() + 1.0)
        for child in self.children:
            if child.name == "mount" and child.was_killed():
                self._detach_dead_mount()

    def _detach_dead_mount(self) -> None:
        """Take off what a mount process ended by force has left behind. A mount of somebody else, which serves, stays."""
        target = self.settings.mount
        if target is not None and lifecycle.is_dead(target):
            with contextlib.suppress(VexfsError):
                lifecycle.detach(target)

    # ---- one child ------------------------------------------------------------------------------------------------

    def _start(self, child: Child) -> None:
        self.folder.ready_file(child.name).unlink(missing_ok=True)
        child.ready = None
        child.restart_at = None
        child.started = time.monotonic()
        # A person at a terminal reads what this process says; of the others' JSON, what matters.
        quiet = {"VEXFS_LOG_LEVEL": "WARNING"} if sys.stderr.isatty() else {}
        child.process = subprocess.Popen(
            child.command(),
            stdin=subprocess.DEVNULL,
            env=quiet | _GRPC_WITHOUT_THREADS | os.environ | self._chosen_model(),
            process_group=0,  # a Ctrl-C at the terminal reaches the supervisor only, which stops them in order
            preexec_fn=runtime.die_with_parent(child.death_signal),  # noqa: PLW1509 - the supervisor has one thread
        )

    def _note_end(self, child: Child, now: float) -> None:
        if child.name == "mount" and child.process is not None and child.process.returncode == 0:
            child.retired = True
            _log.info("%s was unmounted", self.settings.mount)
            return
        delay = child.next_delay(now)
        child.restart_at = now + delay
        _log.warning("the %s process %s; starting it again in %.1f s", child.name, child.ending(), delay)

    def _await_ready(self, children: list[Child]) -> bool:
        """Wait until each has announced itself. False when a signal came; raises Unavailable when one ends or is too slow."""
        while any(child.ready is None for child in children):
            if self._signals:
                return False
            for child in children:
                if not child.is_running():
                    raise Unavailable(f"the {child.name} process {child.ending()} while starting; its log says why")
                record = runtime.read_ready(self.settings.data, child.name)
                if record is not None and child.process is not None and record["pid"] == child.process.pid:
                    child.ready = record
                elif time.monotonic() - child.started > START_SECONDS:
                    raise Unavailable(f"the {child.name} process has not come up within {START_SECONDS:.0f} s")
            self._sleep(_POLL_SECONDS)
        return True

    def _await_end(self, children: list[Child], deadline: float) -> None:
        """Wait for the ends of these until the deadline; a second signal cuts the wait short."""
        while any(child.is_running() for child in children) and time.monotonic() < deadline and not self._signals:
            self._sleep(min(_POLL_SECONDS * 5, max(0.0, deadline - time.monotonic())))

    # ---- command lines --------------------------------------------------------------------------------------------

    def _api_command(self, replica: int = 0) -> list[str]:
        settings = self.settings
        # A restarted API takes the ports the ready file has named.
        rest_port = self.record["rest"].rpartition(":")[2] if self.record else settings.rest_port
        grpc_port = self.record["grpc"].rpartition(":")[2] if self.record else settings.grpc_port
        command = [*_python("vexfs.api"), "--data", str(settings.data), "--host", settings.host]
        command += ["--rest-port", str(rest_port), "--grpc-port", str(grpc_port), "--token-file", str(self.token_file)]
        for option, path in (
            ("--tls-cert", settings.tls_cert),
            ("--tls-key", settings.tls_key),
            ("--tls-client-ca", settings.tls_client_ca),
        ):
            if path is not None:
                command += [option, str(path)]
        for option, limit in (("--quota-bytes", settings.quota_bytes), ("--quota-files", settings.quota_files)):
            if limit is not None:
                command += [option, str(limit)]
        if settings.api_processes > 1:
            command += ["--processes", str(settings.api_processes), "--replica", str(replica)]
        for origin in settings.cors_origins:
            command += ["--cors-origin", origin]
        return command

    def _chosen_model(self) -> dict[str, str]:
        """Told to the processes by their environment: the indexer, the API and what they start need the same."""
        return {"VEXFS_MODEL": self.settings.model} if self.settings.model else {}

    def _indexer_command(self) -> list[str]:
        return [*_python("vexfs.views.indexer"), "--data", str(self.settings.data)]

    def _mount_command(self) -> list[str]:
        token_file = str(self.token_file)
        return [
            *_python("vexfs.mount"),
            "--data",
            str(self.settings.data),
            "--token-file",
            token_file,
            *(["--shared-locks"] if self.settings.shared_locks else []),
            str(self.settings.mount),
        ]

    # ---- records and signals --------------------------------------------------------------------------------------

    def _publish(self) -> None:
        """Write the ready file and the record for local commands."""
        content = json.dumps(self.record) + "\n"
        runtime.write_atomically(self.folder.server_file, content)
        if self.settings.ready_file is not None:
            runtime.write_atomically(self.settings.ready_file, content, mode=0o644)
        _log.info("serving %s at %s (REST) and %s (gRPC)", self.folder.path, self.record["rest"], self.record["grpc"])
        if self.settings.mount is not None:
            _log.info("mounted on %s", self.settings.mount)

    def _forget_records(self) -> None:
        self.folder.server_file.unlink(missing_ok=True)
        for child in self.children:
            self.folder.ready_file(child.name).unlink(missing_ok=True)
        if self.settings.ready_file is not None:
            self.settings.ready_file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _signal_wakeups(self) -> Iterator[None]:
        """SIGINT, SIGTERM and SIGHUP are noted and wake the selector, and so does a child's end."""
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake.register(reading, selectors.EVENT_READ)

        def note(number: int, _frame: FrameType | None) -> None:
            self._signals.append(number)

        before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
            self._wake.close()
            os.close(reading)
            os.close(writing)

    def _sleep(self, seconds: float | None) -> None:
        for key, _ in self._wake.select(seconds):
            with contextlib.suppress(BlockingIOError):
                os.read(key.fd, 4096)


def _refuse_taken(host: str, port: int) -> None:
    """Raises Unavailable when another program listens there. Whatever else is wrong, the API finds out when it listens."""
    try:
        addresses = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE) if port else []
        for family, kind, protocol, _, address in addresses:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the API does
                probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"the address {host}:{port} is taken by another program: stop that one, or choose other ports "
                "(--rest-port and --grpc-port, or VEXFS_REST_PORT and VEXFS_GRPC_PORT; 0 takes a free one)"
            ) from None


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]
