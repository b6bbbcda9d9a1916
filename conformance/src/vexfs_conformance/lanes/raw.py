"""What do the raw lanes share? Walking through pages, joining what a list is, reading an error's details.

A raw lane speaks one surface without an SDK, tries everything once, and repairs nothing. Used by one thread at a time.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from vexfs_conformance import __version__, contract
from vexfs_conformance.outcomes import Answered, CallSpec, Failed, HarnessError, Json, Outcome

DEFAULT_TIMEOUT_S = 30.0
USER_AGENT = f"vexfs-conformance/{__version__}"


class RawLane:
    """A surface without an SDK; its kinds say how one call is made."""

    name = ""
    transport = ""
    version = ""
    features: frozenset[str] = frozenset({"cancel", "raw"})
    unreported: frozenset[str] = frozenset()
    raw = True

    def once(self, spec: CallSpec, method: contract.Method) -> Outcome:
        """One call as the surface has it."""
        raise NotImplementedError

    def call(self, spec: CallSpec) -> Outcome:
        """One call; a list, or hits, asked for as a whole, page by page."""
        method = contract.methods()[spec.method]
        if spec.hits_page_size is not None:
            return self._hits(spec, spec.hits_page_size, method)
        if not method.lists or spec.one_page:
            return self._taken(spec, self.once(spec, method))
        items: list[Any] = []
        request = dict(spec.requests[0])
        answer: Json = {}
        while True:
            outcome = self.once(replace(spec, requests=[request]), method)
            if not isinstance(outcome, Answered):
                return outcome
            answer = dict(outcome.messages[0])
            items += answer.get(method.item_field, [])
            token = answer.pop("next_page_token", "")
            if not token or (spec.take is not None and len(items) >= spec.take):
                break
            request["page_token"] = token
        answer[method.item_field] = items[: spec.take] if spec.take is not None else items
        return Answered([answer])

    def _hits(self, spec: CallSpec, page_size: int, method: contract.Method) -> Outcome:
        """All hits of a search or a query, or as many as its `limit` says."""
        hits: list[Any] = []
        request = dict(spec.requests[0])
        limit = min(request.get("limit") or math.inf, math.inf if spec.take is None else spec.take)
        while len(hits) < limit:
            request["limit"] = int(min(page_size, limit - len(hits)))
            outcome = self.once(replace(spec, requests=[request]), method)
            if not isinstance(outcome, Answered):
                return outcome
            hits += outcome.messages[0].get("hits", [])
            request["page_token"] = outcome.messages[0].get("next_page_token", "")
            if not request["page_token"]:
                break
        return Answered([{"hits": hits}])

    def _taken(self, spec: CallSpec, outcome: Outcome) -> Outcome:
        if spec.take is None or not isinstance(outcome, Answered):
            return outcome
        return Answered(outcome.messages[: spec.take])

    def close(self) -> None:
        """Give up connections."""


def to_message(request: Json, name: str) -> Message:
    """A request of a case as a message. A case that is no such message is an error of the suite."""
    message = contract.message_class(name)()
    try:
        json_format.ParseDict(request, message)
    except json_format.ParseError as error:
        raise HarnessError(f"{name}: {error}") from error
    return message


def to_json(message: Message) -> Json:
    """A message as protojson with the contract's field names."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def normal(response: Any, method: contract.Method) -> Json:
    """A response that came as JSON, in the form all lanes share. Raises ParseError if it is not the contract's message."""
    message = method.new_response()
    json_format.ParseDict(response, message)
    return to_json(message)


def from_status(code: str, text: str, details: bytes) -> Failed:
    """The error of a gRPC status: `details` is a serialized `google.rpc.Status`, or empty."""
    status = status_pb2.Status.FromString(details)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            break
    return from_info(code, status.message or text, info.reason, dict(info.metadata), info.domain)


def from_info(code: str, text: str, reason: str, metadata: Mapping[str, str], domain: str) -> Failed:
    """The error from the fields of its ErrorInfo. A reason of another domain counts as none."""
    return Failed(
        code=code,
        reason=reason if domain == contract.PACKAGE else "",
        message=text,
        metadata=metadata,
        request_id=metadata.get("request_id", ""),
        retryable=metadata.get("retryable") == "true",
        attempts=1,
    )


def from_error_body(status: int, body: bytes) -> Failed:
    """The error of a REST answer. One that is not as the contract has it has the code `UNKNOWN`."""
    try:
        error = json.loads(body)["error"]
        if error["code"] != status:
            return Failed("UNKNOWN", message=f"the HTTP status is {status}, the body says {error['code']}")
        info = _error_info(error["details"])
        reason = contract.reasons().get(info["reason"])
        if reason is not None and reason.http_status != status:
            return Failed("UNKNOWN", message=f"the HTTP status of {reason.name} is {reason.http_status}, not {status}")
        return from_info(error["status"], error["message"], info["reason"], info.get("metadata", {}), info["domain"])
    except (ValueError, KeyError, TypeError, StopIteration):
        return Failed("UNKNOWN", message=f"HTTP {status} without the contract's shape of an error: {body[:200]!r}")


def _error_info(details: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(detail for detail in details if detail.get("@type") == "type.googleapis.com/google.rpc.ErrorInfo")
