"""The surface Connect itself, with JSON: `POST /vexfs.v1.Service/Method` on the REST port. Used by one thread at a time.

Streams of requests do not exist over HTTP/1.1 here: WriteFile is unsupported.
"""

import base64
import json
from collections.abc import Iterator

from google.protobuf import json_format
from google.rpc import error_details_pb2

from vexfs_conformance import contract
from vexfs_conformance.lanes.http_client import HttpAnswer, HttpClient, timeout_s
from vexfs_conformance.lanes.raw import RawLane, from_info, normal, to_json, to_message
from vexfs_conformance.outcomes import Answered, CallSpec, Failed, Fault, Json, Outcome, Unsupported

_END_OF_STREAM = 0b10
_ERROR_INFO = "google.rpc.ErrorInfo"
_HTTP_STATUS = {
    "CANCELLED": 499, "UNKNOWN": 500, "INVALID_ARGUMENT": 400, "DEADLINE_EXCEEDED": 504, "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409, "PERMISSION_DENIED": 403, "RESOURCE_EXHAUSTED": 429, "FAILED_PRECONDITION": 400, "ABORTED": 409,
    "OUT_OF_RANGE": 400, "UNIMPLEMENTED": 501, "INTERNAL": 500, "UNAVAILABLE": 503, "DATA_LOSS": 500, "UNAUTHENTICATED": 401,
}  # fmt: skip
"""What the protocol has for each code of a unary error."""


class RawConnect(RawLane):
    """Connect as its protocol has it: unary calls, and streams of answers in envelopes."""

    name = "connect"
    transport = "connect"

    def __init__(self) -> None:
        self._http = HttpClient()

    def once(self, spec: CallSpec, method: contract.Method) -> Outcome:
        if method.client_streaming:
            return Unsupported("Connect over HTTP/1.1 has no streams of requests")
        body = json.dumps(to_json(to_message(spec.requests[0], method.request_name))).encode()
        kind = "application/connect+json" if method.server_streaming else "application/json"
        headers = {
            "Content-Type": kind,
            "Connect-Protocol-Version": "1",
            "Connect-Timeout-Ms": str(max(1, int(timeout_s(spec) * 1000))),
        }
        if method.server_streaming:
            body = b"\0" + len(body).to_bytes(4, "big") + body
        answer = self._http.send(spec, "POST", f"/{method.full_name}", body, headers)
        if isinstance(answer, Failed):
            return answer
        try:
            return self._read(answer, method)
        except (ValueError, KeyError, TypeError, json_format.ParseError) as error:
            return Fault(f"the answer is not Connect's: {error!r}: HTTP {answer.status} {answer.body[:300]!r}")

    def _read(self, answer: HttpAnswer, method: contract.Method) -> Outcome:
        kind = answer.headers.get("content-type", "")
        if method.server_streaming and kind == "application/connect+json":
            return _stream(answer, method)
        if kind != "application/json":
            return Fault(f"the answer's Content-Type is {kind!r}: HTTP {answer.status} {answer.body[:300]!r}")
        value = json.loads(answer.body)
        if answer.status == 200:
            return Answered([normal(value, method)])
        error = _error(value)
        if answer.status != _HTTP_STATUS.get(error.code):
            return Fault(f"the HTTP status of {error.code} is {_HTTP_STATUS.get(error.code)}, not {answer.status}")
        return error

    def close(self) -> None:
        self._http.close()


def _stream(answer: HttpAnswer, method: contract.Method) -> Outcome:
    messages: list[Json] = []
    for flags, data in _envelopes(answer.body):
        value = json.loads(data)
        if flags & _END_OF_STREAM:
            return _error(value["error"]) if "error" in value else Answered(messages)
        messages.append(normal(value, method))
    return Fault("the stream ended without its last envelope")


def _envelopes(body: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(body):
        length = int.from_bytes(body[position + 1 : position + 5], "big")
        yield body[position], body[position + 5 : position + 5 + length]
        position += 5 + length


def _error(value: Json) -> Failed:
    code = value["code"].upper()
    code = {"CANCELED": "CANCELLED"}.get(code, code)
    for detail in value.get("details", ()):
        if detail["type"] == _ERROR_INFO:
            data = detail["value"]
            info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(data + "=" * (-len(data) % 4)))
            return from_info(code, value.get("message", ""), info.reason, dict(info.metadata), info.domain)
    return Failed(code, message=value.get("message", ""))
