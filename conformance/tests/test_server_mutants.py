"""A server that is wrong in one line is caught, by the cases that are about that line, on the surfaces that show it.

Each mutant is a real `vexfs serve`. They run two at a time, ahead of the tests that ask what became of them.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import RunCases
from planting import PlantedServer, ServerMutant
from server_mutants import MUTANTS

from vexfs_conformance import suites
from vexfs_conformance.lanes.choosing import RAW_LANES
from vexfs_conformance.results import CaseResult, Verdict
from vexfs_conformance.server import look
from vexfs_conformance.session import Choice, Session

Results = Future[list[CaseResult]]

_SURFACES = ("grpc", "rest", "connect")


def _place(mutant: ServerMutant) -> str:
    try:
        return mutant.place
    except LookupError:
        return f"{mutant.file}:?"  # its test says what is wrong


_BY_NAME = {f"{name} {_place(mutant)}": mutant for name, mutant in MUTANTS.items()}


def _run(mutant: ServerMutant, loaded: Sequence[suites.Suite], folder: Path) -> list[CaseResult]:
    """The mutant's cases on every surface of a server that is the mutant."""
    mutant.plant(folder)
    chosen = Choice(mutant.cases)
    needs = {need for case in suites.all_cases(loaded) if chosen.takes(case) for need in case.needs}
    server = PlantedServer(folder, model="search.dense" in needs, quota="1MiB" if "tiny_quota" in needs else None)
    lanes = [RAW_LANES[name]() for name in _SURFACES]
    try:
        return Session(look(server.endpoint), loaded, chosen).run(lanes)
    finally:
        for lane in lanes:
            lane.close()
        server.close()


@pytest.fixture(scope="module")
def under_way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Results]]:
    """Every mutant whose test was chosen, on its way."""
    chosen = [name for name in _BY_NAME if any(f"[{name}]" in item.name for item in request.session.items)]
    loaded = suites.load()
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(_run, _BY_NAME[name], loaded, tmp_path_factory.mktemp("mutant")) for name in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", _BY_NAME)
def test_a_broken_guard_is_caught(under_way: dict[str, Results], name: str) -> None:
    mutant = _BY_NAME[name]
    results = under_way[name].result()
    asked = {(result.case, result.transport) for result in results if result.verdict is not Verdict.NOT_APPLICABLE}
    wanted = {(case, lane) for case, lane in asked if lane in mutant.lanes}
    failed = {(result.case, result.transport) for result in results if result.verdict is Verdict.FAIL}
    assert {case for case, _ in wanted} == set(mutant.cases), "each case has to be asked on a surface that shows the mistake"
    what = f"{mutant.place} `{mutant.guard}` is `{mutant.instead}`: {mutant.wrong}"
    assert not wanted - failed, f"nobody notices on {sorted(wanted - failed)} that {what}"
    assert not failed - wanted, f"the mistake is that of {mutant.lanes}, but {sorted(failed - wanted)} fails, too: {what}"


def test_the_same_cases_pass_on_the_server_as_it_is(run_cases: RunCases) -> None:
    lanes = [RAW_LANES[name]() for name in _SURFACES]
    results = run_cases(lanes, *sorted({case for mutant in MUTANTS.values() for case in mutant.cases}))
    for lane in lanes:
        lane.close()
    assert not [
        (result.case, result.lane) for result in results if result.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)
    ]


def test_mutants_are_all_over_the_server() -> None:
    assert len(MUTANTS) >= 24
    assert {mutant.file.partition("/")[0] for mutant in MUTANTS.values()} >= {"api", "core", "store", "views"}
    assert {lane for mutant in MUTANTS.values() for lane in mutant.lanes if len(mutant.lanes) == 1} == set(_SURFACES)


def test_a_guard_that_is_gone_or_doubled_is_told(tmp_path: Path) -> None:
    for guard in ("this line never was", "return node"):
        mutant = ServerMutant("core/files.py", guard, "pass", "nothing", (), ())
        with pytest.raises(LookupError, match=r"core/files\.py: the guard"):
            mutant.plant(tmp_path)
