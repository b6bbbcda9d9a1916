"""PDF and docx: their text is found; what else comes as one is skipped with a reason, in bounded time and memory."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import document_files as made
import pytest
from indexer_process import RunningIndexer, Tree, eventually

from vexfs import runtime
from vexfs.core.types import Revision
from vexfs.store.volume import Volume
from vexfs.views import derived
from vexfs.views.embedding import document_process
from vexfs.views.embedding.document_process import DocumentReader
from vexfs.views.embedding.extract import ExtractedText, Skipped
from vexfs.views.embedding.split import split
from vexfs.views.indexing import documents
from vexfs.views.indexing.documents import Documents, Key
from vexfs.views.indexing.writer import BULK_LANE, DerivedWriter, PendingFile


@pytest.fixture
def reader() -> Iterator[DocumentReader]:
    reader = DocumentReader()
    yield reader
    reader.close_process()


@pytest.fixture(scope="module")
def shared() -> Iterator[DocumentReader]:
    reader = DocumentReader()
    yield reader
    reader.close_process()


def start_reader_and_lose_it_while_it_reads(reader: DocumentReader) -> None:
    """The next document meets a process that has read another one and is killed before it answers."""
    text_of(reader, "docx", made.docx("before"))
    pid = pid_of(reader)
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
    timer.daemon = True
    timer.start()


def text_of(reader: DocumentReader, kind: str, content: bytes) -> ExtractedText:
    found = reader.read(kind, content)
    assert isinstance(found, ExtractedText), found
    return found


def reason_of(reader: DocumentReader, kind: str, content: bytes) -> str:
    found = reader.read(kind, content)
    assert isinstance(found, Skipped), found
    return found.reason


def pid_of(reader: DocumentReader) -> int:
    assert reader._process is not None
    return reader._process.pid


# --- what is read


def test_a_pdf_gives_the_text_of_its_pages_in_order(shared: DocumentReader) -> None:
    content = made.pdf("Grüße (from) page one\nand its second line", "page two", compressed=True)
    found = text_of(shared, "pdf", content)
    assert found.language == "pdf"
    assert [line for line in found.text.splitlines() if line] == ["Grüße (from) page one", "and its second line", "page two"]
    assert found.source.locate(3, 9) == (0, len(content), 0, 0), "no byte and no line of a PDF is a piece of its text"
    assert text_of(shared, "pdf", made.pdf("plain", compressed=False)).text.strip() == "plain"


def test_a_docx_gives_its_paragraphs_tables_and_notes(shared: DocumentReader) -> None:
    table = (
        "<w:tbl><w:tr>" + "".join(f"<w:tc><w:p><w:r><w:t>{cell}</w:t></w:r></w:p></w:tc>" for cell in "AB") + "</w:tr></w:tbl>"
    )
    marks = "<w:p><w:r><w:t>one</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three</w:t><w:delText>gone</w:delText></w:r></w:p>"
    footnote = "<w:footnote><w:p><w:r><w:t>a note</w:t></w:r></w:p></w:footnote>"
    note = f'<w:footnotes xmlns:w="{made.NAMESPACE}">{footnote}</w:footnotes>'
    content = made.docx(("Rotation", "Heading1"), "Grüße &amp; keys", body=table + marks, **{"word/footnotes.xml": note})
    found = text_of(shared, "docx", content)
    assert found.text == "Rotation\n\nGrüße & keys\n\nA\nB\none\ttwo\nthree\n\na note\n\n"
    assert found.headings == {0: 1}
    assert found.source.locate(0, 5) == (0, len(content), 0, 0)


def test_what_is_there_twice_for_older_programs_is_read_once(shared: DocumentReader) -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:txbxContent>"
    compatibility = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    body = (
        f'<w:p xmlns:mc="{compatibility}"><w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice>'
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent><w:t>around it</w:t></w:r></w:p>"
    )
    assert text_of(shared, "docx", made.docx(body=body)).text.split("\n\n")[:2] == ["in a box", "around it"]


def test_a_docx_is_cut_at_its_headings(shared: DocumentReader) -> None:
    long = "It has some more words in it, and then some. " * 15
    content = made.docx(("One", "Heading1"), long, ("Two", "Heading2"), long, ("Title", "Title"), long)
    found = text_of(shared, "docx", content)
    starts = [found.text[span.start : span.start + 3] for span in split(found.text, "docx", found.headings)]
    assert {"One", "Two", "Tit"} <= set(starts)


def test_the_main_part_of_a_docx_may_have_a_number(shared: DocumentReader) -> None:
    text = f'<w:document xmlns:w="{made.NAMESPACE}"><w:p><w:r><w:t>of an office</w:t></w:r></w:p></w:document>'
    assert text_of(shared, "docx", made.zipped({"word/document2.xml": text})).text.strip() == "of an office"


def test_an_encrypted_pdf_that_opens_without_a_password_is_read(shared: DocumentReader) -> None:
    assert "secret words" in text_of(shared, "pdf", made.encrypted_pdf("")).text


# --- what is skipped


@pytest.mark.parametrize(
    ("kind", "content", "reason"),
    [
        ("pdf", made.encrypted_pdf("password"), "it is encrypted"),
        ("pdf", made.pdf(), "it holds no text"),
        ("pdf", made.pdf("  "), "it holds no text"),
        ("pdf", b"%PDF-1.7\n", "it is damaged"),
        ("pdf", b"%PDF-1.7\n" + b"garbage " * 1000, "it is damaged"),
        ("pdf", made.pdf("text")[:60], "it is damaged"),
        ("docx", made.docx(), "it holds no text"),
        ("docx", made.docx("text")[:200], "it is damaged"),
        ("docx", b"PK\x03\x04" + bytes(1000), "it is damaged"),
        ("docx", made.zipped({"other.xml": "<a/>"}), "it is no Word document"),
        ("docx", made.zipped({"word/document.xml": "<not xml"}), "it is damaged"),
        ("docx", made.zipped({"word/document.xml": "<w:p>no namespace</w:p>"}), ""),
    ],
)
def test_what_cannot_be_read_says_why(shared: DocumentReader, kind: str, content: bytes, reason: str) -> None:
    name = {"pdf": "PDF document: ", "docx": "Word document: "}[kind]
    assert reason_of(shared, kind, content).startswith(name + reason)


BILLION = "".join(f'<!ENTITY a{number} "{f"&a{number - 1};" * 10}">' for number in range(1, 12))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("pdf", made.pdf_whose_table_goes_in_circles()),
        ("pdf", made.pdf_whose_pages_go_in_circles()),
        ("pdf", made.pdf_bomb(100)),
        ("pdf", b"%PDF-1.7\n" + b"[" * 200_000),
        ("pdf", b"%PDF-1.7\n" + b"<<" * 200_000 + b"\ntrailer << /Root 1 0 R >>"),
        ("docx", made.docx_bomb(100)),
        ("docx", made.docx("&a11;", before=f'<!DOCTYPE x [<!ENTITY a0 "ha">{BILLION}]>')),
        ("docx", made.docx("&file;", before='<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>')),
        ("docx", made.docx(body="<w:tbl>" * 100_000)),
        ("docx", made.docx(body="<w:p>" * 5_000 + "</w:p>" * 5_000)),
    ],
)
def test_hostile_documents_come_to_an_end_and_the_next_one_is_read(shared: DocumentReader, kind: str, content: bytes) -> None:
    assert len(content) < 2 << 20
    started = time.monotonic()
    found = shared.read(kind, content)
    assert time.monotonic() - started < 60
    if isinstance(found, ExtractedText):
        assert "root:" not in found.text and len(found.text) < 1000
    assert text_of(shared, "docx", made.docx("the next one")).text.strip() == "the next one"


def test_damage_anywhere_neither_hangs_nor_ends_anything(shared: DocumentReader) -> None:
    dice = random.Random(1)
    for kind, whole in (("pdf", made.pdf("some text", "and more")), ("docx", made.docx("some text", ("More", "Heading1")))):
        for _ in range(40):
            content = bytearray(whole)
            for _ in range(dice.randrange(1, 8)):
                content[dice.randrange(8, len(content))] = dice.randrange(256)
            if dice.random() < 0.3:
                del content[dice.randrange(8, len(content)) :]
            found = shared.read(kind, bytes(content))
            assert isinstance(found, ExtractedText) or found.reason.startswith(("PDF document: ", "Word document: "))


def test_a_document_that_takes_too_long_is_given_up(reader: DocumentReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_process, "PROCESSOR_MAX_S", 1)
    content = made.slow_pdf(100)
    started = time.monotonic()
    assert reason_of(reader, "pdf", content) == "PDF document: it was not read within 1 s of the processor's time"
    assert time.monotonic() - started < 60
    assert text_of(reader, "docx", made.docx("the next one")).text.strip() == "the next one"


def test_real_time_is_bounded_too(reader: DocumentReader, monkeypatch: pytest.MonkeyPatch) -> None:
    text_of(reader, "docx", made.docx("start it"))
    with monkeypatch.context() as shorter:
        shorter.setattr(document_process, "REAL_TIME_MAX_S", 0.5)
        os.kill(pid_of(reader), signal.SIGSTOP)
        assert reason_of(reader, "docx", made.docx("text")) == "Word document: it was not read within 0 s"
    assert text_of(reader, "docx", made.docx("the next one")).text.strip() == "the next one"


def test_memory_is_bounded(reader: DocumentReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_process, "MEMORY_MAX_BYTES", 130 << 20)
    first = text_of(reader, "docx", made.docx("it starts with that"))
    assert first.text.strip()
    for hungry in (made.docx_bomb(60), made.docx(body="<w:r/>" * 2_000_000)):
        assert reason_of(reader, "docx", hungry).endswith("its reader crashed or needed too much memory")
    assert text_of(reader, "docx", made.docx("the next one")).text.strip() == "the next one"


def test_a_process_serves_many_and_a_lost_one_is_replaced(reader: DocumentReader) -> None:
    text_of(reader, "docx", made.docx("one"))
    first = pid_of(reader)
    text_of(reader, "pdf", made.pdf("two"))
    assert pid_of(reader) == first
    os.kill(first, signal.SIGKILL)
    eventually(lambda: not runtime.is_alive(first))
    assert text_of(reader, "docx", made.docx("three")).text.strip() == "three"


def test_a_document_is_read_again_when_others_may_have_been_to_blame(reader: DocumentReader) -> None:
    start_reader_and_lose_it_while_it_reads(reader)
    assert text_of(reader, "docx", made.docx("innocent")).text.strip() == "innocent"


def test_a_closed_reader_blames_no_document(reader: DocumentReader) -> None:
    text_of(reader, "docx", made.docx("before"))
    os.kill(pid_of(reader), signal.SIGSTOP)
    timer = threading.Timer(0.5, reader.close)
    timer.start()
    with pytest.raises(RuntimeError):
        reader.read("docx", made.docx("text"))
    timer.join()


def test_without_documents_there_is_no_process_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "IDLE_END_S", 0.5)
    rung = threading.Event()
    reading = Documents(rung.set)
    reading.start()
    try:
        key = Key(1, 2)
        reading.begin(key, "docx", made.docx("text"))
        assert reading.busy and rung.wait(60) and reading.finished == key
        assert reading.take(Key(1, 3)) is None and reading.busy, "another content of the file"
        found = reading.take(key)
        assert isinstance(found, ExtractedText) and found.text.strip() == "text"
        assert not reading.busy and reading.finished is None
        eventually(lambda: reading._reader._process is None, 10)
    finally:
        reading.close()


def test_the_process_dies_with_who_started_it() -> None:
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "import document_files as made\n"
        "from vexfs.views.embedding.document_process import DocumentReader\n"
        "reader = DocumentReader(); reader.read('docx', made.docx('text')); print(reader._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(Path(__file__).parent)], capture_output=True, check=False)
    eventually(lambda: not runtime.is_alive(int(done.stdout)), 10)


# --- in the indexer


def test_documents_are_found_by_their_words_and_their_meaning(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    content = made.pdf("The zebra crosses the road")
    paper = tree.put("paper.pdf", content)
    letter = tree.put("letter.docx", made.docx(("Notice", "Heading1"), "The quagga is striped"))
    unnamed = tree.put("unnamed", made.pdf("A whale eats krill"))
    indexer.wait(volume)
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    assert (indexer.found("zebra"), indexer.found("quagga"), indexer.found("whale")) == ([paper], [letter], [unnamed])
    assert indexer.derived.passages(paper)[0][2:6] == (0, len(content), 0, 0)
    assert [len(indexer.derived.vectors(ino, indexer.derived.model())) for ino in (paper, letter, unnamed)] == [1, 1, 1]
    state = indexer.derived.file_state(paper)
    assert state is not None and (state.state, state.language) == (derived.STATE_READY, "pdf")
    before = indexer.derived.head()
    tree.move("paper.pdf", "moved.pdf")
    indexer.wait(volume, derived.VIEW_EMBEDDING)
    assert indexer.derived.head() == before, "a rename reads nothing again"
    tree.put("letter.docx", made.docx("The okapi is shy"))
    indexer.wait(volume)
    assert (indexer.found("quagga"), indexer.found("okapi")) == ([], [letter])


def test_bad_documents_are_skipped_with_a_reason_and_hold_nobody_up(
    indexer: RunningIndexer, tree: Tree, volume: Volume
) -> None:
    indexer.start()
    eventually(indexer.derived.model, what="the model is loaded")
    bad = {
        tree.put("bomb.docx", made.docx_bomb(100)): "Word document: it unpacks to more than 64 MiB",
        tree.put("locked.pdf", made.encrypted_pdf("password")): "PDF document: it is encrypted",
        tree.put("broken.pdf", b"%PDF-1.4\nnothing"): "PDF document: it is damaged",
        tree.put("huge.pdf", made.pdf("x") + bytes(document_process.CONTENT_MAX_BYTES)): "larger than 32 MiB",
        tree.put("archive.zip", made.zipped({"a": "b"})): "not text: ZIP archive",
    }
    note = tree.put("note.txt", "alpha")
    text = tree.put("named.pdf", "this is no PDF, whatever its name")
    indexer.wait(volume)
    reasons = {state.ino: state.reason for state in indexer.derived.skipped()}
    assert reasons.keys() == bad.keys()
    for ino, reason in bad.items():
        assert reasons[ino].startswith(reason)
    assert (indexer.found("alpha"), indexer.found("whatever")) == ([note], [text])
    assert indexer.stop() < 3.0


def test_while_a_document_is_read_fresh_files_are_found(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    eventually(indexer.derived.model, what="the model is loaded")
    slow = tree.put("slow.pdf", made.slow_pdf(20))
    time.sleep(0.5)
    after = tree.put("after.pdf", made.pdf("the second document"))
    note = tree.put("note.txt", "quickly findable")
    eventually(lambda: indexer.found("quickly") == [note], 10)
    assert indexer.derived.file_state(slow) is None, "it had to be under way for this to say anything"
    assert indexer.derived.positions()[derived.VIEW_LEXICAL] < volume.head(), "and who waits for everything still waits"
    eventually(lambda: indexer.found("second") == [after], 120)
    state = indexer.derived.file_state(slow)
    assert state is not None and state.reason.startswith("PDF document: it holds no text")
    indexer.wait(volume, derived.VIEW_EMBEDDING)


def test_many_documents_are_read_each_in_its_turn(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    inos = [tree.put(f"{number}.docx", made.docx(f"common word{number}")) for number in range(100)]
    gone, changed = inos[40], inos[60]
    indexer.start()
    tree.remove("40.docx")
    tree.put("60.docx", made.docx("different"))
    indexer.wait(volume)
    assert indexer.found("different") == [changed]
    states = {ino: indexer.derived.file_state(ino) for ino in inos}
    assert {ino for ino, state in states.items() if state is None} == {gone}
    assert {state.state for state in states.values() if state is not None} == {derived.STATE_READY}
    assert all(indexer.found(f"word{number}") == [inos[number]] for number in (0, 50, 99))
    assert indexer.derived.pending().files == 0


def test_a_document_that_gets_its_name_only_later_is_read(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    letter = tree.put("letter.docx.part", made.docx("The quagga is striped"))
    indexer.wait(volume)
    assert [state.reason for state in indexer.derived.skipped()] == ["not text: ZIP archive"]
    tree.move("letter.docx.part", "letter.docx")
    indexer.wait(volume)
    assert indexer.found("quagga") == [letter]
    assert list(indexer.derived.skipped()) == []


def test_what_an_older_version_skipped_is_read_once_it_can_be(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    paper, image = tree.put("paper.pdf", made.pdf("The zebra crosses")), tree.put("image.png", b"\x89PNG\0\0")
    indexer.wait(volume)
    indexer.stop()
    writer = DerivedWriter(indexer.folder)
    state = writer.file_state(paper)
    assert state is not None and writer.meta("extraction") == derived.EXTRACTION
    old = state._replace(state=derived.STATE_SKIPPED, reason="not text: PDF document", language="")
    writer.store_skip(old, PendingFile(paper, BULK_LANE, Revision(1), Revision(1), 0))
    writer.rows("DELETE FROM meta WHERE key = 'extraction'")
    writer.close()
    indexer.start()
    eventually(lambda: indexer.derived.file_state(paper) == state)
    indexer.wait(volume)
    assert indexer.found("zebra") == [paper]
    assert [state.ino for state in indexer.derived.skipped()] == [image]


def test_a_stop_does_not_wait_for_a_document(indexer: RunningIndexer, tree: Tree, volume: Volume) -> None:
    indexer.start()
    tree.put("slow.pdf", made.slow_pdf(200))
    time.sleep(1.5)
    assert indexer.stop() < 3.0
