"""The embedding model that was chosen. Which one is it, and how is it loaded?

Used by the indexer for passages and by the API for questions: both read the same settings, so both use the same model.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

ENV_MODEL = "VEXFS_MODEL"


class TextModel(Protocol):
    """A loaded model. `embed` may be called from several threads at once."""

    name: str
    """Identifies files and settings; vectors of different names are not compared."""
    dimension: int
    batch_texts: int
    """So many texts at once cost the least."""

    def embed(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        """One unit vector a text, in the order given."""


def chosen_folder() -> Path | None:
    """The folder that VEXFS_MODEL names; None is the built-in model."""
    given = os.environ.get(ENV_MODEL, "").strip()
    return Path(given).expanduser() if given else None


def load(*, questions: bool) -> TextModel:
    """The model that was chosen, for questions or for passages: a model may want other words before them.

    Raises ModelMissing when the built-in one has no weights, ModelUnusable when the chosen one cannot be used.
    """
    folder = chosen_folder()
    if folder is not None:
        from vexfs.views.embedding.onnx_model import OnnxModel

        return OnnxModel.load(folder, questions=questions)
    from vexfs.views.embedding.model import Embedder

    return Embedder.load()
