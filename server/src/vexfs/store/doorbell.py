"""Telling the other processes that the log has grown: a datagram socket each, in the volume's `doorbells` folder.

Each `Volume` owns one Doorbell. Ringing never blocks and may be lost: a listener also polls. Ring from the writer's thread,
wait from the tail's thread. Sockets are reached through /proc/self/fd because a Unix path holds at most 108 bytes.
"""

import contextlib
import os
import select
import socket
import time
from pathlib import Path

_FOLDER = "doorbells"
_SUFFIX = ".sock"
_LISTING_TTL_S = 0.2
"""A new listener is heard of after this at the latest; until then its polling serves it."""


def answers(folder: Path, origin: int) -> bool:
    """Whether a process still listens on the bell of that opening of the volume in `folder`."""
    try:
        folder_fd = os.open(folder / _FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            probe.connect(f"/proc/self/fd/{folder_fd}/{origin:016x}{_SUFFIX}")
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    finally:
        os.close(folder_fd)
    return True


class Doorbell:
    """This opening's bell, and the means to ring everybody else's."""

    def __init__(self, folder: Path, origin: int) -> None:
        self._folder = folder / _FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._folder_fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._name = f"{origin:016x}{_SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.bind(self._address(self._name))
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._others: list[str] = []
        self._listed_at = 0.0
        self._closed = False

    def _address(self, name: str) -> str:
        return f"/proc/self/fd/{self._folder_fd}/{name}"

    def fileno(self) -> int:
        """Readable when the bell has rung; drain it with `drain`."""
        return self._socket.fileno()

    def ring(self) -> None:
        """Ring every other opening of the volume; silently forgets those that died."""
        now = time.monotonic()
        if now - self._listed_at > _LISTING_TTL_S:
            self._listed_at = now
            with contextlib.suppress(OSError):  # no descriptor left, for instance: those known from before are rung
                self._others = self._listing()
        for name in self._others:
            try:
                self._sender.sendto(b"\0", self._address(name))
            except (ConnectionRefusedError, FileNotFoundError):
                self._forget(name)
            except OSError:
                pass  # its buffer is full, or the system's: it polls as well, and a commit never fails for a bell

    def _listing(self) -> list[str]:
        names = os.listdir(self._folder_fd)  # noqa: PTH208 - by descriptor
        return [name for name in names if name.endswith(_SUFFIX) and name != self._name]

    def _forget(self, name: str) -> None:
        self._listed_at = 0.0
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self._folder_fd)

    def wait(self, timeout_s: float) -> bool:
        """Wait until somebody rings; True when the bell has rung (and is drained)."""
        ready, _, _ = select.select([self._socket], [], [], timeout_s)
        return bool(ready) and self.drain()

    def drain(self) -> bool:
        """Take all rings that are waiting; True when there was one."""
        rang = False
        while True:
            try:
                self._socket.recv(16)
            except BlockingIOError:
                return rang
            rang = True

    def ring_self(self) -> None:
        """Wake this opening's own `wait`, for closing."""
        with contextlib.suppress(OSError):
            self._sender.sendto(b"\0", self._address(self._name))

    def close(self) -> None:
        """Idempotent."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder_fd)
        self._socket.close()
        self._sender.close()
        os.close(self._folder_fd)
