"""Servers the tests of the API share: one with the tests' own contract, one with the real one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from running import Server, running

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the tests' own contract."""
    import echo_server

    echo_server.load_contract()
    with running(tmp_path_factory.mktemp("echo"), [str(HERE / "echo_server.py")]) as server:
        yield server
