"""Calls in the form of REST: the request of a method, its answer, its errors. Pure; the REST driver calls it.

Of what openapi-python-client makes only the routes serve here: `_generated_rest` has the verb, the path, the parameters and the
kind of body of every method. Its models would be a second set of types beside the messages of betterproto2, which have
the JSON of the contract already; and they refuse names of enums that came later, leave bytes and 64-bit numbers as text, and
know no streams. Its endpoint functions read a whole answer into memory, and give an error back instead of raising it.

Streams are JSON lines, one message each, as the contract has them.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from betterproto2 import Message

from vexfs_client._errors import KINDS
from vexfs_client._generated_rest import ROUTES, Route
from vexfs_client._methods import Method, ResponseT
from vexfs_client._protojson import encode, from_json, to_json
from vexfs_client._request import Headers
from vexfs_client._status import DOMAIN, Failure

_CODES = {*KINDS, "UNKNOWN", "ABORTED"}
# What gRPC takes the status of an answer for that is not the server's own: of a proxy, say.
_CODES_OF_STATUS = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}
_TIMEOUT_MAX = 10**8 - 1


class AttemptFailed(Exception):
    """An attempt did not get the answer it asked for. Raised where that is found out, caught by the driver."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Request:
    """What goes to the server, but for the headers of the call: the target is the path with its query."""

    verb: str
    target: str
    headers: Headers
    body: bytes | None


def route(method: Method[Any]) -> Route:
    """Where the method is."""
    return ROUTES[method.path.rpartition(".")[2].replace("/", "")]


def request(method: Method[Any], message: Message) -> Request:
    """The request of a method that takes one message."""
    where, value = route(method), to_json(message)
    if where.body:
        return Request(where.verb, where.path, (("content-type", where.body),), encode(value))
    query = urlencode([(name, text) for name in where.query if (text := _parameter(value, name)) is not None])
    return Request(where.verb, f"{where.path}?{query}" if query else where.path, (), None)


def _parameter(value: Any, name: str) -> str | None:
    """The text of a field that is named from the outside in, such as `file.path`; None if it is not set."""
    for part in name.split("."):
        value = value.get(part)
        if value is None:
            return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def line(message: Message) -> bytes:
    """A message of a stream."""
    return encode(to_json(message)) + b"\n"


class Lines:
    """Cuts a body into lines. One without its end is none: who counts the messages sees that something is missing."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def of(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that end in the next chunk."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            yield b"".join([*self._begun, end])
            self._begun.clear()
        self._begun.append(rest)


def deadline(seconds: float | None) -> Headers:
    """What tells the server how long the caller waits."""
    if seconds is None:
        return ()
    milliseconds = math.ceil(seconds * 1000)
    text = f"{milliseconds}m" if milliseconds <= _TIMEOUT_MAX else f"{min(math.ceil(seconds), _TIMEOUT_MAX)}S"
    return (("grpc-timeout", text),)


def answer(method: Method[ResponseT], status: int, body: bytes) -> ResponseT:
    """The message that was answered. Raises AttemptFailed."""
    if status != 200:
        raise error(status, body)
    return _message(method, _json(body))


def piece(method: Method[ResponseT], data: bytes) -> ResponseT:
    """The message of one line of a stream. Raises AttemptFailed, also when the line is the error that ended the stream."""
    value = _json(data)
    if isinstance(value, dict) and value.keys() == {"error"}:
        raise error(200, data)
    return _message(method, value)


def error(status: int, body: bytes) -> AttemptFailed:
    """What an answer with this status means."""
    try:
        return AttemptFailed(_failure(json.loads(body)["error"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        text = f"HTTP {status} from something that is no VexFS server: {body[:200].decode(errors='replace')}"
        return AttemptFailed(Failure(_CODES_OF_STATUS.get(status, "UNKNOWN"), text))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as said:
        raise AttemptFailed(Failure("INTERNAL", f"the answer is no JSON: {said}")) from said


def _message(method: Method[ResponseT], value: Any) -> ResponseT:
    try:
        return from_json(method.response, value)
    except ValueError as said:
        raise AttemptFailed(Failure("INTERNAL", f"the answer cannot be read: {said}")) from said


def _failure(said: Any) -> Failure:
    """The one shape of every error of REST. Raises ValueError and the like for what has another."""
    code = said["status"]
    if code not in _CODES:
        raise ValueError(f"{code} is no code")
    failure = Failure(code, str(said["message"]))
    for detail in said.get("details", ()):
        match detail.get("@type"):
            case "type.googleapis.com/google.rpc.ErrorInfo" if detail.get("domain") == DOMAIN:
                failure.reason = str(detail["reason"])
                failure.metadata = {str(key): str(value) for key, value in detail.get("metadata", {}).items()}
            case "type.googleapis.com/google.rpc.RetryInfo":
                failure.retry_after = float(detail.get("retryDelay", "0s").removesuffix("s"))
    return failure
