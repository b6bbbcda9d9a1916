"""Vectors of questions: the embedding model as a search uses it, and the questions asked lately.

Owned by the engine. The model is loaded in a thread of its own, because that takes from 0.1 s to a minute. While there are no
weights the thread looks for them again and again, since the indexer may be fetching them; until there is a model, `vector_of`
raises ViewUnavailable with the reason and searches go by words. Any thread may call it.
"""

import logging
import threading
import unicodedata
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vexfs.core.errors import ViewUnavailable
from vexfs.core.search.caches import BoundedCache

logger = logging.getLogger(__name__)

REMEMBERED_BYTES = 8 << 20
"""Of vectors: some 4,000 questions."""
LOOK_AGAIN_S = 1.0
"""How soon after weights were not found they are looked for again."""
FAILED_AGAIN_S = 60.0
"""The same after weights that were found could not be loaded."""


class Embedder(Protocol):
    """What is needed of a model for questions; `vexfs.views.embedding.choice.load` loads one."""

    name: str
    dimension: int

    def embed(self, texts: list[str], /) -> npt.NDArray[np.float32]: ...


class QueryVectors:
    """See the module. `load` answers a loaded model, or raises: ViewUnavailable when there are no weights (yet)."""

    def __init__(self, load: Callable[[], Embedder]) -> None:
        self._load = load
        self._embedder: Embedder | None = None
        self._why = "the embedding model is being loaded"
        self._remembered: BoundedCache[bytes] = BoundedCache("query_vectors", REMEMBERED_BYTES)
        self._tried = threading.Event()
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to load the model."""
        threading.Thread(target=self._run, name="vexfs-query-model", daemon=True).start()

    def stop(self) -> None:
        """Look for weights no longer; idempotent. A model on its way into memory is not waited for."""
        self._stop.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until loading was tried once; whether there is a model."""
        self._tried.wait(timeout_s)
        return self._embedder is not None

    @property
    def model(self) -> tuple[str, int] | None:
        """Name and dimension of the model; None while there is none."""
        embedder = self._embedder
        return None if embedder is None else (embedder.name, embedder.dimension)

    @property
    def unavailable(self) -> str:
        """Why there is no model; empty when there is."""
        return "" if self._embedder is not None else self._why

    def vector_of(self, text: str) -> bytes:
        """The vector of a question, little-endian float32. Raises ViewUnavailable while there is no model."""
        embedder = self._embedder
        if embedder is None:
            raise ViewUnavailable(self._why)
        text = normal_form(text)
        key = (embedder.name, text)
        vector = self._remembered.get(key)
        if vector is None:
            vector = bytes(embedder.embed([text])[0].astype("<f4").tobytes())
            self._remembered.put(key, vector, len(vector) + 2 * len(text))
        return vector

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            wait_s = LOOK_AGAIN_S
            try:
                self._embedder = self._load()
            except ViewUnavailable as error:
                self._why = error.message
                if said != error.message:
                    logger.warning("no embedding model: searches go by words until it is there", extra={"tried": error.message})
            except Exception as error:
                self._why = f"the embedding model cannot be loaded: {error}"
                wait_s = FAILED_AGAIN_S
                logger.exception("the embedding model cannot be loaded: searches go by words only")
            said = self._why
            self._tried.set()
            if self._embedder is not None:
                logger.info("embedding model of questions loaded", extra={"model": self._embedder.name})
                return
            self._stop.wait(wait_s)


def normal_form(text: str) -> str:
    """The text as all spellings of it are compared: its white space and the parts of its letters make no difference."""
    return " ".join(unicodedata.normalize("NFC", text).split())
