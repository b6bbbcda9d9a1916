"""How a command ends: what exit status, and which sentence, does an error get?

The statuses are part of the command's interface and never change. Used by `main` alone. Imports no transport: an error that
came over the wire is already a `RemoteError` when it arrives here.
"""

import json
import sys
from dataclasses import dataclass, field

from vexfs.core.errors import VexfsError

OK = 0
ERROR = 1
USAGE = 2
DEADLINE = 3
NOT_FOUND = 4
CONFLICT = 5
REFUSED = 6
UNREACHABLE = 7
INTERRUPTED = 130

#: gRPC code name → exit status; every other code is `ERROR`.
BY_CODE = {
    "INVALID_ARGUMENT": USAGE,
    "DEADLINE_EXCEEDED": DEADLINE,
    "NOT_FOUND": NOT_FOUND,
    "ALREADY_EXISTS": CONFLICT,
    "FAILED_PRECONDITION": CONFLICT,
    "UNAUTHENTICATED": REFUSED,
    "PERMISSION_DENIED": REFUSED,
    "UNAVAILABLE": UNREACHABLE,
}


class RemoteError(Exception):
    """What a server answered instead of a result: gRPC code name, reason of the contract, message, details."""

    def __init__(self, code: str, reason: str, message: str, details: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}


@dataclass
class Failure:
    """An error as a person or a program sees it."""

    status: int
    code: str
    reason: str
    message: str
    details: dict[str, str] = field(default_factory=dict)

    def show(self, as_json: bool) -> None:
        """Write it to standard error: a sentence, or one JSON object."""
        if as_json:
            record = {"error": {"code": self.code, "reason": self.reason, "message": self.message, "details": self.details}}
            sys.stderr.write(json.dumps(record, ensure_ascii=False) + "\n")
        else:
            sys.stderr.write(f"vexfs: {self.message}\n")


def describe(error: Exception) -> Failure | None:
    """The failure an exception stands for; None for one that is a fault of the command itself."""
    if isinstance(error, (VexfsError, RemoteError)):
        status = BY_CODE.get(error.code, ERROR)
        return Failure(status, error.code, error.reason, error.message, dict(error.details))
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return Failure(ERROR, "UNKNOWN", "LOCAL_ERROR", f"{error.strerror or error}{where}")
    return None
