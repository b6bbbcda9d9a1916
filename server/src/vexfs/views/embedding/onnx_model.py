"""An embedding model from a folder with an ONNX graph: texts in, unit vectors out.

Loaded by `vexfs.views.embedding.choice` in the indexer (for passages) and the API (for questions). `embed` may be called from
several threads at once. Everything is checked when the model is loaded, by running it: which inputs and outputs the graph has,
and how long its vectors are. Never downloads, never writes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import blake3
import numpy as np
import numpy.typing as npt

from vexfs.views.embedding.folder_settings import TOKENIZER, FolderSettings, Pooling, find_graph, read_settings
from vexfs.views.embedding.graph_inputs import GraphInputs
from vexfs.views.embedding.session import open_session
from vexfs.views.embedding.weights import ModelUnusable

_POOLED = "sentence_embedding"
"""An output of this name is the text's vector, pooled by the graph."""
_EXPORT = "embedding texts (feature extraction)"
_PROBE = "The dimension of a vector is known once there is one."
RUNNING_VERSION = 1
"""Part of every model's name: raise it when the same files give other vectors."""


class _Output(NamedTuple):
    name: str
    pooling: Pooling | None
    """None: the graph has pooled already."""


class OnnxModel:
    """A loaded model of the user's own, which embeds with one prefix before each text."""

    batch_texts = 1
    """Each text is a run of its own: on a processor that is as fast, and needs no padding."""

    def __init__(self, session: Any, tokenizer: Any, settings: FolderSettings, name: str, prefix: str) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._prefix = prefix
        self._inputs = GraphInputs(session, _EXPORT)
        self._output = _output(session, settings.pooling)
        self.name = name
        """Identifies files and settings; vectors of different names are not compared."""
        self.dimension = len(self._probe())

    @staticmethod
    def load(folder: Path, *, questions: bool, threads: int = 1) -> "OnnxModel":
        """Reads and checks the model; of a large one that takes seconds. Raises ModelUnusable, saying what to do."""
        from tokenizers import Tokenizer

        graph, settings = find_graph(folder), read_settings(folder)
        try:
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # the library raises no class of its own
            raise ModelUnusable(
                f"{folder / TOKENIZER} cannot be read: {error}; put the tokenizer of the model there"
            ) from error
        tokenizer.enable_truncation(settings.max_tokens)
        tokenizer.no_padding()
        name = f"{settings.kind}/onnx/{fingerprint(folder, graph, settings)}"
        try:
            session = open_session(graph, threads)
        except Exception as error:  # ONNX Runtime has no common base for what a damaged graph raises
            raise ModelUnusable(f"{graph} cannot be loaded: {error}; export the model to ONNX again") from error
        return OnnxModel(session, tokenizer, settings, name, settings.query_prefix if questions else settings.passage_prefix)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One unit vector a text, in the order given. Raises ModelUnusable when the model answers anything else."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._vector(text)
        return vectors

    def _vector(self, text: str) -> npt.NDArray[np.float32]:
        encoding = self._tokenizer.encode(self._prefix + text)
        found = self._session.run([self._output.name], self._inputs.of(encoding))[0][0]
        return _unit(_pooled(found, self._output.pooling))

    def _probe(self) -> npt.NDArray[np.float32]:
        try:
            return self._vector(_PROBE)
        except ModelUnusable:
            raise
        except Exception as error:  # whatever the graph's operators raise
            raise ModelUnusable(
                f"the model {self.name} cannot embed a text: {error}; are graph and tokenizer one model's?"
            ) from error


def fingerprint(folder: Path, graph: Path, settings: FolderSettings) -> str:
    """12 hexadecimal digits that name the graph with what lies beside it, the tokenizer and the settings."""
    digest = blake3.blake3(repr((RUNNING_VERSION, settings)).encode())
    for path in (graph, *_outside(graph), folder / TOKENIZER):
        digest.update(blake3.blake3(max_threads=1).update_mmap(path).digest())
    return digest.hexdigest()[:12]


def _outside(graph: Path) -> list[Path]:
    """The files in which a graph keeps tensors. Raises ModelUnusable when one is missing."""
    import onnx

    try:
        model = onnx.load(str(graph), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError, and what onnx makes of others
        raise ModelUnusable(f"{graph} is no ONNX graph: {error}; export the model to ONNX again") from error
    names = {
        entry.value
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    missing = sorted(name for name in names if not (graph.parent / name).is_file())
    if missing:
        raise ModelUnusable(f"{graph} keeps tensors in {', '.join(missing)}, which is not beside it; copy it there")
    return [graph.parent / name for name in sorted(names)]


def _output(session: Any, pooling: Pooling) -> _Output:
    """The vector of the text if the graph gives it, else the vectors of its tokens."""
    ranks = {given.name: len(given.shape) for given in session.get_outputs()}
    if ranks.get(_POOLED) == 2:
        return _Output(_POOLED, None)
    tokens = [name for name, rank in ranks.items() if rank == 3]
    if tokens:
        return _Output(tokens[0], pooling)
    if list(ranks.values()) == [2]:
        return _Output(next(iter(ranks)), None)
    raise ModelUnusable(
        f"the graph's outputs {', '.join(sorted(ranks))} are neither one vector a text nor one a token:"
        f" export the model for {_EXPORT}"
    )


def _pooled(tokens: npt.NDArray[np.float32], pooling: Pooling | None) -> npt.NDArray[np.float32]:
    if pooling is None:
        return tokens
    if pooling == "mean":
        return np.asarray(tokens.mean(axis=0, dtype=np.float32))
    return np.asarray(tokens[0 if pooling == "cls" else -1])


def _unit(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """At unit length, as cosines are compared. Raises ModelUnusable for what has no direction."""
    length = float(np.linalg.norm(vector))
    if vector.ndim != 1 or not np.isfinite(length) or length == 0:
        raise ModelUnusable(
            "the model answers no vector of finite numbers; quantised graphs may be too coarse: try another export"
        )
    return np.asarray(vector / length, np.float32)
