"""One volume a module, opened as the API and as the mount open it; a bench for each test."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from vexfs.core import files
from vexfs.core.errors import VexfsError
from vexfs.core.types import ROOT_INO
from vexfs.store.check import check_volume
from vexfs.store.volume import Volume

from .helpers import Bench

_IN_MEMORY = Path("/dev/shm")
_numbers = count()


@pytest.fixture(scope="module", params=["api", "mount"])
def volume(request: pytest.FixtureRequest) -> Iterator[Volume]:
    """After the last test of the module the volume is checked."""
    folder = Path(tempfile.mkdtemp(prefix="vexfs-test-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None))
    try:
        lost: list[VexfsError] = []
        with Volume.open(folder / "volume", request.param, create=True) as opened:
            opened.writer.on_group_lost = lost.append
            yield opened
        assert lost == []
        findings = [finding for finding in check_volume(folder / "volume") if finding.invariant != "no-stray-blob"]
        assert findings == []
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def bench(volume: Volume) -> Iterator[Bench]:
    with volume.writer.begin("home") as txn:
        home = files.make_directory(txn, ROOT_INO, b"home-%d" % next(_numbers), mode=0o755, uid=0, gid=0)
    volume.writer.commit()
    yield Bench(volume, home)
    volume.writer.commit()
