"""A copy of the server's package in which one line differs, and a server that runs from it.

Called by `test_server_mutants.py`; `everywhere` and `on` make the mutants of `server_mutants.py`. The copy is made of links to
the package as it is installed; only the file with the changed line, and the folders above it, are new. The sources of the
package itself are never written to.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import vexfs

from vexfs_conformance.server import OwnServer

PACKAGE = Path(vexfs.__file__).parent
_EVERY_SURFACE = ("grpc", "rest", "connect")


@dataclass(frozen=True)
class ServerMutant:
    """One guard of the server that is broken, and who has to notice."""

    file: str
    """Below the package, such as `api/dispatch.py`."""
    guard: str
    """The whole line that is broken, without its indentation; it stands once in the file."""
    instead: str
    """What stands there instead."""
    wrong: str
    """What the server does wrong then, in a sentence."""
    cases: tuple[str, ...]
    """Each of these has to fail, on each of `lanes`."""
    lanes: tuple[str, ...]
    """The surfaces that show it. On the others the same cases have to pass: the mistake is not theirs."""

    @property
    def line(self) -> int:
        """The guard's line, from 1. Raises LookupError when it stands nowhere, or more than once."""
        found = [number for number, text in enumerate(self._lines(), start=1) if text.strip() == self.guard]
        if len(found) != 1:
            stands = f"stands on the lines {', '.join(map(str, found))}" if found else "does not stand there any more"
            raise LookupError(f"{self.file}: the guard {stands}; name a line that stands there once: {self.guard}")
        return found[0]

    @property
    def place(self) -> str:
        """Where the guard is: `api/dispatch.py:125`."""
        return f"{self.file}:{self.line}"

    def _lines(self) -> list[str]:
        return (PACKAGE / self.file).read_text().splitlines()

    def plant(self, folder: Path) -> None:
        """Make the package in `folder`, with this guard broken."""
        lines = self._lines()
        index = self.line - 1
        indentation = lines[index].removesuffix(lines[index].lstrip())
        lines[index] = indentation + self.instead
        _link_around(folder / PACKAGE.name, PACKAGE, Path(self.file)).write_text("\n".join(lines) + "\n")


def everywhere(file: str, guard: str, instead: str, wrong: str, *cases: str) -> ServerMutant:
    """Behind the surfaces: each of them shows it."""
    return ServerMutant(file, guard, instead, wrong, cases, _EVERY_SURFACE)


def on(lane: str, file: str, guard: str, instead: str, wrong: str, *cases: str) -> ServerMutant:
    """In one surface: the others do not have it."""
    return ServerMutant(file, guard, instead, wrong, cases, (lane,))


def _link_around(copy: Path, original: Path, file: Path) -> Path:
    """Link everything of `original` into `copy`, but for `file` and the folders that lead to it; returns where `file` goes."""
    first, *rest = file.parts
    copy.mkdir()
    for entry in original.iterdir():
        if entry.name not in (first, "__pycache__"):
            (copy / entry.name).symlink_to(entry)
    return _link_around(copy / first, original / first, Path(*rest)) if rest else copy / first


class PlantedServer(OwnServer):
    """A server that runs from the package in `folder`. `model`: with the embedding model, which takes a while to load."""

    def __init__(self, folder: Path, *, model: bool, quota: str | None = None) -> None:
        settings = [f"PYTHONPATH={folder}"]
        if not model:
            settings += [f"VEXFS_MODEL_DIR={folder / 'no-model'}", "VEXFS_OFFLINE=1"]
        super().__init__(["/usr/bin/env", *settings, sys.executable, "-m", "vexfs.cli.main"], quota=quota)

    def close(self) -> None:
        """End it at once: nothing of it is kept. The kernel ends its other processes with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        super().close()
