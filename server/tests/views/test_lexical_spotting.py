"""Which words of a passage a question is about: forms, parts of names, phrases, beginnings, as they stand there."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexfs.views.lexical import Spotter
from vexfs.views.lexical.query import wanted_of
from vexfs.views.lexical.question import parse


def terms(question: str, passage: str, *languages: str) -> list[str]:
    return Spotter(wanted_of(parse(question)), languages).terms(passage)


@pytest.mark.parametrize(
    ("question", "passage", "expected"),
    [
        ("rotate keys", "Rotating the key, rotated: Rotating.", ["Rotating", "key", "rotated"]),
        ("http response", "parseHTTPResponse(x)", ["HTTP", "Response"]),
        ("parseHTTPResponse", "see parse_http_response here", ["parse_http_response"]),
        ("parse", "see parse_http_response here", ["parse"]),
        ("how do we rotate the keys?", "how we rotate it", ["rotate"]),
        ("what do they do", "what they do", ["what", "they", "do"]),
        ("time stamp", "a timestamp", ["timestamp"]),
        ("timestamp", "a time_stamp", ["time_stamp"]),
        ("café", "CAFE, cafe\u0301", ["CAFE", "cafe\u0301"]),
        ("sha256", "SHA-256, sha256, sha 1, 256", ["SHA-256", "sha256"]),
        ("os.path.join", "os.path.join(path)", ["os.path.join", "path"]),
        ('"rotate keys"', "rotate, rotate\n  keys; keys", ["rotate keys"]),
        ('old "rotate keys"', "the old ones: rotate keys", ["old", "rotate keys"]),
        ("conf*", "config, Configure, conf; reconf", ["config", "Configure", "conf"]),
        ("parseh*", "parseHTTPResponse", ["parseHTTPResponse"]),
        ("http_re*", "HTTPResponse http request", ["HTTPResponse", "http request"]),
        ("日本", "日本と本", ["日本", "本"]),
        ("zebra", "no such thing", []),
        ("", "anything", []),
        ("zebra", "", []),
    ],
)
def test_the_words_of_a_question_as_they_stand_in_a_passage(question: str, passage: str, expected: list[str]) -> None:
    assert terms(question, passage) == expected


def test_other_languages_have_their_own_forms() -> None:
    assert terms("Haus", "viele Häuser", "de") == ["Häuser"]
    assert terms("Haus", "viele Häuser") == []


@given(st.text(st.sampled_from('ab AB_-.1 "*日é'), max_size=40), st.text(st.sampled_from("ab AB_-.1\n日é"), max_size=80))
def test_what_is_spotted_stands_there_in_order_and_without_overlap(question: str, passage: str) -> None:
    spans = Spotter(wanted_of(parse(question)), ("de",)).spans(passage)
    assert all(0 <= span.start < span.end <= len(passage) for span in spans)
    assert all(one.end <= two.start for one, two in pairwise(spans))
