"""The errors of this package: one type for what a call failed with, a type below it for each kind, and one for settings.

    Exception
    ├── VexfsError                  code, reason, message, metadata, request_id, retryable, attempts
    │   ├── NotFoundError           ├── AlreadyExistsError      ├── FailedPreconditionError
    │   ├── InvalidArgumentError    ├── UnauthenticatedError    ├── PermissionDeniedError
    │   ├── ResourceExhaustedError  ├── UnavailableError        ├── DeadlineExceededError
    │   ├── CancelledError          ├── DataLossError           ├── InternalError
    │   ├── OutOfRangeError         └── NotSupportedError
    └── SettingsError               also a ValueError

Imports nothing of this package; knows nothing of gRPC. `_status.py` makes them from what a call ended with.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class SettingsError(ValueError):
    """A setting cannot be read or used: raised when a client is made. `setting` is its name, such as `tls_client_key`."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(message)
        self.setting = setting


class VexfsError(Exception):
    """A call failed: the server said no, or could not be reached in time.

    Match the type, or `reason`; `message` is for people and may change.
    """

    code: str
    """The gRPC code's name, such as `NOT_FOUND`."""
    reason: str
    """Why, as a name of the contract's `ErrorReason`, such as `FILE_NOT_FOUND`; empty if the server gave none. See `Reason`."""
    message: str
    """What happened and what to do, for people."""
    metadata: Mapping[str, str]
    """Details the server gave, by name."""
    request_id: str
    """The `request_id` of the call; empty if the method has none."""
    retryable: bool
    """The same request can succeed later without anybody changing it."""
    attempts: int
    """How often the call was tried."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        request_id: str = "",
        retryable: bool = False,
        attempts: int = 1,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.request_id = request_id
        self.retryable = retryable
        self.attempts = attempts

    default_code: ClassVar[str] = "UNKNOWN"

    def __str__(self) -> str:
        return f"{self.reason or self.code}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.message, self.__dict__)


def _restore(kind: type[VexfsError], message: str, fields: dict[str, Any]) -> VexfsError:
    error = kind(message)
    error.__dict__.update(fields)
    return error


class InvalidArgumentError(VexfsError):
    """The request can never succeed as it is."""

    default_code = "INVALID_ARGUMENT"


class NotFoundError(VexfsError):
    """What the request names is not there."""

    default_code = "NOT_FOUND"


class AlreadyExistsError(VexfsError):
    """Something is there already."""

    default_code = "ALREADY_EXISTS"


class FailedPreconditionError(VexfsError):
    """The tree is not in the state the operation needs."""

    default_code = "FAILED_PRECONDITION"


class OutOfRangeError(VexfsError):
    """A revision cannot be read: it is in the future, or older than the history window."""

    default_code = "OUT_OF_RANGE"


class UnauthenticatedError(VexfsError):
    """The request carries no token, or a wrong one."""

    default_code = "UNAUTHENTICATED"


class PermissionDeniedError(VexfsError):
    """The caller may not do this."""

    default_code = "PERMISSION_DENIED"


class ResourceExhaustedError(VexfsError):
    """A limit was reached."""

    default_code = "RESOURCE_EXHAUSTED"


class UnavailableError(VexfsError):
    """Not now: nobody answers, or the server cannot."""

    default_code = "UNAVAILABLE"


class DeadlineExceededError(VexfsError):
    """The time-out passed. A write may still have happened; the same `request_id` makes it safe to ask again."""

    default_code = "DEADLINE_EXCEEDED"


class CancelledError(VexfsError):
    """The call was cancelled: its iterator or its client was closed, or the server ended it."""

    default_code = "CANCELLED"


class DataLossError(VexfsError):
    """Stored data is damaged."""

    default_code = "DATA_LOSS"


class NotSupportedError(VexfsError):
    """This server cannot do that."""

    default_code = "UNIMPLEMENTED"


class InternalError(VexfsError):
    """A fault of the server or of the connection."""

    default_code = "INTERNAL"


KINDS: Mapping[str, type[VexfsError]] = {kind.default_code: kind for kind in VexfsError.__subclasses__()}
"""The type for each gRPC code; a code without one is a plain VexfsError."""
