"""Other embedding models by configuration, through a whole server: what it says of them, and what searches do with them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.views.embedding_server import KEY, EmbeddingServer
from tests.views.model_folders import bag_of_words, cross_encoder

from .running import Server, settings_removed, wait_until

CATS = b"The cat gets her dinner at six. Wet food only, the vet said."
TAX = b"The form is due at the end of May."


def put_notes(running: Server) -> None:
    running.vexfs("put", "-", "/cats.md", stdin=CATS)
    running.vexfs("put", "-", "/tax.md", stdin=TAX)


def model_of(running: Server) -> str:
    return str(json.loads(running.vexfs("status", "--json"))["model"])


def test_a_server_uses_the_model_of_a_folder(make_server: Callable[..., Server], tmp_path: Path) -> None:
    folder = bag_of_words(tmp_path / "model")
    running = make_server(arguments=("--model", str(folder))).start()
    put_notes(running)
    running.vexfs("wait", "--timeout", "60")
    assert model_of(running).startswith("model/onnx/")
    hits = running.search("the vet said wet food", "--mode", "dense")
    assert [hit["file"] for hit in hits] == ["/cats.md", "/tax.md"]


def test_a_folder_without_a_model_leaves_words_and_is_told(make_server: Callable[..., Server], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    running = make_server(arguments=("--model", str(folder))).start()
    put_notes(running)
    wait_until(lambda: running.search("dinner", "--mode", "lexical"), 30, "the words are found")
    answer = running.post("/v1/search", {"text": "dinner"})
    assert answer["partial"] and answer["hits"]
    assert any("does not hold model.onnx" in reason for reason in answer["partialReasons"]), answer["partialReasons"]
    bag_of_words(folder)  # somebody puts right what was wrong
    running.vexfs("wait", "--timeout", "60")
    wait_until(lambda: model_of(running).startswith("model/onnx/"), 30, "the model is used")
    wait_until(lambda: running.vexfs("search", "wet food", "--mode", "dense", check=False), 30, "the API has loaded it, too")
    assert running.search("the vet said wet food", "--mode", "dense")[0]["file"] == "/cats.md"


def test_another_model_takes_over_after_a_restart(make_server: Callable[..., Server], tmp_path: Path) -> None:
    first = make_server().start()
    put_notes(first)
    first.vexfs("wait", "--timeout", "60")
    assert model_of(first).startswith("all-MiniLM-L6-v2/")
    assert first.search("what does my pet eat", "--mode", "dense")[0]["file"] == "/cats.md"
    first.stop()
    first.ready_file.unlink(missing_ok=True)
    folder = bag_of_words(tmp_path / "model")
    running = make_server(arguments=("--model", str(folder))).start()
    wait_until(lambda: model_of(running).startswith("model/onnx/"), 30, "the other model serves")
    running.vexfs("wait", "--timeout", "60")
    wait_until(lambda: running.vexfs("search", "wet food", "--mode", "dense", check=False), 30, "the API has loaded it, too")
    assert running.search("the vet said wet food", "--mode", "dense")[0]["file"] == "/cats.md"
    status = json.loads(running.vexfs("status", "--json"))
    assert (status["next_model"], status["embedding_failure"]) == ("", "")


def test_an_endpoint_embeds_and_while_it_is_away_words_answer(
    make_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bag_of_words(tmp_path / "model")
    endpoint = EmbeddingServer(folder).start()
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    variables = {"VEXFS_MODEL": endpoint.url, "VEXFS_MODEL_NAME": "bag-of-words", "VEXFS_MODEL_KEY_FILE": str(key_file)}
    monkeypatch.setattr("tests.end_to_end.running.settings_removed", lambda: settings_removed() | variables)
    running = make_server().start()
    try:
        put_notes(running)
        running.vexfs("wait", "--timeout", "60")
        assert model_of(running).startswith("bag-of-words/endpoint/")
        assert running.search("the vet said wet food", "--mode", "dense")[0]["file"] == "/cats.md"
        assert endpoint.asked[CATS.decode()] == 1 and endpoint.asked["the vet said wet food"] == 1
    finally:
        endpoint.stop()
    answer = running.post("/v1/search", {"text": "dinner at six"})
    assert answer["partial"] and answer["hits"][0]["file"]["path"] == "/cats.md"
    assert any("cannot be reached" in reason for reason in answer["partialReasons"]), answer["partialReasons"]
    running.vexfs("put", "-", "/dogs.md", stdin=b"The dog eats whatever falls from the table.")
    wait_until(lambda: json.loads(running.vexfs("status", "--json"))["embedding_failure"], 30, "the failure is told")
    assert "cannot be reached" in running.vexfs("status")
    back = EmbeddingServer(folder, endpoint.port).start()
    try:
        running.vexfs("wait", "--timeout", "60")
        wait_until(lambda: not running.post("/v1/search", {"text": "whatever falls"}).get("partial"), 30, "it is asked again")
        assert running.search("whatever falls from the table", "--mode", "dense")[0]["file"] == "/dogs.md"
        assert json.loads(running.vexfs("status", "--json"))["embedding_failure"] == ""
    finally:
        back.stop()
    assert KEY not in running.log()
    pids = [running.process.pid, *(running.pid_of(name) for name in ("api", "indexer"))]
    assert not any(KEY.encode() in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)
    assert not any(KEY.encode() in path.read_bytes() for path in running.data.rglob("*") if path.is_file())


def test_a_server_reranks_with_the_model_of_a_folder(
    make_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"VEXFS_RERANKER": str(cross_encoder(tmp_path / "reranker"))}
    monkeypatch.setattr("tests.end_to_end.running.settings_removed", lambda: settings_removed() | variables)
    running = make_server().start()
    put_notes(running)
    running.vexfs("wait", "--timeout", "60")
    question = {"text": "what does my pet eat"}
    wait_until(lambda: running.post("/v1/search", question)["strategy"].endswith("+rerank"), 30, "the reranker is loaded")
    answer = running.post("/v1/search", question)
    assert not answer.get("partial") and len(answer["hits"]) == 2
    assert 1 > answer["hits"][0]["score"] >= answer["hits"][1]["score"] > 0
