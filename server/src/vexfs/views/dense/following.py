"""Following the two logs: which rows of which index does a new record change?

Two followers, one thread (the view's) for both. Each has its indexes and a position; `step` reads what is new, applies it and
only then moves the position, so that a position never promises what a search does not see. Whatever cannot be followed (a log
trimmed past the position, another derived.db, another model) is read again from the start. Never writes; never blocks a search.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec

from vexfs.core.errors import ViewUnavailable
from vexfs.core.types import CHANGE_COLLECTION, CHANGE_NODE_REMOVED, CHANGE_VECTORS, CollectionSchema, LogRecord
from vexfs.store import versioned
from vexfs.store.volume import Volume
from vexfs.views.dense.generation import Generation
from vexfs.views.dense.index import DenseIndex, IndexSpec
from vexfs.views.dense.rows import empty_rows
from vexfs.views.dense.sources import PassageSource, RowSource, VolumeSource, load_rows
from vexfs.views.derived import DerivedReader

logger = logging.getLogger(__name__)
_decode_schema = msgspec.json.Decoder(CollectionSchema).decode

BATCH_RECORDS = 1000
REPLAY_MAX_RECORDS = 200_000
"""A generation further behind than this is not worth following up to: reading the rows again is faster."""

Finder = Callable[[IndexSpec, str], Generation | None]
"""The newest intact generation of an index whose source has that identity."""
IndexKey = tuple[int, str]


class VolumeFollower:
    """Follows the volume's log: the vectors of collections. Its position is a revision."""

    def __init__(self, volume: Volume, find: Finder) -> None:
        self._volume = volume
        self._source = VolumeSource(volume)
        self._find = find
        self.indexes: dict[IndexKey, DenseIndex] = {}
        self.identity = ""
        self.position = 0
        self.loaded = False

    def step(self) -> bool:
        """Apply the next records; whether there were any."""
        if not self.loaded:
            self._load()
            return True
        if any(index.lost for index in self.indexes.values()):
            logger.warning("vectors of a generation in use cannot be read: reading them anew")
            self.loaded = False
            return True
        if self._volume.tail.head() <= self.position:
            return False
        if not self.indexes and self._pass_over():
            return False
        records = self._volume.tail.read(self.position, BATCH_RECORDS)
        if not records:
            return False
        if records[0].revision != self.position + 1:
            logger.warning("the log was trimmed past the dense view's position: reading all vectors again")
            self.loaded = False
            return True
        self._apply(records)
        self.position = records[-1].revision
        return True

    def read_again(self) -> None:
        """Have the next step read everything anew, from the generations that are there now."""
        self.loaded = False

    def _pass_over(self) -> bool:
        """While there is no collection, nothing in the log concerns this view: a mount's burst is not read to find that out."""
        with self._volume.snapshot() as view:
            if versioned.all_schemas(view):
                return False
            self.position = view.revision
        return True

    def _load(self) -> None:
        """Every declared index, from its generation or from its rows, and the position from which all can be followed."""
        self.identity, head = self._source.identity(), self._source.position()
        oldest = max(self._volume.tail.oldest(), head - REPLAY_MAX_RECORDS)
        indexes: dict[IndexKey, DenseIndex] = {}
        position = head
        for spec in self._declared():
            indexes[spec.key], at = _open_index(self._source, spec, self._find(spec, self.identity), oldest, head)
            position = min(position, at)
        self.indexes = indexes
        self.position = position
        self.loaded = True

    def _declared(self) -> list[IndexSpec]:
        with self._volume.snapshot() as view:
            return [
                IndexSpec(ino, spec.name, spec.dimension, spec.metric, spec.storage)
                for ino, _, schema in versioned.all_schemas(view)
                for spec in _decode_schema(schema).vectors
            ]

    def _apply(self, records: list[LogRecord]) -> None:
        touched: dict[IndexKey, set[int]] = defaultdict(set)
        removed: set[int] = set()
        schemas_changed = False
        for record in records:
            for change in record.changes:
                if change.kind == CHANGE_VECTORS:
                    touched[change.parent, change.name.decode()].add(change.ino)
                elif change.kind == CHANGE_NODE_REMOVED:
                    removed.add(change.ino)
                elif change.kind == CHANGE_COLLECTION:
                    schemas_changed = True
        if schemas_changed:
            self._follow_schemas()
        position = records[-1].revision
        for key, index in self.indexes.items():
            gone = {ino for ino in removed - touched[key] if index.has(ino)}
            if inos := sorted(touched[key] | gone):
                index.apply(self._source.rows_of(index.spec, inos), position)

    def _follow_schemas(self) -> None:
        declared = {spec.key: spec for spec in self._declared()}
        indexes = {key: index for key, index in self.indexes.items() if declared.get(key) == index.spec}
        for key, spec in declared.items():
            if key not in indexes:
                head = self._source.position()
                indexes[key], _ = _open_index(self._source, spec, None, head, head)
        self.indexes = indexes


class TextFollower:
    """Follows derived.db: the embedded passages. Its position is a `seq` of that file's change log."""

    def __init__(self, reader: DerivedReader, find: Finder) -> None:
        self._reader = reader
        self._source = PassageSource(reader)
        self._find = find
        self.served: tuple[DenseIndex | None, str] = (None, "")
        """The index, and the name of the model whose vectors it holds: one value, so that nobody reads one of each of two."""
        self.identity = ""
        self.position = 0
        self.unavailable = "the index of the text has not been read yet"
        """Why the source cannot be read; empty when it can."""

    def step(self) -> bool:
        """Apply the next changes; whether there were any. What was known stays searchable while derived.db is missing."""
        try:
            moved = self._step()
        except ViewUnavailable as error:
            self.unavailable = error.message
            return False
        self.unavailable = ""
        return moved

    @property
    def incarnation(self) -> int:
        """Of the derived.db that `position` counts in."""
        return self._source.incarnation

    @property
    def index(self) -> DenseIndex | None:
        return self.served[0]

    def _step(self) -> bool:
        identity = self._source.identity()
        if identity != self.identity:
            self._load(identity)
            return True
        batch = self._reader.changes(self._source.incarnation, self.position, BATCH_RECORDS)
        if batch.reset:
            self._load(identity)
            return True
        if not batch.changes:
            return False
        position = batch.changes[-1].seq
        if self.index is None:
            self._create_index()
        if self.index is not None:
            self._apply(self.index, {change.ino for change in batch.changes}, position)
        self.position = position
        return True

    def _apply(self, index: DenseIndex, inos: Iterable[int], position: int) -> None:
        index.apply(self._source.rows_of(index.spec, sorted(inos)), position)

    def _create_index(self) -> None:
        spec = self._source.spec()
        if spec is not None:
            index = DenseIndex(spec)
            index.load(empty_rows(spec.dimension), self.position)
            self.served = (index, self._source.model)

    def _load(self, identity: str) -> None:
        head = self._source.position()
        spec = self._source.spec()
        index, position = None, head
        if spec is not None:
            index, position = _open_index(self._source, spec, self._find(spec, identity), 0, head)
        self.served = (index, self._source.model)
        self.position = position
        self.identity = identity


def _open_index(source: RowSource, spec: IndexSpec, found: Generation | None, oldest: int, head: int) -> tuple[DenseIndex, int]:
    """An index and the position it stands at: the generation's when its log can still be followed, else `head`."""
    index = DenseIndex(spec)
    if found is not None and oldest <= found.manifest.position <= head:
        index.load(found.rows, found.manifest.position, found.searcher, found.manifest.id)
        return index, found.manifest.position
    index.load(load_rows(source, spec), head)
    return index, head
