"""How is one case run on one lane? Makes its directory, goes through its steps, judges each, keeps what it captures.

Used by one thread at a time. Cleaning up is the session's business (`session.py`).
"""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vexfs_conformance import contract
from vexfs_conformance.judging import describe, join, judge
from vexfs_conformance.matching import Difference, differences, without
from vexfs_conformance.outcomes import Answered, CallSpec, Endpoint, HarnessError, Lane, Outcome, Unsupported
from vexfs_conformance.proxy import FaultProxy
from vexfs_conformance.results import CaseResult, Verdict
from vexfs_conformance.suites import Case, Step
from vexfs_conformance.unreported import is_reported
from vexfs_conformance.values import fill_in, place

_NUMBERS_WITHIN = 1e-6
_VARYING = ("revision", "pending", "atime")
"""Fields that may differ between two lanes that ask the same: the state goes on."""


class NotApplicable(Exception):
    """The case cannot be asked of this lane."""


@dataclass
class Answers:
    """What the first lane answered to a step that every lane has to answer alike, by case and step."""

    first: dict[tuple[str, int], tuple[str, Any]] = field(default_factory=dict)

    def compare(self, case: Case, index: int, lane: Lane, answer: Any) -> list[Difference]:
        """How this lane's answer differs from the first one's."""
        bare = without(answer, _VARYING)
        name, other = self.first.setdefault((case.full_name, index), (f"{lane.name}·{lane.transport}", bare))
        pruned = without(other, [each.partition(".")[2] for each in lane.unreported])
        found = differences(approximate(pruned), bare)
        return [Difference(each.place, f"{each.want}, as {name} answers", each.got) for each in found]


def approximate(value: Any) -> Any:
    """The value as an expectation: floats may differ in their last digits."""
    if isinstance(value, dict):
        return {key: approximate(each) for key, each in value.items()}
    if isinstance(value, list):
        return [approximate(each) for each in value]
    return {"$approx": value, "within": _NUMBERS_WITHIN} if isinstance(value, float) else value


@dataclass
class CaseRunner:
    """Runs cases on one lane."""

    lane: Lane
    endpoint: Endpoint
    answers: Answers
    shared: Mapping[str, Mapping[str, Any]]
    """Of each suite that is put once: `shared` and what its steps captured."""
    proxy: FaultProxy | None = None

    def run(self, case: Case, namespace: str) -> CaseResult:
        """Run a case in its directory. Raises HarnessError for a case that is none."""
        started = time.monotonic()
        unique = uuid.uuid4().hex
        own = self.shared.get(case.suite, {})
        variables: dict[str, Any] = {**own, "ns": namespace, **{f"id{n}": f"{unique}-{n}" for n in range(1, 6)}}
        covers: set[str] = set()
        not_asked = 0
        trace: list[str] = []
        label = ""
        found: list[Difference] = []
        failed: set[str] = set()
        try:
            for index, step in enumerate(case.all_steps):
                label = f"{index + 1} {step.call}"
                found, left_out = self._step(case, index, step, variables, trace)
                not_asked += left_out
                if found:
                    failed = shown_by(step)
                    break
                covers |= shown_by(step)
        except NotApplicable as error:
            return self._result(case, Verdict.NOT_APPLICABLE, started, step=label, why=str(error))
        if not found:
            covers |= set(case.covers)
            return self._result(case, Verdict.PASS, started, covers=sorted(covers), not_asked=not_asked)
        details = [{"place": each.place, "want": each.want, "got": each.got} for each in found]
        return self._result(
            case, Verdict.FAIL, started, step=label, differences=details, why=case.why, trace=trace, covers=sorted(failed)
        )

    def _result(self, case: Case, verdict: Verdict, started: float, **more: Any) -> CaseResult:
        sdk = "raw" if self.lane.raw else self.lane.name
        return CaseResult(case.full_name, sdk, self.lane.transport, verdict, time.monotonic() - started, **more)

    def _step(
        self, case: Case, index: int, step: Step, variables: dict[str, Any], trace: list[str]
    ) -> tuple[list[Difference], int]:
        spec = self._spec(step, variables)
        trace.append(f"→ {step.call} {_json(spec.requests)}")
        if "faults" in step.needs:
            if self.proxy is None:
                raise NotApplicable("faults are made on targets of this machine only")
            outcome, found = self.proxy.during(step, spec, self.lane)
        else:
            outcome, found = self.lane.call(spec), []
        trace.append(f"← {_short(outcome)}")
        if isinstance(outcome, Unsupported):
            raise NotApplicable(outcome.why)
        wrong, left_out = judge(step, outcome, variables, self.lane.unreported)
        wrong += found
        if not wrong and isinstance(outcome, Answered):
            answer = join(outcome.messages, contract.methods()[step.call])
            self._keep(step, answer, variables)
            if step.same:
                wrong = self.answers.compare(case, index, self.lane, answer)
        return wrong, left_out

    def _spec(self, step: Step, variables: Mapping[str, Any]) -> CallSpec:
        changes = fill_in(dict(step.connection), variables)
        endpoint = replace(self.endpoint, **{key: value if value != "" else None for key, value in changes.items()})
        requests = [fill_in(request, variables) for request in step.requests]
        return CallSpec(
            step.call,
            requests,
            endpoint,
            step.timeout_ms,
            step.cancel_after_ms,
            step.one_page,
            step.take,
            step.hits_page_size,
        )

    def _keep(self, step: Step, answer: Any, variables: dict[str, Any]) -> None:
        for name, where in step.capture.items():
            if not is_reported(where, contract.methods()[step.call].response_name, self.lane.unreported):
                raise NotApplicable(f"it does not tell {where}")
            value = place(answer, where)
            if value is None:
                raise HarnessError(f"{step.call} answered nothing at {where}")
            variables[name] = value


def shown_by(step: Step) -> set[str]:
    """What a step shows that passed."""
    found = set()
    if step.expect is not None:
        found.add(f"{step.call} success")
        if step.one_page or any("page_token" in request for request in step.requests):
            found.add(f"{step.call} paging")
    if step.expect_error is not None and step.expect_error.reasons:
        found |= {f"{step.call} {reason}" for reason in step.expect_error.reasons}
    return found


def _short(outcome: Outcome) -> str:
    return _json(outcome.messages) if isinstance(outcome, Answered) else _cut(describe(outcome))


def _json(messages: Sequence[Any]) -> str:
    """Messages, one after another."""
    return _cut(" ".join(json.dumps(each, ensure_ascii=False) for each in messages))


def _cut(text: str) -> str:
    return text if len(text) < 1500 else f"{text[:1400]}… ({len(text)} characters)"
