"""The embedding model: equal to the original library's, stable, and near where meanings are near.

These tests use the real weights; without them (`python -m vexfs.views.embedding.fetch`) they fail and say so.
"""

import hashlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from vexfs.views.embedding import weights
from vexfs.views.embedding.model import MAX_TOKENS, Embedder

REFERENCE = json.loads((Path(__file__).parent / "data" / "reference_vectors.json").read_text("utf-8"))

PARAPHRASES = [
    ("How do I rotate the API keys of a service?", "How often should service credentials and access keys be replaced?"),
    ("The engine of the car would not start.", "The automobile's motor failed to turn on."),
    ("Read a text file line by line", "Go through a text document one row after the other"),
    ("parse command line arguments", "interpret the options given to a program in the shell"),
]


@pytest.fixture(scope="module")
def fp32() -> Embedder:
    return Embedder.load("fp32")


@pytest.fixture(scope="module")
def int8() -> Embedder:
    return Embedder.load("int8")


def test_fp32_equals_the_reference_vectors(fp32: Embedder) -> None:
    ours = weights.find().safetensors.read_bytes()
    assert hashlib.sha256(ours).hexdigest() == REFERENCE["weights_sha256"], "these are other weights than the reference's"
    assert REFERENCE["max_seq_length"] == MAX_TOKENS
    vectors = fp32.embed(REFERENCE["texts"])
    np.testing.assert_allclose(vectors, np.array(REFERENCE["vectors"], np.float32), atol=1e-5, rtol=0)


def test_int8_is_close_to_fp32(fp32: Embedder, int8: Embedder) -> None:
    texts = REFERENCE["texts"] + [text for pair in PARAPHRASES for text in pair]
    cosines = (fp32.embed(texts) * int8.embed(texts)).sum(axis=1)
    assert cosines.min() > 0.95
    assert cosines.mean() > 0.985


def test_paraphrases_are_nearer_than_anything_unrelated(int8: Embedder) -> None:
    left = int8.embed([pair[0] for pair in PARAPHRASES])
    right = int8.embed([pair[1] for pair in PARAPHRASES])
    similarity = left @ right.T
    assert similarity.diagonal().min() > 0.35
    unrelated = similarity[~np.eye(len(PARAPHRASES), dtype=bool)]
    assert unrelated.max() < similarity.diagonal().min()
    assert unrelated.mean() < 0.15


def test_a_vector_depends_on_its_text_alone(int8: Embedder) -> None:
    together = int8.embed(REFERENCE["texts"])
    for text, vector in zip(REFERENCE["texts"], together, strict=True):
        np.testing.assert_array_equal(int8.embed([text])[0], vector)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_empty_and_odd_texts_have_a_finite_vector(int8: Embedder) -> None:
    vectors = int8.embed(["", "\x00\x01", "�" * 2000, "\ud7ff\U0010ffff"])
    assert np.isfinite(vectors).all()
    assert int8.embed([]).shape == (0, 384)


def test_threads_may_embed_at_the_same_time(int8: Embedder) -> None:
    expected = int8.embed(REFERENCE["texts"])
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(int8.embed(REFERENCE["texts"]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_the_name_tells_precisions_apart(fp32: Embedder, int8: Embedder) -> None:
    assert fp32.name != int8.name
    assert int8.name.startswith("all-MiniLM-L6-v2/int8/")


def test_missing_weights_are_reported_with_where_they_were_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(weights.ENV_CACHE_DIR, str(tmp_path / "cache"))
    monkeypatch.delenv(weights.ENV_MODEL_DIR, raising=False)
    with pytest.raises(weights.ModelMissing, match=r"cache/models.*embedding\.fetch"):
        weights.find()
    monkeypatch.setenv(weights.ENV_MODEL_DIR, str(tmp_path / "mine"))
    with pytest.raises(weights.ModelMissing, match="mine does not hold"):
        weights.find()


def test_a_graph_is_converted_again_when_it_is_lost_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = weights.find()
    monkeypatch.setenv(weights.ENV_CACHE_DIR, str(tmp_path))
    expected = Embedder.load("int8", found.folder).embed(["x"])
    graphs = [path for path in (tmp_path / "graphs").iterdir() if path.name != ".lock"]
    assert [path.suffix for path in graphs] == [".onnx"]
    graphs[0].write_bytes(graphs[0].read_bytes()[:100_000])
    np.testing.assert_array_equal(Embedder.load("int8", found.folder).embed(["x"]), expected)
