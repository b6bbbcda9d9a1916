"""The suite has teeth: each mutant is caught, and by the cases that are about what it breaks."""

import pytest
from conftest import RunCases
from mutants import MUTANTS, mutant

from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.results import Verdict
from vexfs_conformance.server import Target


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(target: Target, run_cases: RunCases, name: str) -> None:
    lane = mutant(name, RawGrpc(), target.endpoint.token or "")
    # The retries need an SDK; a raw lane that tries again is one for that purpose.
    results = run_cases([lane], *MUTANTS[name][1])
    lane.close()
    applied = [result for result in results if result.verdict is not Verdict.NOT_APPLICABLE]
    assert applied
    assert {result.case for result in applied if result.verdict is Verdict.FAIL} == {result.case for result in applied}


def test_the_same_cases_pass_without_a_mutant(run_cases: RunCases) -> None:
    lane = RawGrpc()
    results = run_cases([lane], *sorted({case for _, cases in MUTANTS.values() for case in cases}))
    lane.close()
    assert {result.verdict for result in results} <= {Verdict.PASS, Verdict.NOT_APPLICABLE}


def test_there_are_at_least_twenty_mutants() -> None:
    assert len(MUTANTS) >= 20


def test_a_lane_that_ranks_otherwise_than_the_others_is_caught(target: Target, run_cases: RunCases) -> None:
    """Both answers are right by themselves: scores that differ in the third digit are only seen beside each other."""
    from mutants import Mutant, _edit

    def change(message: dict) -> None:  # type: ignore[type-arg]
        message["hits"] = [{**hit, "score": hit["score"] + 0.001} for hit in message.get("hits", [])]

    honest, other = RawGrpc(), Mutant(RawGrpc(), after=_edit("Search", change))
    results = run_cases([honest, other], "Search/ranking-of-all-by-meaning")
    assert [result.verdict for result in results] == [Verdict.PASS, Verdict.FAIL]
    assert "as grpc·grpc answers" in results[1].differences[0]["want"]
