"""What a workload of the mount benchmark is, and how it is run on a started system a peer's failure being said.

Called by `bench.mount`; the workloads lie beside this file. One at a time.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.runner import processes
from bench.runner.mounted import Sample
from bench.runner.record import Record
from bench.runner.systems import VEXFS, Running

HEAD, TAIL = 120, 280
REST_TIMEOUT_S = 10.0
_FOLDER = re.compile(r"""(?<![\w.:/])/[^\s'":]*/""")


@dataclass(frozen=True)
class Workload:
    """`measure` works in `running.directory`, in folders of its own, and adds what it measured to the sample."""

    name: str
    measure: Callable[[Running, Sample], None]


def attempt(workload: Workload, running: Running, sample: Sample, record: Record) -> bool:
    """Runs it; whether it worked. What fails on a peer is noted and has no sample in this round; on VexFS it ends the run."""
    try:
        workload.measure(running, sample)
    except (subprocess.CalledProcessError, OSError, RuntimeError) as error:
        if sample.system == VEXFS:
            raise RuntimeError(f"{workload.name} on {VEXFS}: {reason(error)}") from error
        not_measured(record, f"{workload.name} on {sample.system}", error)
        return False
    return True


def not_measured(record: Record, what: str, error: Exception) -> None:
    """Notes, once, what has no number and why."""
    if not any(note.startswith(f"not measured: {what}: ") for note in record.notes):
        record.note(f"not measured: {what}: {reason(error)}")


def reason(error: Exception) -> str:
    """Why it failed, in one short line without the paths of this machine's folders."""
    text = str(error)
    if isinstance(error, subprocess.CalledProcessError):
        words = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        text = f"{Path(error.cmd[0]).name} ended with status {error.returncode}: {words[0] if words else 'it said nothing'}"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    line = " ".join(_FOLDER.sub("", text).split())
    return line if len(line) <= HEAD + TAIL else f"{line[:HEAD]} … {line[-TAIL:]}"


def let_rest(running: Running) -> None:
    """Waits until the server has dealt with what came before, such as indexing it, but not for ever."""
    if running.pid:
        processes.wait_until_quiet(running.pid, timeout_s=REST_TIMEOUT_S)


def drop_cached(running: Running) -> None:
    """Takes the pages of every file, in the directory and where its server stores it, out of the kernel's cache.

    Needs no rights: the files are written out first, and clean pages may be given up by anybody. What a server keeps in its
    own memory stays.
    """
    os.sync()
    for folder in (running.directory, running.stored):
        for file in _files(folder) if folder else ():
            with contextlib.suppress(OSError):
                descriptor = os.open(file, os.O_RDONLY)
                try:
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(descriptor)


def forget_names() -> bool:
    """Makes the kernel forget every name and every file nobody has open, of all file systems; False without the right to.

    A mount's pages go with its files. The pages of the disk's own files stay: a cold name is not a cold disk.
    """
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("2", encoding="ascii")
    except OSError:
        return False
    return True


def timed(command: list[str], folder: Path, pinning: str, **variables: str) -> tuple[float, bytes]:
    """Seconds a command took and what it printed. CalledProcessError when it fails."""
    with processes.pinned(pinning):
        began = time.perf_counter()
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, env=processes.environment(**variables))
        return time.perf_counter() - began, done.stdout


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            if path.is_file() and not path.is_symlink():
                yield path
