"""Live saved queries on a real mount of a real server: inotify tells who watches, and nothing hangs."""

# ruff: noqa: PTH208 - these tests call the system calls by their own names
import ctypes
import errno
import json
import os
import select
import signal
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vexfs.mount import live_helper

from .conftest import needs_mount
from .running import Server, wait_until

pytestmark = needs_mount

IN_CREATE, IN_DELETE, IN_MOVED = 0x100, 0x200, 0xC0
_EVENT = struct.Struct("iIII")
WITHIN_S = 30.0


class Watch:
    """An inotify watch of a directory."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self.fd, os.fsencode(path), IN_CREATE | IN_DELETE | IN_MOVED) > 0
        self.seen: list[tuple[int, str]] = []

    def read(self, for_s: float) -> list[tuple[int, str]]:
        """Everything seen so far, after waiting for more until something came or the time is over."""
        if select.select([self.fd], [], [], for_s)[0]:
            data = os.read(self.fd, 65536)
            while data:
                _, mask, _, length = _EVENT.unpack_from(data)
                name = data[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
                self.seen.append((mask, os.fsdecode(name)))
                data = data[_EVENT.size + length :]
        return self.seen

    def wait(self, mask: int, ending: str) -> str:
        """The name of the first such event of a name that ends so."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            for seen, name in self.read(0.5):
                if seen & mask and name.endswith(ending):
                    return name
        raise AssertionError(f"no event {mask:#x} for *{ending} within {WITHIN_S} s: {self.seen}")

    def close(self) -> None:
        os.close(self.fd)


@pytest.fixture(scope="module")
def root(server: Server) -> Path:
    assert server.mount is not None
    server.vexfs("put", "-", "/live/first.md", "--parents", stdin=b"The comet was seen from the observatory.\n")
    server.vexfs("wait", "--timeout", "60")
    return server.mount


@pytest.fixture
def live(root: Path) -> Iterator[Path]:
    """A live saved query that has been asked once."""
    query = root / ".search" / ".saved" / "comets in the observatory"
    query.mkdir()
    (query / ".meta" / "path").write_text("/live")
    (query / ".meta" / "live").write_text("yes")
    try:
        yield query
    finally:
        query.rmdir()


def is_answered(query: Path) -> bool:
    """Whether somebody has asked: what comes after that is told. Reading this searches nothing."""
    state: str = json.loads((query / ".status").read_text())["state"]
    return state == "answered"


def answers(query: Path) -> list[str]:
    return sorted(name for name in os.listdir(query) if not name.startswith("."))


def test_who_watches_sees_new_answers_come_and_old_ones_go(root: Path, live: Path) -> None:
    wait_until(lambda: is_answered(live), WITHIN_S, "the first answer")
    assert [name[-9:] for name in answers(live)] == ["_first.md"]
    watch = Watch(root / ".search" / live.name)  # by the link that stands for it
    try:
        (root / "live" / "second.md").write_text("From the observatory another comet could be seen all night.\n")
        created = watch.wait(IN_CREATE, "_second.md")
        assert created in answers(live)
        assert (live / created).read_text().startswith("From the observatory")
        assert [name for name in answers(live) if name.endswith("_first.md")]
        assert not [name for mask, name in watch.seen if mask & IN_CREATE and not name.endswith("_second.md")]
        (root / "live" / "second.md").unlink()
        gone = watch.wait(IN_DELETE, "_second.md")
        assert gone not in answers(live)
        assert not os.path.lexists(live / gone)
        (root / "live" / "second.md").write_text("From the observatory another comet could be seen all night.\n")
        watch.seen.clear()
        assert (live / watch.wait(IN_CREATE, "_second.md")).exists()
    finally:
        watch.close()
        (root / "live" / "second.md").unlink(missing_ok=True)


def test_nobody_else_makes_or_removes_links_there(root: Path, live: Path) -> None:
    wait_until(lambda: answers(live) != [], WITHIN_S, "the first answer")
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
        (live / "001_1.000_mine.md").symlink_to("../../../live/first.md")
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
        (live / answers(live)[0]).unlink()


