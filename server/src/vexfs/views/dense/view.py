"""The dense view of one volume: one thread that follows the logs and keeps the indexes. What can a search see, how far is it?

Made, started and stopped by the API process and its replicas (and by tests). `start` returns at once; the indexes appear as
they are read. Any thread may read states, positions and facts or wait; only the view's thread changes anything. A search never
waits for it, unless it is told to.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from vexfs.store.volume import Volume
from vexfs.views.dense.borrowing import Borrowing
from vexfs.views.dense.coding import Coder
from vexfs.views.dense.following import TextFollower, VolumeFollower
from vexfs.views.dense.generation import Manifest
from vexfs.views.dense.index import DenseIndex, IndexSpec, IndexState
from vexfs.views.dense.launcher import Launcher
from vexfs.views.dense.sources import TEXT_COLLECTION
from vexfs.views.dense.upkeep import Upkeep, wants_generation
from vexfs.views.derived import DerivedReader, derived_folder

logger = logging.getLogger(__name__)

POLL_S = 0.25
"""How late a lost ring is made up for: both logs ring a bell."""
REST_S = 0.02
"""Between two looks while there is no collection: a burst in the volume's log then concerns nobody here."""
ASK_AGAIN_S = 0.02
"""How often who waits asks whether it is there: not everything that it may depend on moves the view."""
TEND_S = 0.5
"""How often generations are checked for damage, and builds considered."""
RETRY_S = 0.25


class IndexFacts(NamedTuple):
    """What one index is like now."""

    spec: IndexSpec
    rows: int
    generation: str
    building: bool
    """A builder is at work on it, or is wanted."""
    put_off: str
    """Why the one that is wanted was not started; empty otherwise."""


