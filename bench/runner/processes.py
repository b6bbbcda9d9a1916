"""Processes of a benchmark: pinning, CPU time of a process tree, waiting until a server is quiet, ending what was started.

Single-threaded; only ends processes it was handed. Linux: reads /proc.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

FREE = "free"
ONE_CORE = "one core"
PINNINGS = (FREE, ONE_CORE)


def pinnings(*, tiny: bool) -> tuple[str, ...]:
    """Both; a tiny run, which only proves that the benchmark works, takes the one that needs pinning."""
    return (ONE_CORE,) if tiny else PINNINGS


def cores_of(pinning: str) -> set[int]:
    """The cores a pinning allows: all of this process, or the last of them."""
    cores = os.sched_getaffinity(0)
    return {max(cores)} if pinning == ONE_CORE else cores


@contextlib.contextmanager
def pinned(pinning: str) -> Iterator[None]:
    """Processes started inside inherit the pinning; the runner itself gets its cores back at the end."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores_of(pinning))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(**variables: str) -> dict[str, str]:
    """The environment of a process to start: this one's, and `variables`."""
    return {**os.environ, **variables}


def tree_of(pid: int) -> list[int]:
    """The process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    tree = [pid]
    for parent in tree:
        tree.extend(children.get(parent, []))
    return tree


def cpu_seconds(pid: int) -> float:
    """Time on a core of all living threads of the tree so far, to the nanosecond. Threads that ended are not in it."""
    total_ns = 0
    for member in tree_of(pid):
        for thread in Path(f"/proc/{member}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total_ns += int(thread.read_text(encoding="utf-8").split()[0])
    return total_ns / 1e9


def resident_bytes(pid: int) -> int:
    """Resident memory of one process; 0 when it is gone."""
    fields = _stat_fields(pid)
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def proportional_bytes(pid: int) -> int:
    """Memory of one process, of what it shares its share alone; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def wait_until_quiet(pid: int, *, timeout_s: float = 30.0, share: float = 0.05) -> bool:
    """Waits until the tree has used less than `share` of one core for half a second. False at the timeout."""
    deadline = time.monotonic() + timeout_s
    before, since = cpu_seconds(pid), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now, at = cpu_seconds(pid), time.monotonic()
        if (now - before) / (at - since) < share:
            return True
        before, since = now, at
    return False


def busy_share(interval_s: float = 0.5) -> float:
    """How much of the machine's cores somebody used during the interval, 0 to 1; time stolen by other machines counts."""
    before, since = _busy_and_all_ticks()
    time.sleep(interval_s)
    busy, ticks = _busy_and_all_ticks()
    return (busy - before) / max(1, ticks - since)


def wait_for_idle_machine(*, timeout_s: float = 20.0, share: float = 0.1) -> bool:
    """Waits until next to nothing runs. False at the timeout.

    The scheduler places a server by what else runs, so the "free" numbers of a busy machine are not those of an idle one.
    """
    deadline = time.monotonic() + timeout_s
    while busy_share() > share:
        if time.monotonic() > deadline:
            return False
    return True


def end(process: subprocess.Popen[bytes], *, timeout_s: float = 10.0) -> int:
    """SIGTERM, then SIGKILL after the timeout; the exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def unmount(directory: Path) -> None:
    """Unmounts a mount that is still there, as root or by fusermount3."""
    if not os.path.ismount(directory):
        return
    command = ["umount", str(directory)] if os.geteuid() == 0 else ["fusermount3", "-u", str(directory)]
    subprocess.run(command, check=True, capture_output=True)


def wait_for_mount(directory: Path, process: subprocess.Popen[bytes], *, timeout_s: float = 20.0) -> None:
    """Returns when something is mounted there. RuntimeError when the process ended or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not os.path.ismount(directory):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode} before it mounted")
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing was mounted within {timeout_s:.0f} s")
        time.sleep(0.02)


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name (state is field 0, parent field 1); empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _busy_and_all_ticks() -> tuple[int, int]:
    """User, nice, system, idle, iowait, irq, softirq and steal of all cores since the start of the machine."""
    ticks = [int(field) for field in Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
