"""Trees of source files, as people work with them: `git clone`, `status` and `checkout`; `tar x`, `grep -r` and `rm -rf`.

The repository is this project's own history, the tree the Python standard library's sources; both are prepared once, on the
disk, before the first round.
"""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from bench.runner import build, corpus, machine
from bench.runner.mounted import Sample
from bench.runner.systems import Running
from bench.workloads.workload import Workload, timed

SECONDS = "s"
CLONE, STATUS, CHECKOUT = "git clone", "git status", "git checkout"
TAR, GREP, REMOVE = "tar x", "grep -r", "rm -rf"
COMMITS_BACK = 100
PATTERN = "def "
# What a user set up for git must not decide.
_GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


def git(folder: Path) -> Workload:
    """NotAvailable without git or outside a checkout of the project with some history."""
    program, repository = build.tool("git", "apt-get install git"), folder / "repository.git"
    build.run([program, "clone", "--quiet", "--bare", "--no-hardlinks", str(machine.ROOT), str(repository)], folder)
    older = build.run([program, "rev-list", "--first-parent", f"--max-count={COMMITS_BACK + 1}", "HEAD"], repository).split()
    if len(older) < 2:
        raise build.NotAvailable("this checkout has no history")

    def measure(running: Running, sample: Sample) -> None:
        directory, clone = running.directory, running.directory / "clone"
        seconds, _ = timed([program, "clone", "--quiet", f"file://{repository}", str(clone)], directory, sample.pinning, **_GIT)
        sample.add(CLONE, SECONDS, seconds)
        seconds, changed = timed([program, "status", "--porcelain"], clone, sample.pinning, **_GIT)
        if changed:
            raise RuntimeError(f"git sees a change in a new clone: {changed.decode(errors='replace')[:200]}")
        sample.add(STATUS, SECONDS, seconds)
        seconds, _ = timed([program, "checkout", "--quiet", older[-1]], clone, sample.pinning, **_GIT)
        sample.add(CHECKOUT, SECONDS, seconds)

    return Workload("git", measure)


def sources(folder: Path, limit: int = 0) -> Workload:
    """`limit` > 0 takes that many files. NotAvailable without tar or grep."""
    tar, grep, remove = (build.tool(name, f"apt-get install {name}") for name in ("tar", "grep", "rm"))
    tree, archive = folder / "sources", folder / "sources.tar"
    corpus.copy_to(tree, limit)
    with tarfile.open(archive, "w") as writer:
        writer.add(tree, "sources")
    expected = _lines_found(grep, tree)

    def measure(running: Running, sample: Sample) -> None:
        directory = running.directory
        seconds, _ = timed([tar, "xf", str(archive)], directory, sample.pinning)
        sample.add(TAR, SECONDS, seconds)
        seconds, found = timed([grep, "-r", PATTERN, "sources"], directory, sample.pinning)
        if (lines := found.count(b"\n")) != expected:
            raise RuntimeError(f"grep found {lines} lines of {expected}")
        sample.add(GREP, SECONDS, seconds)
        seconds, _ = timed([remove, "-rf", "sources"], directory, sample.pinning)
        if (directory / "sources").exists():
            raise RuntimeError("rm left something behind")
        sample.add(REMOVE, SECONDS, seconds)

    return Workload("tar, grep and rm", measure)


def _lines_found(grep: str, tree: Path) -> int:
    done = subprocess.run([grep, "-r", PATTERN, str(tree)], check=True, capture_output=True)
    return done.stdout.count(b"\n")
