"""The lexical view: what words find, what a commit makes visible, and what loss does to readers and writer."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tantivy
from hypothesis import given
from hypothesis import strategies as st

from vexfs.core.errors import ViewUnavailable
from vexfs.views.lexical import LexicalReader, LexicalWriter, Marker


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
        ("http response", "parseHTTPResponse(data)"),
        ("parsehttpresponse", "parseHTTPResponse(data)"),
        ("parsehttpresponse", "parse_http_response(data)"),
        ("ParseHttpResponse", "PARSE_HTTP_RESPONSE = 1"),
        ("parse-http-response", "ParseHTTPResponse"),
        ("response", "a parse-http-response-now b"),
        ("time stamp", "the timestamp of it"),
        ("timestamp", "its time_stamp field"),
        ("javascript", "written in JavaScript"),
        ("JavaScript", "written in javascript"),
        ("utf8", "encoded as UTF-8"),
        ("utf-8", "encoding='utf8'"),
        ("sha256", "the SHA-256 of it"),
        ("nginx.conf", "see /etc/nginx/nginx.conf"),
        ("nginx", "see /etc/nginx/nginx.conf"),
        ("url", "all the URLs"),
        ("resume", "son résumé"),
        ("résumé", "his resume"),
        ("re\u0301sume\u0301", "son r\u00e9sum\u00e9"),
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


@pytest.mark.parametrize(
    "identifier",
    ["parseHTTPResponse", "parse_http_response", "PARSE_HTTP_RESPONSE", "parse-http-response", "http/response.parse"],
)
def test_an_identifier_comes_before_what_has_only_its_parts(
    writer: LexicalWriter, reader: LexicalReader, identifier: str
) -> None:
    parts = "parse the http response; response of http, parse it, then parse the next http response"
    fill(writer, parts, "responseOfHTTPParse(http)", f"calls {identifier} in some longer text about it", "no such thing")
    assert found(reader, identifier)[0] == 12
    assert set(found(reader, "http response")) == {10, 11, 12}


def test_a_word_as_it_is_written_comes_before_its_other_forms(writer: LexicalWriter, reader: LexicalReader) -> None:
    fill(writer, "rotating a key", "rotate a key", "rotates a key", "nothing")
    assert found(reader, "rotate") == [11, 10, 12]
    assert found(reader, "rotates") == [12, 10, 11]


def test_letters_and_digits_of_a_question_are_found_together_only(writer: LexicalWriter, reader: LexicalReader) -> None:
    fill(writer, "the number 7 and item 12", "number12 is here", "see number_12", "number 12 and number 7")
    assert set(found(reader, "number12")) == {11, 12, 13}
    assert set(found(reader, "number")) == {10, 11, 12, 13}


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Der Vertrag kann von dem Mieter gekündigt werden, und die Häuser sind nicht mit im Vertrag.", "Haus kündigen"),
        ("Les contrats sont résiliés par le locataire avec un préavis, et la caution est perdue pour lui.", "contrat résilier"),
        ("Las canciones que se cantan en la casa no son para el niño, y las otras son como un juego.", "canción"),
        ("И он не мог читать эти книги, как она на это и не надеялась, но они были для него.", "книга"),
    ],
)
def test_prose_of_other_languages_is_found_by_the_stems_of_its_own(
    writer: LexicalWriter, reader: LexicalReader, text: str, question: str
) -> None:
    fill(writer, "nothing of the kind", text, "another text that has not got it")
    assert found(reader, question) == [11]


def test_the_stems_of_another_language_meet_only_passages_in_it(writer: LexicalWriter, reader: LexicalReader) -> None:
    """German takes "rates" for "rat"."""
    fill(writer, "the rats left the ship", "the ship and its rates")
    assert found(reader, "rates") == [11]
    writer.replace(12, [(0, "Der Rat ist nicht das, was die Leute von dem Haus und mit dem Geld sich im Rathaus denken.")])
    writer.commit(Marker(1, 2))
    assert found(reader, "rates") == [11, 12], "and the English file with rats is still not among them"


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


def test_a_commit_that_was_cut_off_does_not_stand_in_the_way_of_the_same_one(tmp_path: Path) -> None:
    """It leaves the files that say what was deleted, and the commit after a restart gives its own the same names."""
    writer = LexicalWriter(tmp_path / "lexical")
    fill(writer, "alpha", "beta")
    writer.close()
    shutil.copytree(tmp_path / "lexical", tmp_path / "done")

    def again(folder: Path) -> LexicalWriter:
        edited = LexicalWriter(folder)
        edited.replace(10, [(0, "gamma")])
        edited.commit(Marker(1, 2))
        edited.close()
        return edited

    again(tmp_path / "done")
    left = list((tmp_path / "done").glob("*.del"))
    assert left
    for path in left:
        shutil.copy(path, tmp_path / "lexical")
    edited = again(tmp_path / "lexical")
    reader = LexicalReader(tmp_path / "lexical")
    assert edited.marker == reader.marker() == Marker(1, 2)
    assert (found(reader, "alpha"), found(reader, "beta"), found(reader, "gamma")) == ([], [11], [10])


def test_an_index_of_another_format_is_built_anew_and_meanwhile_unavailable(tmp_path: Path) -> None:
    folder = tmp_path / "lexical"
    folder.mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("ino", indexed=True, fast=True)
    builder.add_text_field("words")
    old = tantivy.Index(builder.build(), str(folder)).writer(15_000_000, 1)
    old.add_document(tantivy.Document(ino=10, words="alpha"))
    old.commit()
    old.wait_merging_threads()
    reader = LexicalReader(folder)
    with pytest.raises(ViewUnavailable):
        reader.search("alpha", 1)
    again = LexicalWriter(folder)
    assert again.marker is None
    fill(again, "alpha")
    assert found(reader, "alpha") == [10]
    again.close()
