"""The recorder sees everything: its log, replayed to the end, is the folder as it lies there."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from . import recorder
from .disk import Disk, Survival, read_tree
from .events import Event, Kind, UnsoundLog, read_events

_PRELUDE = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.power.recorder import mark
root = sys.argv[1]
"""


def _record(tmp_path: Path, program: str) -> tuple[Disk, list[Event], Path]:
    """Run a Python program on an empty folder; the disk before its first event, its events, and the folder."""
    root, log = tmp_path / "root", tmp_path / "events"
    root.mkdir()
    disk = Disk(root)
    source = _PRELUDE + textwrap.dedent(program)
    subprocess.run([sys.executable, "-c", source, root], check=True, env=recorder.environment(root, log), timeout=60)
    return disk, read_events(log), root


_PROGRAMS = {
    "every way to write": """
        fd = os.open(root + "/f", os.O_CREAT | os.O_RDWR)
        os.write(fd, b"one"); os.pwrite(fd, b"two", 10); os.writev(fd, [b"th", b"ree"]); os.pwritev(fd, [b"fo", b"ur"], 20)
        os.ftruncate(fd, 22); os.truncate(root + "/f", 21); os.write(fd, b"x" * 100000)
        again = os.dup(fd); os.lseek(again, 5, os.SEEK_SET); os.write(again, b"dup")
        with open(root + "/g", "w") as g: g.write("text" * 5000)
        with open(root + "/g", "a") as g: g.write("more")
        with open(root + "/h", "wb", buffering=0) as h: h.write(b"old content")
        with open(root + "/h", "wb") as h: h.write(b"new")
        os.chdir(root); open("relative", "w").write("r")
    """,
    "every way to name": """
        from pathlib import Path
        import shutil, tempfile
        top = Path(root)
        (top / "a" / "b").mkdir(parents=True)
        (top / "a" / "one").write_bytes(b"1"); (top / "two").write_bytes(b"2")
        (top / "a" / "one").rename(top / "a" / "b" / "one"); os.replace(top / "two", top / "a" / "b" / "two")
        os.link(top / "a" / "b" / "one", top / "linked"); (top / "linked").write_bytes(b"both names")
        (top / "gone").write_bytes(b"x"); (top / "gone").unlink(); (top / "empty").mkdir(); (top / "empty").rmdir()
        at = os.open(top / "a", os.O_RDONLY)
        os.mkdir("at", dir_fd=at); os.close(os.open("at/f", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.rename("at/f", "at/g", src_dir_fd=at, dst_dir_fd=at); os.link("at/g", "at/h", src_dir_fd=at, dst_dir_fd=at)
        os.unlink("at/g", dir_fd=at); os.rename(top / "a" / "b", top / "moved"); (top / "moved" / "later").write_bytes(b"l")
        (top / "tree" / "deep").mkdir(parents=True); (top / "tree" / "deep" / "f").touch(); shutil.rmtree(top / "tree")
        fd, name = tempfile.mkstemp(dir=top); os.write(fd, b"temporary")
    """,
    "threads and processes": """
        import subprocess, threading
        fds = [os.open(root + f"/{n}", os.O_CREAT | os.O_RDWR) for n in range(4)]
        def work(n):
            for i in range(500): os.pwrite(fds[n], bytes([i % 256]) * 700, (i * 7919) % 100000)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        [thread.start() for thread in threads]
        if os.fork() == 0:
            os.pwrite(fds[0], b"child", 200000); os._exit(0)
        child = [sys.executable, "-c", f"open({root + '/child'!r}, 'w').write('from a child')"]
        subprocess.run(child, check=True); [thread.join() for thread in threads]
        os.waitpid(-1, 0)
    """,
    "a word index, which renames past the C library": """
        from pathlib import Path
        from vexfs.views.lexical import LexicalWriter, Marker
        words = LexicalWriter(Path(root) / "words")
        for n in range(12):
            words.replace(n + 1, [(0, f"text number{n}")]); words.replace(n - 2, []); words.commit(Marker(1, n))
        words.close()
    """,
    "an SQLite database in WAL mode": """
        import apsw
        one, two = apsw.Connection(root + "/db"), apsw.Connection(root + "/db")
        for c in one, two: c.execute("PRAGMA journal_mode=WAL").fetchall(); c.execute("PRAGMA synchronous=NORMAL")
        one.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        for i in range(100):
            (one, two)[i % 2].execute("INSERT INTO t VALUES(?, randomblob(900))", (i,))
            if i == 29: one.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if i == 59: one.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        one.execute("VACUUM"); two.close()
    """,
    "an SQLite database with a rollback journal": """
        import apsw
        c = apsw.Connection(root + "/db"); c.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        for i in range(30): c.execute("INSERT INTO t VALUES(?, randomblob(9000))", (i,))
        c.execute("DELETE FROM t WHERE a < 10")
    """,
}


