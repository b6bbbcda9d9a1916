"""The Python client of VexFS, a file system you can search by meaning.

    from vexfs_client import Client

    with Client(token=...) as client:
        client.files.write("/docs/a.md", b"Keys are rotated every ninety days.", make_parents=True)
        client.wait_for_views()
        for hit in client.search("how often do we change keys?").hits:
            print(hit.file.path, hit.passage.text)

`Client` is for threads, `AsyncClient` for asyncio; both have the same methods.
"""

from vexfs_client._async.client import AsyncClient
from vexfs_client._async.collections import AsyncCollections
from vexfs_client._async.files import AsyncFiles
from vexfs_client._async.paging import AsyncItems
from vexfs_client._async.points import AsyncPoints
from vexfs_client._errors import (
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
from vexfs_client._filters import Filter
from vexfs_client._io import ContentReader, ContentWriter
from vexfs_client._pieces import AsyncContent, Content
from vexfs_client._queries import PointsQuery, SearchQuery
from vexfs_client._reasons import Reason
from vexfs_client._sync.client import Client
from vexfs_client._sync.collections import Collections
from vexfs_client._sync.files import Files
from vexfs_client._sync.paging import Items
from vexfs_client._sync.points import Points
from vexfs_client._types import (
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
    VectorStorage,
    ViewPosition,
    ViewPositions,
    ViewState,
)
from vexfs_client._values import FileName
from vexfs_client._version import __version__

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
    "ContentReader",
    "ContentWriter",
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
    "PointsQuery",
    "QueryResult",
    "Reason",
    "Removed",
    "ResourceExhaustedError",
    "SearchHit",
    "SearchMode",
    "SearchQuery",
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
    "VectorStorage",
    "VexfsError",
    "ViewPosition",
    "ViewPositions",
    "ViewState",
    "__version__",
]
