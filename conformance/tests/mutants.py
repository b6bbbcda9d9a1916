"""Lanes that are wrong in one way each: what the suite has to notice.

Each wraps a lane and changes a call, or what came of it. `CASES` names cases that must catch it; the guard a mutant breaks
is what the docstring says.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from vexfs_conformance.outcomes import Answered, CallSpec, Failed, Lane, Outcome

Change = Callable[["Mutant", CallSpec, Outcome], Outcome]


class Mutant:
    """A lane whose calls or outcomes are changed."""

    def __init__(
        self, lane: Lane, *, before: Callable[[CallSpec], CallSpec] | None = None, after: Change | None = None
    ) -> None:
        self._lane = lane
        self._before = before
        self._after = after
        self.name, self.transport, self.version, self.raw = lane.name, lane.transport, lane.version, lane.raw
        self.features, self.unreported = lane.features, lane.unreported
        self.seen: dict[str, Any] = {}

    def call(self, spec: CallSpec) -> Outcome:
        spec = self._before(spec) if self._before else spec
        outcome = self._lane.call(spec)
        return self._after(self, spec, outcome) if self._after else outcome

    def again(self, spec: CallSpec) -> Outcome:
        """Make the call once more."""
        return self._lane.call(spec)

    def close(self) -> None:
        self._lane.close()


def _edit(method: str, change: Callable[[dict[str, Any]], None]) -> Change:
    """Change the first message of a method's answers."""

    def after(mutant: Mutant, spec: CallSpec, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Answered) and method in (spec.method, "*"):
            messages = [dict(each) for each in outcome.messages]
            change(messages[0])
            return Answered(messages)
        return outcome

    return after


def _edit_error(change: Callable[[Failed], Outcome], reason: str = "") -> Change:
    def after(mutant: Mutant, spec: CallSpec, outcome: Outcome) -> Outcome:
        return change(outcome) if isinstance(outcome, Failed) and reason in (outcome.reason, "") else outcome

    return after


def _without_fields(*names: str) -> Callable[[CallSpec], CallSpec]:
    def before(spec: CallSpec) -> CallSpec:
        return replace(
            spec, requests=[{key: value for key, value in each.items() if key not in names} for each in spec.requests]
        )

    return before


def _swap_first_two(field: str) -> Callable[[dict[str, Any]], None]:
    def change(message: dict[str, Any]) -> None:
        items = list(message.get(field, []))
        if len(items) > 1:
            items[0], items[1] = items[1], items[0]
            message[field] = items

    return change


def _drop_last(field: str) -> Callable[[dict[str, Any]], None]:
    return lambda message: message.update({field: message.get(field, [])[:-1]})


def _double_first(field: str) -> Callable[[dict[str, Any]], None]:
    return lambda message: message.update({field: [*message.get(field, [])[:1], *message.get(field, [])]})


def _swallow(mutant: Mutant, spec: CallSpec, outcome: Outcome) -> Outcome:
    return Answered([{"revision": "1"}]) if isinstance(outcome, Failed) else outcome


def _try_twice(mutant: Mutant, spec: CallSpec, outcome: Outcome) -> Outcome:
    """A second layer that tries again whatever failed."""
    return mutant.again(spec) if isinstance(outcome, Failed) else outcome


def _stale(mutant: Mutant, spec: CallSpec, outcome: Outcome) -> Outcome:
    """Answers a StatFile it has seen from memory."""
    if spec.method != "StatFile" or not isinstance(outcome, Answered):
        return outcome
    key = str(spec.requests)
    return mutant.seen.setdefault(key, outcome)  # type: ignore[no-any-return]


def _data(change: Callable[[bytes], bytes]) -> Callable[[dict[str, Any]], None]:
    def edit(message: dict[str, Any]) -> None:
        message["data"] = base64.b64encode(change(base64.b64decode(message.get("data", "")))).decode()

    return edit


