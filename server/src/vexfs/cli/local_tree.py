"""A local directory as `vexfs import` sees it: which entries are stored, and which are passed over and why?

Left out are what version control and tools keep for themselves (.git, node_modules, virtual environments, caches, swap
files) and what .gitignore and .vexfsignore say, each for its own directory and below. Reads the local file system only.
"""

import contextlib
import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pathspec

#: Directory names that hold no documents of a person.
SKIPPED_DIRECTORIES = {
    ".git": "version control",
    ".hg": "version control",
    ".svn": "version control",
    "node_modules": "installed packages",
    "__pycache__": "compiled code",
    ".mypy_cache": "cache",
    ".pytest_cache": "cache",
    ".ruff_cache": "cache",
    ".tox": "virtual environments",
    ".nox": "virtual environments",
}
#: File name patterns.
SKIPPED_FILES = {
    "*.pyc": "compiled code",
    "*.swp": "swap file",
    "*.swo": "swap file",
    "*~": "backup of an editor",
    ".#*": "lock of an editor",
    ".DS_Store": "desktop settings",
}
IGNORE_FILES = (".gitignore", ".vexfsignore")

#: Patterns, the directory they are relative to, and the name of the file they stand in.
Rule: TypeAlias = tuple[str, pathspec.GitIgnoreSpec, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to store. `relative` is its path below the imported directory, with slashes."""

    path: Path
    relative: str
    facts: os.stat_result

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.facts.st_mode)

    @property
    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.facts.st_mode)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something passed over; for a directory, with all below it."""

    path: Path
    reason: str


class LocalTree:
    """One walk over a directory, with the caller's own rules.

    `excluded` are patterns in the manner of .gitignore; if there are `included`, a file's name must match one of them.
    """

    def __init__(self, root: Path, *, excluded: tuple[str, ...] = (), included: tuple[str, ...] = ()) -> None:
        self._root = root
        self._included = included
        self._excluded = pathspec.GitIgnoreSpec.from_lines(excluded)

    def walk(self) -> Iterator[Entry | Skipped]:
        """Every entry below the root, directories before what is in them, in the order of their names."""
        yield from self._walk(self._root, "", [("", self._excluded, "excluded")] if self._excluded.patterns else [])

    def _walk(self, directory: Path, relative: str, rules: list[Rule]) -> Iterator[Entry | Skipped]:
        try:
            children = sorted(os.scandir(directory), key=lambda child: os.fsencode(child.name))
        except OSError as error:
            yield Skipped(directory, error.strerror or "cannot be read")
            return
        own = [(relative, spec, name) for name in IGNORE_FILES if (spec := _read_rules(directory / name)) is not None]
        rules = rules + own
        for child in children:
            path = Path(child.path)
            below = f"{relative}/{child.name}" if relative else child.name
            try:
                facts = child.stat(follow_symlinks=False)
            except OSError as error:
                yield Skipped(path, error.strerror or "cannot be read")
                continue
            reason = _reason(path, below, facts, rules) or self._not_included(child.name, facts)
            if reason is not None:
                yield Skipped(path, reason)
                continue
            yield Entry(path, below, facts)
            if stat.S_ISDIR(facts.st_mode):
                yield from self._walk(path, below, rules)

    def _not_included(self, name: str, facts: os.stat_result) -> str | None:
        if not self._included or stat.S_ISDIR(facts.st_mode):
            return None
        return None if any(fnmatch.fnmatchcase(name, pattern) for pattern in self._included) else "not included"


def _reason(path: Path, relative: str, facts: os.stat_result, rules: list[Rule]) -> str | None:
    """Why an entry is passed over; None when it is not."""
    is_directory = stat.S_ISDIR(facts.st_mode)
    if is_directory and path.name in SKIPPED_DIRECTORIES:
        return SKIPPED_DIRECTORIES[path.name]
    if is_directory and (path / "pyvenv.cfg").exists():
        return "virtual environment"
    if not is_directory:
        if not (stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)):
            return "neither file, directory nor symbolic link"
        for pattern, reason in SKIPPED_FILES.items():
            if fnmatch.fnmatchcase(path.name, pattern):
                return reason
    for base, spec, name in reversed(rules):  # the nearest directory decides, as git has it
        inner = relative[len(base) + 1 :] if base else relative
        verdict = spec.check_file(inner + "/" if is_directory else inner).include
        if verdict is not None:
            return (f"{name} of {base}" if base else name) if verdict else None
    return None


def _read_rules(path: Path) -> pathspec.GitIgnoreSpec | None:
    """The patterns of an ignore file; a line that is no pattern excludes nothing, as git has it."""
    try:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    patterns: list[Any] = []
    for line in lines:
        with contextlib.suppress(ValueError):
            patterns.extend(pathspec.GitIgnoreSpec.from_lines([line]).patterns)
    return pathspec.GitIgnoreSpec(patterns)
