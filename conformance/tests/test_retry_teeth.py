"""The cases of retries and deadlines catch what an SDK can do wrong there."""

import threading

import pytest
from conftest import RunCases
from retrying import MUTANTS, Retrying

from vexfs_conformance.lanes.raw_connect import RawConnect
from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.lanes.raw_rest import RawRest
from vexfs_conformance.outcomes import CallSpec, Failed, Lane, Outcome
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


class Late:
    """A lane on a busy machine: its first call is over before it gets to the proxy, and arrives while the next one is made."""

    def __init__(self, make: type[RawGrpc] | type[RawRest] | type[RawConnect]) -> None:
        self._make = make
        self._lane: Lane = make()
        self.name, self.transport, self.version, self.raw = self._lane.name, self._lane.transport, "", True
        self.features, self.unreported = self._lane.features, self._lane.unreported
        self.first: CallSpec | None = None

    def call(self, spec: CallSpec) -> Outcome:
        if self.first is None:
            self.first = spec
            return Failed("DEADLINE_EXCEEDED")
        other = self._make()
        late = threading.Thread(target=other.call, args=(self.first,))
        late.start()
        outcome = self._lane.call(spec)
        late.join()
        other.close()
        return outcome

    def close(self) -> None:
        self._lane.close()


@pytest.mark.parametrize("make", [RawGrpc, RawRest, RawConnect])
def test_a_call_that_arrives_late_is_not_counted_as_the_next_one(
    run_cases: RunCases, make: type[RawGrpc] | type[RawRest] | type[RawConnect]
) -> None:
    lane = Late(make)
    (result,) = run_cases([lane], "Calls/a-slow-answer")
    lane.close()
    assert lane.first is not None
    assert result.verdict is Verdict.PASS, result.differences