def _set_in_file(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda message: message.update({"file": {**message.get("file", {}), key: value}}) if "file" in message else None


def _forget_token(spec: CallSpec) -> CallSpec:
    """Sends the token even where there shall be none: as if the server did not look at it."""
    return replace(spec, endpoint=replace(spec.endpoint, token=_forget_token.token))  # type: ignore[attr-defined]


_forget_token.token = ""  # type: ignore[attr-defined]


def _no_deadline(spec: CallSpec) -> CallSpec:
    return replace(spec, timeout_ms=None)


def _new_request_id(spec: CallSpec) -> CallSpec:
    """Another request id each time: nothing is ever a repetition."""
    _new_request_id.count += 1  # type: ignore[attr-defined]
    fresh = f"mutant-{_new_request_id.count}-"  # type: ignore[attr-defined]
    return replace(
        spec,
        requests=[
            {**each, "request_id": fresh + each["request_id"]} if "request_id" in each else each for each in spec.requests
        ],
    )


_new_request_id.count = 0  # type: ignore[attr-defined]


def _wrong_scope(spec: CallSpec) -> CallSpec:
    return replace(spec, requests=[{**each, "scope": {"path": "/"}} if "scope" in each else each for each in spec.requests])


def _reason(name: str) -> Callable[[Failed], Outcome]:
    return lambda error: replace(error, reason=name)


MUTANTS: dict[str, tuple[dict[str, Any], Sequence[str]]] = {
    "drops-the-last-entry-of-a-list": ({"after": _edit("ListFiles", _drop_last("files"))}, ["ListFiles/byte-order"]),
    "answers-an-entry-twice": ({"after": _edit("ListFiles", _double_first("files"))}, ["ListFiles/all-items-in-small-steps"]),
    "stops-after-the-first-page": (
        {"before": lambda spec: replace(spec, one_page=True)},
        ["ListFiles/all-items-in-small-steps"],
    ),
    "loses-the-next-page-token": (
        {"after": _edit("*", lambda message: message.pop("next_page_token", None))},
        ["ListFiles/pages"],
    ),
    "forgets-the-page-token": ({"before": _without_fields("page_token")}, ["ListFiles/pages"]),
    "forgets-the-page-size": ({"before": _without_fields("page_size")}, ["Points/listed-in-pages"]),
    "reorders-names": ({"after": _edit("ListFiles", _swap_first_two("files"))}, ["ListFiles/byte-order"]),
    "reorders-ties": ({"after": _edit("QueryPoints", _swap_first_two("hits"))}, ["QueryPoints/equal-scores-by-file-id"]),
    "swallows-errors": ({"after": _swallow}, ["NotFound/stat-file", "Retries/a-reason-that-no-retry-helps"]),
    "changes-a-reason": ({"after": _edit_error(_reason("POINT_NOT_FOUND"), "FILE_NOT_FOUND")}, ["NotFound/stat-file"]),
    "loses-reasons": ({"after": _edit_error(_reason(""))}, ["NotFound/stat-file"]),
    "invents-a-reason": ({"after": _edit_error(_reason("NO_SUCH_FILE"))}, ["NotFound/stat-file"]),
    "changes-a-code": ({"after": _edit_error(lambda error: replace(error, code="UNKNOWN"))}, ["NotFound/stat-file"]),
    "calls-everything-retryable": (
        {"after": _edit_error(lambda error: replace(error, retryable=True))},
        ["NotFound/stat-file"],
    ),
    "loses-messages": ({"after": _edit_error(lambda error: replace(error, message=""))}, ["NotFound/stat-file"]),
    "names-a-wrong-kind": ({"after": _edit_error(lambda error: replace(error, kinds=["internal"]))}, ["NotFound/stat-file"]),
    "loses-at-revision": ({"before": _without_fields("at_revision")}, ["Content/at-an-earlier-revision"]),
    "loses-min-revision": ({"before": _without_fields("min_revision")}, ["MinRevision/stat-file"]),
    "loses-the-offset": ({"before": _without_fields("offset")}, ["Content/a-range-to-the-end"]),
    "loses-the-length": ({"before": _without_fields("length")}, ["Content/a-range"]),
    "loses-the-options-of-a-write": ({"before": _without_fields("options")}, ["Content/only-a-new-file"]),
    "loses-recursive": ({"before": _without_fields("recursive")}, ["RemoveFile/a-tree"]),
    "loses-no-replace": ({"before": _without_fields("no_replace")}, ["MoveFile/nothing-is-replaced-if-asked"]),
    "loses-a-filter": ({"before": _without_fields("filter")}, ["Filters/equals-a-string"]),
    "loses-with-vectors": ({"before": _without_fields("with_vectors")}, ["Points/round-trip"]),
    "makes-a-new-request-id-each-time": ({"before": _new_request_id}, ["RequestId/make-directory-again"]),
    "ignores-the-token": ({"before": _forget_token}, ["Unauthenticated/stat-file"]),
    "ignores-the-deadline": ({"before": _no_deadline}, ["Calls/a-slow-answer"]),
    "tries-twice": ({"after": _try_twice}, ["Calls/a-slow-answer"]),
    "answers-from-memory": ({"after": _stale}, ["Stat/after-a-change"]),
    "flips-a-bit": (
        {"after": _edit("GetContent", _data(lambda data: bytes([data[0] ^ 1]) + data[1:] if data else data))},
        ["Content/round-trip"],
    ),
    "cuts-content": ({"after": _edit("ReadFile", _data(lambda data: data[:-1]))}, ["Content/large-whole"]),
    "tells-another-size": ({"after": _edit("StatFile", _set_in_file("size_bytes", "4"))}, ["Stat/a-regular-file"]),
    "leaks-another-path": ({"after": _edit("StatFile", _set_in_file("path", "/elsewhere"))}, ["Stat/by-id"]),
    "leaves-revisions-out": ({"after": _edit("*", lambda message: message.pop("revision", None))}, ["Content/round-trip"]),
    "searches-everywhere": ({"before": _wrong_scope}, ["Search/a-scope"]),
    "answers-nothing": ({"after": lambda mutant, spec, outcome: Answered([])}, ["Stat/the-root"]),
    "answers-twice": (
        {
            "after": lambda mutant, spec, outcome: (
                Answered([*outcome.messages] * 2) if isinstance(outcome, Answered) else outcome
            )
        },
        ["Stat/the-root"],
    ),
}


def mutant(name: str, lane: Lane, token: str) -> Mutant:
    """The lane with one thing wrong."""
    _forget_token.token = token  # type: ignore[attr-defined]
    return Mutant(lane, **MUTANTS[name][0])
