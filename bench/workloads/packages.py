"""A tree of installed packages, as `npm install` leaves one: unpacked, walked with every manifest read, and removed.

The shape is that of the packages npm itself comes with: 143 packages, 10.6 files and 2 folders in each, 18 % of them scoped,
3 % below another package, 6 % with a command in `.bin`. The numbers of files and folders and the sizes of files are drawn
between the deciles counted there. Names and bytes come from a seed alone: every system gets the same tree, and no two files
have the same bytes. Nothing is fetched.

Unpacking does what package managers do, one thing after the other: the folders of a package, then each file written under
another name and renamed, then its link in `.bin`. The walk follows at once, as the start of a program would: what the kernel
knows by then it keeps. The default rules leave `node_modules` out of the index.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.runner import build, processes
from bench.runner.mounted import Sample
from bench.runner.systems import Running
from bench.workloads.workload import Workload, timed

SECONDS = "s"
UNPACK, WALK, REMOVE = "node_modules: unpack", "node_modules: walk, read manifests", "node_modules: rm -rf"
ROOT, MANIFEST, COMMANDS = "node_modules", "package.json", "node_modules/.bin"
SEED = 1
# Counted in npm's own packages: of each package, and of each file.
FILES_DECILES = (3, 3, 3, 4, 4, 6, 6, 8, 12, 20, 134)
FOLDERS_DECILES = (0, 0, 1, 1, 1, 1, 1, 2, 3, 4, 12)
BYTES_DECILES = (32, 265, 673, 914, 1229, 1614, 2312, 3631, 6503, 12_794, 151_278)
SCOPED, NESTED, WITH_COMMAND = 0.18, 0.03, 0.06


@dataclass
class Package:
    """What is made for one package, in this order. Paths are relative to where the tree is made."""

    folders: list[str]
    files: dict[str, bytes] = field(default_factory=dict)
    link: tuple[str, str] | None = None
    """Path and target."""


def workload(packages: int) -> Workload:
    """NotAvailable without rm."""
    remove = build.tool("rm", "apt-get install coreutils")
    tree = make_tree(packages)
    manifests = {path: content for package in tree for path, content in package.files.items() if path.endswith(f"/{MANIFEST}")}
    entries = sum(len(package.files) + (package.link is not None) for package in tree)

    def measure(running: Running, sample: Sample) -> None:
        directory = running.directory
        with processes.pinned(sample.pinning):
            sample.add(UNPACK, SECONDS, unpack(directory, tree))
            seconds, found, seen = walk(directory / ROOT)
        if found != sorted(manifests.values()) or seen != entries:
            raise RuntimeError(f"{seen} files and {len(found)} manifests were found of {entries} and {len(manifests)}")
        sample.add(WALK, SECONDS, seconds)
        seconds, _ = timed([remove, "-rf", ROOT], directory, sample.pinning)
        if (directory / ROOT).exists():
            raise RuntimeError("rm left something behind")
        sample.add(REMOVE, SECONDS, seconds)

    return Workload("a tree of packages", measure)


def make_tree(packages: int, seed: int = SEED) -> list[Package]:
    """The same for the same arguments."""
    made = random.Random(seed)
    tree: list[Package] = []
    homes: list[str] = []
    for number in range(packages):
        scope = f"@scope-{made.randrange(1 + packages // 8)}/" if made.random() < SCOPED else ""
        name = f"{scope}package-{number}"
        above = f"{made.choice(homes)}/{ROOT}" if homes and made.random() < NESTED else ROOT
        homes.append(f"{above}/{name}")
        tree.append(_package(homes[-1], name, made))
    return tree


def unpack(directory: Path, tree: Sequence[Package]) -> float:
    """Makes the tree below the directory; seconds taken."""
    began = time.perf_counter()
    (directory / COMMANDS).mkdir(parents=True)
    for package in tree:
        for folder in package.folders:
            (directory / folder).mkdir(parents=True, exist_ok=True)
        for path, content in package.files.items():
            _write_and_rename(directory / path, content)
        if package.link is not None:
            (directory / package.link[0]).symlink_to(package.link[1])
    return time.perf_counter() - began


def walk(root: Path) -> tuple[float, list[bytes], int]:
    """Reads every manifest below; seconds taken, the manifests in order of their bytes, how many files and links there are.

    A link that leads nowhere is an OSError.
    """
    found: list[bytes] = []
    seen = 0
    began = time.perf_counter()
    for parent, _, names in os.walk(root):
        folder = Path(parent)
        seen += len(names)
        if folder.name == ".bin":
            for name in names:
                (folder / name).stat()
        if MANIFEST in names:
            found.append((folder / MANIFEST).read_bytes())
    return time.perf_counter() - began, sorted(found), seen


def _package(home: str, name: str, made: random.Random) -> Package:
    folders = [home]
    for number in range(round(_drawn(FOLDERS_DECILES, made))):
        folders.append(f"{made.choice(folders)}/lib-{number}")
    package = Package(folders)
    package.files[f"{home}/{MANIFEST}"] = _manifest(name, made)
    for number in range(1, round(_drawn(FILES_DECILES, made))):
        package.files[f"{made.choice(folders)}/module-{number}.js"] = made.randbytes(round(_drawn(BYTES_DECILES, made)))
    if made.random() < WITH_COMMAND:
        target = next(path for path in package.files if not path.endswith(MANIFEST))
        package.link = (f"{COMMANDS}/{name.rpartition('/')[2]}", os.path.relpath(target, COMMANDS))
    return package


def _manifest(name: str, made: random.Random) -> bytes:
    scripts = {f"task-{number}": made.randbytes(30).hex() for number in range(made.randrange(2, 20))}
    facts = {"name": name, "version": f"{made.randrange(9)}.{made.randrange(30)}.0", "main": "module-1.js", "scripts": scripts}
    return json.dumps(facts, indent=2).encode()


def _drawn(deciles: Sequence[int], made: random.Random) -> float:
    """A number between two neighbours of the deciles, small ones as likely as large ones by their ratio."""
    band = made.randrange(len(deciles) - 1)
    low, high = deciles[band] + 1, deciles[band + 1] + 1
    return float(low * (high / low) ** made.random()) - 1


def _write_and_rename(file: Path, content: bytes) -> None:
    unfinished = file.with_name(f".{file.name}.unpacking")
    with unfinished.open("xb", buffering=0) as writer:
        if writer.write(content) != len(content):
            raise RuntimeError(f"{file.name} was written in part")
    unfinished.rename(file)
