"""The Python client of VexFS, a file system you can search by meaning.

    from vexfs_client import Client

    with Client(token=...) as client:
        client.files.write("/docs/a.md", b"Keys are rotated every ninety days.", make_parents=True)
        client.wait_for_views()
        for hit in client.search("how often do we change keys?").hits:
            print(hit.file.path, hit.passage.text)

`Client` is for threads, `AsyncClient` for asyncio; both have the same methods.
"""

from ._async.client import AsyncClient
from ._async.collections import AsyncCollections
from ._async.files import AsyncFiles
from ._async.paging import AsyncItems
from ._async.points import AsyncPoints
from ._errors import (
    AlreadyExistsError,
    CancelledError,
    DataLossError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    NotSupportedError,
    OutOfRangeError,
    PermissionDeniedError,
    ResourceExhaustedError,
    SettingsError,
    UnauthenticatedError,
    UnavailableError,
    VexfsError,
)
from ._filters import Filter
from ._pieces import AsyncContent, Content
from ._reasons import Reason
from ._sync.client import Client
from ._sync.collections import Collections
from ._sync.files import Files
from ._sync.paging import Items
from ._sync.points import Points
from ._types import (
    Collection,
    Copied,
    Deleted,
    EmbeddingModel,
    File,
    FileKind,
    FileRef,
    Finding,
    Limits,
    Match,
    Metadata,
    Metric,
    Page,
    Passage,
    Point,
    PointHit,
    PointInput,
    QueryResult,
    Removed,
    SearchHit,
    SearchMode,
    SearchResult,
    ServerInfo,
    SkippedFile,
    StorePosition,
    TextCounts,
    Upserted,
    Vector,
    VectorLike,
    VectorSpec,
    ViewPosition,
    ViewPositions,
    ViewState,
)
from ._values import FileName
from ._version import __version__

__all__ = [
    "AlreadyExistsError",
    "AsyncClient",
    "AsyncCollections",
    "AsyncContent",
    "AsyncFiles",
    "AsyncItems",
    "AsyncPoints",
    "CancelledError",
    "Client",
    "Collection",
    "Collections",
    "Content",
    "Copied",
    "DataLossError",
    "DeadlineExceededError",
    "Deleted",
    "EmbeddingModel",
    "FailedPreconditionError",
    "File",
    "FileKind",
    "FileName",
    "FileRef",
    "Files",
    "Filter",
    "Finding",
    "InternalError",
    "InvalidArgumentError",
    "Items",
    "Limits",
    "Match",
    "Metadata",
    "Metric",
    "NotFoundError",
    "NotSupportedError",
    "OutOfRangeError",
    "Page",
    "Passage",
    "PermissionDeniedError",
    "Point",
    "PointHit",
    "PointInput",
    "Points",
    "QueryResult",
    "Reason",
    "Removed",
    "ResourceExhaustedError",
    "SearchHit",
    "SearchMode",
    "SearchResult",
    "ServerInfo",
    "SettingsError",
    "SkippedFile",
    "StorePosition",
    "TextCounts",
    "UnauthenticatedError",
    "UnavailableError",
    "Upserted",
    "Vector",
    "VectorLike",
    "VectorSpec",
    "VexfsError",
    "ViewPosition",
    "ViewPositions",
    "ViewState",
    "__version__",
]
