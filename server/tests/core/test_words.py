"""Words as the lexical view knows them: the parts of identifiers, what is the same word, and languages."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vexfs.core.words import fold, identifiers, whole
from vexfs.views.lexical.stems import language_of, stems


def parts(text: str) -> list[list[str]]:
    return [one.parts for one in identifiers(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parseHTTPResponse", [["parse", "HTTP", "Response"]]),
        ("PascalCase", [["Pascal", "Case"]]),
        ("snake_case", [["snake", "case"]]),
        ("SCREAMING_CASE", [["SCREAMING", "CASE"]]),
        ("kebab-case", [["kebab", "case"]]),
        ("Mixed_snakeCase-here", [["Mixed", "snake", "Case", "here"]]),
        ("__init__", [["init"]]),
        ("a -- b, foo--bar", [["a"], ["b"], ["foo"], ["bar"]]),
        ("os.path/join", [["os"], ["path"], ["join"]]),
        ("utf8 SHA-256 x86_64", [["utf", "8"], ["SHA", "256"], ["x", "86", "64"]]),
        ("URLs getIDs HTTPServer", [["URLs"], ["get", "IDs"], ["HTTP", "Server"]]),
        ("Rotate KEYS", [["Rotate"], ["KEYS"]]),
        ("größeÄndern", [["größe", "Ändern"]]),
        ("версияДва2", [["версия", "Два", "2"]]),
        ("日本語", [["日"], ["本"], ["語"]]),
        ("हिन्दी", [["हिन्दी"]]),
        ("3f2a9c8b7d01", [["3f2a9c8b7d01"]]),
        ("x" * 61, []),
        ("Q" * 300, []),
        ("don't", [["don"], ["t"]]),
        ("", []),
    ],
)
def test_identifiers_fall_into_the_parts_a_reader_sees(text: str, expected: list[list[str]]) -> None:
    assert parts(text) == expected


@given(st.text() | st.text(st.sampled_from("aAzZ09_-. éÉß日\u0301й")))
@example("e\u0301Z")
def test_parts_stand_in_the_text_where_they_say_in_order_and_without_overlap(text: str) -> None:
    end = 0
    for one in identifiers(text):
        assert len(one.parts) == len(one.starts) > 0
        assert one.start == one.starts[0] >= end
        for part, start in zip(one.parts, one.starts, strict=True):
            assert part and start >= end and text[start : start + len(part)] == part
            assert " " not in fold(part)
            end = start + len(part)
        assert one.end == end


@pytest.mark.parametrize(
    "spellings",
    [
        ("größe", "GRÖSSE", "Grosse"),
        ("café", "cafe\u0301", "CAFE"),
        ("ﬁle", "file"),
        ("Ａ", "a"),
        ("Łódź", "lodz"),
        ("ёлка", "елка"),
    ],
)
def test_spellings_of_one_word_fold_alike(spellings: tuple[str, ...]) -> None:
    assert len({fold(spelling) for spelling in spellings}) == 1


def test_letters_that_are_not_accents_stay_apart() -> None:
    assert fold("мой") != fold("мои")
    assert fold("가") == "가"


def test_an_identifier_is_one_word_however_it_is_spelled() -> None:
    spellings = "parseHTTPResponse ParseHttpResponse parse_http_response PARSE-HTTP-RESPONSE"
    assert {whole(one) for one in identifiers(spellings)} == {"parsehttpresponse"}
    assert whole(identifiers("plain")[0]) == ""


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Der Vertrag kann von dem Mieter gekündigt werden, und die Kaution ist nicht verloren.", "de"),
        ("Le contrat peut être résilié par le locataire avec un préavis, et la caution n'est pas perdue.", "fr"),
        ("El contrato puede ser rescindido por el inquilino con un aviso, y la fianza no se pierde.", "es"),
        ("De huurder kan het contract met een opzegtermijn beëindigen, en de borg is niet verloren.", "nl"),
        ("Арендатор может расторгнуть договор за три месяца, и залог не теряется, но он на счет по договору.", "ru"),
        ("The tenant may end the contract with a notice of three months, and the deposit is not lost.", "en"),
        (
            "import os\n\ndef no(a, o):\n    for e in os.scandir(a):\n        os.remove(e.path, se=o)\n    return as_do(o)\n",
            "en",
        ),
        ("die", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_prose_is_told_by_its_function_words(text: str, language: str) -> None:
    assert language_of(part for one in identifiers(text) for part in one.parts) == language


@pytest.mark.parametrize(
    ("identifier", "units"),
    [
        ("sha256", [["sha", "256"]]),
        ("SHA-256", [["SHA"], ["256"]]),
        ("v2Beta", [["v", "2"], ["Beta"]]),
        ("parse2json", [["parse", "2", "json"]]),
        ("10MB", [["10", "MB"]]),
        ("parseHTTPResponse", [["parse"], ["HTTP"], ["Response"]]),
        ("plain", [["plain"]]),
    ],
)
def test_letters_and_digits_of_one_word_mean_something_only_together(identifier: str, units: list[list[str]]) -> None:
    assert identifiers(identifier)[0].units() == units


def test_stems_keep_their_number_and_say_their_language() -> None:
    assert stems(["Rotating", "Keys", "résumés"]) == ["rotat", "key", "resum"]
    assert stems(["Häuser", "größe"], "de") == ["de:haus", "de:gross"]
