"""The domain errors, and the one table that maps each to its gRPC code, HTTP status, errno and retry advice.

Raised by `vexfs.core`, `vexfs.store` and `vexfs.views`; translated by every surface through the class attributes and nothing
else. A subclass inherits what it does not say. `reason` is a name of `vexfs.v1.ErrorReason`; a test walks all subclasses and
holds them against that enum. Messages are for people: no caller matches on their text.

    VexfsError
    ├── InvalidRequest ── InvalidName, NameTooLong, InvalidPath, InvalidVector, DimensionMismatch, InvalidFilter,
    │                     InvalidMetadata, InvalidSchema
    ├── NotFound ── CollectionNotFound, PointNotFound, AttributeNotFound
    ├── AlreadyExists ── CollectionExists, AttributeExists
    ├── PreconditionFailed ── NotADirectory, IsADirectory, DirectoryNotEmpty, NotARegularFile, NotASymlink, MoveIntoItself,
    │                         VectorsDoNotFit, RootImmutable, TooManyLinks, LinkNotPermitted, RequestIdReused,
    │                         ContentChanged
    ├── RevisionNotAvailable, RevisionNotReached, DeadlineExceeded
    ├── Unauthenticated, PermissionDenied ── ForeignOrigin
    ├── ResourceExhausted ── TooLarge, QueueFull, VolumeFull, QuotaExceeded
    ├── Unavailable ── ViewUnavailable, VolumeReadOnly, VolumeInUse
    ├── DataLoss ── CorruptContent
    ├── NotSupported ── FormatTooNew, UnsafeSqlite
    └── Internal
"""

import errno as _errno
from typing import ClassVar


class VexfsError(Exception):
    """Base of everything VexFS raises on purpose.

    `reason`: name in `vexfs.v1.ErrorReason`. `code`: gRPC status code name. `http_status`: HTTP status. `errno`: for the mount.
    `retryable`: whether the same request can succeed later without anybody changing it.
    """

    reason: ClassVar[str] = "INTERNAL"
    code: ClassVar[str] = "INTERNAL"
    http_status: ClassVar[int] = 500
    errno: ClassVar[int] = _errno.EIO
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.message = message
        #: Facts for `ErrorInfo.metadata`, such as the path or the limit.
        self.details = details


class Internal(VexfsError):
    """A fault of ours; the log of the server says more."""


class InvalidRequest(VexfsError):
    """The request can never succeed as it is."""

    reason = "INVALID_ARGUMENT"
    code = "INVALID_ARGUMENT"
    http_status = 400
    errno = _errno.EINVAL


class InvalidName(InvalidRequest):
    """A file name is empty, `.`, `..`, or holds `/` or NUL."""

    reason = "INVALID_NAME"


class NameTooLong(InvalidName):
    """A file name has more than 255 bytes, or a path more than 4,096."""

    reason = "NAME_TOO_LONG"
    errno = _errno.ENAMETOOLONG


class InvalidPath(InvalidRequest):
    """A path is not absolute, or has an empty, `.` or `..` component."""

    reason = "INVALID_PATH"


class InvalidVector(InvalidRequest):
    """A vector holds NaN or infinity, has zero length under cosine, or its bytes are no whole number of float32."""

    reason = "INVALID_VECTOR"


class DimensionMismatch(InvalidRequest):
    """A vector has another dimension than its collection."""

    reason = "DIMENSION_MISMATCH"


class InvalidFilter(InvalidRequest):
    """A filter names an unknown attribute, nests too deep or compares what cannot be compared."""

    reason = "INVALID_FILTER"


class InvalidMetadata(InvalidRequest):
    """Metadata is not a JSON object, or larger than 64 KiB."""

    reason = "INVALID_METADATA"


class InvalidSchema(InvalidRequest):
    """A collection's schema contradicts itself or is outside the limits."""

    reason = "INVALID_SCHEMA"


class NotFound(VexfsError):
    """No file has that path or id."""

    reason = "FILE_NOT_FOUND"
    code = "NOT_FOUND"
    http_status = 404
    errno = _errno.ENOENT


class CollectionNotFound(NotFound):
    """No collection has that path."""

    reason = "COLLECTION_NOT_FOUND"


class PointNotFound(NotFound):
    """The collection has no point of that id."""

    reason = "POINT_NOT_FOUND"


class AttributeNotFound(NotFound):
    """The file has no extended attribute of that name."""

    reason = "ATTRIBUTE_NOT_FOUND"
    errno = _errno.ENODATA


class AlreadyExists(VexfsError):
    """Something has that name already."""

    reason = "FILE_EXISTS"
    code = "ALREADY_EXISTS"
    http_status = 409
    errno = _errno.EEXIST


class CollectionExists(AlreadyExists):
    """The directory has a vector schema already."""

    reason = "COLLECTION_EXISTS"


class AttributeExists(AlreadyExists):
    """The extended attribute exists and the caller asked to create it."""

    reason = "ATTRIBUTE_EXISTS"


class PreconditionFailed(VexfsError):
    """The tree is not in the state the operation needs."""

    reason = "FAILED_PRECONDITION"
    code = "FAILED_PRECONDITION"
    http_status = 409
    errno = _errno.EINVAL


class NotADirectory(PreconditionFailed):
    """A component of the path, or the target, is not a directory."""

    reason = "NOT_A_DIRECTORY"
    errno = _errno.ENOTDIR


class IsADirectory(PreconditionFailed):
    """The operation works on files and was given a directory."""

    reason = "IS_A_DIRECTORY"
    errno = _errno.EISDIR


