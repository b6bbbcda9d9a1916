"""What the durability tests share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder in memory where the machine has one: there syncs cost nothing, and a state after a cut is only looked at."""
    with tempfile.TemporaryDirectory(prefix="vexfs-power-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)
