"""Changing the embedding model while searches go on: what is there answers, by its own model, until all is made anew."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tests.search.test_search_text import DOCUMENTS, READY_S, put
from tests.views.dense.volumes import wait_until, write
from tests.views.model_folders import bag_of_words
from vexfs.core import files
from vexfs.core.errors import ViewUnavailable
from vexfs.core.search import SearchAnswer, SearchEngine, TextSearch
from vexfs.core.types import ROOT_INO
from vexfs.store.volume import Volume
from vexfs.views.derived import DATABASE_NAME, derived_folder
from vexfs.views.embedding import choice

QUESTION = DOCUMENTS["moon.txt"].strip()
"""The text of a file: to the model that embedded it, it is the same; to another of equal dimension, nothing like it."""
PASSAGES = 2000


class Changing:
    """A volume with an engine and an indexer, which can be started with one model or another."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.volume = Volume.open(data / "volumes" / "main", "api", create=True)
        self.docs = write(self.volume, lambda txn: files.make_directory(txn, ROOT_INO, b"docs", mode=0o40755, uid=0, gid=0)).ino
        for name, text in DOCUMENTS.items():
            put(self.volume, self.docs, name, text)
        self.indexer: subprocess.Popen[bytes] | None = None
        self.engine: SearchEngine | None = None

    def start(self, model: Path, *, indexer: bool = True, threads: int = 1) -> SearchEngine:
        os.environ[choice.ENV_MODEL] = str(model)  # the test's monkeypatch puts it back
        if indexer:
            self.start_indexer(threads)
        self.engine = SearchEngine(
            self.volume,
            lambda: choice.load(questions=True),
            load_again=lambda name, source: choice.load_again(name, source, questions=True),
        )
        self.engine.start()
        assert self.engine.queries.wait(READY_S)
        return self.engine

    def start_indexer(self, threads: int = 1) -> None:
        environment = {**os.environ, "VEXFS_EMBEDDING_THREADS": str(threads)}
        self.indexer = subprocess.Popen(
            [sys.executable, "-m", "vexfs.views.indexer", "--data", str(self.data)], env=environment
        )

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.engine is not None:
            self.engine.stop()
            self.engine = None
        self.stop_indexer(number)

    def stop_indexer(self, number: int = signal.SIGTERM) -> None:
        if self.indexer is not None:
            self.indexer.send_signal(number)
            self.indexer.wait(30)
            self.indexer = None

    def ready(self) -> None:
        assert self.engine is not None
        self.engine.wait_for_views(0, time.monotonic() + READY_S)

    def ask(self) -> SearchAnswer:
        assert self.engine is not None
        return self.engine.search(TextSearch(QUESTION, "dense"))

    def stored(self, model: str) -> dict[bytes, int]:
        """The vectors of a model as they are stored: which row each is. A vector that is made again gets another row."""
        connection = apsw.Connection(str(derived_folder(self.volume.folder) / DATABASE_NAME), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(5000)
            return dict(connection.execute("SELECT text_key, rowid FROM embedding WHERE model = ?", (model,)))
        finally:
            connection.close()


@pytest.fixture
def changing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Changing]:
    monkeypatch.setenv(choice.ENV_MODEL, "")
    made = Changing(tmp_path / "data")
    yield made
    made.stop()
    made.volume.close()


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    return bag_of_words(tmp_path / "first", seed=1), bag_of_words(tmp_path / "second", seed=2)


def put_many(changing: Changing) -> None:
    """Files with so many passages in all."""
    for number in range(PASSAGES // 100):
        passages = ("".join(f"word{number} and {place} and {word}. " for word in range(24)) for place in range(100))
        put(changing.volume, changing.docs, f"many-{number}.txt", "\n\n".join(passages))


def sure(answer: SearchAnswer) -> bool:
    """Whether the model that embedded the passages embedded the question: the same text is the same vector."""
    return answer.hits[0].path == b"/docs/moon.txt" and answer.hits[0].score > 0.999


def test_searches_compare_with_the_vectors_of_one_model_all_through_a_change(
    changing: Changing, models: tuple[Path, Path]
) -> None:
    put_many(changing)
    engine = changing.start(models[0], threads=2)
    changing.ready()
    first = engine.progress.embedding().model
    assert sure(changing.ask())
    changing.stop()

    engine = changing.start(models[1], indexer=False)
    second = engine.queries.model[0]
    assert second != first
    wait_until(lambda: bool(_answered(changing)), READY_S, "the first model is loaded, too")
    answers: list[tuple[str, SearchAnswer]] = []
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            answers.append((engine.dense.text_served()[1], changing.ask()))
            time.sleep(0.001)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        changing.start_indexer()
        wait_until(lambda: engine.progress.embedding().next_model == second, READY_S, "the change has begun")
        wait_until(lambda: engine.dense.text_served()[1] == second, READY_S, "the second model serves")
        time.sleep(0.2)
    finally:
        ending.set()
        asking.join()
    assert {model for model, _ in answers} == {first, second}
    assert [answer.hits[:1] for _, answer in answers if not sure(answer)] == []
    assert len(answers) > 50
    changing.ready()
    assert sure(changing.ask()) and not changing.ask().partial


def _answered(changing: Changing) -> SearchAnswer | None:
    """An answer by the vectors that are served; None while the view or their model is being loaded."""
    try:
        answer = changing.ask()
    except ViewUnavailable:
        return None
    return answer if answer.hits else None


def test_a_killed_change_goes_on_and_embeds_nothing_twice(changing: Changing, models: tuple[Path, Path]) -> None:
    put_many(changing)
    changing.start(models[0], threads=2)
    changing.ready()
    changing.stop()
    engine = changing.start(models[1])
    second = engine.queries.model[0]
    wait_until(lambda: engine.progress.embedding().done > 0, READY_S, "the change is under way")
    changing.stop_indexer(signal.SIGKILL)
    status, before = engine.progress.embedding(), changing.stored(second)
    assert 0 < status.done < status.total and status.next_model == second, "it had to be killed in the middle"
    wait_until(lambda: bool(_answered(changing)), READY_S, "the first model answers")
    assert sure(changing.ask())
    changing.start_indexer(2)
    wait_until(lambda: engine.dense.text_served()[1] == second, READY_S, "the second model serves")
    after = changing.stored(second)
    assert {key: after[key] for key in before} == before and len(after) == status.total
    assert sure(changing.ask())


def test_a_model_that_is_gone_leaves_words_and_the_answer_says_so(changing: Changing, models: tuple[Path, Path]) -> None:
    changing.start(models[0])
    changing.ready()
    changing.stop()
    (models[0] / "model.onnx").unlink()
    engine = changing.start(models[1], indexer=False)
    wait_until(lambda: engine.dense.text_state() is not None, READY_S, "the vectors are read")

    def reasons() -> str:
        answer = engine.search(TextSearch("moon"))
        assert answer.partial and answer.hits[0].path == b"/docs/moon.txt"
        return " ".join(answer.partial_reasons)

    wait_until(lambda: "does not hold model.onnx" in reasons(), READY_S, "the reason is given")
    assert "whose vectors are still searched" in reasons()
    with pytest.raises(ViewUnavailable):
        changing.ask()
    changing.start_indexer()
    wait_until(lambda: not engine.search(TextSearch("moon")).partial, READY_S, "the second model serves")
    assert sure(changing.ask())
