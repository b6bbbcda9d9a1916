"""Phrases and prefixes in a question: what is one, what they find, and that every other quote and star is only a character."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexfs.views.lexical import LexicalReader, LexicalWriter, Marker
from vexfs.views.lexical.question import parse

TEXTS = {
    10: "to rotate keys, replace the old ones",
    11: "keys rotate; then they rotate the keys",
    12: "rotating key",
    13: "the configuration of a config file, which one configures",
    14: "ConfigParser reads confusing things",
    15: "def parse_http_response(data): return 1",
    16: "class HTTPResponseParser: parseHTTPRequest",
    17: "to be or not to be",
    18: "not to be: or to be",
    19: "今日は日本語のテキスト",
    20: "日と本と語",
    21: "the timestamp and its sha256",
    22: "time_stamp, SHA-256",
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LexicalReader]:
    writer = LexicalWriter(tmp_path_factory.mktemp("question") / "lexical")
    for ino, text in TEXTS.items():
        writer.replace(ino, [(0, text)])
    writer.commit(Marker(1, 1))
    yield LexicalReader(writer.folder)
    writer.close()


def found(reader: LexicalReader, question: str) -> list[int]:
    return [hit.ino for hit in reader.search(question, 100)]


@pytest.mark.parametrize(
    ("question", "files"),
    [
        ('"rotate keys"', {10}),
        ('"ROTATE, Keys"', {10}),
        ('"keys rotate"', {11}),
        ('"rotate"', {10, 11}),
        ('"to be or not to be"', {17}),
        ('"rotate keys" replace', {10}),
        ('replace "keys rotate"', {11}),
        ('"rotate keys" "keys rotate"', set()),
        ('"rotate keys" "replace the"', {10}),
        ('"http response"', {15, 16}),
        ('"parse http"', {15, 16}),
        ('"parse_http_response"', {15}),
        ('"parsehttpresponse"', {15}),
        ('"日本語"', {19}),
        ('"rotate keys".', {10}),
        ('what is "rotate keys"?', {10}),
        ("conf*", {13, 14}),
        ("Config*", {13, 14}),
        ("configp*", {14}),
        ("parseHTTPRes*", {15}),
        ("parsehttpre*", {15, 16}),
        ("http_re*", {15, 16}),
        ("sha*", {21, 22}),
        ("timest*", {21, 22}),
        ("rep*", {10}),
        ('conf* "config file"', {13}),
        ("zzz*", set()),
    ],
)
def test_phrases_must_stand_there_and_prefixes_begin_words(reader: LexicalReader, question: str, files: set[int]) -> None:
    assert set(found(reader, question)) == files


@pytest.mark.parametrize(
    "question",
    [
        '"',
        "*",
        '"rotate',
        'rotate"',
        "rotate *",
        "* rotate",
        '""',
        '"*"',
        "**",
        '"" *',
        'f("rotate")',
        "*rotate",
        "**rotate**",
        "c*",
    ],
)
def test_a_lone_quote_or_star_keeps_its_meaning(reader: LexicalReader, question: str) -> None:
    asked = parse(question)
    assert (asked.phrases, asked.prefixes, asked.text, asked.rest) == ((), (), question, question)
    assert set(found(reader, question)) == ({10, 11, 12} if "rotate" in question else set())


def test_the_question_without_its_marks() -> None:
    asked = parse('how do I "rotate keys" of conf* files, "now".')
    assert asked.text == "how do I rotate keys of conf files, now."
    assert asked.rest.split() == ["how", "do", "I", "of", "files,", "."]
    assert (asked.phrases, asked.prefixes) == (("rotate keys", "now"), ("conf",))


@given(st.text(max_size=300) | st.text(st.sampled_from('"" ab*\n.,'), max_size=60))
def test_taking_a_question_apart_loses_only_marks(text: str) -> None:
    asked = parse(text)
    assert [c for c in asked.text if c not in '"*'] == [c for c in text if c not in '"*']
    assert all(phrase in text for phrase in (*asked.phrases, *asked.prefixes))


def test_a_prefix_counts_as_one_word_and_its_rarest_form_does_not_win(tmp_path: Path) -> None:
    writer = LexicalWriter(tmp_path / "lexical")
    for ino in range(10, 60):
        writer.replace(ino, [(0, f"some config of number {ino}" if ino % 2 else "nothing about that")])
    writer.replace(60, [(0, "a confabulation of some length that goes on and on about other things")])
    writer.replace(61, [(0, "config config config")])
    writer.commit(Marker(1, 1))
    hits = LexicalReader(writer.folder).search("conf*", 100)
    assert len(hits) == 27
    assert hits[0].ino == 61 and hits[-1].ino == 60
    writer.close()


def test_more_words_than_are_scored_are_found_all_the_same(tmp_path: Path) -> None:
    writer = LexicalWriter(tmp_path / "lexical")
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [f"pre{one}{two}" for one in letters for two in letters[:6]]
    for ino, word in enumerate(words, 10):
        writer.replace(ino, [(0, word)])
    writer.commit(Marker(1, 1))
    hits = LexicalReader(writer.folder).search("pre*", 1000)
    assert {hit.ino for hit in hits} == set(range(10, 10 + len(words)))
    assert hits[-1].score == 0 < hits[0].score
    writer.close()


@pytest.mark.parametrize("piece", ['"a ', '"', "*", "a*", 'a"', "!", '"a" ', "a* ", "ab* ", "aB", "a1", "日"])
def test_no_question_of_the_largest_size_takes_long(reader: LexicalReader, piece: str) -> None:
    question = piece * (8192 // len(piece.encode()))
    started = time.process_time()
    reader.search(question, 10)
    reader.spotter(question).terms("rotate the keys of parse_http_response " * 20)
    assert time.process_time() - started < 5.0
