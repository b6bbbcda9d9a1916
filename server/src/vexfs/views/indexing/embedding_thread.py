"""The thread that embeds: takes texts off the queue in `derived.db`, the fresh lane first, and puts vectors there.

Started and stopped by the indexer. It embeds one text at a time and stores them in small groups, so that a fresh text waits for
one other text at most and stopping takes no longer. Without weights it has them fetched by a process of its own, and everything
else goes on meanwhile.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from vexfs.views.embedding.fetch import ENV_OFFLINE
from vexfs.views.embedding.model import Embedder
from vexfs.views.embedding.weights import ModelMissing, find
from vexfs.views.indexing.writer import BULK_LANE, FRESH_LANE, DerivedWriter

logger = logging.getLogger(__name__)

GROUP_S = 0.25
"""Vectors of bulk texts are stored at least this often."""
GROUP_TEXTS = 32
HELD_GROUP_EVERY_S = 2.0
"""While files wait to be read, which goes first, bulk texts still get a group this often."""
FETCH_EVERY_S = 600.0
LOOK_EVERY_S = 0.5
"""How often weights that were not there are looked for."""


class EmbeddingThread:
    """`writer` gives the present writer of `derived.db`; `stored` is called after each group."""

    def __init__(self, writer: Callable[[], DerivedWriter], stored: Callable[[], None]) -> None:
        self._writer = writer
        self._stored = stored
        self._stop = threading.Event()
        self._work = threading.Event()
        self._fresh = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vexfs-embedding", daemon=True)
        self._bulk_held = False
        self._bulk_group_at = 0.0
        self._embedder: Embedder | None = None
        self._fetch: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._thread.start()

    def wake(self, *, fresh: bool) -> None:
        """There may be texts to embed; with `fresh`, before the bulk ones."""
        if fresh:
            self._fresh.set()
        self._work.set()

    def hold_bulk(self, held: bool) -> None:
        """While `held`, bulk texts leave the processor to the reading of files, so that these are found by their words soon."""
        self._bulk_held = held

    def close(self, timeout_s: float = 2.0) -> None:
        """Stops after the text at hand; what is not embedded stays queued. Idempotent."""
        self._stop.set()
        self._work.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._end_fetch()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._embedder is None:
                    self._embedder = self._load()
                if self._embedder is not None and not self._embed_some(self._embedder):
                    self._work.wait(0.5)
                    self._work.clear()
            except Exception:
                # A lost database, a full disk: said once a second at most, and tried again.
                logger.exception("embedding failed; trying again")
                self._stop.wait(1.0)

    def _embed_some(self, embedder: Embedder) -> bool:
        """One group; False when there is nothing to do."""
        writer = self._writer()
        writer.use_model(embedder.name)
        self._fresh.clear()
        texts = writer.pending_texts(GROUP_TEXTS, self._lane())
        if not texts:
            return False
        vectors: list[tuple[bytes, bytes]] = []
        started = time.monotonic()
        for text in texts:
            # Fresh texts make a group of their own: they are stored, and found, before a bulk one is begun.
            if self._stop.is_set() or (vectors and (text.lane != texts[0].lane or self._enough(started))):
                break
            vectors.append((text.text_key, embedder.embed([text.text])[0].tobytes()))
        writer.store_embeddings(embedder.name, vectors)
        self._stored()
        return True

    def _lane(self) -> int:
        """The last lane to take texts from."""
        now = time.monotonic()
        if self._bulk_held and now - self._bulk_group_at < HELD_GROUP_EVERY_S:
            return FRESH_LANE
        self._bulk_group_at = now
        return BULK_LANE

    def _enough(self, started: float) -> bool:
        return self._fresh.is_set() or time.monotonic() - started > GROUP_S

    # --- the model

    def _load(self) -> Embedder | None:
        """The model, or None after a while of waiting for its weights."""
        try:
            embedder = Embedder.load()
        except ModelMissing as error:
            logger.warning("no embedding model; search works by words until it is there", extra={"tried": error.message})
            self._wait_for_weights()
            return None
        logger.info("embedding model loaded", extra={"model": embedder.name})
        return embedder

    def _wait_for_weights(self) -> None:
        """Has them fetched, where that is allowed, and looks for them: somebody else may put them there."""
        next_fetch = time.monotonic() + FETCH_EVERY_S
        if not os.environ.get(ENV_OFFLINE):
            command = [sys.executable, "-m", "vexfs.views.embedding.fetch"]
            self._fetch = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        while not (self._stop.wait(LOOK_EVERY_S) or self._is_there() or time.monotonic() > next_fetch):
            pass
        self._end_fetch()

    def _is_there(self) -> bool:
        if self._fetch is not None and self._fetch.poll() is None:
            return False  # it converts what it has fetched; nobody needs to do that twice
        with contextlib.suppress(ModelMissing):
            find()
            return True
        return False

    def _end_fetch(self) -> None:
        process, self._fetch = self._fetch, None
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(1)
