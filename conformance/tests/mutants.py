"""SDKs that are wrong in one way each: what the suite has to notice beside a wrong server (`server_mutants.py`).

Each wraps a raw lane, as a thin SDK does, and changes a call, or what came of it.
"""

import base64
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
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


def edit(method: str, change: Callable[[dict[str, Any]], None]) -> Change:
    """Change the first message of a method's answers."""

    def after(mutant: Mutant, spec: CallSpec, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Answered) and method in (spec.method, "*"):
            messages = [dict(each) for each in outcome.messages]
            change(messages[0])
            return Answered(messages)
        return outcome

    return after


def _first_page_of_hits(spec: CallSpec) -> CallSpec:
    if spec.hits_page_size is None:
        return spec
    request = dict(spec.requests[0])
    request["limit"] = min(request.get("limit") or spec.hits_page_size, spec.hits_page_size)
    return replace(spec, requests=[request], hits_page_size=None)


def _hits_without(field: str) -> Callable[[CallSpec], CallSpec]:
    """Forget a field of the request when all hits are asked for."""

    def before(spec: CallSpec) -> CallSpec:
        if spec.hits_page_size is None:
            return spec
        return replace(spec, requests=[{name: value for name, value in spec.requests[0].items() if name != field}])

    return before


def _edit_error(**changes: Any) -> Change:
    """Change fields of every error."""

    def after(mutant: Mutant, spec: CallSpec, outcome: Outcome) -> Outcome:
        return replace(outcome, **changes) if isinstance(outcome, Failed) else outcome

    return after


def _without_fields(*names: str) -> Callable[[CallSpec], CallSpec]:
    def before(spec: CallSpec) -> CallSpec:
        return replace(
            spec, requests=[{key: value for key, value in each.items() if key not in names} for each in spec.requests]
        )

    return before


def _drop_last(field: str) -> Callable[[dict[str, Any]], None]:
    return lambda message: message.update({field: message.get(field, [])[:-1]})


def _double_first(field: str) -> Callable[[dict[str, Any]], None]:
    return lambda message: message.update({field: [*message.get(field, [])[:1], *message.get(field, [])]})


def _swallow(mutant: Mutant, spec: CallSpec, outcome: Outcome) -> Outcome:
    return Answered([{"revision": "1"}]) if isinstance(outcome, Failed) else outcome


def _twice(mutant: Mutant, spec: CallSpec, outcome: Outcome) -> Outcome:
    return Answered([*outcome.messages] * 2) if isinstance(outcome, Answered) else outcome


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


def _no_deadline(spec: CallSpec) -> CallSpec:
    return replace(spec, timeout_ms=None)


_calls = itertools.count(1)


def _new_request_id(spec: CallSpec) -> CallSpec:
    """Another request id each time: nothing is ever a repetition."""

    def changed(request: dict[str, Any]) -> dict[str, Any]:
        return {**request, "request_id": f"{next(_calls)}-{request['request_id']}"} if "request_id" in request else request

    return replace(spec, requests=[changed(each) for each in spec.requests])


def _wrong_scope(spec: CallSpec) -> CallSpec:
    return replace(spec, requests=[{**each, "scope": {"path": "/"}} if "scope" in each else each for each in spec.requests])


@dataclass(frozen=True)
class LaneMutant:
    """One way in which an SDK, or its adapter, is wrong."""

    guards: str
    """The rule that it breaks: of docs/sdk.md, of the adapter's rules in the README, or of the contract."""
    cases: tuple[str, ...]
    before: Callable[[CallSpec], CallSpec] | None = None
    after: Change | None = None


def _loses(argument: str, case: str) -> LaneMutant:
    rule = f"an SDK passes on every argument that its user gives: `{argument}`"
    return LaneMutant(rule, (case,), before=_without_fields(argument))


