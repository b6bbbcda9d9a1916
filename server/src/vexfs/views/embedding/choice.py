"""The embedding model that was chosen. Which one is it, and how is it loaded, now and when it is no longer the choice?

Used by the indexer for passages and by the API for questions: both read the same settings, so both use the same model. Where a
model comes from is written beside its vectors, so that these can be searched while those of another model are being made.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
import numpy as np
import numpy.typing as npt

from vexfs.core.errors import ViewUnavailable
from vexfs.views.embedding.weights import ModelUnusable

ENV_MODEL = "VEXFS_MODEL"
ENV_NAME = "VEXFS_MODEL_NAME"
ENV_DIMENSIONS = "VEXFS_MODEL_DIMENSIONS"
ENV_KEY = "VEXFS_MODEL_KEY"
ENV_KEY_FILE = "VEXFS_MODEL_KEY_FILE"
DIMENSIONS_MAX = 65_536


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
    """Where a model comes from; the built-in one when nothing is said. Holds no key, only the name of the file that does."""

    folder: str = ""
    url: str = ""
    """The base address of an endpoint: `name` is the model's there, `dimensions` what to ask for (0: its own)."""
    name: str = ""
    dimensions: int = 0
    key_file: str = ""

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
    """What VEXFS_MODEL names: a folder, or the address of an endpoint with what the other variables say of it."""
    given = _variable(ENV_MODEL)
    if not given:
        return Source()
    if not is_address(given):
        return Source(folder=str(Path(given).expanduser().absolute()))
    dimensions = _variable(ENV_DIMENSIONS)
    key_file = _variable(ENV_KEY_FILE)
    return Source(
        url=given.rstrip("/"),
        name=_variable(ENV_NAME),
        dimensions=(int(dimensions) if dimensions.isdecimal() else -1) if dimensions else 0,
        key_file=str(Path(key_file).expanduser().absolute()) if key_file else "",
    )


def is_address(given: str) -> bool:
    """Whether what VEXFS_MODEL says is an endpoint's."""
    return given.startswith(("http://", "https://"))


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()


def load(source: Source | None = None, *, questions: bool) -> TextModel:
    """The model that was chosen, or that of the source, for questions or for passages: it may want other words before them.

    Raises ModelMissing when the built-in one has no weights, ModelUnusable when another one cannot be used or reached.
    """
    source = chosen() if source is None else source
    if source.folder:
        from vexfs.views.embedding.onnx_model import OnnxModel

        return OnnxModel.load(Path(source.folder), questions=questions)
    if source.url:
        from vexfs.views.embedding.endpoint_model import EndpointModel

        _check_endpoint(source)
        return EndpointModel.load(source.url, source.name, _key(source), dimensions=source.dimensions, questions=questions)
    from vexfs.views.embedding.model import Embedder

    return Embedder.load()


def _check_endpoint(source: Source) -> None:
    address = urlsplit(source.url)
    if not address.hostname or address.username or address.password or address.query:
        raise ModelUnusable(
            f"{ENV_MODEL} shall be the address of an endpoint, such as https://host/v1, without user, password or query;"
            f" a key belongs into {ENV_KEY} or a file that {ENV_KEY_FILE} names"
        )
    if not source.name:
        raise ModelUnusable(f"{ENV_MODEL} names an endpoint, and {ENV_NAME} no model of it; set it")
    if not 0 <= source.dimensions <= DIMENSIONS_MAX:
        raise ModelUnusable(f"{ENV_DIMENSIONS} is {_variable(ENV_DIMENSIONS)!r}; give a number from 1 to {DIMENSIONS_MAX}")


def _key(source: Source) -> str:
    """From the file, else from the variable, which is for the address that is chosen now and for no other."""
    if not source.key_file:
        return _variable(ENV_KEY) if source.url == chosen().url else ""
    try:
        return Path(source.key_file).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"the key file {source.key_file} cannot be read: {error}; see {ENV_KEY_FILE}") from None


def load_again(name: str, written: str, *, questions: bool) -> TextModel:
    """The model whose vectors are stored under that name, from where `written` says. Raises ModelUnusable when it is gone."""
    try:
        model = load(decode_source(written), questions=questions)
    except ViewUnavailable as error:
        raise ModelUnusable(f"the model {name}, whose vectors are still searched, cannot be loaded: {error.message}") from error
    if model.name != name:
        raise ModelUnusable(f"the model {name}, whose vectors are still searched, is gone: {model.name} is in its place now")
    return model
