"""Embedding what waits: each text once, on all cores, the fresh ones first, in windows sorted by length, surviving failures."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import blake3
import numpy as np
import pytest
from indexer_process import eventually
from model_folders import bag_of_words

from vexfs.core.errors import InvalidRequest
from vexfs.core.types import Ino, Revision
from vexfs.views import derived
from vexfs.views.derived import DerivedReader, FileState
from vexfs.views.embedding import choice
from vexfs.views.embedding.model import Embedder
from vexfs.views.embedding.onnx_model import OnnxModel
from vexfs.views.indexing import embedding_thread
from vexfs.views.indexing.embedding_thread import EmbeddingThread
from vexfs.views.indexing.embedding_workers import ENV_THREADS, thread_count
from vexfs.views.indexing.upkeep import PASS_EVERY_S, UnusedModels
from vexfs.views.indexing.writer import BULK_LANE, FRESH_LANE, DerivedWriter, PassageText, PendingFile


class Watched:
    """The real model; what it was asked, how many asked at once, and a gate that can be shut."""

    batch_texts = 1

    def __init__(self) -> None:
        self._real = Embedder.load()
        self.name, self.dimension = self._real.name, self._real.dimension
        self.asked: list[str] = []
        self.at_once: list[int] = []
        self.open = threading.Event()
        self.open.set()
        self.fails: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._running = 0

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        with self._lock:
            self._running += 1
            self.at_once.append(self._running)
            self.asked += texts
        try:
            self.open.wait(30)
            if self.fails[texts[0]]:
                self.fails[texts[0]] -= 1
                raise RuntimeError("this text cannot be embedded now")
            return self._real.embed(texts)
        finally:
            with self._lock:
                self._running -= 1


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched = Watched()
    monkeypatch.setattr(choice, "load", lambda *, questions: watched)
    return watched


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[DerivedWriter]:
    writer = DerivedWriter(tmp_path / "derived")
    yield writer
    writer.close()


@pytest.fixture
def reader(writer: DerivedWriter) -> Iterator[DerivedReader]:
    reader = DerivedReader(writer.folder)
    yield reader
    reader.close()


Start = Callable[[int], EmbeddingThread]


@pytest.fixture
def start(writer: DerivedWriter, model: Watched) -> Iterator[Start]:
    started: list[EmbeddingThread] = []

    def begin(count: int) -> EmbeddingThread:
        started.append(EmbeddingThread(lambda: writer, lambda: None, count))
        started[-1].start()
        return started[-1]

    yield begin
    model.open.set()
    for thread in started:
        thread.close()


def store(writer: DerivedWriter, ino: int, *texts: str, lane: int = BULK_LANE) -> None:
    """A file with these passages, as the indexer stores it."""
    done = PendingFile(Ino(ino), lane, Revision(1), Revision(1), 0)
    writer.enqueue([done])
    passages = [PassageText(0, 1, 1, 1, blake3.blake3(text.encode()).digest(derived.TEXT_KEY_BYTES), text) for text in texts]
    state = FileState(Ino(ino), Revision(1), derived.STATE_READY, "", "text", 1)
    writer.store_passages(state, passages, str(writer.meta("model") or ""), done)


def drained(reader: DerivedReader) -> bool:
    return reader.pending() == (0, 0)


def test_a_text_that_several_files_have_is_embedded_once(
    writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start
) -> None:
    shared = [f"shared passage number {number}" for number in range(20)]
    for ino in range(10, 15):
        store(writer, ino, *shared, f"only in {ino}")
    model.open.clear()
    thread = start(2)
    eventually(lambda: model.asked)
    store(writer, 15, *shared, "only in 15")  # while they are under way
    thread.wake(fresh=False)
    model.open.set()
    eventually(lambda: drained(reader))
    assert Counter(model.asked) == Counter({*shared, *(f"only in {ino}" for ino in range(10, 16))})
    for ino in range(10, 16):
        vectors = reader.vectors(ino, model.name)
        assert [vector.ordinal for vector in vectors] == list(range(21))
    expected = Embedder.load().embed([shared[3]])[0].tobytes()
    assert reader.vectors(12, model.name)[3].vector == expected


def test_every_thread_works(writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start) -> None:
    store(writer, 10, *(f"passage number {number}" for number in range(100)))
    start(3)
    eventually(lambda: drained(reader))
    assert max(model.at_once) == 3
    assert len(model.asked) == 100


def test_a_window_is_sorted_by_length_and_windows_keep_the_order_of_passages(
    writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_thread, "WINDOW_TEXTS", 50)
    texts = [f"{number} " + "word " * ((number * 7) % 31) for number in range(100)]
    store(writer, 10, *texts)
    start(1)
    eventually(lambda: drained(reader))
    for window in (slice(0, 50), slice(50, 100)):
        assert set(model.asked[window]) == set(texts[window])
        assert model.asked[window] == sorted(model.asked[window], key=len)


def test_a_fresh_text_waits_for_one_other_a_thread_and_is_stored_at_once(
    writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start
) -> None:
    store(writer, 10, *(f"bulk passage number {number}" for number in range(200)))
    model.open.clear()
    thread = start(2)
    eventually(lambda: len(model.asked) == 2)
    store(writer, 11, "somebody just wrote this", lane=FRESH_LANE)
    store(writer, 12, "bulk passage number 199", lane=FRESH_LANE)
    thread.wake(fresh=True)
    time.sleep(0.1)
    model.open.set()
    eventually(lambda: reader.vectors(11, model.name) and reader.vectors(12, model.name))
    assert set(model.asked[2:4]) == {"somebody just wrote this", "bulk passage number 199"}
    assert reader.pending().passages > 50, "the bulk ones had to be under way for this to say anything"
    eventually(lambda: drained(reader))
    assert len(model.asked) == 201


def test_while_files_are_read_bulk_texts_get_only_a_turn_now_and_then(
    writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start
) -> None:
    model.open.clear()
    thread = start(1)
    store(writer, 10, *(f"bulk passage number {number}" for number in range(300)))
    thread.wake(fresh=False)
    eventually(lambda: model.asked)
    thread.hold_bulk(True)
    model.open.set()
    time.sleep(1.0)
    assert len(model.asked) <= 2 * embedding_thread.HELD_TEXTS + 1
    store(writer, 11, "somebody just wrote this", lane=FRESH_LANE)
    thread.wake(fresh=True)
    eventually(lambda: reader.vectors(11, model.name), 2)
    thread.hold_bulk(False)
    eventually(lambda: drained(reader))


def test_a_text_that_failed_is_tried_again_and_keeps_no_other_back(
    writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start
) -> None:
    model.fails["bad"] = 1
    store(writer, 10, "bad", "good", "better")
    start(2)
    eventually(lambda: drained(reader))
    assert Counter(model.asked) == Counter({"bad": 2, "good": 1, "better": 1})


def test_texts_are_given_as_many_at_once_as_the_model_takes_and_a_bad_one_keeps_no_other_back(
    writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start
) -> None:
    model.batch_texts = 8
    texts = [f"passage number {number:03}" for number in range(64)]
    model.fails[texts[8]] = 2  # it fails first in a request for eight, then by itself
    store(writer, 10, *texts)
    model.open.clear()
    start(1)
    eventually(lambda: model.asked)
    model.open.set()
    eventually(lambda: drained(reader))
    assert len(reader.vectors(10, model.name)) == 64
    again = Counter({text: count - 1 for text, count in Counter(model.asked).items() if count > 1})
    assert again == Counter({**dict.fromkeys(texts[8:16], 1), texts[8]: 2})


def test_why_nothing_is_embedded_is_told_until_something_is(
    writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start
) -> None:
    model.fails["bad"] = 1
    store(writer, 10, "bad")
    start(1)
    eventually(lambda: reader.model_state().failure == "this text cannot be embedded now")
    eventually(lambda: drained(reader) and not reader.model_state().failure)


def test_closing_keeps_what_is_done_and_leaves_the_rest_queued(
    writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start
) -> None:
    store(writer, 10, *(f"passage number {number}" for number in range(500)))
    thread = start(2)
    eventually(lambda: len(model.asked) > 10)
    started = time.monotonic()
    thread.close()
    assert time.monotonic() - started < 20
    asked = len(model.asked)
    assert len(reader.vectors(10, model.name)) == asked == 500 - reader.pending().passages
    time.sleep(0.1)
    assert len(model.asked) == asked


@pytest.mark.parametrize(("given", "expected"), [("1", 1), (" 3 ", 3), ("64", 64)])
def test_the_number_of_threads_can_be_set(monkeypatch: pytest.MonkeyPatch, given: str, expected: int) -> None:
    monkeypatch.setenv(ENV_THREADS, given)
    assert thread_count() == expected


def test_by_default_there_is_a_thread_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENV_THREADS, raising=False)
    assert thread_count() >= 1


@pytest.mark.parametrize("given", ["0", "-1", "many", "65", "1.5"])
def test_a_number_of_threads_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(ENV_THREADS, given)
    with pytest.raises(InvalidRequest, match=ENV_THREADS):
        thread_count()


# --- another model


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two models of equal dimension; the first is chosen."""
    made = bag_of_words(tmp_path / "first", seed=1), bag_of_words(tmp_path / "second", seed=2)
    monkeypatch.setenv(choice.ENV_MODEL, str(made[0]))
    return made


