"""Embedding what waits: each text once, on all cores, the fresh ones first, in windows sorted by length, surviving failures."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import blake3
import numpy as np
import pytest
from indexer_process import eventually

from vexfs.core.errors import InvalidRequest
from vexfs.core.types import Ino, Revision
from vexfs.views import derived
from vexfs.views.derived import DerivedReader, FileState
from vexfs.views.embedding.model import Embedder
from vexfs.views.indexing import awaiting_model, embedding_thread
from vexfs.views.indexing.embedding_thread import EmbeddingThread
from vexfs.views.indexing.embedding_workers import ENV_THREADS, thread_count
from vexfs.views.indexing.writer import BULK_LANE, FRESH_LANE, DerivedWriter, PassageText, PendingFile


class Watched:
    """The real model; what it was asked, how many asked at once, and a gate that can be shut."""

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
    monkeypatch.setattr(awaiting_model.choice, "load", lambda *, questions: watched)
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


def test_closing_keeps_what_is_done_and_leaves_the_rest_queued(
    writer: DerivedWriter, reader: DerivedReader, model: Watched, start: Start
) -> None:
    store(writer, 10, *(f"passage number {number}" for number in range(500)))
    thread = start(2)
    eventually(lambda: len(model.asked) > 10)
    started = time.monotonic()
    thread.close()
    assert time.monotonic() - started < 1.5
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
