"""A disk that takes its time, or fails: who waits is answered, what goes on is in the log, the rest of the mount works."""

import errno
import os
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mount.conftest import MakeMount, Mounted, eventually
from tests.tracing import injected, needs_tracing
from vexfs.store.turn import Turn

LARGE = os.urandom(1 << 20)
DELAY_S = 1.5

#: The mount process, impatient.
PROGRAM = """
import sys
from vexfs.mount import process
from vexfs.store import stalls
stalls.STALL_S, stalls.LOOK_S = 0.4, 0.05
sys.exit(process.main(sys.argv[1:]))
"""
LOG_SYNC, LARGE_CONTENT = "the disk makes the write-ahead log durable", "the disk stores large content"
TURN, REQUEST = "waiting for the turn to write, which another process has", "the mount is at one request"


@pytest.fixture
def impatient(make_mount: MakeMount) -> Mounted:
    return make_mount("--no-wait-findable", program=[sys.executable, "-c", textwrap.dedent(PROGRAM)])


def told(mount: Mounted, what: str) -> list[dict[str, object]]:
    """The warnings about it, in their order."""
    return [line for line in mount.logged("warning") if str(line["message"]).endswith(what)]


def is_told_and_over(mount: Mounted, what: str) -> bool:
    """Fails when it is said in another order than that it lasts, perhaps again, and that it is over."""
    messages = [str(line["message"]) for line in told(mount, what)]
    if not messages or not messages[-1].startswith("over"):
        return False
    assert all(message.startswith("not over yet") for message in messages[:-1]) and len(messages) > 1
    return True


def process_of(mount: Mounted) -> int:
    assert mount.process is not None
    return mount.process.pid


def write_synced(path: Path, content: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(content)
        os.fsync(file.fileno())


@contextmanager
def meanwhile(path: Path, content: bytes) -> Iterator[None]:
    """A program that writes and syncs a file; it has done so at the end of the context."""
    writing = threading.Thread(target=write_synced, args=(path, content))
    writing.start()
    yield
    writing.join()


@needs_tracing
def test_a_log_that_takes_long_to_sync_is_told_while_it_does_and_who_waits_is_answered(impatient: Mounted) -> None:
    write_synced(impatient.path / "first", b"SQLite itself syncs a log that begins")
    began = time.monotonic()
    with injected(process_of(impatient), f"fdatasync:delay_enter={DELAY_S * 1e6:.0f}:when=1"):
        write_synced(impatient.path / "f", b"durable in the end")
        assert time.monotonic() - began >= DELAY_S
    eventually(lambda: is_told_and_over(impatient, LOG_SYNC))
    assert (impatient.path / "f").read_bytes() == b"durable in the end"
    assert told(impatient, REQUEST) == []
    assert impatient.errors() == []


@needs_tracing
def test_a_log_that_cannot_be_synced_fails_who_waits_and_takes_no_more_writes(impatient: Mounted) -> None:
    write_synced(impatient.path / "before", b"safe")
    with injected(process_of(impatient), "fdatasync:error=EIO:when=1"):
        with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
            write_synced(impatient.path / "f", b"not promised")
        with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
            (impatient.path / "later").touch()
    assert (impatient.path / "before").read_bytes() == b"safe"
    assert [line["message"] for line in impatient.errors()][:1] == ["fdatasync of the write-ahead log failed"]
    impatient.stop()
    impatient.restart()
    assert (impatient.path / "before").read_bytes() == b"safe"
    write_synced(impatient.path / "later", b"goes on")


@needs_tracing
def test_large_content_that_takes_long_to_store_keeps_nobody_else(impatient: Mounted) -> None:
    with (
        injected(process_of(impatient), f"fsync:delay_enter={DELAY_S * 1e6:.0f}:when=1"),
        meanwhile(impatient.path / "large", LARGE),
    ):
        eventually(lambda: bool(told(impatient, LARGE_CONTENT)))
        write_synced(impatient.path / "small", b"at once")
        assert not str(told(impatient, LARGE_CONTENT)[-1]["message"]).startswith("over")
    eventually(lambda: is_told_and_over(impatient, LARGE_CONTENT))
    assert (impatient.path / "large").read_bytes() == LARGE
    assert told(impatient, REQUEST) == []


@needs_tracing
def test_large_content_that_cannot_be_stored_fails_its_file_alone(impatient: Mounted) -> None:
    with injected(process_of(impatient), "fsync:error=EIO:when=1"):
        with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
            write_synced(impatient.path / "large", LARGE)
        write_synced(impatient.path / "small", b"goes on")
    write_synced(impatient.path / "large", LARGE)
    assert (impatient.path / "large").read_bytes() == LARGE
    assert (impatient.path / "small").read_bytes() == b"goes on"


def test_who_waits_for_another_process_to_end_its_turn_says_so(impatient: Mounted) -> None:
    turn = Turn(impatient.data / "volumes" / "main")
    turn.take()
    try:
        with meanwhile(impatient.path / "f", b"after you"):
            eventually(lambda: bool(told(impatient, TURN)) and bool(told(impatient, REQUEST)))
            turn.leave()
    finally:
        turn.close()
    assert "store/turn.py" in str(told(impatient, REQUEST)[0]["where"])
    eventually(lambda: is_told_and_over(impatient, TURN) and is_told_and_over(impatient, REQUEST))
    assert (impatient.path / "f").read_bytes() == b"after you"


def test_a_mount_with_nothing_to_do_says_nothing(impatient: Mounted) -> None:
    (impatient.path / "f").write_bytes(b"x")
    time.sleep(DELAY_S)
    assert not [line for what in (LOG_SYNC, LARGE_CONTENT, TURN, REQUEST) for line in told(impatient, what)]
