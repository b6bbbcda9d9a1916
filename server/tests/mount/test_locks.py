"""Locks of programs: kept by the kernel for a mount of its own, or holding on every mount that is told to share them."""

import contextlib
import errno
import fcntl
import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vexfs import runtime
from vexfs.mount.lock_table import FLOCK, POSIX, Gate, Key, LockTable
from vexfs.store import ofd

from .conftest import MakeMount, Mounted, eventually
from .test_budget import check, make_meter, read
from .test_files import raises

#: Does what lines on its standard input say, in one process: each is an expression, answered by its value or the errno's name.
PROGRAM = """
import errno, fcntl, json, os, signal, struct, sys
fds = {}
F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38
class Interrupted(Exception): pass
def interrupt(*_): raise Interrupted
signal.signal(signal.SIGUSR1, interrupt)
def open_(name, path, flags=os.O_RDWR):
    fds[name] = os.open(path, flags | os.O_CREAT, 0o644)
def close(name): os.close(fds.pop(name))
def dup(name, other): fds[other] = os.dup(fds[name])
def posix(name, kind, start=0, length=0): fcntl.lockf(fds[name], kind, length, start)
def flock(name, kind): fcntl.flock(fds[name], kind)
def ofd(name, command, kind, start=0, length=0):
    fcntl.fcntl(fds[name], command, struct.pack("hh4xqqi4x", kind, 0, start, length, 0))
def getlk(name, kind, start=0, length=0):
    answer = fcntl.fcntl(fds[name], fcntl.F_GETLK, struct.pack("hh4xqqi4x", kind, 0, start, length, 0))
    return struct.unpack("hh4xqqi4x", answer)[::2][:1] + struct.unpack("hh4xqqi4x", answer)[2:]
def fork():
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        signal.pause()
        os._exit(0)
    return pid
def write(name, data): os.pwrite(fds[name], data.encode(), 0)
def read(name): return os.pread(fds[name], 100, 0).decode()
for line in sys.stdin:
    try:
        answer = eval(line)
    except OSError as error:
        answer = errno.errorcode[error.errno]
    except Interrupted:
        answer = "interrupted"
    print(json.dumps(answer), flush=True)
"""
EX, SH, UN, NB = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_UN, fcntl.LOCK_NB
RDLCK, WRLCK, UNLCK = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK


