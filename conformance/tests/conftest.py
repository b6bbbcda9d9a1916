"""A real server for the tests of the suite, and short ways to run cases on lanes."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from installing import Installed

from vexfs_conformance import suites
from vexfs_conformance.outcomes import Lane
from vexfs_conformance.results import CaseResult
from vexfs_conformance.server import OwnServer, Target, look
from vexfs_conformance.session import Choice, Session

RunCases = Callable[..., list[CaseResult]]


@pytest.fixture(scope="session")
def server() -> Iterator[OwnServer]:
    own = OwnServer()
    yield own
    own.close()


@pytest.fixture(scope="session")
def target(server: OwnServer) -> Target:
    return look(server.endpoint)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def run_cases(target: Target) -> RunCases:
    """Run the cases with these names on these lanes; the folder is that of the suite's cases unless given."""

    def run(lanes: Sequence[Lane], *patterns: str, folder: Path | None = None, read_only: bool = False) -> list[CaseResult]:
        return Session(target, suites.load(folder), Choice(patterns, read_only)).run(lanes)

    return run
