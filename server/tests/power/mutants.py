"""Syncs left out on purpose: every place in the store that syncs, found in its source, and a copy of the package without it.

Called by `test_mutants.py`. A place is a mention of `os.fsync` or `os.fdatasync`, or a call of a function whose name
says that it syncs, such as `sync_folder(path)`; SQLite's own syncs count as one, the `synchronous` pragma. In the copy a left
out sync marks the event log instead, so that the cuts after it are looked at first.
"""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import vexfs

PACKAGE = Path(vexfs.__file__).parent
_SEARCHED = ("store", "core")
_CALLS = frozenset(("fsync", "fdatasync", "sync_file_range"))
_PRAGMA = "synchronous=NORMAL"
MARK = b"left out"
_LEAVE_OUT = f"(lambda *_: __import__('tests.power.recorder', fromlist=['mark']).mark({MARK!r}))"


class Mutant(NamedTuple):
    """One sync to leave out: a stretch of a source line, and what stands there instead."""

    file: str
    line: int
    start: int
    end: int
    text: str
    replacement: str

    @property
    def name(self) -> str:
        return f"{self.file}:{self.line} {self.text}"

    def plant(self, folder: Path) -> None:
        """Copy the package into `folder`, without this sync."""
        shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        target = folder / PACKAGE.name / self.file
        lines = target.read_bytes().splitlines(keepends=True)
        line = lines[self.line - 1]
        assert line[self.start : self.end] == self.text.encode(), f"{self.file} has changed since its syncs were looked for"
        lines[self.line - 1] = line[: self.start] + self.replacement.encode() + line[self.end :]
        target.write_bytes(b"".join(lines))


def replace(file: str, text: str, replacement: str) -> Mutant:
    """Something else in the place of a stretch of source that is there once, and the event log marked there.

    Raises AssertionError when it is not there once.
    """
    found = [(number, line) for number, line in enumerate((PACKAGE / file).read_text().splitlines(), start=1) if text in line]
    assert len(found) == 1, f"{file} has {len(found)} lines with {text}"
    number, line = found[0]
    start = len(line[: line.index(text)].encode())
    return Mutant(file, number, start, start + len(text.encode()), text, f"{_LEAVE_OUT}(); {replacement}")


def find() -> list[Mutant]:
    """Every sync there is. Raises AssertionError if one stands in a form this does not understand."""
    files = sorted(path for area in _SEARCHED for path in (PACKAGE / area).rglob("*.py"))
    return [mutant for file in files for mutant in _find_in(file)]


def _find_in(file: Path) -> Iterator[Mutant]:
    source = file.read_text()
    lines = source.splitlines()
    for node, replacement in _places(ast.parse(source)):
        assert node.end_lineno == node.lineno and node.end_col_offset is not None, f"{file}:{node.lineno}: a sync on two lines"
        raw = lines[node.lineno - 1].encode()
        text = raw[node.col_offset : node.end_col_offset].decode()
        yield Mutant(str(file.relative_to(PACKAGE)), node.lineno, node.col_offset, node.end_col_offset, text, replacement)


def _places(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _CALLS:
            assert isinstance(node.value, ast.Name) and node.value.id == "os", f"line {node.lineno}: whose {node.attr} is that?"
            yield node, _LEAVE_OUT
        elif isinstance(node, ast.ImportFrom):
            assert not _CALLS & {alias.name for alias in node.names}, f"line {node.lineno}: say os.fsync"
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and "sync" in _called(node.value):
            yield node.value, f"{_LEAVE_OUT}()"
        elif isinstance(node, ast.Constant) and node.value == _PRAGMA:
            yield node, repr(_PRAGMA.replace("NORMAL", "OFF"))


def _called(call: ast.Call) -> str:
    """The name of what is called and waited for, "" for the system calls themselves."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id
    if not isinstance(function, ast.Attribute) or function.attr in _CALLS:
        return ""
    if function.attr == "result" and isinstance(function.value, ast.Call):
        return _called(function.value)
    return function.attr
