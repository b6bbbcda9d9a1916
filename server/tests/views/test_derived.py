"""`derived.db`: what the writer stores is what readers see, also across its loss."""

import shutil
import threading
import time
from pathlib import Path

import pytest
from tests.search.statements import statements, traced_connections

from vexfs.core.errors import ViewUnavailable
from vexfs.core.types import Ino, Revision
from vexfs.views import derived
from vexfs.views.derived import DerivedReader, FileState
from vexfs.views.indexing.upkeep import PASS_EVERY_S, UnusedTexts
from vexfs.views.indexing.writer import BULK_LANE, FRESH_LANE, DerivedWriter, PassageText, PendingFile

MODEL = "some-model"


def passage(text: str, start: int = 0) -> PassageText:
    return PassageText(start, start + len(text), 1, 1, text.encode().ljust(16, b".")[:16], text)


def pending(ino: int, revision: int = 1, lane: int = FRESH_LANE, due_ns: int = 0) -> PendingFile:
    return PendingFile(Ino(ino), lane, Revision(revision), Revision(revision), due_ns)


def store(writer: DerivedWriter, ino: int, *texts: str, revision: int = 1) -> None:
    state = FileState(Ino(ino), Revision(revision), derived.STATE_READY, "", "text", 10)
    writer.store_passages(state, [passage(text) for text in texts], MODEL, pending(ino, revision))


def vector(value: float) -> bytes:
    import numpy as np

    return np.full(384, value, np.float32).tobytes()


@pytest.fixture
def writer(tmp_path: Path):
    writer = DerivedWriter(tmp_path / "derived")
    yield writer
    writer.close()


@pytest.fixture
def reader(writer: DerivedWriter):
    reader = DerivedReader(writer.folder)
    yield reader
    reader.close()


def test_the_passages_of_many_files_take_one_statement(tmp_path: Path) -> None:
    with traced_connections():
        writer = DerivedWriter(tmp_path / "derived")
        for ino in range(2, 50):
            store(writer, ino, f"alpha {ino}", f"beta {ino}")
        reader = DerivedReader(writer.folder)
        reader.head()
        with statements() as run:
            found = reader.passages_at([(ino, ino % 2) for ino in range(2, 60)] + [(2, 7)])
        reader.close()
        writer.close()
    assert len(run) == 1
    expected = {(ino, ino % 2): f"{('alpha', 'beta')[ino % 2]} {ino}" for ino in range(2, 50)}
    assert {place: text for place, (_, text) in found.items()} == expected
    assert all((passage.ino, passage.ordinal) == place for place, (passage, _) in found.items())


def test_passages_and_their_texts_are_read_back(writer: DerivedWriter, reader: DerivedReader) -> None:
    store(writer, 5, "alpha", "beta")
    assert [p.ordinal for p in reader.passages(5)] == [0, 1]
    found = reader.passage(5, 1)
    assert found is not None and found[1] == "beta"
    assert reader.texts(5) == [(0, "alpha"), (1, "beta")]
    assert reader.passage(5, 2) is None
    state = reader.file_state(5)
    assert state is not None and state.state == derived.STATE_READY


def test_an_embedding_belongs_to_the_text_so_a_copy_needs_none(writer: DerivedWriter, reader: DerivedReader) -> None:
    store(writer, 5, "alpha", "beta")
    texts = writer.pending_texts(10)
    assert [text.text for text in texts] == ["alpha", "beta"]
    writer.store_embeddings(MODEL, [(text.text_key, vector(1.0)) for text in texts])
    store(writer, 6, "alpha", "beta")
    assert writer.pending_texts(10) == []
    assert len(reader.vectors(6, MODEL)) == 2
    assert reader.vectors(6, "another") == []
    assert reader.pending() == (0, 0)


def test_beginnings_of_files_are_embedded_before_the_rest(writer: DerivedWriter) -> None:
    for ino in (5, 6):
        state = FileState(Ino(ino), Revision(1), derived.STATE_READY, "", "text", 10)
        writer.store_passages(state, [passage(f"{ino}a"), passage(f"{ino}b")], MODEL, pending(ino, lane=BULK_LANE))
    store(writer, 7, "fresh0", "fresh1")
    order = [text.text for text in writer.pending_texts(10)]
    assert order[:2] == ["fresh0", "fresh1"]
    assert sorted(order[2:4]) == ["5a", "6a"]


