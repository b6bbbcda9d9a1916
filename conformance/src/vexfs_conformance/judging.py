"""Is what came of a step what the case and the contract want? Pure functions.

Beside the case's own expectations every outcome is held to the contract: an error's reason is one that the method may end
with, its code and whether a retry can help are those of the reason; an answer is one message with a revision. A system call
tells no reason: its errno has to be the one that the contract gives the expected reason.
"""

import base64
import errno
import json
from collections.abc import Sequence
from typing import Any

from vexfs_conformance import contract
from vexfs_conformance.matching import Difference, differences
from vexfs_conformance.outcomes import Answered, Failed, Fault, Outcome, SettingsRefused, Unsupported
from vexfs_conformance.suites import ExpectedError, Step
from vexfs_conformance.unreported import prune
from vexfs_conformance.values import fill_in

KINDS = {
    "NOT_FOUND": "not_found",
    "ALREADY_EXISTS": "already_exists",
    "FAILED_PRECONDITION": "failed_precondition",
    "INVALID_ARGUMENT": "invalid_argument",
    "OUT_OF_RANGE": "invalid_argument",
    "UNAUTHENTICATED": "unauthenticated",
    "PERMISSION_DENIED": "permission_denied",
    "RESOURCE_EXHAUSTED": "resource_exhausted",
    "UNAVAILABLE": "unavailable",
    "DEADLINE_EXCEEDED": "deadline_exceeded",
    "CANCELLED": "cancelled",
    "DATA_LOSS": "data_loss",
    "INTERNAL": "internal",
}


def join(messages: Sequence[Any], method: contract.Method) -> Any:
    """The one response of a call; the pieces of ReadFile joined into one."""
    if not method.server_streaming:
        return messages[0]
    whole = dict(messages[0]) if messages else {}
    data = b"".join(base64.b64decode(piece.get("data", "")) for piece in messages)
    whole["data"] = base64.b64encode(data).decode()
    return whole


def describe(outcome: Outcome) -> str:
    """What came of a call, for people."""
    match outcome:
        case Fault():
            return f"a fault: {outcome.trace[:2000]}"
        case SettingsRefused():
            return f"refused {outcome.setting}: {outcome.message}"
        case Unsupported():
            return f"unsupported: {outcome.why}"
        case Failed():
            error = errno.errorcode.get(outcome.errno, str(outcome.errno)) if outcome.errno else outcome.code
            because = outcome.reason or ("" if outcome.errno else "without a reason")
            return f"{error} {because}".strip() + (f": {outcome.message[:300]}" if outcome.message else "")
    text = " ".join(json.dumps(each, ensure_ascii=False) for each in outcome.messages)
    return f"an answer: {text[:300]}{'…' if len(text) > 300 else ''}"


def judge(step: Step, outcome: Outcome, variables: dict[str, Any], unreported: frozenset[str]) -> tuple[list[Difference], int]:
    """What is wrong, and how many expectations were not asked."""
    method = contract.methods()[step.call]
    if isinstance(outcome, Answered):
        return _answer(step, outcome, method, variables, unreported)
    if isinstance(outcome, Failed):
        found = [] if outcome.errno else _against_contract(outcome, method)
        if step.expect_error is None:
            return [Difference("the call", "an answer", describe(outcome)), *found], 0
        return [*_expected_error(step, outcome), *found], 0
    if isinstance(outcome, SettingsRefused):
        return [Difference("the client", "that it is made", describe(outcome))], 0
    return [Difference("the call", "an answer or an error", describe(outcome))], 0


def _expected_error(step: Step, error: Failed) -> list[Difference]:
    want = step.expect_error
    assert want is not None
    if error.errno:
        return _expected_errno(want, error)
    found = []
    if error.code not in want.codes:
        found.append(Difference("error.code", " or ".join(want.codes), describe(error)))
    if want.reasons and error.reason not in want.reasons:
        found.append(Difference("error.reason", " or ".join(want.reasons), describe(error)))
    if want.attempts and error.attempts != want.attempts:
        found.append(Difference("error.attempts", str(want.attempts), str(error.attempts)))
    return found


def _expected_errno(want: ExpectedError, error: Failed) -> list[Difference]:
    """A case that names no reason takes the errno of any reason with its code."""
    named = [
        reason
        for reason in contract.reasons().values()
        if reason.name in want.reasons or (not want.reasons and reason.code in want.codes)
    ]
    if error.errno in {getattr(errno, reason.errno) for reason in named}:
        return []
    wanted = " or ".join(f"{reason.errno}, the errno of {reason.name}" for reason in named)
    return [Difference("error.errno", wanted, describe(error))]


def _against_contract(error: Failed, method: contract.Method) -> list[Difference]:
    found = []
    reason = contract.reasons().get(error.reason)
    if error.reason and reason is None:
        found.append(Difference("error.reason", "a reason of the contract", error.reason))
    if reason is not None:
        if reason.name not in method.reasons:
            found.append(Difference("error.reason", f"one that {method.name} may end with", reason.name))
        if error.code != reason.code:
            found.append(Difference("error.code", f"{reason.code}, the code of {reason.name}", error.code))
        if error.retryable != reason.retryable:
            found.append(Difference("error.retryable", f"{reason.retryable}, as {reason.name} is", str(error.retryable)))
        if not error.message:
            found.append(Difference("error.message", "a message", "none"))
    if error.kinds and KINDS.get(error.code) and KINDS[error.code] not in error.kinds:
        found.append(Difference("error.kinds", KINDS[error.code], ", ".join(error.kinds)))
    wrong = [kind for kind in error.kinds if kind != KINDS.get(error.code)]
    if wrong:
        found.append(Difference("error.kinds", f"{KINDS.get(error.code, 'none')} only", ", ".join(error.kinds)))
    return found


def _answer(
    step: Step, outcome: Answered, method: contract.Method, variables: dict[str, Any], unreported: frozenset[str]
) -> tuple[list[Difference], int]:
    count = len(outcome.messages)
    if (count != 1 and not method.server_streaming) or count == 0:
        return [Difference("the call", "one response" if not method.server_streaming else "a response", f"{count}")], 0
    if step.expect_error is not None:
        want = f"{' or '.join(step.expect_error.codes)} {' or '.join(step.expect_error.reasons)}"
        return [Difference("the call", want.strip(), describe(outcome))], 0
    answer = join(outcome.messages, method)
    # A list that was left early need not know its revision yet, and not every client tells it of an iterator over hits.
    of_items = step.take is not None or step.hits_page_size is not None
    wanted = {**({} if of_items else {"revision": {"$above": 0}}), **(step.expect or {})}
    pruned, left_out = prune(fill_in(wanted, variables), method.response_name, unreported)
    return differences(pruned, answer), left_out
