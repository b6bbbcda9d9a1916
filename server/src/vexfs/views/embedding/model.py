"""The built-in embedding model: texts in, unit vectors out.

Used by the indexer for passages and by the API for queries, unless `vexfs.views.embedding.choice` names another. Threads:
`embed` may be called from several at once; each call computes in its own thread and releases the interpreter while it does.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vexfs.views.embedding import weights
from vexfs.views.embedding.convert import DIMENSION, Precision, converted, fingerprint
from vexfs.views.embedding.session import open_session

MAX_TOKENS = 256
"""A longer text is cut: the model was trained on no more."""


logger = logging.getLogger(__name__)


class Embedder:
    """A loaded model. About 60 MB with int8."""

    batch_texts = 1

    def __init__(self, session: Any, tokenizer: Any, name: str) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self.name = name
        """Identifies weights, conversion and precision; vectors of different names are not compared."""
        self.dimension = DIMENSION

    @staticmethod
    def load(precision: Precision = "int8", model_dir: Path | None = None, threads: int = 1) -> "Embedder":
        """Finds the weights, converts them if that was not done before (some seconds), loads the graph (some 100 ms).

        Raises ModelMissing when there are no weights; downloads nothing.
        """
        from tokenizers import Tokenizer

        found = weights.find(model_dir)
        try:
            session = open_session(converted(found, precision), threads)
        except Exception:  # ONNX Runtime has no common base for what a damaged graph raises
            logger.exception("the converted model cannot be loaded; converting it again")
            converted(found, precision).unlink(missing_ok=True)
            session = open_session(converted(found, precision), threads)
        tokenizer = Tokenizer.from_file(str(found.tokenizer))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        return Embedder(session, tokenizer, f"{weights.MODEL_NAME}/{precision}/{fingerprint(found)}")

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One unit vector a text, in the order given: shape (len(texts), dimension).

        Each text is a run of its own. On a CPU that is as fast as batches, needs no padding, and makes an int8 vector depend
        on its text alone: activations are quantised by the range they have in a run.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            ids = np.array([self._tokenizer.encode(text).ids], np.int32)
            vectors[row] = self._session.run(["vector"], {"input_ids": ids})[0][0]
        return vectors
