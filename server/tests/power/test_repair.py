"""`check` is itself crash-safe: the power may fail at any point of a repair, and the next repair ends with a clean volume.

`make test` cuts at a sample of points; `make proofs-long` (VEXFS_PROOFS=long) at every write point.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.store.test_check import BIG, Sample
from vexfs.core import content, files, paths
from vexfs.store.check import check_volume
from vexfs.store.volume import Volume

from . import recorder
from .cuts import check_cuts, every_write_point, sample
from .disk import Disk
from .events import Kind, read_events
from .promises import VOLUME
from .test_power_cut import LONG, PACKAGE

_REPAIR = """
import sys
from pathlib import Path
from vexfs.store.check import check_volume
from tests.power.recorder import mark
for finding in check_volume(Path(sys.argv[1]), repair=True, deep=True):
    mark(finding.invariant.encode())
"""
_SERVER = Path(__file__).parents[2]


def _damage(volume: Path) -> None:
    """A bit of everything: names, counts, content, blobs, payload, the log."""
    damaged = Sample(volume)
    damaged.sql(
        f"DELETE FROM dentry WHERE ino={damaged.inner.ino}",
        f"UPDATE node SET nlink=7 WHERE ino={damaged.small.ino}",
        f"DELETE FROM symlink WHERE ino={damaged.symlink.ino}",
        f"INSERT INTO dentry VALUES({damaged.directory.ino}, x'61', 4000, 1)",
        "UPDATE metadata SET json='[1]'",
        "UPDATE meta SET value=2 WHERE key='next_ino'",
        "INSERT INTO chunk(ino, block, born, data) VALUES(4001, 0, 1, x'00')",
    )
    blob = bytearray(damaged.blob_path.read_bytes())
    blob[70_000] ^= 1
    damaged.blob_path.write_bytes(blob)


def _verify(folder: Path, marks: list[bytes]) -> int:
    check_volume(folder / VOLUME, repair=True, deep=True)
    findings = check_volume(folder / VOLUME, deep=True)
    assert not findings, f"after the second repair: {findings}"
    with Volume.open(folder / VOLUME, "reader") as volume, volume.snapshot() as view:
        assert content.read(view, paths.resolve(view, (b"small",)).ino, 0, 100) == b"hello"
        assert content.read(view, paths.resolve(view, (b"big",)).ino, 0, len(BIG) + 1) == bytes(len(BIG))
        assert files.list_directory(view, paths.resolve(view, (b"lost+found",)).ino)
    return 1 + len(marks)


def test_a_repair_whose_power_is_cut_can_be_done_again(scratch: Path) -> None:
    root = scratch / "root"
    root.mkdir()
    _damage(root / VOLUME)
    disk = Disk(root)
    environment = recorder.environment(root, scratch / "events") | {
        "PYTHONPATH": os.pathsep.join((str(PACKAGE.parent), str(_SERVER)))
    }
    command = [sys.executable, "-c", _REPAIR, str(root / VOLUME)]
    subprocess.run(command, check=True, env=environment, timeout=120)
    events = read_events(scratch / "events")
    repaired = {event.data for event in events if event.kind == Kind.MARK}
    assert len(repaired) >= 6, f"the damage is not what this test means: {repaired}"
    cuts = every_write_point(events) if LONG else sample(events, 40, seed=1)
    report = check_cuts(disk, events, cuts, _verify, scratch / "after")
    assert report.states >= 20
