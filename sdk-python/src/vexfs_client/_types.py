"""What calls answer: small frozen objects in Python's own types.

Ids, revisions and sizes are int; sizes are bytes; times are aware datetimes in UTC, to the microsecond; vectors are
one-dimensional numpy arrays of float32; metadata is a dict as `json.loads` makes it. A revision is a place in the volume's
log of changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""A vector as calls answer it."""
VectorLike = Sequence[float] | NDArray[np.floating[Any]]
"""A vector as calls take it: a sequence of numbers or a one-dimensional array; sent as 32-bit floats."""
Metadata = dict[str, Any]
"""A JSON object. Numbers are 64-bit floats in the volume; whole ones come back as int."""

ItemT = TypeVar("ItemT")


class FileKind(StrEnum):
    """What a file is. `UNSPECIFIED` is a kind that this release does not know."""

    UNSPECIFIED = "unspecified"
    REGULAR = "regular"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    FIFO = "fifo"
    SOCKET = "socket"
    CHARACTER_DEVICE = "character_device"
    BLOCK_DEVICE = "block_device"


class SearchMode(StrEnum):
    """How a search looks: by meaning and by words (`hybrid`), by meaning only (`dense`), or by words only (`lexical`)."""

    UNSPECIFIED = "unspecified"
    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class Metric(StrEnum):
    """How near two vectors are: the cosine of their angle, their inner product, or their negated distance. Higher is nearer."""

    UNSPECIFIED = "unspecified"
    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"


class VectorStorage(StrEnum):
    """How a search index keeps vectors in memory: 4, 2 or 1 byte a component. Points keep what was put; scores are exact."""

    UNSPECIFIED = "unspecified"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


class ViewState(StrEnum):
    """How a view is: it has everything, follows, is being built, or cannot be read."""

    UNSPECIFIED = "unspecified"
    READY = "ready"
    BEHIND = "behind"
    REBUILDING = "rebuilding"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class File:
    """A file of any kind as stat(2) shows it."""

    id: int
    """Id within the volume; never used again for another file. The root is 1."""
    path: str
    """The path by which the call reached it, or one of its paths; empty if it is not UTF-8 (see `path_bytes`)."""
    path_bytes: bytes
    """The path as bytes; empty unless it is not UTF-8."""
    kind: FileKind
    """What it is."""
    mode: int
    """Permission bits: 0 to 0o7777."""
    nlink: int
    """How many names lead to it."""
    uid: int
    """Owner."""
    gid: int
    """Owning group."""
    rdev: int
    """Device number of a device."""
    size_bytes: int
    """Length of the content in bytes; of a symbolic link, of its target."""
    atime: datetime | None
    """Last access as far as it is kept."""
    mtime: datetime | None
    """Last change of the content."""
    ctime: datetime | None
    """Last change of the file or its attributes."""
    btime: datetime | None
    """Creation."""
    revision: int
    """Revision of the last change to the file: attributes, content, metadata or vectors."""
    content_revision: int
    """Revision of the last change to the content; what `if_content_revision` of a write compares."""
    at_revision: int = field(default=0, compare=False)
    """The volume's revision that this shows. Given as `at_revision` other calls show the same state, as `min_revision` no
    older one.
    """

    @property
    def name(self) -> str:
        """The last component of `path`; empty for the root and for a path that is not UTF-8."""
        return self.path.rpartition("/")[2]

    @property
    def is_directory(self) -> bool:
        """It is a directory."""
        return self.kind is FileKind.DIRECTORY


@dataclass(frozen=True, slots=True)
class FileRef:
    """Names a file where a plain name says too little: `FileRef("/current", follow=True)` is what that link leads to."""

    name: "str | int | bytes"
    """A path, an id, or a path that is not UTF-8."""
    follow: bool = False
    """If the path ends at a symbolic link: the file it leads to, instead of the link itself."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy made."""

    revision: int
    """Revision of the last step."""
    file: File
    """The copy, or its topmost directory."""
    copied: int
    """How many files of any kind were made."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal took away."""

    revision: int
    """Revision of the last step."""
    removed: int
    """How many names of files and directories."""


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """One page of a list."""

    revision: int
    """The revision that it reflects."""
    items: list[ItemT]
    """What is on it."""
    next_page_token: str
    """What to ask for the next page with; empty after the last."""