class DirectoryNotEmpty(PreconditionFailed):
    """The directory still has entries."""

    reason = "DIRECTORY_NOT_EMPTY"
    errno = _errno.ENOTEMPTY


class NotARegularFile(PreconditionFailed):
    """Content belongs to regular files only."""

    reason = "NOT_A_REGULAR_FILE"


class NotASymlink(PreconditionFailed):
    """Only a symbolic link has a target."""

    reason = "NOT_A_SYMLINK"


class MoveIntoItself(PreconditionFailed):
    """A directory cannot be moved below itself."""

    reason = "MOVE_INTO_ITSELF"


class VectorsDoNotFit(PreconditionFailed):
    """The file's vectors do not fit the collection it would come to lie in."""

    reason = "VECTORS_DO_NOT_FIT"
    errno = _errno.EXDEV


class RootImmutable(PreconditionFailed):
    """The root cannot be moved, removed or replaced."""

    reason = "ROOT_IMMUTABLE"
    errno = _errno.EBUSY


class TooManyLinks(PreconditionFailed):
    """The file has as many links as VexFS allows, or is a directory."""

    reason = "TOO_MANY_LINKS"
    errno = _errno.EMLINK


class LinkNotPermitted(PreconditionFailed):
    """Hard links to directories do not exist."""

    reason = "LINK_NOT_PERMITTED"
    errno = _errno.EPERM


class RequestIdReused(PreconditionFailed):
    """The same `request_id` came with another request."""

    reason = "REQUEST_ID_REUSED"


class ContentChanged(PreconditionFailed):
    """The content is not the one the caller's condition (If-Match) names."""

    reason = "CONTENT_CHANGED"
    http_status = 412


class RevisionNotAvailable(VexfsError):
    """`at_revision` is in the future or older than the history window."""

    reason = "REVISION_NOT_AVAILABLE"
    code = "OUT_OF_RANGE"
    http_status = 400
    errno = _errno.ESTALE


class RevisionNotReached(VexfsError):
    """The deadline passed before the volume, or the view, had `min_revision`."""

    reason = "REVISION_NOT_REACHED"
    code = "DEADLINE_EXCEEDED"
    http_status = 504
    errno = _errno.ETIMEDOUT
    retryable = True


class DeadlineExceeded(VexfsError):
    """The deadline passed before the call ended; what it was to write may have been written all the same."""

    reason = "DEADLINE_EXCEEDED"
    code = "DEADLINE_EXCEEDED"
    http_status = 504
    errno = _errno.ETIMEDOUT
    retryable = True


class Unauthenticated(VexfsError):
    """The request carries no token, or a wrong one."""

    reason = "UNAUTHENTICATED"
    code = "UNAUTHENTICATED"
    http_status = 401
    errno = _errno.EACCES


class PermissionDenied(VexfsError):
    """The caller is known and may not do this."""

    reason = "PERMISSION_DENIED"
    code = "PERMISSION_DENIED"
    http_status = 403
    errno = _errno.EACCES


class ForeignOrigin(PermissionDenied):
    """The request's Host or Origin header names a site that is not this server."""

    reason = "FOREIGN_ORIGIN"


class ResourceExhausted(VexfsError):
    """A limit was reached."""

    reason = "RESOURCE_EXHAUSTED"
    code = "RESOURCE_EXHAUSTED"
    http_status = 429
    errno = _errno.EAGAIN


class TooLarge(ResourceExhausted):
    """A body, a batch or a value is over its limit."""

    reason = "TOO_LARGE"
    http_status = 413
    errno = _errno.EFBIG


class QueueFull(ResourceExhausted):
    """A bounded queue is full; try again after the delay."""

    reason = "QUEUE_FULL"
    retryable = True


class VolumeFull(ResourceExhausted):
    """The disk underneath is full."""

    reason = "VOLUME_FULL"
    http_status = 507
    errno = _errno.ENOSPC


class QuotaExceeded(ResourceExhausted):
    """The volume would hold more bytes, or more files, than its quota allows."""

    reason = "QUOTA_EXCEEDED"
    http_status = 507
    errno = _errno.EDQUOT


class Unavailable(VexfsError):
    """Cannot be answered now."""

    reason = "UNAVAILABLE"
    code = "UNAVAILABLE"
    http_status = 503
    errno = _errno.EAGAIN
    retryable = True


class ViewUnavailable(Unavailable):
    """A view the request depends on is not there; it is being rebuilt."""

    reason = "VIEW_UNAVAILABLE"


class VolumeReadOnly(Unavailable):
    """The volume takes no writes: a commit failed or damage was found."""

    reason = "VOLUME_READ_ONLY"
    errno = _errno.EROFS
    retryable = False


class VolumeInUse(Unavailable):
    """Another server has this data folder open."""

    reason = "VOLUME_IN_USE"
    errno = _errno.EBUSY


class DataLoss(VexfsError):
    """Stored data cannot be read back as it was written."""

    reason = "DATA_LOSS"
    code = "DATA_LOSS"
    http_status = 500
    errno = _errno.EIO


class CorruptContent(DataLoss):
    """A file's content is damaged: a blob is missing or does not match its hash."""

    reason = "CORRUPT_CONTENT"


class NotSupported(VexfsError):
    """This server cannot do that."""

    reason = "NOT_SUPPORTED"
    code = "UNIMPLEMENTED"
    http_status = 501
    errno = _errno.EOPNOTSUPP


class FormatTooNew(NotSupported):
    """The data folder was written by a newer VexFS."""

    reason = "FORMAT_TOO_NEW"


class UnsafeSqlite(NotSupported):
    """The SQLite library is a version that can corrupt a WAL shared by several connections."""

    reason = "UNSAFE_SQLITE"
