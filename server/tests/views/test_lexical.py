"""The lexical view: what words find, what a commit makes visible, and what loss does to readers and writer."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexfs.core.errors import ViewUnavailable
from vexfs.views.lexical import LexicalReader, LexicalWriter, Marker, words_of


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[LexicalWriter]:
    writer = LexicalWriter(tmp_path / "lexical")
    yield writer
    writer.close()


@pytest.fixture
def reader(writer: LexicalWriter) -> LexicalReader:
    return LexicalReader(writer.folder)


def fill(writer: LexicalWriter, *texts: str, seq: int = 1) -> None:
    """File 10 has the first text, 11 the second …"""
    for ino, text in enumerate(texts, 10):
        writer.replace(ino, [(0, text)])
    writer.commit(Marker(1, seq))


def found(reader: LexicalReader, query: str, limit: int = 10) -> list[int]:
    return [hit.ino for hit in reader.search(query, limit)]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("keys", "rotating the key"),
        ("parse arguments", "def parse_args(self): the argument"),
        ("HTTP server", "class HTTPServerError(Exception)"),
        ("xmlhttprequest", "new XMLHttpRequest()"),
        ("request", "new XMLHttpRequest()"),
        ("parseArgs", "function parseArgs() {}"),
        ("CAFE", "ein Café"),
        ("日本", "今日は日本語のテキスト"),
        ("größe", "die GRÖSSE oder Größe"),
        ("os.path.join", "os.path.join(a, b)"),
        ("version 2", "for v2Beta"),
    ],
)
def test_words_are_found_in_all_their_spellings(writer: LexicalWriter, reader: LexicalReader, query: str, text: str) -> None:
    fill(writer, "nothing to see", text)
    assert found(reader, query) == [11]


def test_the_words_of_a_question_do_not_outweigh_what_it_asks_for(writer: LexicalWriter, reader: LexicalReader) -> None:
    fill(writer, "what do they do and why does it do what they do", "whales eat krill", "ships sink")
    assert found(reader, "what do whales eat") == [11]
    assert found(reader, "what do they do") == [10]


def test_the_exact_identifier_comes_before_its_parts(writer: LexicalWriter, reader: LexicalReader) -> None:
    fill(writer, "the args of parse: args and parse and args", "calls parse_args once", "unrelated")
    assert found(reader, "parse_args") == [11, 10]


def test_rare_words_count_more(writer: LexicalWriter, reader: LexicalReader) -> None:
    fill(writer, *["the common word"] * 5, "the zebra")
    assert found(reader, "the zebra")[0] == 15


@given(st.text(max_size=200) | st.text(st.sampled_from('"()[]{}^~*?:\\/+-!&|<> ANDORNOTIN'), max_size=60))
def test_no_text_is_a_bad_query(query: str) -> None:
    folder = _shared_index()
    for hit in LexicalReader(folder).search(query, 5):
        assert hit.ino in (10, 11)


_SHARED: list[Path] = []


def _shared_index() -> Path:
    if not _SHARED:
        import tempfile

        folder = Path(tempfile.mkdtemp()) / "lexical"
        writer = LexicalWriter(folder)
        fill(writer, "some words and or not", "other words in the text")
        writer.close()
        _SHARED.append(folder)
    return _SHARED[0]


@pytest.fixture(scope="module", autouse=True)
def remove_shared_index() -> Iterator[None]:
    yield
    for folder in _SHARED:
        shutil.rmtree(folder.parent)
    _SHARED.clear()


def test_a_search_can_be_restricted_to_files(writer: LexicalWriter, reader: LexicalReader) -> None:
    fill(writer, *["same words"] * 6)
    free = reader.search("words", 10)
    some = reader.search("words", 10, restrict=[12, 14, 99])
    assert [hit.ino for hit in some] == [12, 14]
    assert some[0].score == pytest.approx(free[0].score)
    assert reader.search("words", 10, restrict=[]) == []


def test_equal_scores_are_ordered_by_file_and_place(writer: LexicalWriter, reader: LexicalReader) -> None:
    for ino in (12, 10, 11):
        writer.replace(ino, [(1, "same words"), (0, "same words")])
    writer.commit(Marker(1, 1))
    assert [(hit.ino, hit.ordinal) for hit in reader.search("words", 10)] == [(i, o) for i in (10, 11, 12) for o in (0, 1)]


def test_replacing_a_file_leaves_nothing_of_its_old_passages(writer: LexicalWriter, reader: LexicalReader) -> None:
    fill(writer, "alpha", "beta")
    writer.replace(10, [(0, "gamma")])
    assert found(reader, "alpha") == [10], "not before the commit"
    writer.commit(Marker(1, 2))
    assert found(reader, "alpha") == []
    assert found(reader, "gamma") == [10]
    writer.replace(11, [])
    writer.commit(Marker(1, 3))
    assert found(reader, "beta") == []
    assert reader.count() == 1


def test_the_marker_is_committed_with_the_words(writer: LexicalWriter, reader: LexicalReader) -> None:
    assert writer.marker is None
    fill(writer, "alpha", seq=7)
    writer.replace(10, [(0, "beta")])  # never committed
    writer.close()
    again = LexicalWriter(writer.folder)
    assert again.marker == Marker(1, 7) == reader.marker()
    assert found(reader, "alpha") == [10]
    again.close()


def test_a_lost_index_is_noticed_and_built_anew(writer: LexicalWriter, reader: LexicalReader) -> None:
    fill(writer, "alpha")
    assert found(reader, "alpha") == [10]
    assert not writer.lost()
    shutil.rmtree(writer.folder)
    assert writer.lost()
    with pytest.raises(ViewUnavailable):
        reader.search("alpha", 1)
    again = LexicalWriter(writer.folder)
    assert again.marker is None
    again.replace(11, [(0, "alpha")])
    again.commit(Marker(1, 1))
    assert found(reader, "alpha") == [11]
    again.close()


def test_a_damaged_index_is_built_anew(tmp_path: Path) -> None:
    folder = tmp_path / "lexical"
    writer = LexicalWriter(folder)
    fill(writer, "alpha")
    writer.close()
    del writer
    (folder / "meta.json").write_text("{ this is not")
    again = LexicalWriter(folder)
    assert again.marker is None
    again.commit(Marker(1, 0))
    assert LexicalReader(folder).search("alpha", 1) == []
    again.close()


def test_parts_of_words_are_added_once_and_in_order() -> None:
    assert words_of("plain words") == "plain words"
    assert words_of("parseArgs parseArgs") == "parseArgs parseArgs parse Args"
