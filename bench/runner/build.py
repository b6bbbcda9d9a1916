"""Builds what is not Python: the C client and the Rust peer, into folders git ignores, only when their sources are newer."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from vexfs.views.embedding import weights

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
CACHE = BENCH / ".cache"


class NotAvailable(Exception):
    """A part of the benchmark cannot run here; the text says what is missing and how to get it."""


def fsops() -> Path:
    """The client of the mount workloads, compiled with cc."""
    return _compiled("fsops", "the mount workloads")


def bigfile() -> Path:
    """The client of the work on one large file, compiled with cc."""
    return _compiled("bigfile", "the mount workloads")


def grpcload() -> Path:
    """The client of many small gRPC calls, compiled with cc."""
    return _compiled("grpcload", "loads over gRPC")


def _compiled(name: str, needed_by: str) -> Path:
    source, binary = BENCH / "clients" / f"{name}.c", CACHE / name
    if _is_current(binary, [source]):
        return binary
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotAvailable(f"{needed_by} need a C compiler: apt-get install gcc libc6-dev")
    CACHE.mkdir(parents=True, exist_ok=True)
    run([compiler, "-O2", "-Wall", "-Wextra", "-pthread", str(source), "-o", str(binary)], BENCH)
    return binary


def fuser_memory() -> Path:
    """The peer, a release build with the pinned Cargo.lock."""
    folder = BENCH / "peers" / "fuser_memory"
    binary = folder / "target" / "release" / "fuser_memory"
    if _is_current(binary, [folder / "Cargo.toml", folder / "Cargo.lock", *(folder / "src").glob("*.rs")]):
        return binary
    cargo = tool("cargo", "https://rustup.rs, 1.85 or newer")
    sys.stderr.write("building the Rust peer (about a minute the first time)\n")
    run([cargo, "build", "--release", "--locked"], folder)
    binary.touch()
    return binary


def overhead(language: str) -> list[str]:
    """The command that measures what a client adds to a call, built if need be: its arguments are rounds and calls."""
    program = {"python": _python_overhead, "js": _js_overhead, "go": _go_overhead, "rust": _rust_overhead}
    return program[language]()


def _python_overhead() -> list[str]:
    python = ROOT / "sdk-python" / ".venv" / "bin" / "python"
    if not python.exists():
        raise NotAvailable("the Python client is not set up: make setup-sdk-python")
    return [str(python), str(ROOT / "sdk-python" / "bench" / "overhead.py")]


def _js_overhead() -> list[str]:
    if not (ROOT / "sdk-js" / "dist").exists():
        raise NotAvailable("the JavaScript client is not built: make sdk-js")
    return [tool("node", "https://nodejs.org, 20 or newer"), str(ROOT / "sdk-js" / "bench" / "overhead.mjs")]


def _go_overhead() -> list[str]:
    CACHE.mkdir(parents=True, exist_ok=True)
    binary = CACHE / "overhead-go"
    run(
        [tool("go", "https://go.dev, 1.24 or newer"), "build", "-p", "1", "-o", str(binary), "./internal/overhead"],
        ROOT / "sdk-go",
    )
    return [str(binary)]


def _rust_overhead() -> list[str]:
    sys.stderr.write("building the Rust client (minutes the first time)\n")
    run(
        [tool("cargo", "https://rustup.rs, 1.89 or newer"), "build", "--release", "--locked", "--example", "overhead"],
        ROOT / "sdk-rust",
    )
    return [str(ROOT / "sdk-rust" / "target" / "release" / "examples" / "overhead")]


def tool(name: str, source: str) -> str:
    """The path of a program; NotAvailable, which says where it comes from, when it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise NotAvailable(f"{name} is missing: {source}")
    return found


def _is_current(binary: Path, sources: list[Path]) -> bool:
    return binary.exists() and all(source.stat().st_mtime <= binary.stat().st_mtime for source in sources)


def run(command: list[str], folder: Path, *, timeout_s: float | None = None) -> str:
    """What a command printed. NotAvailable with its last words when it fails or takes longer than `timeout_s`."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise NotAvailable(f"{Path(command[0]).name} took longer than {timeout_s:.0f} s in {folder.name}") from error
    if done.returncode:
        raise NotAvailable(f"{Path(command[0]).name} failed in {folder.name}:\n{done.stderr[-4000:]}")
    return done.stdout


def peer_folder(name: str) -> Path:
    """Where a peer that is built from foreign sources is kept: in the cache, so that every checkout finds it."""
    return weights.cache_folder() / "bench" / name


def check_may_install(name: str, *, install: bool) -> None:
    """NotAvailable when a peer is missing and must not be fetched."""
    if not install:
        raise NotAvailable(f"{name} is not built, and a tiny run builds no peer: python -m bench.peers")
