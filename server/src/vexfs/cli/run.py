"""`make run`: a server on ./data with a real corpus in it. What does a new user see in the first minute?

Starts `vexfs serve` (8080, 8083), with ./mnt if this machine can mount, and ends it on Ctrl-C; meanwhile `demonstration` fills
it and shows what it can. A second run finds everything there.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import click

from vexfs import config, runtime
from vexfs.cli import exits
from vexfs.cli.demonstration import Demonstration, short
from vexfs.core.errors import Unavailable, VexfsError

START_SECONDS = 60.0
STOP_SECONDS = 3.0
#: How lines of the mount process for people begin.
MOUNT_SAYS = "vexfs mount: "


def mount_obstacle() -> str | None:
    """What keeps this machine from mounting, and how to get it; None when nothing does."""
    if not Path("/dev/fuse").exists():
        return "there is no /dev/fuse: load it (modprobe fuse), or in a container add --device /dev/fuse --cap-add SYS_ADMIN"
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        return "fusermount3 is missing: install the package fuse3 (Debian, Ubuntu: sudo apt install fuse3)"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        if os.geteuid() != 0:
            return "/dev/fuse is closed to ordinary users: sudo chmod 666 /dev/fuse"
        return "/dev/fuse cannot be opened: in a container add --device /dev/fuse --cap-add SYS_ADMIN"
    return None


class Run:
    """One `make run`, from the start of the server to its end."""

    def __init__(self, data: Path, mount: Path | None) -> None:
        self._data = data
        self._mount = mount
        self._ended = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None
        self._log = runtime.DataFolder(data).log_file("serve")

    def run(self) -> int:
        """Serve until Ctrl-C; the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            self._start_with_or_without_mount()
            demonstration = Demonstration(self._data, self._mount, self._ended)
            threading.Thread(target=demonstration.run, name="vexfs-demonstration", daemon=True).start()
            while not self._ended.wait(0.2):
                if self._server is not None and self._server.poll() is not None:
                    raise Unavailable(
                        "the server ended by itself:\n" + "\n".join(self._said()[-5:]) + f"\n{self._log} says more"
                    )
            click.echo("\nstopping")
        finally:
            self._stop()
        return exits.OK

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._ended.set()

    # ---- the server -----------------------------------------------------------------------------------------------

    def _start_with_or_without_mount(self) -> None:
        """A machine that cannot mount after all still gets everything else."""
        try:
            self._start()
        except Unavailable:
            refused = [line for line in self._said() if line.startswith(MOUNT_SAYS)]
            if self._mount is None or not refused:
                raise
            click.secho(f"not mounting: {refused[-1].removeprefix(MOUNT_SAYS)}", fg="yellow", err=True)
            self._mount = None
            self._start()

    def _start(self) -> None:
        """Start the server in a process of its own and wait until it answers, or somebody presses Ctrl-C."""
        runtime.DataFolder(self._data).create()
        # The server takes the lock itself; but if another one has it, then the log is that one's, too.
        lock = runtime.ServerLock(self._data)
        lock.acquire()
        lock.release()
        command = [sys.executable, "-m", "vexfs.cli.main", "serve", "--data", str(self._data)]
        if self._mount is not None:
            command += ["--mount", str(self._mount)]
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # Ctrl-C reaches this process, which then stops the server
                preexec_fn=runtime.die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - no other thread runs yet
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._ended.is_set():
            record = runtime.read_server(self._data)
            if record is not None and record["pid"] == self._server.pid:
                self._welcome(record["rest"], record["grpc"])
                return
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("the server did not start:\n" + "\n".join(self._said()[-5:]) + f"\n{self._log} says more")
            time.sleep(0.05)

    def _stop(self) -> None:
        if self._server is None or self._server.poll() is not None:
            return
        self._server.send_signal(signal.SIGTERM)
        try:
            self._server.wait(STOP_SECONDS + 8.0)  # on a busy machine its processes, too, are slow to end
        except subprocess.TimeoutExpired:
            click.secho(f"the server does not stop: it is killed; {self._log} may say why", fg="red", err=True)
            self._server.kill()
            self._server.wait()

    def _said(self) -> list[str]:
        """What the server wrote for people, else its last lines for machines."""
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return [line for line in lines if not line.startswith("{")] or lines[-3:]

    def _welcome(self, rest: str, grpc: str) -> None:
        where = f", mounted on {short(self._mount)}" if self._mount is not None else ""
        click.secho(f"VexFS serves {short(self._data)} at {rest} (REST) and {grpc} (gRPC){where}", bold=True)


def main() -> int:
    """Run; the exit status."""
    data = Path(os.environ.get("VEXFS_DATA") or config.DEFAULT_DATA).expanduser().absolute()
    mount: Path | None = Path("mnt").absolute()
    obstacle = mount_obstacle()
    if obstacle is not None:
        click.secho(f"not mounting: {obstacle}", fg="yellow", err=True)
        mount = None
    try:
        return Run(data, mount).run()
    except VexfsError as error:
        click.secho(f"vexfs: {error.message}", fg="red", err=True)
        return exits.BY_CODE.get(error.code, exits.ERROR)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # An import that a Ctrl-C interrupted may still wait for answers in its threads; nobody wants them any more.
    os._exit(status)
