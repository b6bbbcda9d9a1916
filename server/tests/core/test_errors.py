"""The table of errors: each class says what every surface needs, once."""

import errno
import re

import pytest

from vexfs.core import errors
from vexfs.core.errors import VexfsError

#: The gRPC codes that may carry each HTTP status.
HTTP_STATUS = {
    "INVALID_ARGUMENT": {400},
    "NOT_FOUND": {404},
    "ALREADY_EXISTS": {409},
    "FAILED_PRECONDITION": {409, 412},
    "OUT_OF_RANGE": {400},
    "DEADLINE_EXCEEDED": {504},
    "UNAUTHENTICATED": {401},
    "PERMISSION_DENIED": {403},
    "RESOURCE_EXHAUSTED": {413, 429, 507},
    "UNAVAILABLE": {503},
    "DATA_LOSS": {500},
    "UNIMPLEMENTED": {501},
    "INTERNAL": {500},
}
TABLE: dict[str, tuple[str, int, int, bool]] = {
    "Internal": ("INTERNAL", 500, errno.EIO, False),
    "InvalidRequest": ("INVALID_ARGUMENT", 400, errno.EINVAL, False),
    "InvalidName": ("INVALID_ARGUMENT", 400, errno.EINVAL, False),
    "NameTooLong": ("INVALID_ARGUMENT", 400, errno.ENAMETOOLONG, False),
    "InvalidPath": ("INVALID_ARGUMENT", 400, errno.EINVAL, False),
    "InvalidVector": ("INVALID_ARGUMENT", 400, errno.EINVAL, False),
    "DimensionMismatch": ("INVALID_ARGUMENT", 400, errno.EINVAL, False),
    "InvalidFilter": ("INVALID_ARGUMENT", 400, errno.EINVAL, False),
    "InvalidMetadata": ("INVALID_ARGUMENT", 400, errno.EINVAL, False),
    "InvalidSchema": ("INVALID_ARGUMENT", 400, errno.EINVAL, False),
    "NotFound": ("NOT_FOUND", 404, errno.ENOENT, False),
    "CollectionNotFound": ("NOT_FOUND", 404, errno.ENOENT, False),
    "PointNotFound": ("NOT_FOUND", 404, errno.ENOENT, False),
    "AttributeNotFound": ("NOT_FOUND", 404, errno.ENODATA, False),
    "AlreadyExists": ("ALREADY_EXISTS", 409, errno.EEXIST, False),
    "CollectionExists": ("ALREADY_EXISTS", 409, errno.EEXIST, False),
    "AttributeExists": ("ALREADY_EXISTS", 409, errno.EEXIST, False),
    "PreconditionFailed": ("FAILED_PRECONDITION", 409, errno.EINVAL, False),
    "NotADirectory": ("FAILED_PRECONDITION", 409, errno.ENOTDIR, False),
    "IsADirectory": ("FAILED_PRECONDITION", 409, errno.EISDIR, False),
    "DirectoryNotEmpty": ("FAILED_PRECONDITION", 409, errno.ENOTEMPTY, False),
    "NotARegularFile": ("FAILED_PRECONDITION", 409, errno.EINVAL, False),
    "NotASymlink": ("FAILED_PRECONDITION", 409, errno.EINVAL, False),
    "MoveIntoItself": ("FAILED_PRECONDITION", 409, errno.EINVAL, False),
    "VectorsDoNotFit": ("FAILED_PRECONDITION", 409, errno.EXDEV, False),
    "RootImmutable": ("FAILED_PRECONDITION", 409, errno.EBUSY, False),
    "TooManyLinks": ("FAILED_PRECONDITION", 409, errno.EMLINK, False),
    "LinkNotPermitted": ("FAILED_PRECONDITION", 409, errno.EPERM, False),
    "RequestIdReused": ("FAILED_PRECONDITION", 409, errno.EINVAL, False),
    "ContentChanged": ("FAILED_PRECONDITION", 412, errno.EINVAL, False),
    "RevisionNotAvailable": ("OUT_OF_RANGE", 400, errno.ESTALE, False),
    "RevisionNotReached": ("DEADLINE_EXCEEDED", 504, errno.ETIMEDOUT, True),
    "DeadlineExceeded": ("DEADLINE_EXCEEDED", 504, errno.ETIMEDOUT, True),
    "Unauthenticated": ("UNAUTHENTICATED", 401, errno.EACCES, False),
    "PermissionDenied": ("PERMISSION_DENIED", 403, errno.EACCES, False),
    "ForeignOrigin": ("PERMISSION_DENIED", 403, errno.EACCES, False),
    "ResourceExhausted": ("RESOURCE_EXHAUSTED", 429, errno.EAGAIN, False),
    "TooLarge": ("RESOURCE_EXHAUSTED", 413, errno.EFBIG, False),
    "QueueFull": ("RESOURCE_EXHAUSTED", 429, errno.EAGAIN, True),
    "VolumeFull": ("RESOURCE_EXHAUSTED", 507, errno.ENOSPC, False),
    "QuotaExceeded": ("RESOURCE_EXHAUSTED", 507, errno.EDQUOT, False),
    "Unavailable": ("UNAVAILABLE", 503, errno.EAGAIN, True),
    "ViewUnavailable": ("UNAVAILABLE", 503, errno.EAGAIN, True),
    "VolumeReadOnly": ("UNAVAILABLE", 503, errno.EROFS, False),
    "VolumeInUse": ("UNAVAILABLE", 503, errno.EBUSY, True),
    "DataLoss": ("DATA_LOSS", 500, errno.EIO, False),
    "CorruptContent": ("DATA_LOSS", 500, errno.EIO, False),
    "NotSupported": ("UNIMPLEMENTED", 501, errno.EOPNOTSUPP, False),
    "FormatTooNew": ("UNIMPLEMENTED", 501, errno.EOPNOTSUPP, False),
    "UnsafeSqlite": ("UNIMPLEMENTED", 501, errno.EOPNOTSUPP, False),
}


def classes() -> dict[str, type[VexfsError]]:
    """Those of the module; surfaces may have some of their own."""
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, VexfsError) and value is not VexfsError
    }


def test_the_table_has_every_error_once() -> None:
    assert {name: (e.code, e.http_status, e.errno, e.retryable) for name, e in classes().items()} == TABLE


@pytest.mark.parametrize("error", classes().values(), ids=lambda error: error.__name__)
def test_each_error_says_what_every_surface_needs(error: type[VexfsError]) -> None:
    assert error.http_status in HTTP_STATUS[error.code]
    assert error.errno in errno.errorcode
    assert re.fullmatch(r"[A-Z][A-Z_]+", error.reason)
    assert error.__doc__ and error.__doc__ != VexfsError.__doc__ and error.__doc__.rstrip().endswith(".")
    raised = error("what to do", limit="5")
    assert (raised.message, str(raised), raised.details) == ("what to do", "what to do", {"limit": "5"})


def test_each_error_has_a_reason_of_its_own() -> None:
    reasons = [error.reason for error in classes().values()]
    assert len(set(reasons)) == len(reasons)


def test_a_subclass_keeps_the_code_of_its_parent() -> None:
    for error in classes().values():
        for parent in error.__mro__[1:]:
            if parent is not VexfsError and isinstance(parent, type) and issubclass(parent, VexfsError):
                assert error.code == parent.code


def test_the_tree_in_the_docstring_names_every_error() -> None:
    named = set(re.findall(r"[A-Z][A-Za-z]+", (errors.__doc__ or "").split("VexfsError\n")[1]))
    assert named == set(classes())
