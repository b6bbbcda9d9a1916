"""What shall go wrong, and what was seen? The one memory that both sides of the fault proxy share. Safe from any thread."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from vexfs_conformance import contract
from vexfs_conformance.matching import Difference
from vexfs_conformance.suites import FaultPlan

CODES = {
    "CANCELLED": 1, "INVALID_ARGUMENT": 3, "DEADLINE_EXCEEDED": 4, "NOT_FOUND": 5, "ALREADY_EXISTS": 6, "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8, "FAILED_PRECONDITION": 9, "ABORTED": 10, "OUT_OF_RANGE": 11, "UNIMPLEMENTED": 12, "INTERNAL": 13,
    "UNAVAILABLE": 14, "DATA_LOSS": 15, "UNAUTHENTICATED": 16,
}  # fmt: skip
HTTP_STATUS = {"UNAVAILABLE": 503, "RESOURCE_EXHAUSTED": 429, "INTERNAL": 500, "DEADLINE_EXCEEDED": 504, "NOT_FOUND": 404}


@dataclass
class Attempt:
    """One call that arrived at the proxy."""

    path: str
    started: float
    user_agent: str = ""
    request_ids: list[str] = field(default_factory=list)
    cancelled: bool = False


class Script:
    """The faults of one step, and the attempts that came."""

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self.attempts: list[Attempt] = []
        self._lock = threading.Lock()

    def arrive(self, path: str, user_agent: str) -> tuple[Attempt, int]:
        """A call came; returns it and its number, from 1."""
        attempt = Attempt(path, time.monotonic(), user_agent)
        with self._lock:
            self.attempts.append(attempt)
            return attempt, len(self.attempts)

    def saw_one(self) -> bool:
        """Whether an attempt came; one that is still on its way is waited for a little."""
        end = time.monotonic() + 1
        while not self.attempts and time.monotonic() < end:
            time.sleep(0.01)
        return bool(self.attempts)

    def fails(self, number: int) -> bool:
        """Whether this attempt is answered here."""
        return number <= self.plan.fail_first

    def loses(self, number: int) -> bool:
        """Whether the answer to this attempt gets lost."""
        return number <= self.plan.lose_first

    def status(self) -> status_pb2.Status:
        """The error that the proxy answers."""
        plan = self.plan
        status = status_pb2.Status(code=CODES[plan.status], message="the proxy of the conformance suite says so")
        if plan.reason:
            retryable = "true" if contract.reasons()[plan.reason].retryable else "false"
            info = error_details_pb2.ErrorInfo(reason=plan.reason, domain=contract.PACKAGE, metadata={"retryable": retryable})
            status.details.add().Pack(info)
        if plan.retry_after_ms:
            delay: Any = Duration()
            delay.FromMilliseconds(plan.retry_after_ms)
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        return status

    def judge(self, wanted: Mapping[str, Any], milliseconds: float) -> list[Difference]:
        """Whether what was seen is what a case wants."""
        checks: dict[str, Callable[[Any], tuple[bool, Any]]] = {
            "attempts": lambda want: (len(self.attempts) == want, len(self.attempts)),
            "attempts_at_most": lambda want: (len(self.attempts) <= want, len(self.attempts)),
            "one_request_id": lambda want: (self._one_request_id() is want, [each.request_ids for each in self.attempts]),
            "within_ms": lambda want: (milliseconds <= want, round(milliseconds)),
            "not_before_ms": lambda want: (milliseconds >= want, round(milliseconds)),
            "cancelled": lambda want: (self._cancelled() is want, [each.cancelled for each in self.attempts]),
        }
        found = []
        for key, want in wanted.items():
            if key == "user_agent":
                continue
            right, got = checks[key](want)
            if not right:
                found.append(Difference(f"seen.{key}", str(want), str(got)))
        return found

    def judge_user_agent(self, name: str) -> list[Difference]:
        """Whether every attempt said which SDK it is."""
        want = f"vexfs-{name}/"
        wrong = [each.user_agent for each in self.attempts if not each.user_agent.startswith(want)]
        return [Difference("seen.user_agent", f"{want}…", wrong[0])] if wrong else []

    def _one_request_id(self) -> bool:
        ids = {each for attempt in self.attempts for each in attempt.request_ids}
        return len(ids) == 1 and all(attempt.request_ids and all(attempt.request_ids) for attempt in self.attempts)

    def _cancelled(self) -> bool:
        """Whether the last attempt was given up by the client; what is under way is waited for a little."""
        end = time.monotonic() + 5
        while self.attempts and not self.attempts[-1].cancelled and time.monotonic() < end:
            time.sleep(0.01)
        return bool(self.attempts) and self.attempts[-1].cancelled
