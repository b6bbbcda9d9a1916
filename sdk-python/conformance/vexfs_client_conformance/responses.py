"""What the SDK answers, as the contract's responses in protojson."""

import base64
import dataclasses
from datetime import UTC, datetime
from typing import Any

from vexfs_client import Collection, File, FileKind, Metric, Point, SearchMode, Vector, VectorStorage, ViewState

UNREPORTED = [
    # Calls that answer the thing itself: bytes, text, names, an object.
    "ReadFileResponse.revision",
    "ReadFileResponse.offset",
    "ReadFileResponse.file",
    "GetContentResponse.revision",
    "GetContentResponse.file",
    "ReadSymlinkResponse.revision",
    "GetXattrResponse.revision",
    "ListXattrsResponse.revision",
    "GetMetadataResponse.revision",
    "GetPointsResponse.revision",
    # Iterators of items; a single page tells it.
    "ListFilesResponse.revision",
    "ListCollectionsResponse.revision",
    "ListPointsResponse.revision",
    "ListSkippedFilesResponse.revision",
]
"""Fields of responses that the SDK does not give its users."""

_PREFIXES = {
    FileKind: "FILE_KIND_",
    Metric: "METRIC_",
    SearchMode: "SEARCH_MODE_",
    VectorStorage: "VECTOR_STORAGE_",
    ViewState: "VIEW_STATE_",
}


def plain(value: Any) -> Any:
    """Any result of the SDK in JSON: the fields of its objects are called as those of the contract."""
    match value:
        case File() | Collection() | Point():
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            del fields["at_revision"]
            if isinstance(value, Collection):
                fields["schema"] = {"vectors": fields.pop("vectors"), "embed_text": fields.pop("embed_text")}
            return {name: item if name == "metadata" else plain(item) for name, item in fields.items() if item is not None}
        case FileKind() | Metric() | SearchMode() | VectorStorage() | ViewState():
            return _PREFIXES[type(value)] + value.name
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    if hasattr(value, "dtype"):
        return packed(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: plain(item) for name, item in fields.items() if item is not None}
    return value


def packed(vector: Vector) -> dict[str, str]:
    """A vector as the contract packs it."""
    return {"values": base64.b64encode(vector.astype("<f4").tobytes()).decode()}


def with_revision(name: str, thing: File | Collection) -> dict[str, Any]:
    """A response that holds one thing, which tells the revision it shows."""
    return {"revision": thing.at_revision, name: plain(thing)}
