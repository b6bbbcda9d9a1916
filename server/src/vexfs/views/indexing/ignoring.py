"""Which files are left out of the index: by default, by `.gitignore` and `.vexfsignore`, or by a collection without text.

Called by the indexer for every file it looks at; belongs to its main thread. Reads the volume through the view it is handed and
remembers directories between calls until `forget`: the owner calls that when the log shows a change that can matter.

Rules as git has them: the deepest directory's file counts first, in it the last matching line; what lies below an ignored
directory is ignored. In one directory `.vexfsignore` counts before `.gitignore`, and both before the defaults.
"""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import pathspec
from pathspec.patterns.gitignore import GitIgnorePatternError

from vexfs.core import collections, content, files
from vexfs.core.errors import VexfsError
from vexfs.core.types import ROOT_INO, Ino
from vexfs.store import dentries
from vexfs.store.reader import Reader

RULE_FILES = (b".vexfsignore", b".gitignore")
"""By precedence in one directory."""
VIRTUAL_ENVIRONMENT_MARK = b"pyvenv.cfg"
NAMES_THAT_MATTER = frozenset((*RULE_FILES, VIRTUAL_ENVIRONMENT_MARK))
DEFAULT_RULES = (
    ".git/", ".hg/", ".svn/", "node_modules/", ".venv/", "venv/", "virtualenv/", "__pycache__/", ".tox/", ".nox/",
    ".mypy_cache/", ".ruff_cache/", ".pytest_cache/", ".cache/", "*.swp", "*.swo", "*.swx", "*~", ".#*", "\\#*#", "4913",
    ".nfs*", ".fuse_hidden*", ".DS_Store", "*.pyc",
)  # fmt: skip
RULE_FILE_MAX_BYTES = 1 << 20
_REMEMBERED_MAX = 50_000


class Verdict(NamedTuple):
    """What the rules say of a file: the name it is indexed under, or why it is left out."""

    name: bytes
    """The first of its names that is not ignored."""
    reason: str
    """Empty when it is to be indexed."""


class _Rules(NamedTuple):
    """The rules of one directory for what lies below it."""

    depth: int
    specs: Sequence[tuple[str, pathspec.GitIgnoreSpec]]


class _Directory(NamedTuple):
    path: tuple[str, ...]
    rules: tuple[_Rules, ...]
    """Of this directory and its ancestors, the deepest first."""
    reason: str
    """Why everything below is left out; empty when it is not."""


_DEFAULTS = _Rules(0, [("the default rules", pathspec.GitIgnoreSpec.from_lines(DEFAULT_RULES))])


class Ignoring:
    """Remembers the rules of directories."""

    def __init__(self) -> None:
        self._directories: dict[Ino, _Directory] = {}
        self._embeds: dict[Ino, bool] | None = None

    def forget(self) -> None:
        """A rule file, a collection's schema or a directory's place has changed."""
        self._directories.clear()
        self._embeds = None

    def forget_directory(self, ino: Ino) -> None:
        """A name of that file went away: if it is a directory, what lies below has another place now."""
        if ino in self._directories:
            self.forget()

    def directories_of(self, view: Reader, ino: Ino) -> list[Ino]:
        """The directories a file has a name in."""
        return [parent for parent, _ in dentries.names_of(view, ino)]

    def verdict(self, view: Reader, ino: Ino) -> Verdict | None:
        """None when no name leads to the file (any more)."""
        first: Verdict | None = None
        for parent, name in dentries.names_of(view, ino):
            directory = self._directory(view, parent)
            if directory is None:
                continue
            verdict = Verdict(name, directory.reason or _matching(directory, name, is_directory=False))
            if not verdict.reason:
                return verdict
            first = first or verdict
        return first

    def _directory(self, view: Reader, ino: Ino) -> _Directory | None:
        """From the root down, so that no depth of nesting is too much; None when the directory is not below the root."""
        chain: list[tuple[Ino, bytes]] = []
        current = ino
        while current != ROOT_INO and current not in self._directories:
            names = dentries.names_of(view, current)
            if not names:
                return None
            chain.append((current, names[0][1]))
            current = names[0][0]
        known = self._directories.get(current)
        if known is None:
            known = self._add(view, ROOT_INO, None, b"")
        for below, name in reversed(chain):
            known = self._add(view, below, known, name)
        return known

    def _add(self, view: Reader, ino: Ino, parent: _Directory | None, name: bytes) -> _Directory:
        if len(self._directories) >= _REMEMBERED_MAX:
            self._directories.clear()
        directory = self._look(view, ino, parent, name)
        self._directories[ino] = directory
        return directory

    def _look(self, view: Reader, ino: Ino, parent: _Directory | None, name: bytes) -> _Directory:
        path = (*parent.path, _text(name)) if parent is not None else ()
        inherited = parent.rules if parent is not None else (_DEFAULTS,)
        reason = (parent.reason or _matching(parent, name, is_directory=True)) if parent is not None else ""
        if reason == _NO_TEXT and self._embedding(view, ino) is True:
            reason = ""  # a collection inside the collection may embed again
        if reason:
            return _Directory(path, inherited, reason)
        if self._embedding(view, ino) is False:
            reason = _NO_TEXT
        elif _lookup(view, ino, VIRTUAL_ENVIRONMENT_MARK) is not None:
            reason = "ignored: a virtual environment"
        own = [(found[0], found[1]) for rule_file in RULE_FILES if (found := _read_rules(view, ino, rule_file)) is not None]
        rules = (_Rules(len(path), own), *inherited) if own else inherited
        return _Directory(path, rules, reason)

    def _embedding(self, view: Reader, ino: Ino) -> bool | None:
        """What a collection's schema says; None for a directory that is none."""
        if self._embeds is None:
            self._embeds = {found.ino: found.schema.embed_text for found in collections.list_all(view)}
        return self._embeds.get(ino)


_NO_TEXT = "its collection does not embed text"


def _matching(directory: _Directory, name: bytes, *, is_directory: bool) -> str:
    """Why the rules leave out `name` in `directory`; empty when they do not."""
    path = (*directory.path, _text(name))
    for rules in directory.rules:
        relative = "/".join(path[rules.depth :]) + ("/" if is_directory else "")
        for origin, spec in rules.specs:
            include = spec.check_file(relative).include
            if include is not None:
                return f"ignored by {origin}" if include else ""
    return ""


def _read_rules(view: Reader, directory: Ino, name: bytes) -> tuple[str, pathspec.GitIgnoreSpec] | None:
    """The rules a directory's file states; a line that is no rule is passed over, as git does."""
    ino = _lookup(view, directory, name)
    if ino is None:
        return None
    try:
        data = content.read(view, ino, 0, RULE_FILE_MAX_BYTES)
    except VexfsError:
        return None
    lines: list[str] = []
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        with contextlib.suppress(GitIgnorePatternError, ValueError):
            pathspec.GitIgnoreSpec.from_lines([line])
            lines.append(line)
    return name.decode(), pathspec.GitIgnoreSpec.from_lines(lines)


def _lookup(view: Reader, directory: Ino, name: bytes) -> Ino | None:
    try:
        return files.lookup(view, directory, name).ino
    except VexfsError:
        return None


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
