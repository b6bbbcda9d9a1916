"""Hearing of commits: the doorbell, the polling behind it, and what is read then."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from vexfs.core import files
from vexfs.core.types import CHANGE_CONTENT, CHANGE_ENTRY_ADDED, CHANGE_NODE, ROOT_INO, Change
from vexfs.store import doorbell as doorbell_module
from vexfs.store import tail as tail_module
from vexfs.store.doorbell import Doorbell
from vexfs.store.volume import Volume

from .helpers import child, eventually, make_file, wait_ready, write

_PROCESS = """
import sys, time
from pathlib import Path
from vexfs.core import files
from vexfs.core.types import ROOT_INO
from vexfs.store.volume import Volume
with Volume.open(Path(sys.argv[1]), "mount") as volume:
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "write\\n":
            with volume.writer.begin("create") as txn:
                files.create(txn, ROOT_INO, b"%d" % txn.revision, mode=0o644, uid=1, gid=1)
            volume.writer.commit()
            print("written", flush=True)
"""


def test_the_tail_reads_what_changed_in_order(volume: Volume) -> None:
    node = make_file(volume, b"file", b"data")
    write(volume, lambda txn: files.set_attributes(txn, node.ino, mode=0o600))
    first, second = volume.tail.read(0)
    assert (first.revision, second.revision) == (1, 2)
    assert set(first.changes) == {
        Change(CHANGE_ENTRY_ADDED, node.ino, ROOT_INO, b"file"),
        Change(CHANGE_NODE, node.ino),
        Change(CHANGE_CONTENT, node.ino),
    }
    assert second.changes == (Change(CHANGE_NODE, node.ino),)
    assert second.origin == volume.origin and second.operation == "test" and second.time_ns >= first.time_ns
    assert [record.revision for record in volume.tail.read(0, limit=1)] == [1]
    assert [record.revision for record in volume.tail.read(1)] == [2]
    assert volume.tail.read(2) == []
    assert volume.tail.oldest() == 0


def test_another_process_that_commits_is_heard_by_its_ring(
    volume: Volume, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "POLL_S", 30.0)
    time.sleep(0.3)  # the listener is in its long wait now
    process = child(_PROCESS, folder)
    wait_ready(process)
    process.communicate("write\n")
    assert volume.tail.wait(0, timeout_s=10)
    assert volume.tail.head() == 1 and process.returncode == 0


def test_a_ring_that_was_lost_is_made_up_by_polling(volume: Volume, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Volume.open(folder, "mount") as mount:
        monkeypatch.setattr(Doorbell, "ring", lambda self: None)
        with mount.writer.begin("create") as txn:
            files.create(txn, ROOT_INO, b"quiet", mode=0o644, uid=1, gid=1)
        mount.writer.commit()
        assert volume.tail.wait(0, timeout_s=10)


def test_the_own_commit_is_heard_at_once(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    make_file(volume, b"file")
    assert volume.tail.head() == 1
    assert volume.tail.wait(0, timeout_s=0)
    assert not volume.tail.wait(1, timeout_s=0.01)


def test_subscribers_hear_of_each_growth_until_they_stop(volume: Volume) -> None:
    heard: list[int] = []
    stop = volume.tail.subscribe(heard.append)
    make_file(volume, b"first")
    stop()
    make_file(volume, b"second")
    assert heard == [1]


def test_who_waits_is_woken_when_the_volume_closes(volume: Volume) -> None:
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(volume.tail.wait(0, timeout_s=30)))
    waiting.start()
    volume.close()
    waiting.join(10)
    assert answers == [False]


def test_the_tail_goes_on_after_a_failed_read(volume: Volume, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[int] = []
    pool = vars(volume.tail)["_pool"]
    real = pool.snapshot

    def fail_once() -> object:
        if not failures:
            failures.append(1)
            raise OSError("on purpose")
        return real()

    monkeypatch.setattr(pool, "snapshot", fail_once)
    monkeypatch.setattr(tail_module, "POLL_S", 0.01)
    assert eventually(lambda: bool(failures))
    with Volume.open(folder, "mount") as mount:
        with mount.writer.begin("create") as txn:
            files.create(txn, ROOT_INO, b"x", mode=0o644, uid=1, gid=1)
        mount.writer.commit()
    assert volume.tail.wait(0, timeout_s=10)


def test_the_socket_of_a_killed_process_is_forgotten(volume: Volume, folder: Path) -> None:
    process = child(_PROCESS, folder)
    wait_ready(process)
    doorbells = folder / "doorbells"
    assert eventually(lambda: len(list(doorbells.iterdir())) == 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(doorbell_module._LISTING_TTL_S + 0.01)
    make_file(volume, b"file")
    assert [path.name for path in doorbells.iterdir()] == [f"{volume.origin:016x}.sock"]


def test_the_socket_of_a_closed_opening_is_gone(folder: Path, volume: Volume) -> None:
    with Volume.open(folder, "mount"):
        assert len(list((folder / "doorbells").iterdir())) == 2
    assert len(list((folder / "doorbells").iterdir())) == 1


def test_a_listener_that_does_not_take_its_rings_holds_nobody_up(tmp_path: Path) -> None:
    deaf, ringing = Doorbell(tmp_path, 1), Doorbell(tmp_path, 2)
    for _ in range(5000):
        ringing.ring()
    assert deaf.wait(0) and not deaf.wait(0)
    deaf.close()
    deaf.close()
    ringing.close()


def test_nothing_about_a_bell_can_make_a_commit_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener, ringing = Doorbell(tmp_path, 1), Doorbell(tmp_path, 2)

    def fail(*_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(doorbell_module.os, "listdir", fail)
        ringing.ring()
    monkeypatch.setattr(doorbell_module, "_LISTING_TTL_S", -1.0)
    ringing.ring()
    assert listener.wait(1)
    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "sendto", fail, raising=False)
        ringing.ring()
    assert not listener.wait(0)
    ringing.ring()
    assert listener.wait(1)
    ringing.close()
    listener.close()


def test_a_bell_can_be_waited_for_with_select(tmp_path: Path) -> None:
    listener, ringing = Doorbell(tmp_path, 1), Doorbell(tmp_path, 2)
    assert os.fstat(listener.fileno())
    ringing.ring()
    assert listener.wait(1)
    listener.ring_self()
    assert listener.wait(1)
    ringing.close()
    listener.close()


def test_a_folder_with_a_path_longer_than_a_socket_address_rings_as_well(folder: Path) -> None:
    deep = folder.joinpath(*["a folder with a long name"] * 6)
    assert len(bytes(deep)) > 108
    with Volume.open(deep, "api", create=True) as api, Volume.open(deep, "mount") as mount:
        make_file(api, b"file")
        assert mount.tail.wait(0, timeout_s=10)
        assert len(list((deep / "doorbells").iterdir())) == 2
