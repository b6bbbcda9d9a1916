"""Scoring the first hits of a text search once more, by a model that reads question and passage together. In which order now?

Owned by the engine, if a reranker was chosen; there is none by default. It is loaded in a thread of its own. Any thread may
call it, in whose time it computes. An order that could not be improved stays as it was, and the answer says why.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from vexfs.core.errors import ViewUnavailable
from vexfs.core.search.types import Hit

logger = logging.getLogger(__name__)

AGAIN_S = 5.0
"""How soon after a reranker could not be loaded it is tried again."""
SUFFIX = "+rerank"
"""What the strategy of a reranked answer ends in."""


class Reranker(Protocol):
    """What is needed of one; `vexfs.views.embedding.cross_encoder.CrossEncoder` is one."""

    def scores(self, question: str, passages: Sequence[str], /) -> list[float]:
        """How well each passage answers, higher is better. Raises ViewUnavailable when that takes too long."""


class Reranking:
    """Scores up to `hits` hits. `load` answers a loaded reranker, or raises."""

    def __init__(self, load: Callable[[], Reranker], hits: int) -> None:
        self.hits = hits
        self._load = load
        self._reranker: Reranker | None = None
        self._why = "the reranker is being loaded"
        self._tried = threading.Event()
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to load it."""
        threading.Thread(target=self._run, name="vexfs-reranker", daemon=True).start()

    def stop(self) -> None:
        """Try no longer; idempotent."""
        self._stop.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until loading was tried once; whether there is a reranker."""
        self._tried.wait(timeout_s)
        return self._reranker is not None

    def ordered(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """The hits by the reranker's scores, best first, equal ones as they were.

        Raises ViewUnavailable when they cannot be scored: it is not loaded, it fails, or a passage cannot be read.
        """
        reranker = self._reranker
        if reranker is None:
            raise ViewUnavailable(f"the hits are not reranked: {self._why}")
        passages = [hit.passage.text for hit in hits if hit.passage is not None]
        if len(passages) < len(hits):
            raise ViewUnavailable("the hits are not reranked: the text of their passages cannot be read now")
        try:
            scores = reranker.scores(question, passages)
        except ViewUnavailable as error:
            raise ViewUnavailable(f"the hits are not reranked: {error.message}") from error
        except Exception as error:  # what a graph's operators raise has no common base
            logger.exception("reranking failed")
            raise ViewUnavailable(f"the hits are not reranked: the reranker failed: {error}") from error
        scored = [hit._replace(score=score) for hit, score in zip(hits, scores, strict=True)]
        return sorted(scored, key=lambda hit: -hit.score)

    def _run(self) -> None:
        while not self._stop.is_set():
            said = self._why
            try:
                self._reranker = self._load()
            except Exception as error:  # whatever it is, searches keep their order and say why
                self._why = str(error)
                if said != self._why:
                    logger.error("the reranker cannot be loaded; searches keep their order", extra={"tried": self._why})
            self._tried.set()
            if self._reranker is not None:
                logger.info("reranker loaded")
                return
            self._stop.wait(AGAIN_S)
