"""Vectors of questions: the embedding model as a search uses it, and the questions asked lately.

Owned by the engine. The model is loaded in a thread of its own, because that takes from 0.1 s to a minute. While there are no
weights the thread looks for them again and again, since the indexer may be fetching them; until there is a model, `vector_of`
raises ViewUnavailable with the reason and searches go by words. Any thread may call it.

A question is embedded by the model whose vectors it is compared with. While that is not the one that was chosen, since that one
is still embedding everything anew, the thread loads it, too, and it is let go once nobody asks for it.
"""

import logging
import threading
import time
import unicodedata
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vexfs.core.errors import ViewUnavailable
from vexfs.core.search.caches import BoundedCache
from vexfs.views.embedding.weights import ModelUnusable

logger = logging.getLogger(__name__)

REMEMBERED_BYTES = 8 << 20
"""Of vectors: some 4,000 questions."""
LOOK_AGAIN_S = 1.0
"""How soon after weights were not found they are looked for again."""
UNUSABLE_AGAIN_S = 5.0
"""The same after a chosen model could not be used as it is: finding that out may take reading it."""
FAILED_AGAIN_S = 60.0
"""The same after weights that were found could not be loaded."""


class Embedder(Protocol):
    """What is needed of a model for questions; `vexfs.views.embedding.choice.load` loads one."""

    name: str
    dimension: int

    def embed(self, texts: list[str], /) -> npt.NDArray[np.float32]: ...


class QueryVectors:
    """See the module.

    `load` answers the model that was chosen, `load_again` the one of a name, and both raise: ViewUnavailable when it is not
    there (yet). Without `load_again` the chosen model is the only one.
    """

    def __init__(self, load: Callable[[], Embedder], load_again: Callable[[str], Embedder] | None = None) -> None:
        self._load = load
        self._load_again = load_again
        self._embedder: Embedder | None = None
        self._other: Embedder | None = None
        self._wanted = ""
        self._why = "the embedding model is being loaded"
        self._why_other = ""
        self._other_due = 0.0
        self._remembered: BoundedCache[bytes] = BoundedCache("query_vectors", REMEMBERED_BYTES)
        self._tried = threading.Event()
        self._woken = threading.Event()
        self._closing = False

    def start(self) -> None:
        """Begin to load the model."""
        threading.Thread(target=self._run, name="vexfs-query-model", daemon=True).start()

    def stop(self) -> None:
        """Look for weights no longer; idempotent. A model on its way into memory is not waited for."""
        self._closing = True
        self._woken.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until loading was tried once; whether there is a model."""
        self._tried.wait(timeout_s)
        return self._embedder is not None

    @property
    def model(self) -> tuple[str, int] | None:
        """Name and dimension of the chosen model; None while there is none."""
        embedder = self._embedder
        return None if embedder is None else (embedder.name, embedder.dimension)

    @property
    def unavailable(self) -> str:
        """Why there is no model; empty when there is."""
        return "" if self._embedder is not None else self._why

    def vector_of(self, text: str, model: str = "") -> bytes:
        """The vector of a question by the model of that name, little-endian float32; by the chosen one without a name.

        Raises ViewUnavailable while there is no such model, with the reason.
        """
        embedder = self._embedder_of(model)
        text = normal_form(text)
        key = (embedder.name, text)
        vector = self._remembered.get(key)
        if vector is None:
            vector = bytes(embedder.embed([text])[0].astype("<f4").tobytes())
            self._remembered.put(key, vector, len(vector) + 2 * len(text))
        return vector

    def _embedder_of(self, model: str) -> Embedder:
        chosen, other = self._embedder, self._other
        if chosen is not None and model in ("", chosen.name):
            self._other, self._wanted = None, ""
            return chosen
        if other is not None and other.name == model:
            return other
        if model and self._load_again is not None and self._tried.is_set():
            if self._wanted != model:
                self._other_due = 0.0
                self._wanted, self._why_other = model, f"the model {model}, whose vectors are searched, is being loaded"
                self._woken.set()
            raise ViewUnavailable(self._why_other)
        if chosen is not None:
            raise ViewUnavailable(f"the passages are embedded with another model ({model}) than questions ({chosen.name})")
        raise ViewUnavailable(self._why)

    def _run(self) -> None:
        while not self._closing:
            self._woken.clear()
            wait_s = self._try_chosen() if self._embedder is None else None
            wanted = self._wanted
            if wanted and (self._other is None or self._other.name != wanted) and time.monotonic() >= self._other_due:
                self._try_other(wanted)
                wait_s = wait_s or UNUSABLE_AGAIN_S
            self._woken.wait(wait_s)

    def _try_chosen(self) -> float | None:
        """Loads the chosen model; if that failed, in how many seconds to try again."""
        said = self._why
        try:
            self._embedder = self._load()
        except ViewUnavailable as error:
            self._why = error.message
            wait_s = UNUSABLE_AGAIN_S if isinstance(error, ModelUnusable) else LOOK_AGAIN_S
            if said != error.message:
                logger.warning("no embedding model: searches go by words until it is there", extra={"tried": error.message})
        except Exception as error:
            self._why = f"the embedding model cannot be loaded: {error}"
            wait_s = FAILED_AGAIN_S
            logger.exception("the embedding model cannot be loaded: searches go by words only")
        self._tried.set()
        if self._embedder is None:
            return wait_s
        logger.info("embedding model of questions loaded", extra={"model": self._embedder.name})
        return None

    def _try_other(self, model: str) -> None:
        """Loads the model of the vectors that are searched, or notes when to try again."""
        assert self._load_again is not None
        said = self._why_other
        try:
            self._other = self._load_again(model)
        except Exception as error:  # whatever it is, searches go by words until the chosen model serves
            self._why_other = str(error)
            if said != self._why_other:
                logger.warning("the model of the searched vectors cannot be loaded", extra={"tried": self._why_other})
            self._other_due = time.monotonic() + UNUSABLE_AGAIN_S
            return
        logger.info("the model of the searched vectors is loaded, too", extra={"model": model})


def normal_form(text: str) -> str:
    """The text as all spellings of it are compared: its white space and the parts of its letters make no difference."""
    return " ".join(unicodedata.normalize("NFC", text).split())
