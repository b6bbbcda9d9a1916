"""Embedding everything anew for another model, in the background, while the vectors there are serve on.

Made by the embedding thread when the model that was chosen is not the one whose vectors are served; all methods belong to that
thread but `wake`. It has threads of its own beside those that embed fresh texts for the serving model.
"""

import logging

from vexfs.views.embedding.choice import TextModel
from vexfs.views.indexing import next_model
from vexfs.views.indexing.embedding_workers import EmbeddingWorkers
from vexfs.views.indexing.writer import DerivedWriter

logger = logging.getLogger(__name__)

WINDOW_TEXTS = 256
"""Texts that are sorted by length together."""
REFILL_TEXTS = 16
"""So few of them left unbegun, a thread, bring the next window."""
GROUP_TEXTS = 64
GROUP_S = 0.25
"""Vectors are stored at least this often: what was not stored is all that a crash loses."""


class ModelChange:
    """From `begin` until `step` has answered True, or `close`."""

    def __init__(self, model: TextModel, source: str, count: int) -> None:
        self.model = model
        self._source = source
        self._count = count
        self._after_rowid = 0
        self._swept = False
        self.workers = EmbeddingWorkers(model, count)

    def begin(self, writer: DerivedWriter) -> None:
        """Goes on where a process before this one left off."""
        next_model.begin(writer, self.model.name, self._source)
        logger.info(
            "embedding everything anew for another model", extra={"model": self.model.name, "serving": writer.meta("model")}
        )
        self.workers.start()

    def step(self, writer: DerivedWriter, *, held: bool, idle_s: float) -> bool:
        """Gives texts unless `held`, stores vectors, and lets the model take over when it has all; whether it has."""
        if not held:
            self._give(writer)
        busy = bool(self.workers.under_way())
        self._store(writer, idle_s if busy or held else 0)
        if not self._swept or self.workers.under_way():
            return False
        if next_model.take_over(writer, self.model.name):
            logger.info("another model serves", extra={"model": self.model.name})
            return True
        self._after_rowid, self._swept = 0, False
        self._store(writer, idle_s)  # what failed just now is not tried again at once
        return False

    def close(self, writer: DerivedWriter) -> None:
        """Stores what is done. Idempotent."""
        self.workers.close()
        self._store(writer, 0)

    def wake(self) -> None:
        """`step` returns soon."""
        self.workers.wake()

    def _give(self, writer: DerivedWriter) -> None:
        if self._swept or self.workers.waiting_bulk() > REFILL_TEXTS * self._count:
            return
        found = next_model.left(writer, self.model.name, self._after_rowid, WINDOW_TEXTS)
        self._after_rowid, self._swept = found.after_rowid, found.complete
        self.workers.give(sorted(found.texts, key=lambda text: len(text.text)))

    def _store(self, writer: DerivedWriter, idle_s: float) -> None:
        done = self.workers.take(at_least=GROUP_TEXTS, within_s=GROUP_S, idle_s=idle_s)
        if done:
            next_model.store(writer, self.model.name, [(text.text_key, vector) for text, vector in done])
