"""An embedding model behind an HTTP endpoint that speaks the API of OpenAI: texts in, unit vectors out.

Loaded by `vexfs.views.embedding.choice` in the indexer (for passages, many a request) and the API (for questions, with a short
limit of time). `embed` may be called from several threads at once. What the endpoint answers is checked before anybody sees it:
count, order, dimension, finite numbers. Texts leave this machine; nothing else does.
"""

from collections.abc import Sequence

import blake3
import msgspec
import numpy as np
import numpy.typing as npt

from vexfs.views.embedding.endpoint_client import PASSAGES, QUESTIONS, EndpointClient, EndpointFailed, Limits, TextsRefused

BATCH_TEXTS = 32
_PROBE = "The dimension of a vector is known once there is one."


class _Item(msgspec.Struct):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Item]


_decode = msgspec.json.Decoder(_Answer).decode


class EndpointModel:
    """A model by its name at an address. `close` when it is not needed any more."""

    batch_texts = BATCH_TEXTS

    def __init__(self, url: str, model: str, key: str, *, dimensions: int = 0, limits: Limits) -> None:
        """Asks for one vector. `dimensions` is asked for, if it is not 0. Raises EndpointFailed."""
        self._where = f"{url.rstrip('/')}/embeddings"
        self._model = model
        self._wanted = dimensions
        self._client = EndpointClient(self._where, key, limits)
        self.dimension = dimensions
        try:
            self.dimension = len(self._ask([_PROBE])[0])
        except BaseException:
            self.close()
            raise
        self.name = f"{model}/endpoint/{fingerprint(self._where, model, dimensions, self.dimension)}"
        """Identifies address, model and dimension; vectors of different names are not compared."""

    @staticmethod
    def load(url: str, model: str, key: str, *, dimensions: int, questions: bool) -> "EndpointModel":
        """As `choice` loads it. Raises EndpointFailed while it cannot be reached."""
        return EndpointModel(url, model, key, dimensions=dimensions, limits=QUESTIONS if questions else PASSAGES)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One unit vector a text, in the order given. Raises EndpointFailed."""
        parts = [self._embed_some(texts[start : start + BATCH_TEXTS]) for start in range(0, len(texts), BATCH_TEXTS)]
        return np.concatenate(parts) if parts else np.empty((0, self.dimension), np.float32)

    def close(self) -> None:
        """Ends its connections. Idempotent."""
        self._client.close()

    def _embed_some(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One request, or several smaller ones if the endpoint does not take so much."""
        try:
            return self._ask(texts)
        except TextsRefused:
            if len(texts) == 1:
                raise
            half = len(texts) // 2
            return np.concatenate([self._embed_some(texts[:half]), self._embed_some(texts[half:])])

    def _ask(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        # An empty text is refused by some, and has no meaning anyway.
        body: dict[str, object] = {"model": self._model, "input": [text or " " for text in texts], "encoding_format": "float"}
        if self._wanted:
            body["dimensions"] = self._wanted
        return self._checked(self._client.post(body), len(texts))

    def _checked(self, content: bytes, count: int) -> npt.NDArray[np.float32]:
        try:
            items = sorted(_decode(content).data, key=lambda item: item.index)
        except msgspec.MsgspecError as error:
            raise self._wrong(f"its answer is not what the API says: {error}") from None
        if [item.index for item in items] != list(range(count)):
            raise self._wrong(f"it answered {len(items)} vectors to {count} texts")
        dimension = self.dimension or len(items[0].embedding)
        if any(len(item.embedding) != dimension for item in items) or not dimension:
            raise self._wrong(f"a vector has {len(items[0].embedding)} components instead of {dimension}")
        with np.errstate(over="ignore"):  # what is too large comes out as infinite, and is noticed
            vectors = np.array([item.embedding for item in items], np.float64).astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise self._wrong("a vector is zero, or has components that are not finite")
        return np.asarray(vectors / lengths, np.float32)

    def _wrong(self, what: str) -> EndpointFailed:
        return EndpointFailed(f"the embedding endpoint {self._where} gives no usable vectors: {what}")


def fingerprint(where: str, model: str, dimensions: int, dimension: int) -> str:
    """12 hexadecimal digits."""
    return blake3.blake3(repr((where, model, dimensions, dimension)).encode()).hexdigest()[:12]
