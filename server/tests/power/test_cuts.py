"""The whole harness on a plain SQLite database: it finds what is lost without a sync, and nothing with it."""

import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from . import recorder
from .cuts import BrokenPromise, Report, check_cuts, every_write_point, sample
from .disk import Disk
from .events import read_events

_WRITER = """
import os, sys
sys.path.insert(0, sys.argv[2])
import apsw
from tests.power.recorder import mark
path, leave_out = sys.argv[1] + "/db", sys.argv[3]
c = apsw.Connection(path)
c.execute("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0").fetchall()
c.execute("PRAGMA synchronous=" + ("OFF" if leave_out == "checkpoint" else "NORMAL"))
c.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB, c INTEGER)")
wal = os.open(path + "-wal", os.O_RDWR)
for a in range(21):
    c.execute("BEGIN IMMEDIATE")
    c.executemany("INSERT INTO t VALUES(?, zeroblob(3000), ?)", [(2 * a, a), (2 * a + 1, a)])
    c.execute("COMMIT")
    if leave_out != "log": os.fdatasync(wal)
    if leave_out != "mark": mark(b"%d" % a)
    if a % 7 == 6: c.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
os.kill(os.getpid(), 9)
"""


def _check(folder: Path, marks: list[bytes]) -> int:
    path = folder / "db"
    if not marks:
        return 0
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        found = connection.execute("SELECT c FROM t ORDER BY a").fetchall()
        whole = connection.execute("PRAGMA integrity_check").fetchall()
    finally:
        connection.close()
    acknowledged = int(marks[-1]) + 1
    assert whole == [("ok",)]
    assert len(found) % 2 == 0, "a transaction is half there"
    assert [c for (c,) in found] == [a // 2 for a in range(len(found))]
    assert len(found) // 2 >= acknowledged, f"{acknowledged} acknowledged, {len(found) // 2} there"
    return acknowledged


def _run(tmp_path: Path, scratch: Path, leave_out: str, *, samples: int | None = None) -> Report:
    root, log = tmp_path / "root", tmp_path / "events"
    root.mkdir()
    disk = Disk(root)
    command = [sys.executable, "-c", _WRITER, str(root), str(Path(__file__).parents[2]), leave_out]
    environment = recorder.environment(root, log)
    assert subprocess.run(command, check=False, env=environment, timeout=60).returncode == -9
    events = read_events(log)
    cuts = every_write_point(events) if samples is None else sample(events, samples, seed=1)
    return check_cuts(disk, events, cuts, _check, scratch / "after")


def test_a_database_that_is_synced_loses_nothing_at_any_point(tmp_path: Path, scratch: Path) -> None:
    report = _run(tmp_path, scratch, "nothing")
    assert report.states > 500 and report.promises > 5 * report.states


@pytest.mark.parametrize("leave_out", ["log", "checkpoint"])
def test_a_missing_sync_is_found(tmp_path: Path, scratch: Path, leave_out: str) -> None:
    with pytest.raises(BrokenPromise) as broken:
        _run(tmp_path, scratch, leave_out, samples=200)
    assert list((scratch / "after").iterdir()), "the bad state is kept to be looked at"
    assert broken.value.cut.at > 0


def test_a_run_without_promises_fails(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(AssertionError, match="proves nothing"):
        _run(tmp_path, scratch, "mark", samples=20)
