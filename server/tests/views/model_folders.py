"""Folders with ONNX models for tests: one of a few layers of arithmetic, and the built-in weights as others export them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vexfs.views.embedding import weights
from vexfs.views.embedding.convert import converted

VOCABULARY = 30522


def bag_of_words(folder: Path, *, dimension: int = 24, seed: int = 1, outside: bool = False) -> Path:
    """A model whose token vectors are random directions, so that texts with the same words are near each other.

    It has the inputs and the output of a usual export; with `outside`, its table lies in a file beside the graph.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights.find().tokenizer, folder / "tokenizer.json")
    table = np.random.default_rng(seed).standard_normal((VOCABULARY, dimension)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["words", "column"], ["last_hidden_state"]),
    ]
    constants = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([2]), "last")]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "length", dimension])
    graph = helper.make_graph(nodes, "bag of words", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"), save_as_external_data=outside, location="model.onnx_data" if outside else None)
    return folder


def cross_encoder(folder: Path, *, seed: int = 1, scores: int = 1, scale: float = 0.05) -> Path:
    """A reranker: the inner product of the words of a question with those of a passage, with the table of `bag_of_words`."""
    bag_of_words(folder, seed=seed)
    table = onnx.load(str(folder / "model.onnx")).graph.initializer[0]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["token_type_ids"], ["of_passage"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "of_passage"], ["of_question"]),
        *(helper.make_node("Unsqueeze", [name, "middle"], [f"{name}_row"]) for name in ("of_question", "of_passage")),
        helper.make_node("MatMul", ["of_question_row", "words"], ["question"]),
        helper.make_node("MatMul", ["of_passage_row", "words"], ["passage"]),
        helper.make_node("Mul", ["question", "passage"], ["products"]),
        helper.make_node("ReduceSum", ["products", "both"], ["product"], keepdims=0),
        helper.make_node("Mul", ["product", "scale"], ["score"]),
        helper.make_node("Unsqueeze", ["score", "middle"], ["score_column"]),
        helper.make_node("Concat", ["score_column"] * scores, ["logits"], axis=1),
    ]
    constants = [
        table,
        *(numpy_helper.from_array(np.array([number], np.float32), name) for name, number in (("one", 1), ("scale", scale))),
        numpy_helper.from_array(np.array([1]), "middle"),
        numpy_helper.from_array(np.array([1, 2]), "both"),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in ("input_ids", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", scores])
    graph = helper.make_graph(nodes, "words in common", inputs, [output], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(folder / "model.onnx"))
    return folder


def built_in_with_tokens(folder: Path) -> Path:
    """The built-in weights as sentence-transformers lays them out: a graph that answers a vector a token, and the rest."""
    folder.mkdir(parents=True)
    found = weights.find()
    shutil.copyfile(found.tokenizer, folder / "tokenizer.json")
    model = onnx.load(str(converted(found, "fp32")))
    graph = model.graph
    kept = [node for node in graph.node if node.op_type not in ("ReduceMean", "LpNormalization")]
    del graph.node[:]
    graph.node.extend(kept)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(kept[-1].output[0], TensorProto.FLOAT, ["batch", "length", 384]))
    (folder / "onnx").mkdir()
    onnx.save(model, str(folder / "onnx" / "model.onnx"))
    write(folder, "config.json", {"model_type": "bert", "max_position_embeddings": 512})
    write(folder, "sentence_bert_config.json", {"max_seq_length": 256, "do_lower_case": False})
    write(folder, "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ])  # fmt: skip
    pooling = {"word_embedding_dimension": 384, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    write(folder, "1_Pooling/config.json", pooling)
    return folder


def write(folder: Path, name: str, content: Any) -> None:
    """A JSON file of the folder."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
