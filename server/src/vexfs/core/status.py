"""How far store and views are: positions, what is pending, and whether an answer can be trusted to be whole.

Used by the search engine, and through it by the surfaces and the mount. Any thread may ask; each answer costs a few short
reads. A position never promises what a search does not see: it is read before the index is, and a view's position counts only
once what stands between that view and the search has followed.
"""

import threading
import time
from typing import NamedTuple

from vexfs.core import paths
from vexfs.core.errors import ViewUnavailable
from vexfs.core.types import CHANGE_CONTENT, CHANGE_ENTRY_ADDED, CHANGE_NODE_REMOVED, CHANGE_VECTORS
from vexfs.store.volume import Volume
from vexfs.views.dense.index import IndexSpec
from vexfs.views.dense.sources import TEXT_COLLECTION
from vexfs.views.dense.view import DenseView
from vexfs.views.derived import (
    STATE_READY,
    STATE_SKIPPED,
    VIEW_EMBEDDING,
    VIEW_LEXICAL,
    VIEW_LOG,
    DerivedReader,
    Pending,
)
from vexfs.views.marks import holds

READY = "ready"
BEHIND = "behind"
REBUILDING = "rebuilding"
UNAVAILABLE = "unavailable"

_TEXT_CHANGES = frozenset({CHANGE_CONTENT, CHANGE_ENTRY_ADDED, CHANGE_NODE_REMOVED})
_VECTOR_CHANGES = frozenset({CHANGE_VECTORS})
_COUNTED_RECORDS_MAX = 1000
_PENDING_TTL_S = 0.1


class Trust(NamedTuple):
    """What an answer reflects."""

    revision: int
    pending: int
    reasons: tuple[str, ...]
    """Why it may lack something; none: it is whole."""


class ViewStatus(NamedTuple):
    """One view: "text" (extraction and splitting), "dense" (vectors) or "lexical" (words)."""

    view: str
    revision: int
    pending: int
    state: str
    generation: str
    put_off: str = ""
    """Why the build of a generation was put off; empty when none is."""


class TextCounts(NamedTuple):
    ready: int
    pending: int
    skipped: int
    passages: int


class EmbeddingStatus(NamedTuple):
    """The models that embed the text of files."""

    model: str
    """Whose vectors are searched; empty while there are none."""
    dimension: int
    next_model: str
    """Which embeds everything anew, to take over then; empty when none does."""
    done: int
    """Distinct passages that the next one has embedded, of `total`."""
    total: int
    failure: str
    """Why passages cannot be embedded now; empty when they can."""


class _TextPositions(NamedTuple):
    log: int
    lexical: int
    embedded: int
    """Every passage has its embedding in derived.db, and the dense index has it too."""


_NOWHERE = _TextPositions(0, 0, 0)


