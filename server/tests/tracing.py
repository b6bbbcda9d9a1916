"""Faults in the system calls of running processes, by `strace`, and whether there can be any here."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

END_S = 60


def _obstacle() -> str:
    """Why no process can be traced here; empty if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (Debian: apt install strace)"
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False, timeout=END_S)
    return tried.stderr.strip() if tried.returncode else ""


_OBSTACLE = _obstacle()
needs_tracing = pytest.mark.skipif(bool(_OBSTACLE), reason=f"no process can be traced here: {_OBSTACLE}")


@contextlib.contextmanager
def injected(pid: int, fault: str) -> Iterator[None]:
    """While the context lasts, a system call of all threads of a process has a fault, in strace's words: `fsync:error=EIO`."""
    call = fault.partition(":")[0]
    tracing = ["strace", "-f", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={fault}", "-p", str(pid)]
    with subprocess.Popen(tracing, stderr=subprocess.PIPE) as tracer:
        try:
            assert tracer.stderr is not None
            assert b"attached" in tracer.stderr.readline()
            yield
        finally:
            tracer.terminate()
            tracer.communicate(timeout=END_S)
