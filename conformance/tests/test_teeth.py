"""An SDK that is wrong in one way is caught, by the cases that are about that way."""

import pytest
from conftest import RunCases
from mutants import MUTANTS, Mutant, edit, mutant

from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.results import Verdict


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(run_cases: RunCases, name: str) -> None:
    lane = mutant(name, RawGrpc())
    results = run_cases([lane], *MUTANTS[name].cases)
    lane.close()
    applied = {result.case for result in results if result.verdict is not Verdict.NOT_APPLICABLE}
    failed = {result.case for result in results if result.verdict is Verdict.FAIL}
    assert applied
    assert failed == applied, f"{applied - failed} does not notice that this is broken: {MUTANTS[name].guards}"


def test_the_same_cases_pass_without_a_mutant(run_cases: RunCases) -> None:
    lane = RawGrpc()
    results = run_cases([lane], *sorted({case for each in MUTANTS.values() for case in each.cases}))
    lane.close()
    assert {result.verdict for result in results} <= {Verdict.PASS, Verdict.NOT_APPLICABLE}


def test_a_lane_that_ranks_otherwise_than_the_others_is_caught(run_cases: RunCases) -> None:
    """Both answers are right by themselves: scores that differ in the third digit are only seen beside each other."""

    def change(message: dict) -> None:  # type: ignore[type-arg]
        message["hits"] = [{**hit, "score": hit["score"] + 0.001} for hit in message.get("hits", [])]

    honest, other = RawGrpc(), Mutant(RawGrpc(), after=edit("Search", change))
    results = run_cases([honest, other], "Search/ranking-of-all-by-meaning")
    assert [result.verdict for result in results] == [Verdict.PASS, Verdict.FAIL]
    assert "as grpc·grpc answers" in results[1].differences[0]["want"]