class Progress:
    """See the module. One for a volume, beside its dense view."""

    def __init__(self, volume: Volume, dense: DenseView, derived: DerivedReader) -> None:
        self._volume = volume
        self._dense = dense
        self._derived = derived
        self._lock = threading.Lock()
        self._claimed = (0, 0)
        self._believed = False
        self._pending: tuple[float, Pending] = (0.0, Pending(0, 0))
        self._unread: dict[frozenset[int], tuple[tuple[int, int], int]] = {}

    # -- positions -------------------------------------------------------------------------------------

    def text_revision(self, *, dense: bool = True, lexical: bool = True) -> int:
        """Up to where every text can be found by meaning, by words, or both; 0 while derived.db is not there."""
        positions = self._text_positions()
        return min(_used(positions, dense=dense, lexical=lexical))

    def vector_revision(self) -> int:
        """Up to where every client vector can be found."""
        return self._dense.revision

    def revision(self) -> int:
        """Up to where all views have everything."""
        return min(self.text_revision(), self.vector_revision())

    def _text_positions(self) -> _TextPositions:
        try:
            incarnation = self._derived.incarnation()
            positions = self._derived.positions()
            head = self._derived.head()  # read after the positions: it has at least what they promise
            if not self._believe():
                return _NOWHERE
        except ViewUnavailable:
            return _NOWHERE
        embedded = self._claim(incarnation, head, positions.get(VIEW_EMBEDDING, 0))
        return _TextPositions(positions.get(VIEW_LOG, 0), positions.get(VIEW_LEXICAL, 0), embedded)

    def _believe(self) -> bool:
        """Whether derived.db tells of this volume's history. Not after a power cut that took only the volume back, until the
        indexer has started and looks at everything again; once it does, it does for good."""
        self._believed = self._believed or all(holds(self._volume, *mark) for mark in self._derived.marks())
        return self._believed

    def _claim(self, incarnation: int, head: int, embedded: int) -> int:
        """The embedding's position, as far as the dense index has followed derived.db's log to its end."""
        followed = self._dense.text_position
        with self._lock:
            if followed[0] == incarnation and followed[1] >= head:
                self._claimed = (incarnation, embedded)
            return self._claimed[1] if self._claimed[0] == incarnation else 0

    # -- what is pending -------------------------------------------------------------------------------

    def pending(self) -> int:
        """Files, passages and vectors that some view does not have yet."""
        waiting = self._waiting()
        unread = self._unread_count(self._text_positions().log, _TEXT_CHANGES)
        return waiting.files + waiting.passages + unread + self._unread_count(self._dense.revision, _VECTOR_CHANGES)

    def _waiting(self) -> Pending:
        """What the indexer has seen and not done; counted at most every 0.1 s."""
        now = time.monotonic()
        if now - self._pending[0] > _PENDING_TTL_S:
            try:
                self._pending = (now, self._derived.pending())
            except ViewUnavailable:
                return Pending(0, 0)
        return self._pending[1]

    def forget_waiting(self) -> None:
        """Count anew what waits: somebody has just waited until there was nothing."""
        self._pending = (0.0, Pending(0, 0))

    def _unread_count(self, position: int, kinds: frozenset[int]) -> int:
        """Files with such changes in the log after the position; of a long log, those of its first part."""
        span = (position, self._volume.tail.head())
        if span[0] >= span[1]:
            return 0
        known = self._unread.get(kinds)
        if known is None or known[0] != span:
            records = self._volume.tail.read(position, _COUNTED_RECORDS_MAX)
            count = len({change.ino for record in records for change in record.changes if change.kind in kinds})
            self._unread[kinds] = known = (span, count)
        return known[1]

    # -- whether an answer is whole --------------------------------------------------------------------

    def of_text(self, *, dense: bool, lexical: bool) -> Trust:
        """For a text search that uses these halves. Ask before reading the index."""
        positions, head = self._text_positions(), self._volume.tail.head()
        waiting = self._waiting()
        reasons = []
        unread = 0
        if self._dense.text_unavailable or positions == _NOWHERE:
            reasons.append(self._dense.text_unavailable or "the index of the text is being built")
        if positions.log < head:
            unread = self._unread_count(positions.log, _TEXT_CHANGES)
            reasons.append(f"the indexer has read the log up to revision {positions.log} of {head}")
        if waiting.files:
            reasons.append(f"{waiting.files} files wait to be indexed")
        if dense and waiting.passages:
            reasons.append(f"{waiting.passages} passages wait for their embedding")
        revision = min(_used(positions, dense=dense, lexical=lexical))
        if revision < head and not reasons:
            reasons.append(f"the views have revision {revision} of {head}")
        return Trust(revision, waiting.files + (waiting.passages if dense else 0) + unread, tuple(reasons))

    def of_vectors(self) -> Trust:
        """For a search of client vectors. Ask before reading the index."""
        head, revision = self._volume.tail.head(), self._dense.revision
        if not self._dense.loaded:
            return Trust(revision, 0, ("the vectors are being read",))
        unread = self._unread_count(revision, _VECTOR_CHANGES) if revision < head else 0
        return Trust(revision, unread, (f"{unread} changed vectors are not in the index yet",) if unread else ())

    # -- for status displays ---------------------------------------------------------------------------

    def views(self) -> list[ViewStatus]:
        """The views as the contract names them."""
        positions, head, waiting = self._text_positions(), self._volume.tail.head(), self._waiting()
        unread = self._unread_count(positions.log, _TEXT_CHANGES)
        lost = bool(self._dense.text_unavailable) or positions == _NOWHERE
        text = positions.lexical if waiting.files else positions.log
        embedded = min(positions.embedded, self._dense.revision)
        state = self._dense.text_state()
        dense_pending = waiting.passages + self._unread_count(self._dense.revision, _VECTOR_CHANGES)
        dense = ViewStatus("dense", embedded, dense_pending, self._dense_state(lost, embedded, head, dense_pending), "")
        return [
            ViewStatus("text", text, waiting.files + unread, _state(lost, text, head, waiting.files), ""),
            dense._replace(generation="" if state is None else state.generation, put_off=self._put_off()),
            ViewStatus("lexical", positions.lexical, waiting.files + unread, _state(lost, positions.lexical, head, 0), ""),
        ]

    def _dense_state(self, lost: bool, revision: int, head: int, pending: int) -> str:
        if self._dense.failure:
            return UNAVAILABLE
        return _state(lost or not self._dense.loaded, revision, head, pending)

    def _put_off(self) -> str:
        """Why a build was put off: of the first index that waits, and how many others do."""
        waiting = [facts for facts in self._dense.indexes() if facts.put_off]
        if not waiting:
            return ""
        spec, others = waiting[0].spec, len(waiting) - 1
        more = f" ({others} more {'index waits' if others == 1 else 'indexes wait'}, too)" if others else ""
        return f"{self._name_of(spec)}: {waiting[0].put_off}{more}"

    def _name_of(self, spec: IndexSpec) -> str:
        """What people call the index."""
        if spec.collection == TEXT_COLLECTION:
            return "the index of the text"
        with self._volume.snapshot() as view:
            path = paths.path_of(view, spec.collection)
        place = f"collection {spec.collection}" if path is None else paths.show(path)
        return f"the index of {spec.vector} in {place}"

    def embedding(self) -> EmbeddingStatus:
        """The model that serves and the one that is to take over. Raises ViewUnavailable."""
        stored = self._derived.model_state()
        state, model = self._dense.text_served()
        dimension = 0 if state is None else state.spec.dimension
        return EmbeddingStatus(model, dimension, stored.next_model, stored.done, stored.total, stored.failure)

    def text_counts(self) -> TextCounts:
        """How many files and passages there are. Raises ViewUnavailable."""
        ready, skipped = self._derived.count_files(STATE_READY), self._derived.count_files(STATE_SKIPPED)
        return TextCounts(ready, self._waiting().files, skipped, self._derived.count_passages())


def _used(positions: _TextPositions, *, dense: bool, lexical: bool) -> list[int]:
    """The positions that a search with these halves depends on."""
    halves = ((positions.embedded, dense), (positions.lexical, lexical))
    return [position for position, used in halves if used] or [positions.log]


def _state(lost: bool, revision: int, head: int, pending: int) -> str:
    if lost:
        return REBUILDING
    return READY if revision >= head and not pending else BEHIND
