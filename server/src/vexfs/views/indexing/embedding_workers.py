"""The threads that compute embeddings: one a core, each as many texts as the model takes at once, the fresh lane first.

Made by the embedding thread, which gives them texts and takes vectors. They share one model, which computes outside the
interpreter's lock; measured on two cores, two such threads do twice what one does at the same cost a text, where two threads
inside one run of the model cost twice as much. They touch no database. All methods belong to the embedding thread but `wake`
and `hold_bulk`, which any thread may call.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence

from vexfs.core.errors import InvalidRequest
from vexfs.views.embedding.choice import TextModel
from vexfs.views.indexing.writer import FRESH_LANE, PendingText

logger = logging.getLogger(__name__)

ENV_THREADS = "VEXFS_EMBEDDING_THREADS"
THREADS_MAX = 64
AFTER_FAILURE_S = 1.0

Embedded = tuple[PendingText, bytes]


def thread_count() -> int:
    """VEXFS_EMBEDDING_THREADS, else one for each core this process may use. Raises InvalidRequest when that is no number."""
    given = os.environ.get(ENV_THREADS, "").strip()
    count = len(os.sched_getaffinity(0)) if not given else int(given) if given.isdecimal() else 0
    if not (1 <= count <= THREADS_MAX or not given):
        raise InvalidRequest(f"{ENV_THREADS} is {given!r}; give a number from 1 to {THREADS_MAX}")
    return min(count, THREADS_MAX)


class EmbeddingWorkers:
    """`count` threads from `start` to `close`."""

    def __init__(self, embedder: TextModel, count: int) -> None:
        self.embedder = embedder
        self._changed = threading.Condition()
        self._waiting: tuple[deque[PendingText], deque[PendingText]] = (deque(), deque())
        """By lane."""
        self._running: set[bytes] = set()
        self._finished: list[Embedded] = []
        self._first_finished_at = 0.0
        self._bulk_held = False
        self._woken = False
        self._closing = False
        self._alone: set[bytes] = set()
        """Texts that failed among others: one of them may be the only one to blame, so they are tried one by one."""
        self.failure = ""
        """Why the last text could not be embedded; empty when it could."""
        self._threads = [
            threading.Thread(target=self._work, name=f"vexfs-embed-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Ends each thread after the text at hand. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        end = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    # --- giving and taking

    def give(self, texts: Sequence[PendingText]) -> None:
        """Texts to embed, in this order; one that is under way already is not taken twice, but may come to be fresh."""
        fresh, bulk = self._waiting
        with self._changed:
            known = self._keys()
            overtaking = {text.text_key for text in texts if text.lane == FRESH_LANE} & {text.text_key for text in bulk}
            if overtaking:
                bulk = deque(text for text in bulk if text.text_key not in overtaking)
                self._waiting = (fresh, bulk)
            for text in texts:
                if text.text_key not in known or text.text_key in overtaking:
                    (fresh if text.lane == FRESH_LANE else bulk).append(text)
            self._changed.notify_all()

    def under_way(self) -> Collection[bytes]:
        """The keys of all texts that were given and not taken back as vectors."""
        with self._changed:
            return self._keys()

    def waiting_bulk(self) -> int:
        """Bulk texts that no thread has begun."""
        return len(self._waiting[1])

    def take(self, *, at_least: int, within_s: float, idle_s: float) -> list[Embedded]:
        """What is finished, as soon as there is a fresh one, `at_least` of them, or the first has waited `within_s`.

        Nothing after `wake`, or after `idle_s` without any.
        """
        idle_end = time.monotonic() + idle_s
        with self._changed:
            while not (self._woken or self._closing):
                now = time.monotonic()
                end = self._first_finished_at + within_s if self._finished else idle_end
                if now >= end or self._is_due(at_least):
                    break
                self._changed.wait(end - now)
            self._woken = False
            finished, self._finished = self._finished, []
            return finished

    def wake(self) -> None:
        """`take` returns at once, the next time or now."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def hold_bulk(self, held: bool) -> None:
        """With `held`, bulk texts that were not begun are dropped: they are still in the queue of `derived.db`."""
        with self._changed:
            if held and not self._bulk_held:
                self._waiting[1].clear()
            self._bulk_held = held

    def _keys(self) -> set[bytes]:
        waiting = (text.text_key for lane in self._waiting for text in lane)
        return {*waiting, *self._running, *(text.text_key for text, _ in self._finished)}

    def _is_due(self, at_least: int) -> bool:
        if not self._finished:
            return False
        alone = not (self._running or any(self._waiting))
        return alone or len(self._finished) >= at_least or any(text.lane == FRESH_LANE for text, _ in self._finished)

    # --- the threads

    def _work(self) -> None:
        while texts := self._next():
            vectors: list[bytes] = []
            try:
                vectors = [vector.tobytes() for vector in self.embedder.embed([text.text for text in texts])]
                self.failure = ""
            except Exception as error:
                failure = str(error) or repr(error)
                if failure != self.failure:  # said once: an endpoint may be away for hours
                    logger.exception("passages could not be embedded; trying again")
                self.failure = failure
                time.sleep(AFTER_FAILURE_S)
            with self._changed:
                keys = {text.text_key for text in texts}
                self._running -= keys
                if not vectors:
                    self._alone |= keys
                else:
                    self._alone -= keys
                    if not self._finished:
                        self._first_finished_at = time.monotonic()
                    self._finished += zip(texts, vectors, strict=True)
                self._changed.notify_all()

    def _next(self) -> list[PendingText]:
        """The next texts of a lane, as many as the model takes at once, as soon as there is one; none at the end."""
        with self._changed:
            while not (self._closing or any(self._waiting)):
                self._changed.wait()
            if self._closing:
                return []
            waiting = self._waiting[0] or self._waiting[1]
            texts = [waiting.popleft()]
            while (
                waiting
                and len(texts) < self.embedder.batch_texts
                and not self._alone & {texts[0].text_key, waiting[0].text_key}
            ):
                texts.append(waiting.popleft())
            self._running.update(text.text_key for text in texts)
            return texts
