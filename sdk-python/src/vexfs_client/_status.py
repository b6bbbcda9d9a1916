"""From the status a call ended with to the error a caller sees.

`google.rpc.Status` and what VexFS puts into it are read by the four small messages here; details of other types are passed
over. Pure functions; the drivers call `error_from`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import betterproto2
import grpc

from vexfs_client._errors import KINDS, VexfsError
from vexfs_client._reasons import KNOWN, RETRYABLE

DOMAIN = "vexfs.v1"
_DETAILS_KEY = "grpc-status-details-bin"
_TYPE_PREFIX = "type.googleapis.com/google.rpc."


@dataclass(eq=False, repr=False)
class _Any(betterproto2.Message):
    type_url: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    value: bytes = betterproto2.field(2, betterproto2.TYPE_BYTES)


@dataclass(eq=False, repr=False)
class _Status(betterproto2.Message):
    code: int = betterproto2.field(1, betterproto2.TYPE_INT32)
    message: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    details: list[_Any] = betterproto2.field(3, betterproto2.TYPE_MESSAGE, repeated=True)


@dataclass(eq=False, repr=False)
class _ErrorInfo(betterproto2.Message):
    reason: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    domain: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    metadata: dict[str, str] = betterproto2.field(
        3, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta(betterproto2.TYPE_STRING, betterproto2.TYPE_STRING)
    )


@dataclass(eq=False, repr=False)
class _Duration(betterproto2.Message):
    seconds: int = betterproto2.field(1, betterproto2.TYPE_INT64)
    nanos: int = betterproto2.field(2, betterproto2.TYPE_INT32)


@dataclass(eq=False, repr=False)
class _RetryInfo(betterproto2.Message):
    retry_delay: _Duration | None = betterproto2.field(1, betterproto2.TYPE_MESSAGE, optional=True)


@dataclass(slots=True)
class Failure:
    """What one attempt ended with. `retry_after` is the pause in seconds that the server asks for."""

    code: str
    message: str
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after: float = 0.0

    @property
    def retryable(self) -> bool:
        """The same request can succeed later: the contract says so of the reason, or nobody answered."""
        if not self.reason:
            return self.code == "UNAVAILABLE"
        if self.reason in KNOWN:
            return self.reason in RETRYABLE
        return self.metadata.get("retryable") == "true"


def failure_from(code: grpc.StatusCode, message: str | None, trailers: Iterable[tuple[str, str | bytes]] | None) -> Failure:
    """Read the status of an attempt and its details."""
    failure = Failure(code.name, message or "")
    for key, value in trailers or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            _read_details(failure, value)
    return failure


def _read_details(failure: Failure, data: bytes) -> None:
    try:
        status = _Status.parse(data)
        failure.message = status.message or failure.message
        for detail in status.details:
            if detail.type_url == _TYPE_PREFIX + "ErrorInfo":
                info = _ErrorInfo.parse(detail.value)
                if info.domain == DOMAIN:
                    failure.reason, failure.metadata = info.reason, info.metadata
            elif detail.type_url == _TYPE_PREFIX + "RetryInfo":
                delay = _RetryInfo.parse(detail.value).retry_delay
                if delay is not None:
                    failure.retry_after = delay.seconds + delay.nanos / 1e9
    except (ValueError, EOFError):
        return  # details of somebody between us and the server; code and message stand


def error_from(failure: Failure, *, request_id: str, attempts: int) -> VexfsError:
    """The error for a call whose last attempt ended so."""
    kind = KINDS.get(failure.code, VexfsError)
    return kind(
        failure.message,
        code=failure.code,
        reason=failure.reason,
        metadata=failure.metadata,
        request_id=request_id,
        retryable=failure.retryable,
        attempts=attempts,
    )
