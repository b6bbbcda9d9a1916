"""Programs that need every promise of a file system: SQLite in its journal modes with several processes, and git.

They run in processes of their own: this one has the server's SQLite, and two libraries in a process drop each other's locks.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Mounted

WRITERS, ROWS = 3, 25
KILLED_AFTER_ROWS = 40

WRITER = """
import sqlite3, sys
database, journal, writer, rows = sys.argv[1:]
connection = sqlite3.connect(database, timeout=60, isolation_level=None)
connection.execute(f"PRAGMA journal_mode={journal}")
connection.execute("PRAGMA synchronous=EXTRA")
connection.execute("CREATE TABLE IF NOT EXISTS entry(writer, number, filling, UNIQUE(writer, number))")
for number in range(int(rows)):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO entry VALUES(?, ?, ?)", (writer, number, bytes([number % 251]) * 3000))
    connection.execute("COMMIT")
    print(number, flush=True)
"""

READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("PRAGMA integrity_check").fetchone()[0])
print(connection.execute("PRAGMA journal_mode").fetchone()[0])
for row in connection.execute("SELECT writer, count(*), max(number) FROM entry GROUP BY writer ORDER BY writer"):
    print(*row)
"""

JOURNALS = ["delete", "truncate", "persist", "wal"]


def run(script: str, *arguments: object) -> list[str]:
    """The lines a Python of its own prints."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.splitlines()


def writing(database: Path, journal: str, writer: str, rows: int) -> "subprocess.Popen[str]":
    """A process that inserts rows, a transaction each, and says the number of each that was committed.

    It is EXTRA synchronous: else a transaction whose journal was removed may come back, for nobody syncs the directory then.
    """
    command = [sys.executable, "-c", WRITER, str(database), journal, writer, str(rows)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("journal", JOURNALS)
def test_processes_that_write_one_sqlite_database_lose_nothing_to_each_other(root: Path, journal: str) -> None:
    database = root / "rows.db"
    run(WRITER, database, journal, "first", 1)
    writers = [writing(database, journal, f"writer {number}", ROWS) for number in range(WRITERS)]
    for writer in writers:
        said, _ = writer.communicate(timeout=120)
        assert said.split() == [str(number) for number in range(ROWS)]
        assert writer.returncode == 0
    expected = ["first 1 0", *(f"writer {number} {ROWS} {ROWS - 1}" for number in range(WRITERS))]
    assert run(READER, database) == ["ok", journal if journal == "wal" else "delete", *expected]


@pytest.mark.parametrize("journal", JOURNALS)
def test_a_sqlite_database_is_whole_after_its_writer_and_the_mount_were_killed(mount: Mounted, journal: str) -> None:
    database = mount.path / "rows.db"
    writer = writing(database, journal, "killed", 1_000_000)
    assert writer.stdout is not None
    for number in range(KILLED_AFTER_ROWS):
        assert writer.stdout.readline() == f"{number}\n"
    mount.kill()
    writer.kill()
    rest, _ = writer.communicate(timeout=60)
    promised = int(rest.split()[-1]) if rest.split() else KILLED_AFTER_ROWS - 1
    mount.restart()
    whole, _, kept = run(READER, database)
    assert whole == "ok"
    count, last = map(int, kept.split()[1:])
    assert count == last + 1
    assert last >= promised
    assert run(WRITER, database, journal, "after", 2) == ["0", "1"]


def test_git_finds_its_repository_sound_after_packing_it(root: Path) -> None:
    repository = root / "repository"

    def git(*arguments: str) -> str:
        names = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        command = ["git", "-C", str(repository), *names, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    repository.mkdir()
    git("init", "--quiet", "--initial-branch", "main")
    for number in range(5):
        for name in range(20):
            (repository / f"{name}.txt").write_text(f"Version {number} of file {name}.\n" * (name + 1))
        git("add", "--all")
        git("commit", "--quiet", "--message", f"Version {number}")
    git("checkout", "--quiet", "-b", "older", "HEAD~3")
    assert (repository / "7.txt").read_text() == "Version 1 of file 7.\n" * 8
    git("merge", "--quiet", "main")
    git("gc", "--quiet", "--prune=now")
    assert git("fsck", "--full", "--strict") == ""
    assert git("status", "--porcelain") == ""
    assert (repository / "7.txt").read_text() == "Version 4 of file 7.\n" * 8
    assert list((repository / ".git" / "objects" / "pack").glob("*.pack"))
