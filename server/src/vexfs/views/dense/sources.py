"""Where rows come from: the volume's own vectors, and the indexer's embedded passages. What are the rows of an index now?

Used by the view's thread (everything at start, then the files that changed) and by the builder (everything). Every call is
made of short reads, so the whole of an index is not read at one moment: a caller takes `position` before, and applies later
what changed since. Reading only; each instance belongs to one thread.
"""

import stat
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from vexfs.core.errors import ViewUnavailable
from vexfs.store import sqlite, versioned
from vexfs.store.volume import Volume
from vexfs.views.dense import metrics
from vexfs.views.dense.index import IndexSpec
from vexfs.views.dense.rows import ORDINAL_MAX, Rows, by_file, concatenate, key_of, rows_from
from vexfs.views.derived import DerivedReader

TEXT_COLLECTION = 0
TEXT_VECTOR = "text"
"""The index of embedded passages is (0, "text"); no directory has the number 0."""

_PAGE_ROWS = 500
_TYPE_BITS = 0o170000


class RowSource(Protocol):
    """One place rows come from."""

    def identity(self) -> str:
        """What the positions count: after it changed, everything is read again."""

    def position(self) -> int:
        """How far the source's log has come."""

    def sync(self) -> None:
        """Returns when everything read so far is on the disk. Raises DataLoss when the disk refuses."""

    def pages(self, spec: IndexSpec) -> Iterator[Rows]:
        """All rows of an index, ascending by key, in pages."""

    def rows_of(self, spec: IndexSpec, inos: Sequence[int]) -> dict[int, Rows]:
        """The rows of these files now; empty for a file that has none."""


def load_rows(source: RowSource, spec: IndexSpec) -> Rows:
    """All rows of an index, in memory."""
    return concatenate(list(source.pages(spec)), spec.dimension)


class VolumeSource:
    """Vectors that clients gave their files; positions are revisions of the volume."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume

    def identity(self) -> str:
        with self._volume.snapshot() as view:
            return str(view.execute("SELECT value FROM meta WHERE key = 'volume_id'").fetchall()[0][0])

    def position(self) -> int:
        return self._volume.head()

    def sync(self) -> None:
        self._volume.syncer.sync().result()

    def pages(self, spec: IndexSpec) -> Iterator[Rows]:
        after = 0
        while True:
            with self._volume.snapshot() as view:
                page = versioned.collection_vectors(view, spec.collection, spec.vector, after_ino=after, limit=_PAGE_ROWS)
                present = _present(view, [row.ino for row in page])
            if not page:
                return
            after = page[-1].ino
            yield _prepared([(row.ino, 0, row.data) for row in page if row.ino in present], spec)

    def rows_of(self, spec: IndexSpec, inos: Sequence[int]) -> dict[int, Rows]:
        found: dict[int, Rows] = {}
        for start in range(0, len(inos), _PAGE_ROWS):
            page = inos[start : start + _PAGE_ROWS]
            with self._volume.snapshot() as view:
                rows = versioned.collection_vectors_of(view, spec.collection, spec.vector, page)
            found |= by_file(_prepared([(ino, 0, data) for ino, data in rows], spec), page)
        return found


class PassageSource:
    """Passages that the indexer embedded with the model in use; positions count the changes in derived.db."""

    def __init__(self, reader: DerivedReader) -> None:
        self._reader = reader
        self.incarnation = 0
        self.model = ""

    def identity(self) -> str:
        """Also remembers incarnation and model for the calls that follow. Raises ViewUnavailable."""
        self.incarnation, self.model = self._reader.incarnation(), self._reader.model()
        return f"{self.incarnation}:{self.model}"

    def position(self) -> int:
        return self._reader.head()

    def sync(self) -> None:
        self._reader.sync()

    def spec(self) -> IndexSpec | None:
        """The index of passages, once the indexer has embedded something: the vectors say their dimension."""
        for page in self._reader.all_vectors(self.model, page=1):
            return IndexSpec(TEXT_COLLECTION, TEXT_VECTOR, len(page[0].vector) // 4, metrics.COSINE)
        return None

    def pages(self, spec: IndexSpec) -> Iterator[Rows]:
        for page in self._reader.all_vectors(self.model, page=_PAGE_ROWS):
            yield _prepared(page, spec)

    def rows_of(self, spec: IndexSpec, inos: Sequence[int]) -> dict[int, Rows]:
        return {ino: _prepared(self._reader.vectors(ino, self.model), spec) for ino in inos}


def make_source(volume: Volume, reader: DerivedReader, collection: int) -> RowSource:
    """The source of an index, ready to be read. Raises ViewUnavailable while there is no text index to read."""
    if collection != TEXT_COLLECTION:
        return VolumeSource(volume)
    source = PassageSource(reader)
    source.identity()
    if not source.model:
        raise ViewUnavailable("no passage has been embedded yet")
    return source


def _present(view: Any, inos: Sequence[int]) -> set[int]:
    """Which of these are files that exist; a removed file keeps its vectors until its history is trimmed."""
    sql = "SELECT ino FROM node WHERE ino IN (SELECT value FROM json_each(?)) AND mode & ? <> ?"
    return {ino for (ino,) in view.execute(sql, (sqlite.json_list(inos), _TYPE_BITS, stat.S_IFDIR))}


def _prepared(found: Sequence[tuple[int, int, bytes | None]], spec: IndexSpec) -> Rows:
    """Rows of (ino, ordinal, vector), prepared for the metric."""
    usable = [(key_of(ino, ordinal), vector) for ino, ordinal, vector in found if vector is not None and ordinal <= ORDINAL_MAX]
    rows = rows_from([key for key, _ in usable], [vector for _, vector in usable], spec.dimension)
    return Rows(rows.keys, metrics.prepare_rows(rows.matrix, spec.metric))