class DenseView:
    def __init__(self, volume: Volume, *, vectors_only: bool = False) -> None:
        """With `vectors_only` the view follows client vectors alone, beside the process that keeps the generations: it takes
        those that are there, and neither builds nor deletes any.
        """
        self._volume = volume
        self._reader = DerivedReader(derived_folder(volume.folder))
        self._launcher = Launcher(volume.folder)
        self._upkeep = Upkeep(volume.folder, self._launcher)
        self._coder = Coder()
        self._borrowing = Borrowing(volume.folder) if vectors_only else None
        self._vectors = VolumeFollower(volume, self._upkeep.find if self._borrowing is None else self._borrowing.find)
        self._text = TextFollower(self._reader, self._upkeep.find)
        self._moved = threading.Condition()
        self._rung = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._next_tend_s = 0.0
        self._settled: tuple[str, int] = ("", 0)
        self.failure = ""
        """Why the view's thread could not go on at its last step; empty when it could."""

    # -- life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow, in a thread of its own."""
        self._unsubscribe = self._volume.tail.subscribe(lambda _: self._wake())
        self._thread = threading.Thread(target=self._run, name="vexfs-dense", daemon=True)
        self._thread.start()

    def _wake(self) -> None:
        """The volume's log has grown, or the end has come."""
        self._rung.set()
        self._reader.wake()

    def stop(self) -> None:
        """Stop following, end a running builder. Idempotent; close the volume after it."""
        if self._closing:
            return
        self._closing = True
        self._unsubscribe()
        self._wake()
        with self._moved:
            self._moved.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._launcher.stop()
        self._coder.stop()
        self._reader.close()

    # -- what searches read ----------------------------------------------------------------------------

    def index_state(self, collection: int, vector: str) -> IndexState | None:
        """The index of a collection's vector; None while the view has not seen it."""
        index = self._vectors.indexes.get((collection, vector))
        return None if index is None else index.state

    def text_state(self) -> IndexState | None:
        """The index of embedded passages; None while there is none."""
        return self.text_served()[0]

    def text_served(self) -> tuple[IndexState | None, str]:
        """The index of embedded passages, and the name of the model whose vectors it holds; they belong together."""
        index, model = self._text.served
        return None if index is None else index.state, model

    # -- how far it is ---------------------------------------------------------------------------------

    @property
    def loaded(self) -> bool:
        """Whether the volume's vectors have been read."""
        return self._vectors.loaded

    @property
    def revision(self) -> int:
        """The volume's revision up to which all client vectors can be found."""
        return self._vectors.position if self._vectors.loaded else 0

    @property
    def text_position(self) -> tuple[int, int]:
        """(incarnation of derived.db, its `seq` up to which all embedded passages can be found)."""
        return self._text.incarnation, self._text.position

    @property
    def text_unavailable(self) -> str:
        """Why derived.db cannot be read; empty when it can."""
        return self._text.unavailable

    def indexes(self) -> list[IndexFacts]:
        """Every index, that of the text first."""
        return [self._facts(index) for index in self._indexes()]

    def _facts(self, index: DenseIndex) -> IndexFacts:
        state, wanted = index.state, wants_generation(index)
        building = wanted or self._launcher.running == index.spec
        put_off = self._launcher.put_off(index.spec) if wanted else ""
        return IndexFacts(index.spec, state.live_count, state.generation, building, put_off)

    @property
    def lost_generations(self) -> int:
        """How many generations were found damaged or gone since the start."""
        return self._upkeep.lost_count

    @property
    def builder_pid(self) -> int:
        """Process id of the running builder; 0 when there is none."""
        return self._launcher.pid

    def wait(self, reached: Callable[[], bool], deadline_s: float) -> bool:
        """Wait until `reached()` holds, asking again whenever the view has moved and every ASK_AGAIN_S.

        False once time.monotonic() is past the deadline, or the view was stopped.
        """
        with self._moved:
            while not reached():
                remaining = deadline_s - time.monotonic()
                if remaining <= 0 or self._closing:
                    return False
                self._moved.wait(min(remaining, ASK_AGAIN_S))
        return True

    # -- the thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            self._rung.clear()
            try:
                moved = self.step()
                self.failure = ""
            except Exception as error:
                logger.exception("the dense view could not follow; trying again")
                self.failure = f"{type(error).__name__}: {error}"
                time.sleep(RETRY_S)
                continue
            if moved:
                continue
            if not self._vectors.indexes:
                time.sleep(REST_S)
            # Who rings between the look at the flag and the wait leaves a ring in the bell.
            if not self._rung.is_set():
                self._reader.wait_for_ring(POLL_S)

    def step(self) -> bool:
        """One turn of the thread: follow both logs a little, then care for the generations. Whether anything was new."""
        moved = self._vectors.step()
        if self._borrowing is None:
            moved = self._text.step() or moved
        if moved:
            with self._moved:
                self._moved.notify_all()
        if self._borrowing is None:
            self._tend()
        else:
            self._borrow(self._borrowing)
        return moved

    def _borrow(self, borrowing: Borrowing) -> None:
        if time.monotonic() < self._next_tend_s or not self._vectors.loaded:
            return
        self._next_tend_s = time.monotonic() + TEND_S
        self._coder.tend(self._indexes())
        if not borrowing.take(self._vectors.indexes, self._vectors.identity):
            self._vectors.read_again()

    def _tend(self) -> None:
        finished = self._launcher.poll()
        if finished is not None and finished.status == 0:
            self._collect(finished.spec)
        if time.monotonic() < self._next_tend_s:
            return
        self._next_tend_s = time.monotonic() + TEND_S
        self._coder.tend(self._indexes())
        self._delete_strangers()
        for index in self._indexes():
            text = index.spec.collection == TEXT_COLLECTION
            self._upkeep.tend(index, self._text.position if text else self._vectors.position)

    def _collect(self, spec: IndexSpec) -> None:
        for index in self._indexes():
            if index.spec == spec:
                text = spec.collection == TEXT_COLLECTION
                self._upkeep.collect(index, self._text.identity if text else self._vectors.identity)

    def _delete_strangers(self) -> None:
        """Generations of collections that are gone, or of another derived.db or model, or that a newer one has replaced.

        Looked for at the start, where a crash may have left some, and when one of the sources has changed.
        """
        settled = (self._text.identity, hash(frozenset(self._vectors.indexes)))
        if self._vectors.loaded and settled != self._settled and self._upkeep.clean(self._belongs):
            self._settled = settled

    def _belongs(self, manifest: Manifest) -> bool:
        if manifest.collection == TEXT_COLLECTION:
            identity, index = self._text.identity, self._text.index
            if not identity:
                return True  # nobody knows yet
        else:
            identity, index = self._vectors.identity, self._vectors.indexes.get(manifest.spec.key)
        return manifest.source == identity and index is not None and index.state.generation == manifest.id

    def _indexes(self) -> list[DenseIndex]:
        text = self._text.index
        return ([] if text is None else [text]) + list(self._vectors.indexes.values())
