"""The embedding model that was chosen. Which one is it, and how is it loaded, now and when it is no longer the choice?

Used by the indexer for passages and by the API for questions: both read the same settings, so both use the same model. Where a
model comes from is written beside its vectors, so that these can be searched while those of another model are being made.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from vexfs.core.errors import ViewUnavailable
from vexfs.views.embedding.weights import ModelUnusable

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


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a model comes from; the built-in one when nothing is said."""

    folder: str = ""

    def encode(self) -> str:
        """As it is written beside the vectors."""
        return msgspec.json.encode(self).decode()


def decode_source(written: str) -> Source:
    """What `encode` wrote; of vectors without it, the built-in model. Raises ModelUnusable for what another version wrote."""
    try:
        return msgspec.json.decode(written, type=Source) if written else Source()
    except msgspec.MsgspecError as error:
        raise ModelUnusable(f"where the model of the stored vectors comes from cannot be read: {error}") from None


def chosen() -> Source:
    """What VEXFS_MODEL names."""
    given = os.environ.get(ENV_MODEL, "").strip()
    return Source(folder=str(Path(given).expanduser().absolute())) if given else Source()


def load(source: Source | None = None, *, questions: bool) -> TextModel:
    """The model that was chosen, or that of the source, for questions or for passages: it may want other words before them.

    Raises ModelMissing when the built-in one has no weights, ModelUnusable when another one cannot be used.
    """
    source = chosen() if source is None else source
    if source.folder:
        from vexfs.views.embedding.onnx_model import OnnxModel

        return OnnxModel.load(Path(source.folder), questions=questions)
    from vexfs.views.embedding.model import Embedder

    return Embedder.load()


def load_again(name: str, written: str, *, questions: bool) -> TextModel:
    """The model whose vectors are stored under that name, from where `written` says. Raises ModelUnusable when it is gone."""
    try:
        model = load(decode_source(written), questions=questions)
    except ViewUnavailable as error:
        raise ModelUnusable(f"the model {name}, whose vectors are still searched, cannot be loaded: {error.message}") from error
    if model.name != name:
        raise ModelUnusable(f"the model {name}, whose vectors are still searched, is gone: {model.name} is in its place now")
    return model