@dataclass(frozen=True, slots=True)
class VectorSpec:
    """One named vector that each point of a collection may carry."""

    name: str
    """Its name: lower-case letters, digits, `_` and `-`, at most 64."""
    dimension: int
    """How many components it has: 1 to 4,096."""
    metric: Metric | str = Metric.COSINE
    """How nearness is measured."""
    storage: VectorStorage | str = VectorStorage.FLOAT32
    """How a search index keeps it in memory."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A directory with a vector schema."""

    id: int
    """Id of the directory."""
    path: str
    """Path of the directory; empty if it is not UTF-8."""
    path_bytes: bytes
    """The path as bytes; empty unless it is not UTF-8."""
    vectors: list[VectorSpec]
    """The vectors that clients put; the first is meant when a call names none."""
    embed_text: bool
    """The content of its files is embedded, as everywhere else."""
    revision: int
    """Revision of the last change of the schema."""
    point_count: int
    """How many points it has."""
    at_revision: int = field(default=0, compare=False)
    """The volume's revision that this shows. Given as `at_revision` other calls show the same state, as `min_revision` no
    older one.
    """


@dataclass(frozen=True, slots=True)
class PointInput:
    """A point to put."""

    id: str
    """The name of its file in the collection's directory."""
    vectors: Mapping[str, VectorLike] = field(default_factory=dict)
    """Its vectors by name. A name that is left out keeps no vector."""
    metadata: Mapping[str, Any] | None = None
    """Its payload, at most 64 KiB as JSON."""
    content: bytes | None = None
    """Content of its file; None: a new file is empty and an old one keeps what it has."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point as it is stored."""

    id: str
    """The name of its file in the collection's directory."""
    file_id: int
    """Id of its file."""
    metadata: Metadata
    """Its payload."""
    vectors: dict[str, Vector]
    """Its vectors by name, if they were asked for."""
    revision: int
    """Revision of the last change to its file."""
    at_revision: int = field(default=0, compare=False)
    """The volume's revision that this shows. Given as `at_revision` other calls show the same state, as `min_revision` no
    older one.
    """


@dataclass(frozen=True, slots=True)
class Upserted:
    """How many points were put."""

    revision: int
    """Revision of the last step."""
    upserted: int
    """How many."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many points were deleted."""

    revision: int
    """Revision of the deletion."""
    deleted: int
    """How many were there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How an answer was found: what search results and query results have in common."""

    revision: int
    """The revision that the answer reflects."""
    generation: str
    """The generation of the dense index that answered; empty if none did."""
    exact: bool
    """No nearer vector can have been missed."""
    strategy: str
    """How it was found, such as `exact`, `scann`, `lexical` or `hybrid`."""
    partial: bool
    """Something that was asked for could not be looked through; `partial_reasons` says what."""
    partial_reasons: list[str]
    """Why the answer is partial, for people."""
    pending: int
    """How many changed files, or vectors, the views do not have yet."""
    next_page_token: str
    """What to ask for the hits that follow with, as `page_token`; empty after the last."""


@dataclass(frozen=True, slots=True)
class PointHit:
    """One point that is near."""

    point: Point
    """The point."""
    score: float
    """How near it is under the collection's metric; higher is nearer."""


@dataclass(frozen=True, slots=True)
class QueryResult(Finding):
    """The nearest points, best first; equal scores by file id."""

    hits: list[PointHit]
    """The points."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a file's text."""

    text: str
    """The text."""
    start_byte: int
    """Where it starts in the content, in bytes."""
    end_byte: int
    """The byte after its last."""
    start_line: int
    """The line it starts on; the first line is 1."""
    end_line: int
    """The line it ends on."""


