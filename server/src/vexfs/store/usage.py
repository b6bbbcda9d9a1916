"""What a volume holds, counted along with every change of a file, and how much it may hold at most: its quota.

One Usage a Writer, right while a group is open: loaded when the group begins, kept by `nodes`, saved in the group's own commit.
All openings take turns, so each begins with what the last one has committed, and a limit holds across them.

`bytes` is the content of the present files without their holes, and the targets of symbolic links; past versions, xattrs,
metadata and vectors are no part of it. `files` counts everything that has a node, the root included. Refuses nothing by itself:
`vexfs.core.quotas` does, before an operation writes its first row.
"""

from typing import NamedTuple

from vexfs.store.log import Executes

UNLIMITED = (1 << 63) - 1

_READ = "SELECT bytes, files, limit_bytes, limit_files FROM usage"
RECOUNT = "SELECT coalesce(sum(size_bytes-hole_bytes), 0), count(*) FROM node"


class UsageRow(NamedTuple):
    """Usage as it stands in the database. A limit is None where there is none."""

    bytes: int
    files: int
    limit_bytes: int | None
    limit_files: int | None


def read(view: Executes) -> UsageRow:
    """What the volume holds and may hold, as `view` sees it: of the present, whatever the view's revision."""
    return UsageRow._make(view.execute(_READ).fetchall()[0])


def set_limits(txn: Executes, *, limit_bytes: int | None, limit_files: int | None) -> None:
    """Change the quota, from the next group on. None is no limit."""
    txn.execute("UPDATE usage SET limit_bytes=?, limit_files=?", (limit_bytes, limit_files))


class Usage:
    """See the module. `reserved_bytes` is what else will be needed: of content that a mount has taken and not yet written."""

    __slots__ = ("_loaded", "bytes", "files", "limit_bytes", "limit_files", "reserved_bytes")

    def __init__(self) -> None:
        self.bytes = self.files = self.reserved_bytes = 0
        self.limit_bytes = self.limit_files = UNLIMITED
        self._loaded = (0, 0)

    def load(self, view: Executes) -> None:
        """Begin with what is committed."""
        for self.bytes, self.files, limit_bytes, limit_files in view.execute(_READ):
            self.limit_bytes = UNLIMITED if limit_bytes is None else limit_bytes
            self.limit_files = UNLIMITED if limit_files is None else limit_files
        self._loaded = (self.bytes, self.files)

    def save(self, txn: Executes) -> None:
        """Write the counts down, if they have changed."""
        counts = (self.bytes, self.files)
        if counts != self._loaded:
            txn.execute("UPDATE usage SET bytes=?, files=?", counts)

    @property
    def free_bytes(self) -> int:
        """How many bytes more fit; negative when a limit was set below what is there."""
        return self.limit_bytes - self.bytes - self.reserved_bytes

    @property
    def free_files(self) -> int:
        """How many files more fit, as `free_bytes`."""
        return self.limit_files - self.files
