"""From an exception to what a caller sees: one `google.rpc.Status` for every surface.

Called by the dispatcher (`translate`) and by the surfaces (`to_status`, `to_json`). Matches classes, never message
texts. A fault of ours is logged here with an incident id, and the caller gets the id, not the traceback.
"""

import asyncio
import logging
import secrets
from typing import Any, ClassVar

from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from vexfs.core.errors import DeadlineExceeded, Internal, InvalidRequest, NotSupported, QueueFull, VexfsError

DOMAIN = "vexfs.v1"
"""`ErrorInfo.domain`, as errors.proto says."""
RETRY_AFTER_SECONDS = 0.1
"""What a caller that met a full queue waits before it tries again."""

_log = logging.getLogger("vexfs.api")


class InvalidFields(InvalidRequest):
    """The request breaks rules of the contract; `violations` lists each field with what is wrong."""

    def __init__(self, violations: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {text}" if field else text for field, text in violations))
        self.violations = violations


class MalformedRequest(InvalidRequest):
    """The bytes are no such message: broken protobuf or JSON, bad UTF-8, an unknown field, a wrong type."""


class RouteNotFound(NotSupported):
    """The server has no method or page at that address."""

    http_status = 404


class VerbNotAllowed(NotSupported):
    """The page exists, but not for that HTTP verb; `allowed` are those it has."""

    http_status = 405

    def __init__(self, message: str, allowed: list[str]) -> None:
        super().__init__(message, allowed=", ".join(allowed))
        self.allowed = allowed


class UnsupportedMediaType(NotSupported):
    """The body is not JSON although the route takes JSON."""

    http_status = 415


class UnsupportedEncoding(NotSupported):
    """The body is packed in a way this server cannot unpack."""

    http_status = 415


class RangeNotSatisfiable(InvalidRequest):
    """The Range header asks for bytes behind the end of the content, which has `size_bytes`."""

    code: ClassVar[str] = "OUT_OF_RANGE"
    http_status = 416

    def __init__(self, message: str, size_bytes: int) -> None:
        super().__init__(message, size_bytes=str(size_bytes))
        self.size_bytes = size_bytes


def translate(error: BaseException, operation: str) -> VexfsError:
    """The domain error that stands for `error`: itself, or what a deadline or a fault of ours becomes."""
    if isinstance(error, VexfsError):
        return error
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return DeadlineExceeded(f"the deadline passed before {operation} ended; a write may still have happened")
    incident = secrets.token_hex(6)
    _log.error("fault in %s", operation, exc_info=error, extra={"incident": incident, "operation": operation})
    return Internal(f"a fault of the server; its log has more under incident {incident}", incident=incident)


def to_status(error: VexfsError) -> status_pb2.Status:
    """The `google.rpc.Status` of an error: code, message, ErrorInfo, and BadRequest or RetryInfo where they say more."""
    status = status_pb2.Status(code=code_number(error), message=error.message)
    metadata = {**error.details, "retryable": "true" if error.retryable else "false"}
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata))
    if isinstance(error, InvalidFields):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=text) for field, text in error.violations
        ]
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=violations))
    if isinstance(error, QueueFull):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(RETRY_AFTER_SECONDS * 1000))
        status.details.add().Pack(retry)
    return status


def code_number(error: VexfsError) -> int:
    """The number of the error's gRPC status code."""
    return int(code_pb2.Code.Value(error.code))


def to_json(error: VexfsError) -> dict[str, Any]:
    """The body of an HTTP error: {"error": {code, status, message, details}}, with the HTTP status as code."""
    status = to_status(error)
    details = [json_format.MessageToDict(detail) for detail in status.details]
    return {"error": {"code": error.http_status, "status": error.code, "message": error.message, "details": details}}
