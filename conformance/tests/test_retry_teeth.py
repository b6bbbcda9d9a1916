"""The cases of retries and deadlines catch what an SDK can do wrong there."""

import pytest
from conftest import RunCases
from retrying import MUTANTS, Retrying

from vexfs_conformance.results import Verdict

#: A raw lane does not see the delay that the server asks for.
LEFT_OUT = {"Retries/the-delay-that-the-server-asks-for", "Retries/a-delay-behind-the-deadline"}


def test_a_lane_that_tries_again_as_it_should_passes(run_cases: RunCases) -> None:
    lane = Retrying()
    results = run_cases([lane], "Retries/*", "Calls/one-deadline-over-all-attempts")
    lane.close()
    wrong = {result.case: result.differences for result in results if result.verdict is Verdict.FAIL}
    assert set(wrong) <= LEFT_OUT, wrong


@pytest.mark.parametrize("name", MUTANTS)
def test_a_lane_that_tries_again_wrongly_is_caught(run_cases: RunCases, name: str) -> None:
    wrong, rule, case = MUTANTS[name]
    lane = Retrying(wrong)
    (result,) = run_cases([lane], case)
    lane.close()
    assert result.verdict is Verdict.FAIL, f"{case} does not notice that this is broken: {rule}"