@dataclass(frozen=True, slots=True)
class Match:
    """One way in which a file matched."""

    mode: SearchMode
    """Which ranking found it: dense or lexical."""
    rank: int
    """Its place in that ranking; the first is 1."""
    score: float
    """Its score in that ranking: cosine for dense, BM25 for lexical."""
    terms: list[str]
    """Lexical: the words of the question, as they stand in the passage."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One file that answers the question."""

    file: File
    """The file."""
    score: float
    """How well it answers; comparable within one result only."""
    passage: Passage | None
    """Its best passage; None if a client's vector was compared."""
    matches: list[Match]
    """Why it is here."""


@dataclass(frozen=True, slots=True)
class SearchResult(Finding):
    """The files that answer best, best first, each once with its best passage."""

    hits: list[SearchHit]
    """The files."""


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file whose text was not indexed."""

    file: File
    """The file."""
    reason: str
    """Why, for people, such as that the content is binary."""


@dataclass(frozen=True, slots=True)
class ViewPosition:
    """How far one view has followed the log."""

    view: str
    """Which: `text`, `dense` or `lexical`."""
    revision: int
    """The newest revision up to which it has everything."""
    pending: int
    """How many files, or vectors, it knows of and does not have yet."""
    state: ViewState
    """How it is."""
    generation: str
    """The generation being served, if it has generations."""
    put_off: str
    """Why the build of a generation was put off, for people, such as too little memory; empty if none is."""


@dataclass(frozen=True, slots=True)
class ViewPositions:
    """Where the views are."""

    revision: int
    """The revision that the answer reflects."""
    views: list[ViewPosition]
    """Each view."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may ask of the server at most."""

    message_size_bytes: int
    """Bytes of one message."""
    content_size_bytes: int
    """Bytes of content in one message."""
    search_hits: int
    """Hits of a search or query."""
    page_size: int
    """Items of a page."""
    points: int
    """Points of one upsert."""
    dimension: int
    """Components of a vector."""
    metadata_size_bytes: int
    """Bytes of a file's metadata as JSON."""
    name_size_bytes: int
    """Bytes of a file's name."""
    path_size_bytes: int
    """Bytes of a path."""


@dataclass(frozen=True, slots=True)
class StorePosition:
    """Where the store is."""

    revision: int
    """The newest revision."""
    oldest_revision: int
    """The oldest revision that `at_revision` can name."""
    read_only: bool
    """The volume takes no writes."""
    file_count: int
    """How many files of any kind there are."""
    used_bytes: int = 0
    """How many bytes their content has, holes not counted."""
    quota_bytes: int = 0
    """How many bytes it may have at most; 0: there is no limit."""
    quota_files: int = 0
    """How many files of any kind there may be; 0: there is no limit."""


@dataclass(frozen=True, slots=True)
class TextCounts:
    """How far the text of files is indexed."""

    ready: int
    """Files whose text can be found."""
    pending: int
    """Files that are waiting."""
    skipped: int
    """Files that are not indexed, see `list_skipped_files`."""
    passages: int
    """Passages that can be found."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """How the text of files is embedded."""

    name: str
    """The name of the model whose vectors are searched."""
    dimension: int
    """Components of its vectors."""
    next_name: str
    """The model that embeds everything anew, to take over once it has; empty when none does."""
    next_done: int
    """Passages that it has embedded, each distinct text once."""
    next_total: int
    """Passages that it has to embed in all."""
    failure: str
    """Why passages cannot be embedded now; empty when they can."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """About the server."""

    revision: int
    """The revision that the answer reflects."""
    version: str
    """The release, such as `0.1.0`."""
    capabilities: list[str]
    """What it can, by name, such as `files` or `search.dense`."""
    limits: Limits
    """Its limits."""
    store: StorePosition
    """The store."""
    views: list[ViewPosition]
    """The views."""
    text: TextCounts
    """The text of files."""
    embedding: EmbeddingModel
    """The model that embeds it."""
