"""The table of open files: what a mount says in it, and what whoever removes a file makes of it."""

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.store import openings
from vexfs.store.openings import SLOTS, OpenElsewhere, OpenTable

ORIGIN = 0xABC
DYING = """
import os, sys
from pathlib import Path
from vexfs.store.openings import OpenTable
OpenTable(Path(sys.argv[1]), int(sys.argv[2])).opened(7)
os._exit(0)
"""


def die_with_a_table(folder: Path) -> None:
    """A process that has file 7 open ends without a chance to say so."""
    subprocess.run([sys.executable, "-c", DYING, folder, str(ORIGIN)], check=True)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[OpenElsewhere]:
    others = OpenElsewhere(tmp_path, origin=1)
    yield others
    others.close()


def test_a_file_is_held_from_its_first_opening_to_its_last_close(tmp_path: Path, elsewhere: OpenElsewhere) -> None:
    assert elsewhere.holder(7, group=1) is None
    table = OpenTable(tmp_path, ORIGIN)
    assert elsewhere.holder(7, group=2) is None
    table.opened(7)
    assert elsewhere.holder(7, group=2) == ORIGIN
    assert elsewhere.holder(8, group=2) is None
    table.closed(7)
    assert elsewhere.holder(7, group=2) is None
    table.close()


def test_numbers_of_one_slot_are_counted_together(tmp_path: Path, elsewhere: OpenElsewhere) -> None:
    table = OpenTable(tmp_path, ORIGIN)
    table.opened(7)
    table.opened(7 + SLOTS)
    table.closed(7 + SLOTS)
    assert elsewhere.holder(7, group=1) == ORIGIN
    assert elsewhere.holder(7 + SLOTS, group=1) == ORIGIN  # not so, which does no harm
    table.close()


def test_ones_own_table_and_one_that_is_closed_are_not_looked_at(tmp_path: Path, elsewhere: OpenElsewhere) -> None:
    own, other = OpenTable(tmp_path, 1), OpenTable(tmp_path, ORIGIN)
    own.opened(7)
    assert elsewhere.holder(7, group=1) is None
    other.opened(7)
    assert elsewhere.holder(7, group=1) == ORIGIN
    other.close()
    assert elsewhere.holder(7, group=2) is None
    own.close()


def test_the_table_of_a_dead_process_counts_no_more_and_is_removed(tmp_path: Path, elsewhere: OpenElsewhere) -> None:
    die_with_a_table(tmp_path)
    (left,) = (tmp_path / "openings").iterdir()
    assert elsewhere.holder(7, group=1) is None
    assert not left.exists()


def test_a_new_table_removes_those_of_dead_processes(tmp_path: Path) -> None:
    die_with_a_table(tmp_path)
    table = OpenTable(tmp_path, 2)
    assert [path.name for path in (tmp_path / "openings").iterdir()] == [f"{2:016x}.open"]
    table.close()


def test_a_table_that_cannot_be_made_hinders_no_mount(
    tmp_path: Path, elsewhere: OpenElsewhere, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_fd: int, _offset: int, _length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(openings.os, "posix_fallocate", full)
    with caplog.at_level(logging.WARNING):
        table = OpenTable(tmp_path, ORIGIN)
    table.opened(7)
    table.closed(7)
    table.close()
    assert "do not outlive" in caplog.text
    assert list((tmp_path / "openings").iterdir()) == []
    assert elsewhere.holder(7, group=1) is None