def test_a_file_changed_again_while_it_was_read_stays_pending(writer: DerivedWriter) -> None:
    writer.enqueue([pending(5, revision=3)])
    taken = writer.due_files(1, 10)[0]
    writer.enqueue([pending(5, revision=4)])
    state = FileState(Ino(5), Revision(3), derived.STATE_READY, "", "text", 1)
    writer.store_passages(state, [passage("x")], MODEL, taken)
    waiting = writer.pending_file(5)
    assert waiting is not None and (waiting.first_revision, waiting.last_revision) == (3, 4)


def test_files_that_wait_for_the_reader_of_documents_are_in_nobody_s_way(writer: DerivedWriter) -> None:
    waiting = [pending(5, lane=BULK_LANE, due_ns=1), pending(6, lane=BULK_LANE, due_ns=2), pending(7, due_ns=3)]
    writer.enqueue(waiting)
    for file in waiting:
        writer.await_document(file)
    assert writer.due_files(10, 10) == [] and writer.next_due_ns() is None
    assert writer.complete_position(derived.VIEW_LEXICAL) == 0, "but they are not done"
    assert writer.pending_file(5) == waiting[0]
    order = []
    while (file := writer.next_document()) is not None:
        order.append(file)
        writer.finish(file)
    assert order == [waiting[2], waiting[0], waiting[1]], "fresh ones first, then as they came"


def test_a_file_that_changes_while_it_waits_for_the_reader_is_due_again_in_its_lane(writer: DerivedWriter) -> None:
    before = pending(5, revision=1)
    writer.enqueue([before])
    writer.await_document(before)
    writer.enqueue([pending(5, revision=2, lane=BULK_LANE)])
    writer.await_document(before)  # too late: it says nothing about the new content
    assert writer.next_document() is None
    assert [(file.lane, file.last_revision) for file in writer.due_files(10, 10)] == [(FRESH_LANE, 2)]


def test_positions_stop_before_what_is_pending(writer: DerivedWriter) -> None:
    writer.set_position(derived.VIEW_LOG, 20)
    assert writer.complete_position(derived.VIEW_LEXICAL) == 20
    writer.enqueue([pending(5, revision=8), pending(6, revision=12)])
    assert writer.complete_position(derived.VIEW_LEXICAL) == 7
    store(writer, 5, "alpha", revision=8)
    assert writer.complete_position(derived.VIEW_LEXICAL) == 11
    assert writer.complete_position(derived.VIEW_EMBEDDING) == 7


def test_the_change_log_tells_what_happened_and_wakes_waiters(writer: DerivedWriter, reader: DerivedReader) -> None:
    incarnation, head = reader.incarnation(), reader.head()
    assert reader.wait(incarnation, head, 0.02) is False
    threading.Timer(0.05, lambda: store(writer, 5, "alpha")).start()
    assert reader.wait(incarnation, head, 5) is True
    writer.store_embeddings(MODEL, [(writer.pending_texts(1)[0].text_key, vector(1.0))])
    writer.remove(5)
    batch = reader.changes(incarnation, head)
    assert [(c.ino, c.what) for c in batch.changes] == [(5, "passages"), (5, "vectors"), (5, "removed")]
    assert not batch.reset


def test_waiters_are_woken_by_the_doorbell_not_by_looking(
    writer: DerivedWriter, reader: DerivedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived, "POLL_S", 60.0)
    incarnation, head = reader.incarnation(), reader.head()
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(reader.wait(incarnation, head, 30))) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)  # a new listener is heard of after a moment
    started = time.monotonic()
    store(writer, 5, "alpha")
    for thread in threads:
        thread.join()
    assert answers == [True] * 3
    assert time.monotonic() - started < 10


