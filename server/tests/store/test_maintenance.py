"""The housekeeping as a whole, with small settings."""

import os
import time
from pathlib import Path

import pytest

from vexfs.core import content, files
from vexfs.core.types import BLOCK_BYTES, ROOT_INO
from vexfs.store import content as rows
from vexfs.store import history, requests
from vexfs.store import maintenance as maintenance_module
from vexfs.store.check import check_volume
from vexfs.store.history import Window
from vexfs.store.maintenance import Maintenance, Settings
from vexfs.store.volume import Volume

from .helpers import eventually, make_file, read_all, write

AT_ONCE = Settings(
    interval_s=0.01,
    window=Window(age_ns=-(10**12)),
    window_interval_s=0.0,
    blob_grace_ns=-(10**12),
    sweep_interval_s=0.0,
    abandoned_s=-1.0,
)
BIG = b"big" * 200_000


def test_one_round_trims_collects_sweeps_compacts_and_expires(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance_module, "COMPACT_QUIET_S", 0.0)
    maintenance = Maintenance(volume, AT_ONCE)
    make_file(volume, b"gone", BIG)
    write(volume, lambda txn: files.remove(txn, ROOT_INO, b"gone"))
    scattered = make_file(volume, b"scattered", bytes(24 * BLOCK_BYTES))
    for block in range(0, 24, 2):
        prepared = content.prepare(volume.blobs, [(block * BLOCK_BYTES, b"x" * BLOCK_BYTES)])
        write(volume, lambda txn, prepared=prepared: content.write(txn, scattered.ino, prepared))  # type: ignore[misc]
    expected = read_all(volume, scattered.ino)
    stray = volume.blobs.add(b"stray")
    abandoned = volume.blobs.begin()
    long_ago = time.time_ns() - 2 * requests.KEPT_NS
    write(volume, lambda txn: requests.keep(txn, "old", b"d", revision=1, now_ns=long_ago, response=b""))
    write(volume, lambda txn: requests.keep(txn, "young", b"d", revision=1, now_ns=txn.now_ns, response=b""))
    head = volume.head()

    maintenance.run_once()

    with volume.snapshot() as view:
        assert history.floor(view) >= head
        assert view.execute("SELECT request_id FROM request").fetchall() == [("young",)]
        assert len(rows.visible(view, scattered.ino, 0, 100)) == 1
    assert volume.blobs.abandoned(-1, 1e12) == []
    assert volume.blobs.size(stray) is None
    assert read_all(volume, scattered.ino) == expected
    abandoned.discard()
    maintenance.run_once()  # what the compaction replaced
    maintenance.close()
    with volume.snapshot() as view:
        ((count,),) = view.execute("SELECT count(*) FROM blob").fetchall()
    assert count == len(list(volume.blobs.all_hashes())) == 1
    volume.close()
    assert check_volume(volume.folder, deep=True) == []


def test_rounds_on_an_idle_volume_write_nothing(volume: Volume) -> None:
    make_file(volume, b"file")
    maintenance = Maintenance(volume, AT_ONCE)
    maintenance.run_once()
    head = volume.head()
    for _ in range(5):
        maintenance.run_once()
    assert volume.head() == head
    maintenance.close()


def test_the_defaults_keep_a_week(volume: Volume) -> None:
    make_file(volume, b"file", BIG)
    write(volume, lambda txn: files.remove(txn, ROOT_INO, b"file"))
    maintenance = Maintenance(volume)
    maintenance.run_once()
    maintenance.close()
    with volume.snapshot() as view:
        assert history.floor(view) == 0 and view.revision == 2
    assert Settings().window == Window(age_ns=7 * 24 * 3600 * 10**9, bytes_ratio=0.2)


def test_the_thread_works_until_it_is_closed(volume: Volume) -> None:
    maintenance = Maintenance(volume, AT_ONCE)
    maintenance.start()
    make_file(volume, b"file", BIG)
    write(volume, lambda txn: files.remove(txn, ROOT_INO, b"file"))
    assert eventually(lambda: not list(volume.blobs.all_hashes()))
    maintenance.close()
    maintenance.close()


def test_the_thread_goes_on_after_a_failure(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    maintenance = Maintenance(volume, AT_ONCE)
    failures = []

    def fail_once() -> None:
        if not failures:
            failures.append(1)
            raise OSError("on purpose")

    monkeypatch.setattr(maintenance, "trim", fail_once)
    write(volume, lambda txn: requests.keep(txn, "old", b"d", revision=1, now_ns=0, response=b""))
    maintenance.start()

    def expired() -> bool:
        with volume.snapshot() as view:
            return view.execute("SELECT * FROM request").fetchall() == []

    assert eventually(expired)
    assert failures
    maintenance.close()


def test_files_still_being_written_are_not_compacted(volume: Volume, folder: Path) -> None:
    assert maintenance_module.COMPACT_QUIET_S == 10.0
    maintenance = Maintenance(volume)
    node = make_file(volume, b"file", os.urandom(24 * BLOCK_BYTES))
    for block in range(0, 24, 2):
        prepared = content.prepare(volume.blobs, [(block * BLOCK_BYTES, b"x")])
        write(volume, lambda txn, prepared=prepared: content.write(txn, node.ino, prepared))  # type: ignore[misc]
    head = volume.head()
    maintenance.run_once()
    maintenance.run_once()
    assert volume.head() == head
    maintenance.close()
