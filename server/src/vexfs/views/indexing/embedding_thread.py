"""The thread that sees to embeddings: takes texts off the queue in `derived.db`, has them embedded, puts vectors there.

Started and stopped by the indexer. The computing is done by `EmbeddingWorkers`, one text at a time each, so that a fresh text
waits for one other at most and stopping takes no longer; this thread alone reads the queue and stores, bulk vectors in groups.
Bulk texts are given in windows, the beginnings of files before the rest, and sorted by length inside a window: runs of like
lengths are some percent cheaper. A text is in the queue once, whatever number of files have it; one that is under way is not
given again. What was not stored when the process ends is still queued.

When the model that was chosen is not the one whose vectors are served, a `ModelChange` embeds everything anew for it, and this
thread goes on for the one that serves, as far as it can still be loaded: with the fresh lane, since all the rest would be done
twice. What waits in the bulk lane is found by its words until the other model takes over.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable

import apsw

from vexfs.views.embedding import choice
from vexfs.views.embedding.choice import TextModel
from vexfs.views.embedding.weights import ModelUnusable
from vexfs.views.indexing import next_model
from vexfs.views.indexing.awaiting_model import AwaitedModel
from vexfs.views.indexing.embedding_workers import Embedded, EmbeddingWorkers
from vexfs.views.indexing.model_change import ModelChange
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
        self._chosen: TextModel | None = None
        self._source = choice.chosen()
        self._workers: EmbeddingWorkers | None = None
        self._change: ModelChange | None = None
        self._failure = ""
        self._bulk_held = False
        self._bulk_given_at = 0.0

    def start(self) -> None:
        self._thread.start()

    def wake(self, *, fresh: bool) -> None:
        """There may be texts to embed; `fresh` ones are given to the next thread that is free."""
        workers, change = self._workers, self._change
        if workers is not None and (fresh or not workers.waiting_bulk()):
            workers.wake()
        if change is not None and fresh:
            change.wake()

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
        workers, change = self._workers, self._change
        if workers is not None:
            workers.wake()
        if change is not None:
            change.wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._model.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._chosen is None:
                    self._chosen = self._model.load()
                    self._tell_failure(self._writer(), self._model.failure)
                else:
                    self._round(self._chosen)
            except Exception:
                # A lost database, a full disk: said once a second at most, and tried again.
                logger.exception("embedding failed; trying again")
                self._stop.wait(1.0)
        with contextlib.suppress(apsw.Error, OSError):  # what is not stored is queued as before
            if self._change is not None:
                self._change.close(self._writer())
            self._end_workers()

    def _end_workers(self) -> None:
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.close()
            self._store(self._writer(), workers.embedder.name, workers.take(at_least=1, within_s=0, idle_s=0))

    def _round(self, chosen: TextModel) -> None:
        """Gives what there is to embed, and stores what is done."""
        writer = self._writer()
        change = self._settle(writer, chosen)
        workers = self._workers
        if workers is not None:
            workers.give(writer.pending_texts(FRESH_TEXTS, FRESH_LANE))
            if change is None:
                self._give_bulk(workers, writer)
            # With two models at work, the waiting is done at the other's threads.
            waits = {"within_s": GROUP_S, "idle_s": IDLE_S} if change is None else {"within_s": 0.0, "idle_s": 0.0}
            self._store(writer, workers.embedder.name, workers.take(at_least=GROUP_TEXTS, **waits))
        failure = workers.failure if workers is not None else ""
        if change is not None:
            failure = change.workers.failure or failure
            if change.step(writer, held=self._bulk_held, idle_s=IDLE_S):
                self._taken_over(change)
        self._tell_failure(writer, failure)

    def _settle(self, writer: DerivedWriter, chosen: TextModel) -> ModelChange | None:
        """Which model serves, and which is to take over? Loads and starts what belongs to the answer."""
        if next_model.is_needed(writer, chosen.name):
            if self._change is None:
                self._change = ModelChange(chosen, self._source.encode(), self._count)
                self._change.begin(writer)
                self._start_serving(writer)
            return self._change
        if self._change is not None:  # derived.db was removed meanwhile: there is nothing to take over from
            self._taken_over(self._change)
        next_model.abandon(writer)
        writer.use_model(chosen.name)
        if writer.meta("model_source") != self._source.encode():
            writer.set_meta("model_source", self._source.encode())
        if self._workers is None:
            self._workers = EmbeddingWorkers(chosen, self._count)
            self._workers.start()
        return None

    def _start_serving(self, writer: DerivedWriter) -> None:
        """Threads for the model whose vectors are served; none, and a line in the log, when it cannot be loaded any more."""
        self._end_workers()
        try:
            serving = choice.load_again(writer.meta("model"), writer.meta("model_source") or "", questions=False)
        except ModelUnusable as error:
            logger.warning("what is written now is found by words until the other model serves", extra={"tried": error.message})
            return
        self._workers = EmbeddingWorkers(serving, self._count)
        self._workers.start()

    def _taken_over(self, change: ModelChange) -> None:
        """The chosen model serves; its threads go on with whatever comes."""
        self._end_workers()
        self._workers, self._change = change.workers, None

    def _tell_failure(self, writer: DerivedWriter, failure: str) -> None:
        """Into `derived.db`, for status displays, when it is another one than before."""
        if failure != self._failure:
            writer.set_meta("embedding_failure", failure)
            self._failure = failure

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
        if done and writer.meta("model") == model:  # else another has taken over, and what waits now waits for that one
            writer.store_embeddings(model, [(text.text_key, vector) for text, vector in done])
            self._stored()
