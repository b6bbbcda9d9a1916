"""Vectors of questions: the embedding model as a search uses it, and the questions asked lately.

Owned by the engine. The model is loaded in a thread of its own, because that takes from 0.1 s to a minute; until then, and when
there are no weights, `vector_of` raises ViewUnavailable with the reason and searches go by words. Any thread may call it.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vexfs.core.errors import ViewUnavailable

logger = logging.getLogger(__name__)

REMEMBERED_MAX = 256


class Embedder(Protocol):
    """What is needed of a model; `vexfs.views.embedding.Embedder` is one."""

    name: str
    dimension: int

    def embed(self, texts: list[str], /) -> npt.NDArray[np.float32]: ...


class QueryVectors:
    """See the module. `load` answers a loaded model or raises; it is called once, at `start`."""

    def __init__(self, load: Callable[[], Embedder]) -> None:
        self._load = load
        self._embedder: Embedder | None = None
        self._why = "the embedding model is being loaded"
        self._lock = threading.Lock()
        self._remembered: OrderedDict[str, bytes] = OrderedDict()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to load the model."""
        self._thread = threading.Thread(target=self._run, name="vexfs-query-model", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until loading has ended; whether there is a model."""
        if self._thread is not None:
            self._thread.join(timeout_s)
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
        with self._lock:
            if text in self._remembered:
                self._remembered.move_to_end(text)
                return self._remembered[text]
        embedder = self._embedder
        if embedder is None:
            raise ViewUnavailable(self._why)
        vector = bytes(embedder.embed([text])[0].astype("<f4").tobytes())
        with self._lock:
            self._remembered[text] = vector
            while len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return vector

    def _run(self) -> None:
        try:
            self._embedder = self._load()
        except Exception as error:
            logger.exception("the embedding model cannot be loaded: searches go by words only")
            self._why = f"the embedding model cannot be loaded: {error}"
