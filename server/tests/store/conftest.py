"""A real volume in a temporary folder: in memory where the system has such a place, because a volume has many folders."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.store.volume import Volume

_IN_MEMORY = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a volume can be made."""
    usable = _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK)
    parent = Path(tempfile.mkdtemp(prefix="vexfs-test-", dir=_IN_MEMORY if usable else None))
    yield parent / "volume"
    shutil.rmtree(parent)


@pytest.fixture
def volume(folder: Path) -> Iterator[Volume]:
    with Volume.open(folder, "api", create=True) as opened:
        yield opened