MUTANTS: dict[str, LaneMutant] = {
    "loses-the-page-token": _loses("page_token", "ListFiles/pages"),
    "loses-the-page-size": _loses("page_size", "Points/listed-in-pages"),
    "loses-at-revision": _loses("at_revision", "Content/at-an-earlier-revision"),
    "loses-min-revision": _loses("min_revision", "MinRevision/stat-file"),
    "loses-the-offset": _loses("offset", "Content/a-range-to-the-end"),
    "loses-the-length": _loses("length", "Content/a-range"),
    "loses-the-options-of-a-write": _loses("options", "Content/only-a-new-file"),
    "loses-recursive": _loses("recursive", "RemoveFile/a-tree"),
    "loses-no-replace": _loses("no_replace", "MoveFile/nothing-is-replaced-if-asked"),
    "loses-a-filter": _loses("filter", "Filters/equals-a-string"),
    "loses-with-vectors": _loses("with_vectors", "Points/round-trip"),
    "searches-everywhere": LaneMutant(
        "an SDK passes on every argument that its user gives: `scope`", ("Search/a-scope",), before=_wrong_scope
    ),
    "makes-a-new-request-id-each-time": LaneMutant(
        "a request id that the caller gives is the one that is sent",
        ("RequestId/make-directory-again",),
        before=_new_request_id,
    ),
    "ignores-the-deadline": LaneMutant("a call can be given a time-out", ("Calls/a-slow-answer",), before=_no_deadline),
    "tries-twice": LaneMutant(
        "one layer tries again, and not what failed for good", ("Calls/a-slow-answer",), after=_try_twice
    ),
    "drops-the-last-entry-of-a-list": LaneMutant(
        "an iterator gives every item", ("ListFiles/byte-order",), after=edit("ListFiles", _drop_last("files"))
    ),
    "answers-an-entry-twice": LaneMutant(
        "an iterator gives every item once",
        ("ListFiles/all-items-in-small-steps",),
        after=edit("ListFiles", _double_first("files")),
    ),
    "stops-after-the-first-page": LaneMutant(
        "lists page by themselves",
        ("ListFiles/all-items-in-small-steps",),
        before=lambda spec: replace(spec, one_page=True),
    ),
    "stops-after-the-first-page-of-hits": LaneMutant(
        "hits come page after page",
        ("Search/all-hits-by-meaning", "Search/all-hits-of-a-query"),
        before=_first_page_of_hits,
    ),
    "gives-more-hits-than-the-limit": LaneMutant(
        "`limit` is how many hits there are in all",
        ("Search/all-hits-by-meaning", "Search/all-hits-of-a-query"),
        before=_hits_without("limit"),
    ),
    "begins-hits-at-the-first-page": LaneMutant(
        "hits begin where they are asked for",
        ("Search/all-hits-behind-a-page",),
        before=_hits_without("page_token"),
    ),
    "loses-the-next-page-token": LaneMutant(
        "the call for a single page tells how to go on",
        ("ListFiles/pages",),
        after=edit("*", lambda message: message.pop("next_page_token", None)),
    ),
    "swallows-errors": LaneMutant(
        "an error is raised", ("NotFound/stat-file", "Retries/a-reason-that-no-retry-helps"), after=_swallow
    ),
    "loses-reasons": LaneMutant(
        "an error has the reason that the server gave", ("NotFound/stat-file",), after=_edit_error(reason="")
    ),
    "invents-a-reason": LaneMutant(
        "a reason is one of the contract's", ("NotFound/stat-file",), after=_edit_error(reason="NO_SUCH_FILE")
    ),
    "calls-everything-retryable": LaneMutant(
        "an error says whether a retry can help, as the contract has it for its reason",
        ("NotFound/stat-file",),
        after=_edit_error(retryable=True),
    ),
    "loses-messages": LaneMutant("an error has a message", ("NotFound/stat-file",), after=_edit_error(message="")),
    "names-a-wrong-kind": LaneMutant(
        "an error's type is that of its code", ("NotFound/stat-file",), after=_edit_error(kinds=["internal"])
    ),
    "answers-from-memory": LaneMutant(
        "every call asks the server: an SDK keeps nothing of its own", ("Stat/after-a-change",), after=_stale
    ),
    "flips-a-bit": LaneMutant(
        "content is bytes, and comes as it was put",
        ("Content/round-trip",),
        after=edit("GetContent", _data(lambda data: bytes([data[0] ^ 1]) + data[1:] if data else data)),
    ),
    "cuts-content": LaneMutant(
        "the pieces of a stream make the whole content",
        ("Content/large-whole",),
        after=edit("ReadFile", _data(lambda data: data[:-1])),
    ),
    "tells-another-size": LaneMutant(
        "an answer is told as the server gave it",
        ("Stat/a-regular-file",),
        after=edit("StatFile", _set_in_file("size_bytes", "4")),
    ),
    "tells-another-path": LaneMutant(
        "an answer is told as the server gave it", ("Stat/by-id",), after=edit("StatFile", _set_in_file("path", "/elsewhere"))
    ),
    "leaves-revisions-out": LaneMutant(
        "an answer has the revision that it reflects, unless the adapter says that the SDK does not tell it",
        ("Content/round-trip",),
        after=edit("*", lambda message: message.pop("revision", None)),
    ),
    "answers-nothing": LaneMutant(
        "a call ends with one answer", ("Stat/the-root",), after=lambda mutant, spec, outcome: Answered([])
    ),
    "answers-twice": LaneMutant("a call ends with one answer", ("Stat/the-root",), after=_twice),
}


def mutant(name: str, lane: Lane) -> Mutant:
    """The lane with one thing wrong."""
    chosen = MUTANTS[name]
    return Mutant(lane, before=chosen.before, after=chosen.after)
