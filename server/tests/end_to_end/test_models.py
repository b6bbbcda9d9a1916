"""Other embedding models by configuration, through a whole server: what it says of them, and what searches do with them."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.views.model_folders import bag_of_words

from .running import Server, wait_until

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
    assert running.search("the vet said wet food", "--mode", "dense")[0]["file"] == "/cats.md"
    status = json.loads(running.vexfs("status", "--json"))
    assert (status["next_model"], status["embedding_failure"]) == ("", "")