class Program:
    """Another process that locks files."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def begin(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def do(self, line: str) -> Any:
        self.begin(line)
        return self.answer()

    def open(self, name: str, path: Path, flags: int = os.O_RDWR) -> None:
        assert self.do(f"open_({name!r}, {str(path)!r}, {flags})") is None

    def waits(self) -> bool:
        """Whether the last line is still being done after a moment."""
        assert self.process.stdout is not None
        import select

        return not select.select([self.process.stdout], [], [], 0.15)[0]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        with contextlib.suppress(OSError), self.process:
            self.kill()


@pytest.fixture
def start() -> Iterator[Callable[[], Program]]:
    programs: list[Program] = []

    def make() -> Program:
        programs.append(Program())
        return programs[-1]

    yield make
    for program in programs:
        program.end()


@pytest.fixture
def one(start: Callable[[], Program]) -> Program:
    return start()


@pytest.fixture
def two(start: Callable[[], Program]) -> Program:
    return start()


@pytest.fixture
def mounts(make_mount: MakeMount) -> list[Mounted]:
    """Two mounts of one volume that share their locks; the second because the first does."""
    return [make_mount("--shared-locks"), make_mount()]


@pytest.fixture(params=["one mount", "two mounts"])
def paths(request: pytest.FixtureRequest, mounts: list[Mounted]) -> list[Path]:
    """One file as two programs see it: through the same mount, or each through its own."""
    first = mounts[0].path / "f"
    first.write_text("0")
    second = mounts[1].path / "f" if request.param == "two mounts" else first
    eventually(lambda: second.exists() and second.read_text() == "0")
    return [first, second]


# -- what locks do -------------------------------------------------------------------------------------

KINDS = {
    "posix": ("posix('f', {0})", EX | NB, SH | NB, UN),
    "flock": ("flock('f', {0})", EX | NB, SH | NB, UN),
    "ofd": ("ofd('f', F_OFD_SETLK, {0})", WRLCK, RDLCK, UNLCK),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_excludes_others_until_it_is_freed(paths: list[Path], one: Program, two: Program, kind: str) -> None:
    call, exclusive, shared, free = KINDS[kind]
    one.open("f", paths[0])
    two.open("f", paths[1])
    assert one.do(call.format(exclusive)) is None
    assert two.do(call.format(exclusive)) == "EAGAIN"
    assert two.do(call.format(shared)) == "EAGAIN"
    assert one.do(call.format(shared)) is None
    assert two.do(call.format(shared)) is None
    assert one.do(call.format(exclusive)) == "EAGAIN"
    assert two.do(call.format(free)) is None
    assert one.do(call.format(exclusive)) is None
    assert one.do(call.format(free)) is None
    assert two.do(call.format(exclusive)) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flags", [os.O_RDWR, os.O_RDONLY], ids=["rw", "ro"])
def test_closing_frees(paths: list[Path], one: Program, two: Program, kind: str, flags: int) -> None:
    call, exclusive, shared, _ = KINDS[kind]
    lock = shared if flags == os.O_RDONLY else exclusive
    one.open("f", paths[0], flags)
    two.open("f", paths[1])
    assert one.do(call.format(lock)) is None
    assert two.do(call.format(exclusive)) == "EAGAIN"
    assert one.do("close('f')") is None
    eventually(lambda: two.do(call.format(exclusive)) is None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_program_frees(paths: list[Path], one: Program, two: Program, kind: str) -> None:
    call, exclusive, _, _ = KINDS[kind]
    one.open("f", paths[0])
    two.open("f", paths[1])
    assert one.do(call.format(exclusive)) is None
    assert two.do(call.format(exclusive)) == "EAGAIN"
    one.kill()
    eventually(lambda: two.do(call.format(exclusive)) is None)


def test_ranges_are_locked_apart_split_and_told(paths: list[Path], one: Program, two: Program) -> None:
    one.open("f", paths[0])
    two.open("f", paths[1])
    assert one.do(f"posix('f', {EX}, 10, 100)") is None
    assert two.do(f"posix('f', {EX | NB}, 0, 10)") is None
    assert two.do(f"posix('f', {EX | NB}, 0, 11)") == "EAGAIN"
    assert two.do(f"posix('f', {EX | NB}, 110, 0)") is None
    assert one.do(f"posix('f', {UN}, 50, 10)") is None
    assert two.do(f"posix('f', {EX | NB}, 50, 10)") is None
    assert one.do(f"posix('f', {SH | NB}, 20, 5)") is None
    assert two.do(f"posix('f', {SH | NB}, 20, 5)") is None
    pid = one.pid if paths[0] == paths[1] else 0
    assert two.do(f"getlk('f', {WRLCK}, 60, 1000)") == [WRLCK, 60, 50, pid]
    assert two.do(f"getlk('f', {RDLCK}, 20, 5)")[0] == UNLCK
    assert one.do(f"getlk('f', {WRLCK}, 1000, 0)") == [WRLCK, 110, 0, two.pid if pid else 0]


def test_closing_any_descriptor_frees_the_process_s_posix_locks_and_no_other(
    paths: list[Path], one: Program, two: Program
) -> None:
    one.open("f", paths[0])
    two.open("f", paths[1])
    assert one.do(f"posix('f', {EX}, 0, 1)") is None
    assert one.do(f"ofd('f', F_OFD_SETLK, {WRLCK}, 5, 1)") is None
    assert one.do(f"flock('f', {EX})") is None
    one.open("other", paths[0])
    assert one.do("close('other')") is None
    assert two.do(f"posix('f', {EX | NB}, 0, 1)") is None
    assert two.do(f"ofd('f', F_OFD_SETLK, {WRLCK}, 5, 1)") == "EAGAIN"
    assert two.do(f"flock('f', {EX | NB})") == "EAGAIN"


def test_a_duplicate_keeps_what_belongs_to_the_opening(paths: list[Path], one: Program, two: Program) -> None:
    one.open("f", paths[0])
    two.open("f", paths[1])
    assert one.do(f"flock('f', {EX})") is None
    assert one.do(f"ofd('f', F_OFD_SETLK, {WRLCK})") is None
    one.do("dup('f', 'g')")
    one.do("close('f')")
    assert two.do(f"flock('f', {EX | NB})") == "EAGAIN"
    assert two.do(f"ofd('f', F_OFD_SETLK, {WRLCK})") == "EAGAIN"
    one.do("close('g')")
    eventually(lambda: two.do(f"flock('f', {EX | NB})") is None)
    eventually(lambda: two.do(f"ofd('f', F_OFD_SETLK, {WRLCK})") is None)


def test_two_openings_of_one_process_exclude_each_other_where_they_must(paths: list[Path], one: Program) -> None:
    one.open("f", paths[0])
    one.open("g", paths[1])
    assert one.do(f"ofd('f', F_OFD_SETLK, {WRLCK})") is None
    assert one.do(f"ofd('g', F_OFD_SETLK, {WRLCK})") == "EAGAIN"
    assert one.do(f"flock('f', {EX})") is None
    assert one.do(f"flock('g', {EX | NB})") == "EAGAIN"


def test_a_lock_outlives_a_read_only_opening_only_while_its_process_lives(
    paths: list[Path], one: Program, two: Program
) -> None:
    """Of the first lock on a file, taken through a descriptor that a child has inherited, the kernel does not tell the end."""
    one.open("f", paths[0], os.O_RDONLY)
    two.open("f", paths[1])
    child = one.do("fork()")
    try:
        assert one.do(f"posix('f', {SH})") is None
        assert two.do(f"posix('f', {EX | NB})") == "EAGAIN"
        one.kill()
        if paths[0] == paths[1]:
            eventually(lambda: two.do(f"posix('f', {EX | NB})") is None)
    finally:
        os.kill(child, signal.SIGKILL)
    eventually(lambda: two.do(f"posix('f', {EX | NB})") is None)


# -- waiting -------------------------------------------------------------------------------------------

WAITING = {
    "posix": (f"posix('f', {EX})", f"posix('f', {UN})"),
    "flock": (f"flock('f', {EX})", f"flock('f', {UN})"),
    "ofd": (f"ofd('f', F_OFD_SETLKW, {WRLCK})", f"ofd('f', F_OFD_SETLK, {UNLCK})"),
}


@pytest.mark.parametrize("kind", WAITING)
def test_who_waits_gets_the_lock_when_it_is_freed(paths: list[Path], one: Program, two: Program, kind: str) -> None:
    lock, free = WAITING[kind]
    one.open("f", paths[0])
    two.open("f", paths[1])
    assert one.do(lock) is None
    two.begin(lock)
    assert two.waits()
    (paths[0].parent / "meanwhile").write_text("the mount goes on")
    begun = time.monotonic()
    assert one.do(free) is None
    assert two.answer() is None
    assert time.monotonic() - begun < 20


def test_a_signal_ends_the_wait(paths: list[Path], one: Program, two: Program, start: Callable[[], Program]) -> None:
    three = start()
    for program, path in ((one, paths[0]), (two, paths[1]), (three, paths[1])):
        program.open("f", path)
    assert one.do(f"posix('f', {EX})") is None
    two.begin(f"posix('f', {EX})")
    three.begin(f"posix('f', {EX})")
    assert two.waits() and three.waits()
    two.process.send_signal(signal.SIGUSR1)
    assert two.answer() == "interrupted"
    three.kill()
    assert one.do(f"posix('f', {UN})") is None
    assert two.do(f"posix('f', {EX | NB})") is None


def test_many_who_wait_all_get_their_turn(paths: list[Path], start: Callable[[], Program]) -> None:
    programs = [start() for _ in range(6)]
    for number, program in enumerate(programs):
        program.open("f", paths[number % 2])
        program.begin(f"[(flock('f', {EX}), write('f', str(int(read('f')) + 1)), flock('f', {UN})) for _ in range(20)] and 0")
    for program in programs:
        assert program.answer() == 0
    assert int(paths[0].read_text()) == 120


# -- across mounts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["posix", "flock"])
def test_what_was_written_under_a_lock_is_read_under_the_next(
    mounts: list[Mounted], start: Callable[[], Program], kind: str
) -> None:
    (mounts[0].path / "counter").write_text("0")
    eventually((mounts[1].path / "counter").exists)
    step = f"({kind}('f', {EX}), write('f', str(int(read('f')) + 1)), {kind}('f', {UN}))"
    programs = []
    for mount in mounts * 2:
        programs.append(start())
        programs[-1].open("f", mount.path / "counter")
        programs[-1].begin(f"[{step} for _ in range(60)] and 0")
    for program in programs:
        assert program.answer() == 0
    assert programs[0].do("read('f')") == "240"
    assert programs[1].do(f"[{kind}('f', {EX}), read('f')][1]") == "240"


def test_locks_end_with_their_mount(mounts: list[Mounted], one: Program, two: Program) -> None:
    (mounts[0].path / "f").write_text("0")
    eventually((mounts[1].path / "f").exists)
    one.open("f", mounts[0].path / "f")
    two.open("f", mounts[1].path / "f")
    assert one.do(f"posix('f', {EX})") is None
    assert one.do(f"flock('f', {EX})") is None
    two.begin(f"[flock('f', {EX}), posix('f', {EX})] and 0")
    assert two.waits()
    mounts[0].kill()
    assert two.answer() == 0


def test_a_database_is_written_through_both_mounts(mounts: list[Mounted]) -> None:
    """SQLite with a rollback journal: several processes, many transactions, not one lost."""
    script = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
for number in range(25):
    connection.execute("BEGIN IMMEDIATE")
    (count,) = connection.execute("SELECT max(number) FROM t").fetchone()
    connection.execute("INSERT INTO t VALUES(?, ?)", (count + 1, sys.argv[2]))
    connection.execute("COMMIT")
"""
    with contextlib.closing(sqlite3.connect(mounts[0].path / "database")) as connection:
        connection.execute("CREATE TABLE t(number INTEGER PRIMARY KEY, who TEXT)")
        connection.execute("INSERT INTO t VALUES(0, 'first')")
        connection.commit()
    eventually((mounts[1].path / "database").exists)
    writers = [
        subprocess.Popen([sys.executable, "-c", script, mount.path / "database", str(number)])
        for number, mount in enumerate(mounts * 2)
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    for mount in mounts:
        with contextlib.closing(sqlite3.connect(mount.path / "database", timeout=60)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT count(*), max(number) FROM t").fetchall() == [(101, 100)]
    assert [mount.errors() for mount in mounts] == [[], []]


def test_nothing_is_left_of_locks_that_ended(mounts: list[Mounted], one: Program, two: Program) -> None:
    folder = mounts[0].data / "run" / "locks" / "main"
    for number in range(20):
        one.open(f"f{number}", mounts[0].path / f"{number}")
        assert one.do(f"posix('f{number}', {EX})") is None
        assert one.do(f"flock('f{number}', {EX})") is None
    assert len(list(folder.iterdir())) == 41
    for number in range(20):
        one.do(f"close('f{number}')")
    eventually(lambda: [path.name for path in folder.iterdir()] == ["gate"])
    two.open("f", mounts[1].path / "0")
    assert two.do(f"posix('f', {EX})") is None
    for mount in mounts:
        mount.kill()
    assert len(list(folder.iterdir())) == 2
    mounts[0].restart()
    assert [path.name for path in folder.iterdir()] == ["gate"]


def test_a_mount_says_when_locks_do_not_hold_everywhere(make_mount: MakeMount) -> None:
    alone = make_mount()
    assert facts(alone) == (False, True)
    second = make_mount("--shared-locks")
    assert facts(second) == (True, False)
    assert "another one keeps its own" in second.log.read_text()
    alone.stop()
    third = make_mount()
    assert facts(third) == (True, True)


def facts(mount: Mounted) -> tuple[bool, bool]:
    record = runtime.read_ready(mount.data, f"mount-{mount.path.name}")
    assert record is not None
    return record["locks_shared"], record["locks_hold_everywhere"]


# -- what it costs -------------------------------------------------------------------------------------


def locked_and_freed(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    fcntl.lockf(fd, EX)
    fcntl.lockf(fd, UN)
    fcntl.flock(fd, EX)
    os.close(fd)


def test_a_mount_of_its_own_leaves_locks_to_the_kernel(make_mount: MakeMount, folder: Path) -> None:
    meter = make_meter(make_mount, folder)
    meter.measure(Path.touch)
    check(meter, locked_and_freed, {"OPEN", "FLUSH", "RELEASE"})


def test_sharing_locks_costs_nothing_where_nobody_locks(make_mount: MakeMount, folder: Path) -> None:
    meter = make_meter(make_mount, folder, "--shared-locks")
    meter.measure(Path.touch)
    check(meter, read, {"OPEN", "RELEASE"})
    cost = meter.measure(locked_and_freed).requests
    assert cost["SETLKW"] == 3
    check(meter, read, {"OPEN", "FLUSH", "RELEASE"})


# -- the table -----------------------------------------------------------------------------------------


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[list[LockTable]]:
    """Of two mounts."""
    gates = [Gate(tmp_path / "locks") for _ in range(2)]
    made = [LockTable(gate) for gate in gates]
    yield made
    for table, gate in zip(made, gates, strict=True):
        table.close()
        gate.close()


def test_the_two_kinds_do_not_see_each_other(tables: list[LockTable]) -> None:
    for kind, table in ((POSIX, tables[0]), (FLOCK, tables[1])):
        assert table.lock(Key(7, kind), 1, WRLCK, 0, ofd.LAST_BYTE)
        assert table.lock(Key(8, kind), 1, WRLCK, 0, ofd.LAST_BYTE)
    assert not tables[1].lock(Key(7, POSIX), 2, RDLCK, 5, 5)
    assert tables[0].conflict(Key(7, FLOCK), 2, WRLCK, 0, 0) == (WRLCK, 0, ofd.LAST_BYTE, 0)


def test_a_file_that_two_tables_use_stays_until_both_have_left(tables: list[LockTable], tmp_path: Path) -> None:
    key = Key(7, POSIX)
    for table in tables:
        assert table.lock(key, 1, RDLCK, 0, 10)
    tables[0].release(key, 1)
    assert (tmp_path / "locks" / "7.p").exists()
    assert not tables[0].lock(key, 2, WRLCK, 5, 5)
    tables[1].release(key, 1)
    assert not (tmp_path / "locks" / "7.p").exists()
    assert not tables[0]
    tables[0].release(key, 1)


def test_without_a_free_descriptor_a_lock_is_refused_and_nothing_left(
    tables: list[LockTable], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.EMFILE, "too many")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        with raises(errno.EMFILE):
            tables[0].lock(Key(7, POSIX), 1, WRLCK, 0, 1)
    assert [path.name for path in (tmp_path / "locks").iterdir()] == ["gate"]
    assert tables[1].lock(Key(7, POSIX), 1, WRLCK, 0, 1)


def test_the_kernel_s_struct_is_what_it_should_be() -> None:
    assert len(ofd.flock(WRLCK, 0, 5)) == len(struct.pack("hh4xqqi4x", 0, 0, 0, 0, 0)) == 32
