"""Builds what is not Python: the C client and the Rust peer, into folders git ignores, only when their sources are newer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
CACHE = BENCH / ".cache"


class NotAvailable(Exception):
    """A part of the benchmark cannot run here; the text says what is missing and how to get it."""


def fsops() -> Path:
    """The client of the mount workloads, compiled with cc."""
    source, binary = BENCH / "clients" / "fsops.c", CACHE / "fsops"
    if _is_current(binary, [source]):
        return binary
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotAvailable("the mount workloads need a C compiler: apt-get install gcc libc6-dev")
    CACHE.mkdir(parents=True, exist_ok=True)
    _run([compiler, "-O2", "-Wall", "-Wextra", "-pthread", str(source), "-o", str(binary)], BENCH)
    return binary


def fuser_memory() -> Path:
    """The peer, a release build with the pinned Cargo.lock."""
    folder = BENCH / "peers" / "fuser_memory"
    binary = folder / "target" / "release" / "fuser_memory"
    if _is_current(binary, [folder / "Cargo.toml", folder / "Cargo.lock", *(folder / "src").glob("*.rs")]):
        return binary
    cargo = shutil.which("cargo")
    if cargo is None:
        raise NotAvailable("the Rust peer needs cargo, 1.85 or newer: https://rustup.rs")
    sys.stderr.write("building the Rust peer (about a minute the first time)\n")
    _run([cargo, "build", "--release", "--locked"], folder)
    binary.touch()
    return binary


def _is_current(binary: Path, sources: list[Path]) -> bool:
    return binary.exists() and all(source.stat().st_mtime <= binary.stat().st_mtime for source in sources)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotAvailable(f"{Path(command[0]).name} failed in {folder.name}:\n{done.stderr[-4000:]}")
