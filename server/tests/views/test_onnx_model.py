"""A model from a folder: what its files say is done, its vectors are those of the arithmetic, and what is wrong is named."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_folders import bag_of_words, built_in_with_tokens, write
from onnx import numpy_helper
from tokenizers import Tokenizer

from vexfs.views.embedding import choice
from vexfs.views.embedding.model import Embedder
from vexfs.views.embedding.onnx_model import OnnxModel
from vexfs.views.embedding.weights import ModelUnusable

REFERENCE = json.loads((Path(__file__).parent / "data" / "reference_vectors.json").read_text("utf-8"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return bag_of_words(tmp_path / "model")


def load(folder: Path, *, questions: bool = False) -> OnnxModel:
    return OnnxModel.load(folder, questions=questions)


def token_vectors(folder: Path, text: str) -> np.ndarray:
    """What the graph of `bag_of_words` answers, looked up by hand."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    ids = tokenizer.encode(text).ids
    return numpy_helper.to_array(onnx.load(str(folder / "model.onnx")).graph.initializer[0])[ids]


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def test_a_sentence_transformers_folder_gives_the_vectors_of_that_library(tmp_path: Path) -> None:
    model = load(built_in_with_tokens(tmp_path / "model"))
    assert model.dimension == 384 and model.name.startswith("bert/onnx/")
    np.testing.assert_allclose(model.embed(REFERENCE["texts"]), np.array(REFERENCE["vectors"], np.float32), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("key", "pooled"),
    [
        ("pooling_mode_mean_tokens", lambda tokens: tokens.mean(axis=0)),
        ("pooling_mode_cls_token", lambda tokens: tokens[0]),
        ("pooling_mode_lasttoken", lambda tokens: tokens[-1]),
    ],
)
def test_tokens_are_pooled_as_the_folder_says(folder: Path, key: str, pooled: Callable[[np.ndarray], np.ndarray]) -> None:
    table = onnx.load(str(folder / "model.onnx"))
    values = numpy_helper.to_array(table.graph.initializer[0]).copy()
    values[[101, 102]] += 3  # the marks at the ends, which are the same in every text
    table.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "table"))
    onnx.save(table, str(folder / "model.onnx"))
    write(folder, "1_Pooling/config.json", {"word_embedding_dimension": 24, key: True})
    text = "the cat gets her dinner at six"
    np.testing.assert_allclose(load(folder).embed([text])[0], unit(pooled(token_vectors(folder, text))), atol=1e-6)


def test_without_a_word_about_pooling_it_is_the_mean(folder: Path) -> None:
    text = "the cat gets her dinner at six"
    np.testing.assert_allclose(load(folder).embed([text])[0], unit(token_vectors(folder, text).mean(axis=0)), atol=1e-6)


def test_a_text_longer_than_the_model_reads_is_cut(folder: Path) -> None:
    write(folder, "config.json", {"model_type": "bert", "max_position_embeddings": 64})
    write(folder, "sentence_bert_config.json", {"max_seq_length": 12})
    long, cut = (
        "one two three four five six seven eight nine ten eleven twelve",
        "one two three four five six seven eight nine ten",
    )
    np.testing.assert_array_equal(load(folder).embed([long]), load(folder).embed([cut]))
    write(folder, "vexfs-model.json", {"max_tokens": 64})
    assert not np.array_equal(load(folder).embed([long]), load(folder).embed([cut]))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("vexfs-model.json", {"query_prefix": "query: ", "passage_prefix": "passage: "}),
        ("config_sentence_transformers.json", {"prompts": {"query": "query: ", "document": "passage: "}}),
        ("config_sentence_transformers.json", {"prompts": {"query": "query: ", "passage": "passage: "}}),
    ],
)
def test_prefixes_stand_before_questions_and_passages(folder: Path, name: str, content: object) -> None:
    plain = load(folder)
    write(folder, name, content)
    questions, passages = load(folder, questions=True), load(folder)
    assert questions.name == passages.name != plain.name
    np.testing.assert_array_equal(questions.embed(["the cat"]), plain.embed(["query: the cat"]))
    np.testing.assert_array_equal(passages.embed(["the cat"]), plain.embed(["passage: the cat"]))


