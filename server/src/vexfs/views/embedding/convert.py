"""From published weights (safetensors) to a graph that ONNX Runtime runs: built node by node, then quantised.

Called by `vexfs.views.embedding.model` and `fetch`. The result is cached under a name that holds the hash of the weights and
the version of this conversion; it is written beside its place and renamed, so a half graph is never seen. One process converts
at a time (a file lock), the others wait and find it. Needs only `onnx` and `onnxruntime`, and imports them when converting.
"""

import fcntl
import json
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import blake3
import numpy as np

from vexfs.views.embedding.weights import MODEL_NAME, Weights, cache_folder

if TYPE_CHECKING:
    import onnx

Precision = Literal["fp32", "int8"]
CONVERSION_VERSION = 1
"""Part of the graph's name: raise it when the graph or the quantisation changes."""
DIMENSION = 384
_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12
_FUSED = "com.microsoft"


def fingerprint(weights: Weights) -> str:
    """12 hexadecimal digits that name the weights, the tokenizer and this conversion."""
    digest = blake3.blake3(bytes([CONVERSION_VERSION]))
    for path in (weights.safetensors, weights.tokenizer):
        digest.update(blake3.blake3(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def converted(weights: Weights, precision: Precision) -> Path:
    """The graph of these weights, converted now or earlier."""
    folder = cache_folder() / "graphs"
    target = folder / f"{MODEL_NAME}-{precision}-{fingerprint(weights)}.onnx"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        if not target.exists():
            _convert(weights, precision, target)
    return target


def _convert(weights: Weights, precision: Precision, target: Path) -> None:
    import onnx

    plain = target.with_name(f".{target.name}.{os.getpid()}.fp32")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        onnx.save(_graph(_read_safetensors(weights.safetensors)), str(plain))
        if precision == "int8":
            _quantise(plain, temporary)
        else:
            plain.rename(temporary)
        descriptor = os.open(temporary, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        temporary.rename(target)
    finally:
        plain.unlink(missing_ok=True)
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _quantise(source: Path, target: Path) -> None:
    """int8 weights per output channel; activations are quantised while running."""
    import logging

    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]  # ships no types

    # The quantiser advises to infer shapes before; the fused operators have no shape inference to run.
    logging.getLogger().addFilter(_no_preprocessing_advice)
    try:
        # What the fused operators give has no inferred type; it is float throughout.
        options = {"DefaultTensorType": onnx.TensorProto.FLOAT}
        quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8, extra_options=options)
    finally:
        logging.getLogger().removeFilter(_no_preprocessing_advice)


def _no_preprocessing_advice(record: Any) -> bool:
    return "pre-processing" not in record.getMessage()


def _read_safetensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All float32 tensors by name: 8 bytes length, a JSON header with offsets, then the data."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        return {
            name: np.frombuffer(data[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]], "<f4")
            .reshape(entry["shape"])
            .copy()
            for name, entry in header.items()
            if name != "__metadata__" and entry["dtype"] == "F32"
        }


class _Builder:
    """Collects nodes and constants of the graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: np.ndarray[Any, Any]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output


def _graph(tensors: dict[str, np.ndarray[Any, Any]]) -> "onnx.ModelProto":
    """Token ids of texts of equal length in, unit vectors out: embeddings, six layers, mean over tokens, L2 norm."""
    from onnx import TensorProto, helper

    build = _Builder()
    hidden = _embeddings(build, tensors)
    for layer in range(_LAYERS):
        hidden = _layer(build, tensors, f"encoder.layer.{layer}.", hidden)
    _pooling(build, hidden)
    graph = helper.make_graph(
        build.nodes,
        MODEL_NAME,
        [helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["batch", "length"])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", DIMENSION])],
        build.constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _embeddings(build: _Builder, tensors: dict[str, np.ndarray[Any, Any]]) -> str:
    from onnx import helper

    names = ("word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight")
    tables = [build.constant(name, tensors[f"embeddings.{name}"]) for name in names]
    norm = [build.constant(f"embeddings.{part}", tensors[f"embeddings.LayerNorm.{part}"]) for part in ("weight", "bias")]
    build.node("Sub", ["input_ids", "input_ids"], "segment_ids")  # one segment: all zero, in the shape of the ids
    inputs = ["input_ids", "segment_ids", *tables, *norm]
    outputs = ["hidden", "unused_lengths"]
    build.nodes.append(
        helper.make_node("EmbedLayerNormalization", inputs, outputs, name="hidden", domain=_FUSED, epsilon=_EPSILON)
    )
    return "hidden"


def _layer(build: _Builder, tensors: dict[str, np.ndarray[Any, Any]], prefix: str, hidden: str) -> str:
    def constant(name: str) -> str:
        return build.constant(prefix + name, tensors[prefix + name])

    def matrix(name: str) -> str:
        return build.constant(prefix + name, tensors[prefix + name].T)

    def parts(kind: str) -> list[np.ndarray[Any, Any]]:
        return [tensors[f"{prefix}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]

    qkv = build.constant(prefix + "qkv.weight", np.concatenate([part.T for part in parts("weight")], axis=1))
    qkv_bias = build.constant(prefix + "qkv.bias", np.concatenate(parts("bias")))
    context = build.node("Attention", [hidden, qkv, qkv_bias], prefix + "context", _FUSED, num_heads=_HEADS)
    dense = build.node("MatMul", [context, matrix("attention.output.dense.weight")], prefix + "attended")
    norm = [constant(f"attention.output.LayerNorm.{part}") for part in ("weight", "bias")]
    inputs = [dense, hidden, *norm, constant("attention.output.dense.bias")]
    middle = build.node("SkipLayerNormalization", inputs, prefix + "middle", _FUSED, epsilon=_EPSILON)
    wide = build.node("MatMul", [middle, matrix("intermediate.dense.weight")], prefix + "wide")
    active = build.node("BiasGelu", [wide, constant("intermediate.dense.bias")], prefix + "active", _FUSED)
    narrow = build.node("MatMul", [active, matrix("output.dense.weight")], prefix + "narrow")
    norm = [constant(f"output.LayerNorm.{part}") for part in ("weight", "bias")]
    inputs = [narrow, middle, *norm, constant("output.dense.bias")]
    return build.node("SkipLayerNormalization", inputs, prefix + "hidden", _FUSED, epsilon=_EPSILON)


def _pooling(build: _Builder, hidden: str) -> None:
    """The mean over the tokens, at unit length."""
    build.node("ReduceMean", [hidden], "mean", axes=[1], keepdims=0)
    build.node("LpNormalization", ["mean"], "vector", axis=1, p=2)