def test_a_trimmed_log_tells_its_readers_to_start_over(
    writer: DerivedWriter, reader: DerivedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vexfs.views.indexing.writer.CHANGES_KEPT", 3)
    for ino in range(10, 20):
        writer.remove(ino)
        store(writer, ino, f"t{ino}")
    writer.trim_changes()
    assert reader.changes(reader.incarnation(), 0).reset
    assert not reader.changes(reader.incarnation(), reader.head() - 3).reset
    assert writer.changed_since(0) is None
    assert writer.changed_since(writer.head()) == []


def test_a_reader_notices_a_removed_and_a_new_database(writer: DerivedWriter, reader: DerivedReader) -> None:
    store(writer, 5, "alpha")
    before = reader.incarnation()
    assert not writer.lost()
    shutil.rmtree(writer.folder)
    assert writer.lost()
    with pytest.raises(ViewUnavailable):
        reader.file_state(5)
    again = DerivedWriter(writer.folder)
    assert again.created
    assert reader.file_state(5) is None
    assert reader.changes(before, 0).reset
    again.close()


def test_a_damaged_or_foreign_database_is_built_again(tmp_path: Path) -> None:
    folder = tmp_path / "derived"
    folder.mkdir()
    (folder / derived.DATABASE_NAME).write_bytes(b"this is no database, whatever its name says" * 100)
    writer = DerivedWriter(folder)
    assert writer.created
    writer.set_meta("format", 999)
    writer.close()
    with pytest.raises(ViewUnavailable):
        DerivedReader(folder).file_state(1)
    again = DerivedWriter(folder)
    assert again.created
    again.close()


def test_another_model_queues_every_text_again(writer: DerivedWriter, reader: DerivedReader) -> None:
    writer.use_model(MODEL)
    store(writer, 5, "alpha", "beta")
    writer.store_embeddings(MODEL, [(text.text_key, vector(1.0)) for text in writer.pending_texts(10)])
    writer.use_model("another")
    assert reader.model() == "another"
    assert reader.pending().passages == 2
    writer.use_model("another")
    assert reader.pending().passages == 2


def test_texts_that_no_file_has_are_collected(writer: DerivedWriter) -> None:
    store(writer, 5, "alpha", "beta")
    store(writer, 6, "beta")
    writer.remove(5)
    assert [text.text for text in writer.pending_texts(10)] == ["beta"]
    unused, after = writer.unused_texts(0)
    assert (len(unused), after) == (1, 0)
    store(writer, 7, "alpha")
    writer.delete_texts(unused)
    assert writer.texts(7) == [(0, "alpha")], "a text that somebody has again stays"
    writer.remove(7)
    writer.delete_texts(unused)
    assert writer.unused_texts(0) == ([], 0)


def test_pages_of_vectors_cover_every_embedded_passage(writer: DerivedWriter, reader: DerivedReader) -> None:
    for ino in range(10, 17):
        store(writer, ino, f"a{ino}", f"b{ino}", f"c{ino}")
    texts = [text for text in writer.pending_texts(100) if not text.text.startswith("b")]
    writer.store_embeddings(MODEL, [(text.text_key, vector(0.5)) for text in texts])
    found = [(v.ino, v.ordinal) for page in reader.all_vectors(MODEL, page=4) for v in page]
    assert found == [(ino, ordinal) for ino in range(10, 17) for ordinal in (0, 2)]


def test_a_text_is_forgotten_only_after_two_passes_without_a_file(writer: DerivedWriter) -> None:
    unused, now = UnusedTexts(), time.monotonic()
    store(writer, 5, "goes", "comes back")

    def texts() -> set[str]:
        return {row[0] for row in writer.rows("SELECT text FROM text")}

    def one_pass() -> None:
        nonlocal now
        now += PASS_EVERY_S + 1
        unused.work(writer, now)

    store(writer, 5, "stays", revision=2)
    unused.work(writer, now)
    one_pass()
    assert texts() == {"goes", "comes back", "stays"}, "one pass forgets nothing"
    store(writer, 6, "comes back", revision=3)
    one_pass()
    assert texts() == {"comes back", "stays"}
    one_pass()
    assert texts() == {"comes back", "stays"}
