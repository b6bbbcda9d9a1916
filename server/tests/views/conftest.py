"""A volume with files, and the real indexer process on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from indexer_process import RunningIndexer, Tree

from vexfs import runtime
from vexfs.store.volume import Volume


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def volume(data: Path) -> Iterator[Volume]:
    folder = runtime.DataFolder(data)
    folder.create()
    with Volume.open(folder.volume, "api", create=True) as volume:
        yield volume


@pytest.fixture
def tree(volume: Volume) -> Tree:
    return Tree(volume)


@pytest.fixture
def indexer(data: Path) -> Iterator[RunningIndexer]:
    """Not started yet."""
    running = RunningIndexer(data)
    yield running
    running.close()