def helpers_of(pid: int) -> list[int]:
    """The children of the mount that run the helper."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(child) for file in children for child in file.read_text().split()]
    return [child for child in pids if "live_helper" in Path(f"/proc/{child}/cmdline").read_bytes().decode()]


def watching(running: Server) -> tuple[Path, Watch]:
    """A server with a live query that has told a watcher something."""
    running.start()
    assert running.mount is not None
    query = running.mount / ".search" / ".saved" / "comets"
    query.mkdir()
    (query / ".meta" / "live").write_text("yes")
    wait_until(lambda: is_answered(query), WITHIN_S, "the first answer")
    watch = Watch(query)
    (running.mount / "comet.md").write_text("A comet in the sky, and many comets more.\n")
    watch.wait(IN_CREATE, "_comet.md")
    return query, watch


def test_a_name_whose_end_is_told_is_gone_for_who_looks_at_once(make_server: Callable[..., Server]) -> None:
    """The watcher runs on the helper's own processor and before it, and stops it before it can say that it is done."""
    running = make_server(mounted=True)
    query, watch = watching(running)
    assert running.mount is not None
    (helper,) = helpers_of(running.pid_of("mount"))
    mine = os.sched_getaffinity(0)
    os.sched_setscheduler(helper, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(helper, {min(mine)})
    os.sched_setaffinity(0, {min(mine)})
    try:
        (running.mount / "comet.md").unlink()
        gone = watch.wait(IN_DELETE, "_comet.md")
        os.kill(helper, signal.SIGSTOP)
        assert not os.path.lexists(query / gone)
    finally:
        os.kill(helper, signal.SIGCONT)
        os.sched_setaffinity(0, mine)
        watch.close()


def test_stopping_never_hangs_while_links_come_and_go(make_server: Callable[..., Server]) -> None:
    running = make_server(mounted=True)
    _, watch = watching(running)
    assert running.mount is not None
    mount = running.pid_of("mount")
    helpers = helpers_of(mount)
    assert len(helpers) == 1
    for number in range(5):
        (running.mount / f"comet-{number}.md").write_text(f"Comet number {number} and its tail.\n")
    assert running.stop(signal.SIGTERM) < 15
    wait_until(lambda: not Path(f"/proc/{helpers[0]}").exists(), what="the helper's end")
    assert not os.path.ismount(running.mount)
    watch.close()


def test_a_killed_mount_takes_the_helper_with_it(make_server: Callable[..., Server]) -> None:
    running = make_server(mounted=True)
    _, watch = watching(running)
    mount = running.pid_of("mount")
    (helper,) = helpers_of(mount)
    os.kill(mount, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{helper}").exists(), what="the helper's end")
    watch.close()


def test_a_helper_that_was_killed_is_started_again(make_server: Callable[..., Server]) -> None:
    running = make_server(mounted=True)
    query, watch = watching(running)
    assert running.mount is not None
    (helper,) = helpers_of(running.pid_of("mount"))
    os.kill(helper, signal.SIGKILL)
    (running.mount / "again.md").write_text("Yet another comet, the brightest of all comets.\n")
    wait_until(lambda: any(name.endswith("_again.md") for name in answers(query)), WITHIN_S, "the new answer")
    (running.mount / "third.md").write_text("A third comet, and the third comet's tail.\n")
    watch.wait(IN_CREATE, "_third.md")
    assert helpers_of(running.pid_of("mount")) != [helper]
    watch.close()


def test_the_helper_answers_with_the_errno(tmp_path: Path) -> None:
    requests, told = os.pipe(), os.pipe()
    for make, path, target in ((True, tmp_path / "a", b"x"), (True, tmp_path / "a", b"x"), (False, tmp_path / "a", b"")):
        raw = os.fsencode(path)
        os.write(requests[1], live_helper.REQUEST.pack(make, len(raw), len(target)) + raw + target)
    os.close(requests[1])
    live_helper.serve(requests[0], told[1])
    outcomes = [live_helper.ANSWER.unpack(os.read(told[0], live_helper.ANSWER.size))[0] for _ in range(3)]
    assert outcomes == [0, errno.EEXIST, 0]
    for fd in (requests[0], *told):
        os.close(fd)
