"""How databases are opened, and with which library."""

import ast
from pathlib import Path

import apsw
import pytest

import vexfs
from vexfs.core.errors import DataLoss, Internal, UnsafeSqlite, VexfsError, VolumeFull, VolumeReadOnly
from vexfs.store import sqlite
from vexfs.store.volume import Volume

SOURCE = Path(vexfs.__file__).parent


@pytest.mark.parametrize("number", [3_007_000, 3_045_001, 3_051_002])
def test_a_library_that_can_corrupt_a_shared_log_is_refused(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "SQLITE_VERSION_NUMBER", number)
    version = f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
    with pytest.raises(UnsafeSqlite, match=version):
        Volume.open(folder, "api", create=True)
    with pytest.raises(UnsafeSqlite):
        sqlite.connect(folder, create=True)
    assert not folder.exists()


def test_a_safe_library_is_taken() -> None:
    sqlite.refuse_unsafe_library(3_051_003)
    sqlite.refuse_unsafe_library()


def imported_modules(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("__import__", "import_module"):
                found.add(str(node.args[0].value).split(".")[0])
    return found


def test_no_module_imports_the_other_sqlite() -> None:
    """Two SQLite libraries in one process drop each other's locks."""
    modules = list(SOURCE.rglob("*.py"))
    assert len(modules) > 80
    offending = [
        path for path in modules if imported_modules(ast.parse(path.read_text())) & {"sqlite3", "_sqlite3", "pysqlite3"}
    ]
    assert offending == []


@pytest.mark.parametrize(
    "code", ["import sqlite3", "from sqlite3 import connect", "import os, sqlite3 as s", "importlib.import_module('sqlite3')"]
)
def test_the_search_for_the_other_sqlite_finds_every_way_to_import_it(code: str) -> None:
    assert "sqlite3" in imported_modules(ast.parse(code))


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (apsw.FullError("x"), VolumeFull),
        (apsw.CorruptError("x"), DataLoss),
        (apsw.NotADBError("x"), DataLoss),
        (apsw.IOError("x"), DataLoss),
        (apsw.ReadOnlyError("x"), VolumeReadOnly),
        (apsw.PermissionsError("x"), VolumeReadOnly),
        (apsw.CantOpenError("x"), VolumeReadOnly),
        (apsw.SQLError("x"), Internal),
        (apsw.BusyError("x"), Internal),
    ],
)
def test_each_error_of_sqlite_has_its_meaning(error: apsw.Error, meaning: type[VexfsError]) -> None:
    assert type(sqlite.translate(error)) is meaning


def test_a_connection_has_the_settings_the_store_rests_on(tmp_path: Path) -> None:
    path = tmp_path / "database"
    connection = sqlite.connect(path, create=True)

    def setting(name: str) -> object:
        return connection.execute(f"PRAGMA {name}").fetchall()[0][0]

    expected = {
        "journal_mode": "wal",
        "synchronous": 1,
        "wal_autocheckpoint": 0,
        "mmap_size": 0,
        "temp_store": 2,
        "page_size": 4096,
    }
    assert {name: setting(name) for name in expected} == expected
    assert setting("journal_size_limit") == 64 * 1024 * 1024
    connection.execute("CREATE TABLE t(a)")
    reading = sqlite.connect(path, read_only=True)
    with pytest.raises(apsw.ReadOnlyError):
        reading.execute("INSERT INTO t VALUES(1)")
    reading.close()
    connection.close()
    with pytest.raises(apsw.CantOpenError):
        sqlite.connect(tmp_path / "absent")
