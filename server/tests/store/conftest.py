"""A real volume in a temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vexfs.store.volume import Volume


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "volume"


@pytest.fixture
def volume(folder: Path) -> Iterator[Volume]:
    with Volume.open(folder, "api", create=True) as opened:
        yield opened
