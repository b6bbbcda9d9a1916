"""What can become of a call? The words that lanes and runner share. Plain values without behaviour: safe from any thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]
"""A message in protojson, with the contract's field names."""


@dataclass(frozen=True)
class Endpoint:
    """How to reach a server. None is not given to an SDK, which then looks at its variables and defaults. Files are paths of
    PEM files.
    """

    address: str | None = None
    url: str | None = None
    token: str | None = None
    tls: bool | None = None
    tls_ca: str | None = None
    tls_client_cert: str | None = None
    tls_client_key: str | None = None
    timeout_ms: int | None = None
    max_attempts: int | None = None
    transport: str | None = None


@dataclass(frozen=True)
class CallSpec:
    """One call to make. `requests` are protojson: one, but for a stream of requests."""

    method: str
    requests: Sequence[Json]
    endpoint: Endpoint
    timeout_ms: int | None = None
    cancel_after_ms: int | None = None
    one_page: bool = False
    take: int | None = None
    hits_page_size: int | None = None
    """Of a search or a query: walk all hits, so many a page."""


@dataclass(frozen=True)
class Answered:
    """The call succeeded: the response messages in protojson; of a stream, each piece."""

    messages: Sequence[Json]


@dataclass(frozen=True)
class Failed:
    """The call failed as calls fail: with a code and perhaps a reason, or, if it was a system call, with an errno."""

    code: str
    reason: str = ""
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    retryable: bool = False
    attempts: int = 0
    kinds: Sequence[str] = ()
    errno: int = 0
    """The kernel's number; 0 of a surface that answers with codes."""


@dataclass(frozen=True)
class SettingsRefused:
    """An SDK refused a setting when its client was made."""

    setting: str
    message: str


@dataclass(frozen=True)
class Unsupported:
    """The lane cannot express this call."""

    why: str


@dataclass(frozen=True)
class Fault:
    """The adapter, or the lane, went wrong: no answer of the thing that is tested."""

    trace: str


Outcome = Answered | Failed | SettingsRefused | Unsupported | Fault


class HarnessError(Exception):
    """The suite itself cannot go on: a case that is no case, a server that does not start. The run ends with exit 3."""


class Lane(Protocol):
    """One way to the server: a surface without an SDK, or an SDK over one transport."""

    name: str
    """`grpc`, or the SDK's name."""
    transport: str
    version: str
    features: frozenset[str]
    unreported: frozenset[str]
    """Fields of responses that it does not give back, as `Message.field`."""
    raw: bool
    """It is a surface itself, without an SDK."""

    def call(self, spec: CallSpec) -> Outcome:
        """Make one call and say what came of it. Never raises for what the server or the SDK does."""

    def close(self) -> None:
        """Give up connections and processes. May be called twice."""
