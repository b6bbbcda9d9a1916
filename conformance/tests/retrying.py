"""A lane that tries again as docs/sdk.md says, and the same with one thing wrong each: the retries have teeth, too."""

import random
import time
import uuid
from dataclasses import dataclass, replace

from vexfs_conformance import contract
from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.outcomes import CallSpec, Failed, Outcome

DEFAULT_ATTEMPTS = 4
DEFAULT_TIMEOUT_MS = 30_000


@dataclass(frozen=True)
class Wrong:
    """What this lane does wrong."""

    new_request_id: bool = False
    no_request_id: bool = False
    one_more_attempt: bool = False
    second_layer: bool = False
    ignores_reason: bool = False
    never_again: bool = False
    after_a_deadline: bool = False
    deadline_each: bool = False
    ignores_max: bool = False
    says_one_attempt: bool = False


class Retrying(RawGrpc):
    """Over gRPC with one layer that tries again."""

    name = "retrying"
    features = frozenset({"retry", "cancel"})
    raw = False

    def __init__(self, wrong: Wrong | None = None) -> None:
        super().__init__()
        self._wrong = wrong or Wrong()

    def once(self, spec: CallSpec, method: contract.Method) -> Outcome:
        outcome = self._layer(spec, method)
        return self._layer(spec, method) if self._wrong.second_layer and isinstance(outcome, Failed) else outcome

    def _layer(self, spec: CallSpec, method: contract.Method) -> Outcome:
        wrong = self._wrong
        most = DEFAULT_ATTEMPTS if wrong.ignores_max else spec.endpoint.max_attempts or DEFAULT_ATTEMPTS
        timeout = spec.timeout_ms or spec.endpoint.timeout_ms or DEFAULT_TIMEOUT_MS
        end = time.monotonic() + timeout / 1000
        own = uuid.uuid4().hex
        attempt = 0
        while True:
            attempt += 1
            left = timeout if wrong.deadline_each else max(1, int((end - time.monotonic()) * 1000))
            sent = replace(spec, requests=self._identified(spec, method, uuid.uuid4().hex if wrong.new_request_id else own))
            outcome = super().once(replace(sent, timeout_ms=left), method)
            if not isinstance(outcome, Failed):
                return outcome
            outcome = replace(outcome, attempts=1 if wrong.says_one_attempt else attempt)
            pause = random.uniform(0, min(2.0, 0.1 * 2 ** (attempt - 1)))
            if not self._again(outcome) or attempt >= most + wrong.one_more_attempt:
                return outcome
            if not wrong.deadline_each and time.monotonic() + pause > end:
                return outcome
            time.sleep(pause)

    def _again(self, error: Failed) -> bool:
        if self._wrong.never_again or (error.code == "DEADLINE_EXCEEDED" and not self._wrong.after_a_deadline):
            return False
        if self._wrong.ignores_reason:
            return error.code == "UNAVAILABLE"
        return error.retryable if error.reason else error.code == "UNAVAILABLE"

    def _identified(self, spec: CallSpec, method: contract.Method, request_id: str) -> list[dict[str, object]]:
        if not method.writes or self._wrong.no_request_id:
            return list(spec.requests)
        first = {"request_id": request_id, **spec.requests[0]}
        return [first, *spec.requests[1:]]


_ONE_ID = "the request id is the same on every attempt"
_ONE_LAYER = "one layer tries again; that of the transport below is switched off"
_REASON = "the reason decides whether a retry can help; the code does only where there is no reason"

#: Each with the rule of docs/sdk.md that it breaks, and the case that has to notice.
MUTANTS = {
    "another-request-id-each-attempt": (Wrong(new_request_id=True), _ONE_ID, "Retries/a-write-with-one-request-id"),
    "another-request-id-after-a-lost-answer": (Wrong(new_request_id=True), _ONE_ID, "Retries/a-write-whose-answer-was-lost"),
    "no-request-id": (
        Wrong(no_request_id=True),
        "every writing call gets a request id",
        "Retries/a-write-with-one-request-id",
    ),
    "an-attempt-too-many": (
        Wrong(one_more_attempt=True),
        "`max_attempts` is how often a call is tried at most",
        "Retries/a-read-that-never-succeeds",
    ),
    "two-layers": (Wrong(second_layer=True), _ONE_LAYER, "Retries/two-attempts-if-told"),
    "the-code-decides-not-the-reason": (
        Wrong(ignores_reason=True),
        _REASON,
        "Retries/unavailable-with-a-reason-that-no-retry-helps",
    ),
    "a-retryable-reason-is-not-seen": (Wrong(ignores_reason=True), _REASON, "Retries/a-retryable-reason"),
    "never-tries-again": (
        Wrong(never_again=True),
        "what can succeed later is tried again",
        "Retries/a-read-after-one-failure",
    ),
    "tries-again-after-a-deadline": (
        Wrong(after_a_deadline=True),
        "after a deadline nothing is tried again",
        "Retries/nothing-after-a-deadline",
    ),
    "a-deadline-for-each-attempt": (
        Wrong(deadline_each=True),
        "the time-out covers every attempt and every pause between them",
        "Calls/one-deadline-over-all-attempts",
    ),
    "ignores-max-attempts": (
        Wrong(ignores_max=True),
        "`max_attempts` 1 never tries again",
        "Retries/no-second-attempt-if-told",
    ),
    "counts-attempts-wrongly": (
        Wrong(says_one_attempt=True),
        "an error says how often the call was tried",
        "Retries/two-attempts-if-told",
    ),
}
