"""The nouns of VexFS in its own types: what the operations of `vexfs.core` take and return.

Used by every layer. Immutable values only; no behaviour beyond small derivations. Units are in the names.
"""

import stat as _stat
from typing import NamedTuple, NewType

Ino = NewType("Ino", int)
"""Id of a file within its volume (the wire's `file_id`); never reused. The root is 1."""

Revision = NewType("Revision", int)
"""Position in a volume's log: 64-bit, gapless, in commit order; 0 is the empty volume."""

ROOT_INO = Ino(1)

NAME_MAX_BYTES = 255
PATH_MAX_BYTES = 4096
SYMLINK_TARGET_MAX_BYTES = 4095
LINK_MAX = 65_000
XATTR_NAME_MAX_BYTES = 255
XATTR_VALUE_MAX_BYTES = 65_536
XATTR_LIST_MAX_BYTES = 65_536
"""The names of one file's attributes, each with a NUL: the kernel hands out no longer list."""
METADATA_MAX_BYTES = 65_536
BLOCK_BYTES = 65_536
"""A file's content is addressed in blocks of this size; a row of small content is at most one block."""
INLINE_MAX_BYTES = 262_144
"""Content up to this size lives in rows; a run of whole blocks longer than this becomes a blob."""
VECTOR_BATCH_MAX = 250
"""Vectors in one transaction; a larger upsert is split."""
DIMENSION_MAX = 4096


NODE_HAS_DEFAULT_ACL = 1
"""The directory has a default access control list, which what is made in it inherits."""
NODE_HAS_ACL = 2
"""The file has an access control list, which changes with its mode."""


class Node(NamedTuple):
    """One file of any kind: what stat(2) shows, and the revision that last changed it.

    The field order is the column order of the `node` table, so that a row becomes a Node without a copy by name.
    """

    ino: Ino
    mode: int
    """Type and permission bits, as st_mode."""
    nlink: int
    uid: int
    gid: int
    rdev: int
    size_bytes: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    btime_ns: int
    """Creation."""
    revision: int
    """Of the last change to the file: its attributes, content, metadata, xattrs or vectors."""
    content_revision: int
    """Of the last change to the content; the ETag and the indexer's key."""
    hole_bytes: int = 0
    """How many of `size_bytes` lie in blocks that nobody wrote; they read as zeros and take no room."""
    flags: int = 0
    """NODE_* values."""

    @property
    def is_directory(self) -> bool:
        return _stat.S_ISDIR(self.mode)

    @property
    def is_regular(self) -> bool:
        return _stat.S_ISREG(self.mode)

    @property
    def is_symlink(self) -> bool:
        return _stat.S_ISLNK(self.mode)

    # The three changes that every busy mount makes build the tuple themselves: `_replace` takes eight times as long (4 µs).

    def with_entries_changed(self, now_ns: int, revision: int, link_delta: int) -> "Node":
        """A directory after a name came or went."""
        ino, mode, nlink, uid, gid, rdev, size_bytes, atime_ns, _, _, btime_ns, _, content_revision, hole_bytes, flags = self
        return Node(
            ino,
            mode,
            nlink + link_delta,
            uid,
            gid,
            rdev,
            size_bytes,
            atime_ns,
            now_ns,
            now_ns,
            btime_ns,
            revision,
            content_revision,
            hole_bytes,
            flags,
        )

    def with_links_changed(self, now_ns: int, revision: int, link_delta: int) -> "Node":
        """A file after one of its names came, went or moved."""
        (
            ino,
            mode,
            nlink,
            uid,
            gid,
            rdev,
            size_bytes,
            atime_ns,
            mtime_ns,
            _,
            btime_ns,
            _,
            content_revision,
            hole_bytes,
            flags,
        ) = self
        return Node(
            ino,
            mode,
            nlink + link_delta,
            uid,
            gid,
            rdev,
            size_bytes,
            atime_ns,
            mtime_ns,
            now_ns,
            btime_ns,
            revision,
            content_revision,
            hole_bytes,
            flags,
        )

    def with_content_changed(self, now_ns: int, revision: int, size_bytes: int, mtime_ns: int, hole_bytes: int) -> "Node":
        """A file after a write or truncation."""
        ino, mode, nlink, uid, gid, rdev, _, atime_ns, _, _, btime_ns, _, _, _, flags = self
        return Node(
            ino,
            mode,
            nlink,
            uid,
            gid,
            rdev,
            size_bytes,
            atime_ns,
            mtime_ns,
            now_ns,
            btime_ns,
            revision,
            revision,
            hole_bytes,
            flags,
        )


class DirectoryEntry(NamedTuple):
    """One name in a directory, with the node it leads to."""

    name: bytes
    node: Node


class Removed(NamedTuple):
    """What a removal, or a rename over something, took away."""

    ino: Ino
    name: bytes
    last_link: bool
    """True when no name leads to the file any more."""
    node: Node
    """What it was before."""


class Change(NamedTuple):
    """One effect of a transaction, as the log tells it to the views.

    `kind` is one of the CHANGE_* values; `ino` the file it concerns. `parent` and `name` are set for the entry kinds; for
    CHANGE_VECTORS `parent` is the collection's ino and `name` the vector's name in UTF-8.
    """

    kind: int
    ino: int
    parent: int = 0
    name: bytes = b""


CHANGE_NODE = 1
"""Attributes changed, or the node was created."""
CHANGE_CONTENT = 2
CHANGE_ENTRY_ADDED = 3
CHANGE_ENTRY_REMOVED = 4
CHANGE_NODE_REMOVED = 5
"""The last link is gone and nobody holds the file open."""
CHANGE_METADATA = 6
CHANGE_XATTR = 7
CHANGE_VECTORS = 8
"""A named vector was put or removed."""
CHANGE_COLLECTION = 9
"""A directory's vector schema was set or removed."""
CHANGE_STORED = 10
"""The content lies elsewhere now; its bytes are the same."""


class LogRecord(NamedTuple):
    """One transaction as it stands in the log."""

    revision: Revision
    time_ns: int
    operation: str
    origin: int
    """Random id of the writing process's Volume; a reader skips its own."""
    changes: tuple[Change, ...]


class VectorSpec(NamedTuple):
    """One named vector of a collection: its name, dimension, metric ("cosine", "dot" or "euclidean"), and how an index keeps it
    in memory ("float32", "bfloat16" or "int8"). A schema stored before there was a choice says nothing of the last: float32.
    """

    name: str
    dimension: int
    metric: str
    storage: str = "float32"


class CollectionSchema(NamedTuple):
    """What vectors the files below a directory carry.

    `vectors` names them; the first is the default. `embed_text` says whether the content of ordinary files is extracted,
    split and embedded; the root's implicit schema is embed_text with no client vectors.
    """

    vectors: tuple[VectorSpec, ...]
    embed_text: bool


class Collection(NamedTuple):
    ino: Ino
    schema: CollectionSchema
    revision: int


class Point(NamedTuple):
    """A file of a collection seen as a vector with a payload."""

    ino: Ino
    id: str
    """The file's name in the collection's directory."""
    metadata: bytes
    """JSON object, UTF-8."""
    vectors: dict[str, bytes]
    """By name: little-endian float32."""
    revision: int
