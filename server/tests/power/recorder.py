"""Runs a program under `recorder.c` and gives its event log.

Called by the power-cut tests. The library is built on first use into `.cache/power/` of the checkout, named by the hash of its
source.
"""

import ctypes
import hashlib
import os
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("recorder.c")
_CACHE = Path(__file__).parents[3] / ".cache" / "power"


def build() -> Path:
    """The recorder as a shared library. Raises CalledProcessError when the C compiler refuses it."""
    digest = hashlib.blake2b(_SOURCE.read_bytes(), digest_size=8).hexdigest()
    library = _CACHE / f"recorder-{digest}.so"
    if not library.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        building = library.with_suffix(f".{os.getpid()}")
        compiler = os.environ.get("CC", "cc")
        subprocess.run(
            [
                compiler,
                "-std=gnu11",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-O2",
                "-fPIC",
                "-shared",
                "-o",
                building,
                _SOURCE,
                "-lpthread",
            ],
            check=True,
        )
        building.rename(library)
    return library


def environment(root: Path, log: Path) -> dict[str, str]:
    """The variables that put a program and its children under the recorder. `root` must exist and `log` lie outside it."""
    root, log = root.resolve(strict=True), log.resolve()
    if log.is_relative_to(root):
        raise ValueError("the event log must lie outside the recorded folder")
    return {**os.environ, "LD_PRELOAD": str(build()), "POWER_ROOT": str(root), "POWER_LOG": str(log)}


def mark(data: bytes) -> None:
    """Note `data` in the event log of this process, after everything it has done so far. For the recorded program."""
    ctypes.CDLL(None).power_mark(data, ctypes.c_size_t(len(data)))
