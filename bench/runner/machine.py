"""Facts about the machine and the tree a run was made on: what a reader needs to compare, no host name and no path."""

from __future__ import annotations

import os
import platform
import secrets
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# What decides speed: the SQLite inside apsw, the gRPC core, the HTTP server, the event loop, the model runtime.
PACKAGES = ("apsw", "grpcio", "aiohttp", "uvloop", "onnxruntime", "scann", "tantivy", "numpy")
# What a benchmark run writes itself does not make the tree a different one.
OWN_OUTPUT = ("bench/results/", "docs/performance/")


def header(command: str) -> dict[str, Any]:
    """Run id, date, commit, command and machine of a run that starts now."""
    now = datetime.now(UTC)
    return {
        "run_id": f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}",
        "date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "commit": commit(),
        "command": command,
        "machine": facts(),
    }


def commit() -> str:
    """The commit of the checkout, with "+changes" when tracked files differ from it; "unknown" outside a checkout."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD").strip()
        changed = [line[3:] for line in _git("status", "--porcelain", "--untracked-files=no").splitlines()]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+changes" if any(not name.startswith(OWN_OUTPUT) for name in changed) else "")


def facts() -> dict[str, Any]:
    return {
        "cpu": _first_field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "virtual_machine": " hypervisor " in _first_field("/proc/cpuinfo", "flags") + " ",
        "kernel": platform.release(),
        # The build matters: an interpreter without profile-guided optimisation is about a tenth slower through the mount.
        "python": f"{platform.python_version()} ({platform.python_compiler()}, built {platform.python_build()[1]})",
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def filesystem_type(folder: Path) -> str:
    """The type of the file system a folder lies on, such as ext4."""
    target = str(folder.resolve())
    best = ("", "unknown")
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, mount_point, kind, *_ = line.split(" ")
        covers = target == mount_point or target.startswith(mount_point.rstrip("/") + "/")
        if covers and len(mount_point) >= len(best[0]):
            best = (mount_point, kind)
    return best[1]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _first_field(file: str, name: str) -> str:
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
