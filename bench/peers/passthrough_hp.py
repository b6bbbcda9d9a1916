"""libfuse's own fast example, `passthrough_hp`, compiled from the source package of this machine's Debian or Ubuntu.

Fetched by apt into a folder of the cache, with package lists of its own, so nothing is installed and root is not needed; apt
checks the signatures. Called by `bench.runner.systems` and by `python -m bench.peers`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from bench.runner import build

NAME = "passthrough_hp"
SOURCE, HEADERS = "fuse3", "libfuse3-dev"
FETCH_TIMEOUT_S, COMPILE_TIMEOUT_S = 300.0, 300.0


def binary(*, install: bool = True) -> Path:
    """The program, compiled when it is missing. NotAvailable when that fails, or when it is missing and `install` is off."""
    program = build.peer_folder(NAME) / NAME
    if program.exists():
        return program
    build.check_may_install(NAME, install=install)
    compiler = build.tool("g++", "apt-get install g++")
    for name in ("apt-get", "dpkg-source", "dpkg-deb"):
        build.tool(name, "the sources come from Debian or Ubuntu: apt-get install dpkg-dev")
    with tempfile.TemporaryDirectory(prefix="vexfs-bench-fuse3-") as scratch:
        source, headers = _fetch(Path(scratch))
        _compile(compiler, source, headers, program)
    return program


def version() -> str:
    """The version of the source package the program was compiled from."""
    return (build.peer_folder(NAME) / "version").read_text(encoding="utf-8").strip()


def _fetch(scratch: Path) -> tuple[Path, Path]:
    """The unpacked source and the unpacked headers."""
    apt = _private_apt(scratch)
    build.run([*apt, "update"], scratch, timeout_s=FETCH_TIMEOUT_S)
    build.run([*apt, "--download-only", "source", SOURCE], scratch, timeout_s=FETCH_TIMEOUT_S)
    build.run([*apt, "download", HEADERS], scratch, timeout_s=FETCH_TIMEOUT_S)
    description, package = next(scratch.glob("*.dsc")), next(scratch.glob(f"{HEADERS}_*.deb"))
    source, headers = scratch / "source", scratch / "headers"
    build.run(["dpkg-source", "--extract", str(description), str(source)], scratch)
    build.run(["dpkg-deb", "--extract", str(package), str(headers)], scratch)
    _keep_version(description)
    return source, headers


def _private_apt(scratch: Path) -> list[str]:
    """`apt-get` with lists and a cache in `scratch`, and with the source packages of every archive this machine uses."""
    archives = build.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"], scratch
    )
    lines = [f"{kind} {archive}" for archive in dict.fromkeys(archives.splitlines()) for kind in ("deb", "deb-src")]
    (scratch / "sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")
    folders = {"State::Lists": scratch / "lists", "Cache": scratch / "cache"}
    for folder in folders.values():
        folder.mkdir()
    settings = [f"Dir::{name}={folder}" for name, folder in folders.items()]
    settings += [f"Dir::Etc::SourceList={scratch / 'sources.list'}", f"Dir::Etc::SourceParts={scratch / 'none'}"]
    # Started by root, apt fetches as another user, who may not write here.
    settings += ["APT::Sandbox::User=root"] if os.geteuid() == 0 else []
    return ["apt-get", "--quiet", *(argument for setting in settings for argument in ("-o", setting))]


def _compile(compiler: str, source: Path, headers: Path, program: Path) -> None:
    library = next(headers.glob("usr/lib/**/libfuse3.so")).readlink().name  # such as libfuse3.so.3, which fuse3 brings
    example = source / "example"
    flags = ["-O2", "-D_FILE_OFFSET_BITS=64", f"-I{example}", f"-I{headers / 'usr/include/fuse3'}"]
    unfinished = program.with_suffix(".new")
    build.run(
        [compiler, *flags, str(example / f"{NAME}.cc"), "-o", str(unfinished), "-pthread", f"-l:{library}"],
        source,
        timeout_s=COMPILE_TIMEOUT_S,
    )
    shutil.move(unfinished, program)


def _keep_version(description: Path) -> None:
    folder = build.peer_folder(NAME)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "version").write_text(description.stem.partition("_")[2] + "\n", encoding="utf-8")