def test_the_name_tells_files_and_settings_apart_and_not_places(folder: Path, tmp_path: Path) -> None:
    name = load(folder).name
    moved = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert load(moved).name == name
    write(moved, "vexfs-model.json", {"max_tokens": 100})
    assert load(moved).name != name
    assert load(bag_of_words(tmp_path / "other", seed=2)).name != name
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text("utf-8") + "\n", "utf-8")
    assert load(folder).name != name


def test_tensors_outside_of_the_graph_belong_to_the_model(tmp_path: Path) -> None:
    folder = bag_of_words(tmp_path / "model", outside=True)
    inside = bag_of_words(tmp_path / "inside")
    before = load(folder)
    np.testing.assert_array_equal(before.embed(["the cat"]), load(inside).embed(["the cat"]))
    outside = folder / "model.onnx_data"
    with outside.open("r+b") as file:
        file.seek(4000)
        file.write(b"\x00" * 64)
    assert load(folder).name != before.name
    outside.unlink()
    with pytest.raises(ModelUnusable, match=r"model\.onnx_data, which is not beside it"):
        load(folder)


def damage(folder: Path, name: str, content: bytes | None) -> None:
    (folder / name).unlink(missing_ok=True)
    if content is not None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.onnx", None, r"does not hold model\.onnx or onnx/model\.onnx; export"),
        ("tokenizer.json", None, r"does not hold tokenizer\.json"),
        ("model.onnx", b"not a graph", "is no ONNX graph.*export the model to ONNX again"),
        ("tokenizer.json", b"{}", r"tokenizer\.json cannot be read"),
        ("config.json", b"{", r"config\.json cannot be read"),
        ("vexfs-model.json", b'{"poolign": "cls"}', "poolign.*It may say pooling, max_tokens, query_prefix, passage_prefix"),
        ("vexfs-model.json", b'{"pooling": "max"}', "one of mean, cls, last"),
        ("vexfs-model.json", b'{"max_tokens": 0}', "give 1 or more"),
        (
            "1_Pooling/config.json",
            b'{"pooling_mode_max_tokens": true}',
            r"pooling_mode_max_tokens.*say which in vexfs-model\.json",
        ),
        ("modules.json", b'[{"type": "sentence_transformers.models.Dense"}]', "a step 'Dense'"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, name: str, content: bytes | None, said: str) -> None:
    damage(folder, name, content)
    with pytest.raises(ModelUnusable, match=said):
        load(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="nowhere is not there; name a folder"):
        load(tmp_path / "nowhere")


def test_a_graph_for_another_task_is_refused(folder: Path) -> None:
    model = onnx.load(str(folder / "model.onnx"))
    model.graph.input[1].name = "pixel_values"
    for node in model.graph.node:
        node.input[:] = ["pixel_values" if name == "attention_mask" else name for name in node.input]
    onnx.save(model, str(folder / "model.onnx"))
    with pytest.raises(ModelUnusable, match=r"wants the inputs input_ids, pixel_values.*feature extraction"):
        load(folder)


def test_vectors_without_a_direction_are_refused(folder: Path) -> None:
    model = onnx.load(str(folder / "model.onnx"))
    shape = numpy_helper.to_array(model.graph.initializer[0]).shape
    for value in (np.nan, 0.0):
        model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full(shape, value, np.float32), "table"))
        onnx.save(model, str(folder / "model.onnx"))
        with pytest.raises(ModelUnusable, match="no vector of finite numbers"):
            load(folder)


def test_a_tokenizer_of_another_model_is_noticed(folder: Path) -> None:
    model = onnx.load(str(folder / "model.onnx"))
    values = numpy_helper.to_array(model.graph.initializer[0])[:50]
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "table"))
    onnx.save(model, str(folder / "model.onnx"))
    with pytest.raises(ModelUnusable, match=r"cannot embed a text.*one model's"):
        load(folder)


def test_the_setting_chooses_the_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.ENV_MODEL, os.path.relpath(folder))
    assert choice.load(questions=True).name == load(folder).name
    monkeypatch.setenv(choice.ENV_MODEL, "")
    assert choice.load(questions=True).name == Embedder.load().name