@pytest.mark.parametrize("program", _PROGRAMS.values(), ids=_PROGRAMS.keys())
def test_the_log_replayed_to_its_end_is_the_folder(tmp_path: Path, program: str) -> None:
    disk, events, root = _record(tmp_path, program)
    for event in events:
        disk.apply(event)
    assert disk.after_cut(Survival.EVERYTHING) == read_tree(root)
    assert any(event.kind == Kind.WRITE for event in events)


def test_syncs_and_marks_stand_in_order(tmp_path: Path) -> None:
    _, events, _ = _record(
        tmp_path,
        """
        fd = os.open(root + "/f", os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"x"); mark(b"written"); os.fsync(fd); mark(b"synced"); os.fdatasync(fd)
        folder = os.open(root, os.O_RDONLY); os.fsync(folder); mark(b"named")
        """,
    )
    sync = [Kind.SYNC_BEGIN, Kind.SYNC_END]
    assert [event.kind for event in events] == [Kind.CREATE, Kind.WRITE, Kind.MARK, *sync, Kind.MARK, *sync, *sync, Kind.MARK]
    assert [event.data for event in events if event.kind == Kind.MARK] == [b"written", b"synced", b"named"]
    assert events[0].path == "f" and events[1].data == b"x" and events[3].ino == events[0].ino != events[8].ino


def test_other_folders_are_not_recorded(tmp_path: Path) -> None:
    _, events, _ = _record(
        tmp_path, "open(root + '-beside', 'w').write('x'); os.rename(root + '-beside', root + '2'); os.unlink(root + '2')"
    )
    assert events == []


_UNSOUND = {
    "a shared writable mapping": "import mmap; f.write(b'x' * 5000); f.flush(); mmap.mmap(f.fileno(), 5000)[0] = 1",
    "copy_file_range": "s = open('/etc/passwd', 'rb'); os.copy_file_range(s.fileno(), f.fileno(), 10)",
    "fallocate": "os.posix_fallocate(f.fileno(), 0, 100)",
    "a file from outside": "open(root + '2', 'w').close(); os.rename(root + '2', root + '/f')",
    "a synchronous descriptor": "os.open(root + '/f', os.O_WRONLY | os.O_DSYNC)",
}


@pytest.mark.parametrize("program", _UNSOUND.values(), ids=_UNSOUND.keys())
def test_what_the_log_cannot_carry_is_refused(tmp_path: Path, program: str) -> None:
    with pytest.raises(UnsoundLog):
        _record(tmp_path, "f = open(root + '/f', 'w+b'); " + program)


def test_a_log_inside_the_recorded_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside"):
        recorder.environment(tmp_path, tmp_path / "events")


def test_a_log_cut_off_by_a_kill_ends_with_its_last_whole_event(tmp_path: Path) -> None:
    _, events, _ = _record(tmp_path, "open(root + '/f', 'w').write('x'); os.mkdir(root + '/sub')")
    log = tmp_path / "events"
    log.write_bytes(log.read_bytes()[:-1])
    assert read_events(log) == events[:-1]
