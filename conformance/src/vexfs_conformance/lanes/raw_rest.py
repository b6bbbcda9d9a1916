"""The surface REST itself: HTTP by the routes that the contract gives each method. Used by one thread at a time."""

import json
from typing import Any
from urllib.parse import urlencode

from google.protobuf import json_format

from vexfs_conformance import contract
from vexfs_conformance.lanes.http_client import HttpAnswer, HttpClient, timeout_s
from vexfs_conformance.lanes.raw import RawLane, from_error_body, normal, to_json, to_message
from vexfs_conformance.outcomes import Answered, CallSpec, Failed, Fault, Json, Outcome


class RawRest(RawLane):
    """REST as the contract has it."""

    name = "rest"
    transport = "rest"

    def __init__(self) -> None:
        self._http = HttpClient()

    def once(self, spec: CallSpec, method: contract.Method) -> Outcome:
        requests = [to_json(to_message(request, method.request_name)) for request in spec.requests]
        headers = {"Grpc-Timeout": f"{max(1, int(timeout_s(spec) * 1000))}m"}
        path, body = method.route, None
        if method.has_body:
            headers["Content-Type"] = "application/x-ndjson" if method.client_streaming else "application/json"
            body = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
        else:
            query = urlencode(_flat("", requests[0]))
            path = f"{path}?{query}" if query else path
        answer = self._http.send(spec, method.verb, path, body, headers)
        if isinstance(answer, Failed):
            return answer
        return self._read(answer, method)

    def _read(self, answer: HttpAnswer, method: contract.Method) -> Outcome:
        if answer.status != 200:
            return from_error_body(answer.status, answer.body)
        kind = answer.headers.get("content-type", "").partition(";")[0]
        wanted = "application/x-ndjson" if method.server_streaming else "application/json"
        if kind != wanted:
            return Fault(f"the answer's Content-Type is {kind!r}, not {wanted}")
        lines = answer.body.splitlines() if method.server_streaming else [answer.body]
        messages: list[Json] = []
        try:
            for line in lines:
                value = json.loads(line)
                if set(value) == {"error"}:
                    return from_error_body(value["error"]["code"], line)
                messages.append(normal(value, method))
        except (ValueError, json_format.ParseError) as error:
            return Fault(f"the answer is not {method.response_name}: {error}: {answer.body[:300]!r}")
        return Answered(messages)

    def close(self) -> None:
        self._http.close()


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    """A protojson object as query parameters: `{"file": {"path": "/a"}}` is `file.path=/a`."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{prefix}.{key}" if prefix else key, inner)]
    if isinstance(value, list):
        return [pair for inner in value for pair in _flat(prefix, inner)]
    return [(prefix, json.dumps(value) if isinstance(value, bool) else str(value))]
