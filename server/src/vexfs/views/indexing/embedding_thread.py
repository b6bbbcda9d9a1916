"""The thread that sees to embeddings: takes texts off the queue in `derived.db`, has them embedded, puts vectors there.

Started and stopped by the indexer. The computing is done by `EmbeddingWorkers`, one text at a time each, so that a fresh text
waits for one other at most and stopping takes no longer; this thread alone reads the queue and stores, bulk vectors in groups.
Bulk texts are given in windows, the beginnings of files before the rest, and sorted by length inside a window: runs of like
lengths are some percent cheaper. A text is in the queue once, whatever number of files have it; one that is under way is not
given again. What was not stored when the process ends is still queued.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable

import apsw

from vexfs.views.indexing.awaiting_model import AwaitedModel
from vexfs.views.indexing.embedding_workers import Embedded, EmbeddingWorkers
from vexfs.views.indexing.writer import BULK_LANE, FRESH_LANE, DerivedWriter

logger = logging.getLogger(__name__)

GROUP_S = 0.25
"""Vectors of bulk texts are stored at least this often."""
GROUP_TEXTS = 64
FRESH_TEXTS = 64
WINDOW_TEXTS = 256
"""Bulk texts that are sorted by length together."""
REFILL_TEXTS = 16
"""So few of them left unbegun, a thread, bring the next window."""
HELD_EVERY_S = 2.0
HELD_TEXTS = 16
"""While files wait to be read, which goes first, bulk texts still get their turn so often, and so many a thread."""
IDLE_S = 0.5


class EmbeddingThread:
    """`writer` gives the present writer of `derived.db`; `stored` is called after each group; `count` threads compute."""

    def __init__(self, writer: Callable[[], DerivedWriter], stored: Callable[[], None], count: int) -> None:
        self._writer = writer
        self._stored = stored
        self._count = count
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vexfs-embedding", daemon=True)
        self._model = AwaitedModel(self._stop)
        self._workers: EmbeddingWorkers | None = None
        self._bulk_held = False
        self._bulk_given_at = 0.0

    def start(self) -> None:
        self._thread.start()

    def wake(self, *, fresh: bool) -> None:
        """There may be texts to embed; `fresh` ones are given to the next thread that is free."""
        workers = self._workers
        if workers is not None and (fresh or not workers.waiting_bulk()):
            workers.wake()

    def hold_bulk(self, held: bool) -> None:
        """While `held`, bulk texts leave the processor to the reading of files, so that these are found by their words soon."""
        released = self._bulk_held and not held
        self._bulk_held = held
        if self._workers is not None:
            self._workers.hold_bulk(held)
            if released:
                self._workers.wake()

    def close(self, timeout_s: float = 2.0) -> None:
        """Stops after the texts at hand; what is not embedded stays queued. Idempotent."""
        self._stop.set()
        if self._workers is not None:
            self._workers.wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._model.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._workers is None:
                    self._load()
                else:
                    self._round(self._workers)
            except Exception:
                # A lost database, a full disk: said once a second at most, and tried again.
                logger.exception("embedding failed; trying again")
                self._stop.wait(1.0)
        if self._workers is not None:
            self._end(self._workers)

    def _end(self, workers: EmbeddingWorkers) -> None:
        workers.close()
        with contextlib.suppress(apsw.Error, OSError):  # they are queued as before
            self._store(self._writer(), workers.embedder.name, workers.take(at_least=1, within_s=0, idle_s=0))

    def _load(self) -> None:
        embedder = self._model.load()
        if embedder is not None:
            workers = EmbeddingWorkers(embedder, self._count)
            workers.start()
            self._workers = workers

    def _round(self, workers: EmbeddingWorkers) -> None:
        """Gives what there is to embed, and stores what is done."""
        writer = self._writer()
        writer.use_model(workers.embedder.name)
        workers.give(writer.pending_texts(FRESH_TEXTS, FRESH_LANE))
        self._give_bulk(workers, writer)
        done = workers.take(at_least=GROUP_TEXTS, within_s=GROUP_S, idle_s=IDLE_S)
        self._store(writer, workers.embedder.name, done)

    def _give_bulk(self, workers: EmbeddingWorkers, writer: DerivedWriter) -> None:
        held = self._bulk_held
        if workers.waiting_bulk() > REFILL_TEXTS * self._count or (
            held and time.monotonic() < self._bulk_given_at + HELD_EVERY_S
        ):
            return
        self._bulk_given_at = time.monotonic()
        known = workers.under_way()
        size = HELD_TEXTS * self._count if held else WINDOW_TEXTS
        texts = [text for text in writer.pending_texts(size + len(known), BULK_LANE) if text.text_key not in known]
        workers.give(sorted(texts[:size], key=lambda text: (text.lane, len(text.text))))

    def _store(self, writer: DerivedWriter, model: str, done: list[Embedded]) -> None:
        if done:
            writer.store_embeddings(model, [(text.text_key, vector) for text, vector in done])
            self._stored()
