"""agentfs, a durable file system on SQLite in Rust, built from its public repository without its sandbox.

Its sandbox needs crates that are published nowhere, and its mount does not: those lines are taken out before the build, so the
lock file cannot be kept word for word. `VEXFS_BENCH_AGENTFS` names another place to clone from: a mirror, a folder on this
disk. Called by `bench.runner.systems` and by `python -m bench.peers`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from bench.runner import build

NAME = "agentfs"
VERSION = "v0.6.4"
COMMIT = "3a5ed2b88e5d5a5f9b2c7fe02d012b50fd19e3c0"
REPOSITORY = "https://github.com/tursodatabase/agentfs"
REPOSITORY_VARIABLE = "VEXFS_BENCH_AGENTFS"
LEFT_BEHIND = "tursodb-ephemeral-*"
"""The files that it leaves in the temporary directory, one for each rename."""
CLONE_TIMEOUT_S, BUILD_TIMEOUT_S = 300.0, 1800.0

_LEFT_OUT = re.compile(r"^(agentfs-sandbox|reverie[a-z-]*) *=|\"dep:(agentfs-sandbox|reverie[a-z-]*)\"|^default *=")


def binary(*, install: bool = True) -> Path:
    """The program, built when it is missing. NotAvailable when that fails, or when it is missing and `install` is off."""
    program = build.peer_folder(f"{NAME}-{VERSION}") / NAME
    if program.exists():
        return program
    build.check_may_install(NAME, install=install)
    cargo, _ = build.tool("cargo", "https://rustup.rs, 1.85 or newer"), build.tool("git", "apt-get install git")
    sys.stderr.write("building agentfs (some minutes, once; it needs liblzma-dev)\n")
    with tempfile.TemporaryDirectory(prefix="vexfs-bench-agentfs-") as scratch:
        source = Path(scratch) / "source"
        _clone(source)
        _take_out_the_sandbox(source)
        build.run([cargo, "build", "--release", "--bin", NAME], source / "cli", timeout_s=BUILD_TIMEOUT_S)
        program.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source / "cli" / "target" / "release" / NAME, program)
    return program


def _clone(source: Path) -> None:
    """The tagged tree; NotAvailable when the tag is not the commit this benchmark was written for."""
    repository = os.environ.get(REPOSITORY_VARIABLE, REPOSITORY)
    build.run(
        ["git", "clone", "--quiet", "--depth", "1", "--branch", VERSION, "--config", "advice.detachedHead=false",
         repository, str(source)],
        source.parent,
        timeout_s=CLONE_TIMEOUT_S,
    )  # fmt: skip
    found = build.run(["git", "rev-parse", "HEAD"], source).strip()
    if found != COMMIT:
        raise build.NotAvailable(f"{VERSION} of {NAME} is commit {found} there, not {COMMIT}")


def _take_out_the_sandbox(source: Path) -> None:
    manifest = source / "cli" / "Cargo.toml"
    lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if not _LEFT_OUT.search(line.strip())), encoding="utf-8")
    # It asks for a nightly compiler, which only the sandbox needs.
    (source / "cli" / "rust-toolchain.toml").unlink()
