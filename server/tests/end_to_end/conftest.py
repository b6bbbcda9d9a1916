"""Servers for the tests of this folder: one shared by the tests that only use it, and fresh ones for those that break it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .running import MOUNT_OBSTACLE, Server

needs_mount = pytest.mark.skipif(MOUNT_OBSTACLE is not None, reason=f"cannot mount here: {MOUNT_OBSTACLE}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a mount where this machine can mount, shared: a test works in a directory of its own name."""
    running = Server(tmp_path_factory.mktemp("shared"), mounted=MOUNT_OBSTACLE is None)
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers that end with the test."""
    made: list[Server] = []

    def make(*, mounted: bool = False, arguments: tuple[str, ...] = ()) -> Server:
        made.append(Server(tmp_path, mounted=mounted, arguments=arguments))
        return made[-1]

    yield make
    for running in made:
        running.close()
