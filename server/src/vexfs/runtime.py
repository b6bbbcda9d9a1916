"""Where things lie in a data folder, and how the processes of one server find each other. Which file, socket or lock is it?

Called by every process of VexFS at its start, and by the `vexfs` command. Plain functions over small files: safe from any
thread, no state of its own apart from the lock a `ServerLock` holds. Never opens the store.

    DATA/token                     the token of this data folder (vexfs.security.token)
    DATA/volumes/main              the volume: what the store keeps
    DATA/run/server.lock           held (flock) by the server as long as it lives; its content names the holder
    DATA/run/server.json           what the ready file says, for commands on this machine
    DATA/run/NAME.ready.json       written by each process once it answers: {"pid": …, and its own facts}
    DATA/run/NAME.sock             Unix sockets; see `socket_path`
    DATA/run/NAME.log              what a process in the background writes
"""

import ctypes
import fcntl
import hashlib
import json
import os
import signal
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vexfs.core.errors import PermissionDenied, VolumeInUse

#: A Unix socket's path is at most 108 bytes with its NUL; what is longer than this goes to a short folder instead.
SOCKET_PATH_MAX_BYTES = 100
_PR_SET_PDEATHSIG = 1


class DataFolder:
    """The paths below one data folder. Makes nothing until `create` is called."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().absolute()
        self.volume = self.path / "volumes" / "main"
        self.run = self.path / "run"
        self.token_file = self.path / "token"
        self.server_file = self.run / "server.json"
        self.lock_file = self.run / "server.lock"

    def create(self) -> None:
        """Make the data folder and its `run` folder, readable by their owner only."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)

    def ready_file(self, name: str) -> Path:
        """The file the process NAME writes once it answers."""
        return self.run / f"{name}.ready.json"

    def log_file(self, name: str) -> Path:
        """Where the process NAME writes when it runs in the background."""
        return self.run / f"{name}.log"


def socket_path(data: Path | str, name: str) -> Path:
    """The path of the Unix socket NAME of a data folder: DATA/run/NAME.sock, or a short folder when that is too long.

    The short folder lies under $XDG_RUNTIME_DIR, else under /tmp, is named after a hash of the data folder's real path, and is
    made for its owner alone. Raises PermissionDenied when somebody else made it first.
    """
    folder = DataFolder(data)
    usual = folder.run / f"{name}.sock"
    if len(os.fsencode(usual)) <= SOCKET_PATH_MAX_BYTES:
        return usual
    digest = hashlib.sha256(os.fsencode(folder.path.resolve())).hexdigest()[:16]
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")
    if len(os.fsencode(base)) > 40:
        base = Path("/tmp")
    short = base / f"vexfs-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    facts = short.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise PermissionDenied(f"{short} belongs to somebody else; remove it, or set XDG_RUNTIME_DIR to a folder of your own")
    return short / f"{name}.sock"


def write_atomically(path: Path, content: str, *, mode: int = 0o600) -> None:
    """Write a small file so that a reader sees all of it or nothing."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def announce_ready(data: Path | str, name: str, facts: Mapping[str, Any] | None = None) -> None:
    """Called by the process NAME once it answers; the supervisor and `vexfs mount` wait for it.

    `facts` are its own, such as the ports it took: the API says {"grpc": "host:port", "rest": "http://host:port"}.
    """
    folder = DataFolder(data)
    folder.create()
    write_atomically(folder.ready_file(name), json.dumps({"pid": os.getpid(), **(facts or {})}) + "\n")


def read_ready(data: Path | str, name: str) -> dict[str, Any] | None:
    """What the process NAME announced, or None when it has not (or the file is of a process that is gone)."""
    return _read_record(DataFolder(data).ready_file(name))


def read_server(data: Path | str) -> dict[str, Any] | None:
    """What the running server of a data folder says of itself, or None when none runs."""
    return _read_record(DataFolder(data).server_file)


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or not is_alive(int(record.get("pid", 0))):
        return None
    return record


def is_alive(pid: int) -> bool:
    """Whether a process of that id runs (as anybody's, zombies excepted)."""
    if pid <= 0:
        return False
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


class ServerLock:
    """The right to be the server of a data folder, from `acquire` until `release` or the end of the process."""

    def __init__(self, data: Path | str) -> None:
        self._folder = DataFolder(data)
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises VolumeInUse, naming the holder, when another server has it."""
        self._folder.create()
        descriptor = os.open(self._folder.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 64, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise VolumeInUse(
                f"the data folder {self._folder.path} is served by another VexFS (process {holder}); "
                f"stop it first (kill {holder}), or use another folder with --data",
                pid=holder,
                data=str(self._folder.path),
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock up; does nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def tie_to(parent: int) -> bool:
    """Called by a process just started: the kernel ends it with the thread that started it. False when that is gone already."""
    if os.getppid() != parent:
        return False
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return os.getppid() == parent


def die_with_parent(signal_number: int = signal.SIGKILL) -> Callable[[], None]:
    """A function for the child between fork and exec: the kernel sends it that signal when its parent's thread ends.

    Made before the fork, so that the child only makes two system calls. A parent that died in between is noticed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arrange