@pytest.fixture
def begin(writer: DerivedWriter) -> Iterator[Callable[[], EmbeddingThread]]:
    started: list[EmbeddingThread] = []

    def begin() -> EmbeddingThread:
        started.append(EmbeddingThread(lambda: writer, lambda: None, 2))
        started[-1].start()
        return started[-1]

    yield begin
    for thread in started:
        thread.close()


class Gated:
    """A real model that embeds while the gate is open, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self._real = OnnxModel.load(folder, questions=False)
        self.name, self.dimension, self.batch_texts = self._real.name, self._real.dimension, self._real.batch_texts
        self.open = threading.Event()
        self.shuts_after = 0
        self.asked: Counter[str] = Counter()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        assert self.open.wait(30)
        self.asked.update(texts)
        if len(self.asked) == self.shuts_after:
            self.open.clear()
        return self._real.embed(texts)


@pytest.fixture
def second(folders: tuple[Path, Path], writer: DerivedWriter, reader: DerivedReader, begin: Callable[[], EmbeddingThread],
           monkeypatch: pytest.MonkeyPatch) -> Iterator[Gated]:  # fmt: skip
    """The second model, chosen after the first had embedded 300 passages; it has not begun."""
    store(writer, 10, *(f"passage number {number}" for number in range(300)))
    thread = begin()
    eventually(lambda: drained(reader))
    thread.close()
    gated, really = Gated(folders[1]), choice.load
    monkeypatch.setenv(choice.ENV_MODEL, str(folders[1]))
    monkeypatch.setattr(
        choice, "load", lambda source=None, *, questions: really(source, questions=questions) if source else gated
    )
    yield gated
    gated.open.set()


def test_the_vectors_there_are_serve_until_another_model_has_all(
    second: Gated, writer: DerivedWriter, reader: DerivedReader, begin: Callable[[], EmbeddingThread]
) -> None:
    first = reader.model()
    thread = begin()
    eventually(lambda: reader.model_state().next_model == second.name)
    assert reader.model_state()[-3:] == (0, 300, "")
    store(writer, 11, "somebody just wrote this", lane=FRESH_LANE)
    store(writer, 12, "an import brought that")
    thread.wake(fresh=True)
    eventually(lambda: reader.vectors(11, first))
    assert reader.model() == first and len(reader.vectors(10, first)) == 300
    assert not reader.vectors(12, first), "what is imported now is embedded once"
    assert not second.asked
    second.open.set()
    eventually(lambda: reader.model() == second.name)
    assert drained(reader) and reader.model_state().next_model == ""
    assert len(reader.vectors(10, second.name)) == 300
    assert reader.vectors(11, second.name) and reader.vectors(12, second.name)
    assert len(second.asked) == 302 and set(second.asked.values()) == {1}
    store(writer, 13, "and this comes after", lane=FRESH_LANE)
    thread.wake(fresh=True)
    eventually(lambda: reader.vectors(13, second.name))


def test_a_change_that_was_cut_short_goes_on_where_it_was(
    second: Gated, reader: DerivedReader, begin: Callable[[], EmbeddingThread]
) -> None:
    first = reader.model()
    second.shuts_after = 150
    second.open.set()
    thread = begin()
    eventually(lambda: not second.open.is_set())
    threading.Timer(0.2, second.open.set).start()
    thread.close()
    done = reader.model_state().done
    assert 0 < done < 300 and reader.model() == first
    begin()
    eventually(lambda: reader.model() == second.name)
    assert len(second.asked) == 300 and sum(second.asked.values()) <= 302, "at most what was under way is asked again"


def test_who_goes_back_finds_the_vectors_as_they_were(
    second: Gated, folders: tuple[Path, Path], reader: DerivedReader, begin: Callable[[], EmbeddingThread],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first = reader.model()
    thread = begin()
    eventually(lambda: reader.model_state().next_model)
    second.open.set()
    thread.close()
    monkeypatch.undo()
    monkeypatch.setenv(choice.ENV_MODEL, str(folders[0]))
    begin()
    eventually(lambda: not reader.model_state().next_model)
    assert reader.model() == first and len(reader.vectors(10, first)) == 300 and drained(reader)


def test_a_serving_model_that_is_gone_leaves_new_texts_to_the_next(
    second: Gated, folders: tuple[Path, Path], writer: DerivedWriter, reader: DerivedReader,
    begin: Callable[[], EmbeddingThread],
) -> None:  # fmt: skip
    first = reader.model()
    shutil.rmtree(folders[0])
    begin()
    eventually(lambda: reader.model_state().next_model)
    store(writer, 11, "somebody just wrote this", lane=FRESH_LANE)
    time.sleep(0.3)
    assert reader.pending().passages == 1 and len(reader.vectors(10, first)) == 300
    second.open.set()
    eventually(lambda: reader.model() == second.name)
    assert drained(reader) and reader.vectors(11, second.name)


def test_vectors_of_a_model_that_nobody_asks_are_deleted_after_a_while(
    second: Gated, writer: DerivedWriter, reader: DerivedReader, begin: Callable[[], EmbeddingThread]
) -> None:
    first = reader.model()
    second.open.set()
    begin()
    eventually(lambda: reader.model() == second.name)
    unused, now = UnusedModels(), time.monotonic()
    unused.work(writer, now + PASS_EVERY_S + 1)
    assert len(reader.vectors(10, first)) == 300, "they stay for a pass, in case somebody goes back"
    unused.work(writer, now + 2 * PASS_EVERY_S + 2)
    assert not reader.vectors(10, first) and len(reader.vectors(10, second.name)) == 300
