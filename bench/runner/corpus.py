"""The corpus every machine has: the Python standard library's own sources without its tests; and questions it answers.

Deterministic for one Python version. Reads files only.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_LEFT_OUT = {"test", "tests", "idle_test", "lib2to3", "__pycache__", "site-packages", "dist-packages"}
_QUESTION = re.compile(r"[A-Za-z][^\n]{18,110}?[.!?]?$")


def sources(limit: int = 0) -> list[Path]:
    """The files, in order; `limit` > 0 takes that many, spread over the whole."""
    found = sorted(_walk(Path(sysconfig.get_path("stdlib"))))
    if not 0 < limit < len(found):
        return found
    return [found[i * len(found) // limit] for i in range(limit)]


def copy_to(folder: Path, limit: int = 0) -> int:
    """Copies the corpus with its folders into `folder`; the number of files."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sources(limit)
    for file in files:
        target = folder / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return len(files)


def questions(count: int, limit: int = 0) -> list[str]:
    """Distinct questions: first lines of docstrings in the corpus, spread over it. Fewer when there are not so many."""
    found = list(dict.fromkeys(line for file in sources(limit) for line in _first_lines(file)))
    count = min(count, len(found))
    return [found[i * len(found) // count] for i in range(count)]


def _walk(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _LEFT_OUT]
        yield from (Path(folder) / name for name in files if name.endswith(".py"))


def _first_lines(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            line = (ast.get_docstring(node) or "").split("\n", 1)[0].strip()
            if _QUESTION.fullmatch(line):
                yield line
