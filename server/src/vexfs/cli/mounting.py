"""`vexfs mount` and `vexfs umount`: a volume on a directory of this machine, and off again."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from vexfs import runtime
from vexfs.cli import output
from vexfs.cli.options import SHARED_LOCKS_HELP, data_option, json_option
from vexfs.core.errors import InvalidRequest, NotFound, Unavailable
from vexfs.mount import lifecycle

READY_SECONDS = 30.0
END_SECONDS = 5.0
_POLL_SECONDS = 0.02


@click.command("mount")
@click.argument("directory", type=click.Path(path_type=Path))
@data_option
@click.option("--allow-other", is_flag=True, help="Let every local user use the mount.")
@click.option("--read-only", is_flag=True, help="Refuse every change through this mount.")
@click.option("--shared-locks", is_flag=True, envvar="VEXFS_MOUNT_SHARED_LOCKS", help=SHARED_LOCKS_HELP)
@click.option(
    "-o", "words", metavar="OPTIONS", default="", help="The same as words of mount(8): ro, rw, allow_other, shared_locks."
)
@click.option("--foreground", is_flag=True, help="Stay, and unmount on Ctrl-C.")
@json_option
def mount_command(
    directory: Path,
    data: Path,
    allow_other: bool,
    read_only: bool,
    shared_locks: bool,
    words: str,
    foreground: bool,
    as_json: bool,
) -> int:
    """Mount the data folder's files on DIRECTORY (made when missing); returns when they are there.

    A mount whose process has died is repaired. Reading and writing need no server; `.search` asks the one that runs.
    """
    folder = runtime.DataFolder(data)
    if not folder.volume.is_dir():
        raise NotFound(f"there is no VexFS data in {folder.path}; start a server on it once: vexfs serve --data {data}")
    target = directory.expanduser().absolute()
    if lifecycle.is_dead(target):
        output.remark(f"the mount on {target} had lost its process; mounting it again")
        lifecycle.detach(target)
    target.mkdir(parents=True, exist_ok=True)
    name = ready_name(target)
    command = [sys.executable, "-m", "vexfs.mount", "--data", str(folder.path), "--ready-name", name]
    command += _flags(words, allow_other=allow_other, read_only=read_only, shared_locks=shared_locks)
    command.append(str(target))
    if foreground:
        os.execv(command[0], command)
    record = _start(folder, name, command)
    if as_json:
        output.print_json({"mountpoint": str(target), "pid": record["pid"], "log": str(folder.log_file(name))})
    else:
        click.echo(f"{folder.path} is mounted on {target}")
    return 0


def _flags(words: str, *, allow_other: bool, read_only: bool, shared_locks: bool) -> list[str]:
    """The mount process's flags. Raises InvalidRequest for a word that is none of ours."""
    given = [word for word in words.split(",") if word]
    for word in given:
        if word not in ("ro", "rw", "allow_other", "shared_locks"):
            raise InvalidRequest(f"unknown mount option {word!r}: -o takes ro, rw, allow_other and shared_locks")
    if "ro" in given or "rw" in given:
        read_only = [word for word in given if word in ("ro", "rw")][-1] == "ro"  # the last one counts, as for mount(8)
    flags = ["--read-only"] if read_only else []
    flags += ["--allow-other"] if allow_other or "allow_other" in given else []
    return flags + (["--shared-locks"] if shared_locks or "shared_locks" in given else [])


def ready_name(target: Path) -> str:
    """The name under which the mount on a directory announces itself: several may be of one data folder."""
    return "mount-" + hashlib.sha256(os.fsencode(target)).hexdigest()[:12]


def _start(folder: runtime.DataFolder, name: str, command: list[str]) -> dict[str, Any]:
    """Start the mount in the background, in a session of its own, and wait until it answers."""
    folder.create()
    folder.ready_file(name).unlink(missing_ok=True)
    with folder.log_file(name).open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Unavailable(_reason(folder.log_file(name)))
        record = runtime.read_ready(folder.path, name)
        if record is not None and record["pid"] == process.pid:
            return record
        time.sleep(_POLL_SECONDS)
    process.kill()
    process.wait()
    raise Unavailable(f"the mount did not answer within {READY_SECONDS:.0f} s; {folder.log_file(name)} says more")


def _reason(log: Path) -> str:
    """What the mount process said last for people, else its last line."""
    lines = log.read_text("utf-8", "replace").splitlines()
    said = [line.removeprefix("vexfs mount: ") for line in lines if line.startswith("vexfs mount: ")]
    return (said or lines or [f"the mount process ended without a word; see {log}"])[-1]


@click.command("umount")
@click.argument("directory", type=click.Path(path_type=Path))
@data_option
@click.option("--lazy", is_flag=True, help="Take it off the tree at once, even when files are in use.")
@json_option
def umount_command(directory: Path, data: Path, lazy: bool, as_json: bool) -> None:
    """Unmount DIRECTORY; what was written through it is in the volume when this returns."""
    target = directory.expanduser().absolute()
    if not lifecycle.is_mounted(target):
        raise NotFound(f"no VexFS is mounted on {target}")
    record = runtime.read_ready(data, ready_name(target)) or runtime.read_ready(data, "mount") or {}
    if lazy:
        lifecycle.detach(target)
    else:
        lifecycle.unmount(target)
    if record.get("mountpoint") == str(target):
        _await_end(int(record["pid"]))
    if as_json:
        output.print_json({"mountpoint": str(target), "unmounted": True})


def _await_end(pid: int) -> None:
    deadline = time.monotonic() + END_SECONDS
    while runtime.is_alive(pid) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
