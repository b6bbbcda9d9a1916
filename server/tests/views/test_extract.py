"""Extraction: every kind of file gives its text and the way back to its bytes, or a reason."""

import codecs
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexfs.views.embedding import extract as extract_module
from vexfs.views.embedding.extract import MAX_CONTENT_BYTES, ExtractedText, Skipped, extract
from vexfs.views.embedding.html import read_page


def text_of(name: bytes, content: bytes) -> ExtractedText:
    found = extract(name, content)
    assert isinstance(found, ExtractedText), found
    return found


def reason_of(name: bytes, content: bytes) -> str:
    found = extract(name, content)
    assert isinstance(found, Skipped), found
    return found.reason


@pytest.mark.parametrize(
    ("name", "content", "language"),
    [
        (b"notes.md", b"# Title\n", "markdown"),
        (b"page.HTML", b"<p>x</p>", "html"),
        (b"x.py", b"import os\n", "python"),
        (b"Makefile", b"all:\n", "make"),
        (b"Dockerfile", b"FROM x\n", "dockerfile"),
        (b"tool", b"#!/usr/bin/env python3\nprint()\n", "python"),
        (b"tool", b"#!/bin/bash -e\necho\n", "shell"),
        (b"index", b"  <!DOCTYPE html><html><body>x</body></html>", "html"),
        (b"README", b"plain words\n", "text"),
        (b".gitignore", b"*.o\n", "text"),
        (b"archive.unknown", b"plain words\n", "text"),
        (b"main.rs", b"fn main() {}\n", "rust"),
    ],
)
def test_the_language_is_told_by_name_and_content(name: bytes, content: bytes, language: str) -> None:
    assert text_of(name, content).language == language


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (b"a.txt", "Grüße ✓ 🙂".encode(), "Grüße ✓ 🙂"),
        (b"a.txt", codecs.BOM_UTF8 + "Grüße".encode(), "Grüße"),
        (b"a.txt", "Grüße".encode("utf-16"), "Grüße"),
        (b"a.txt", codecs.BOM_UTF16_BE + "Grüße 🙂".encode("utf-16-be"), "Grüße 🙂"),
        (b"a.txt", "Grüße aus Köln, schön war's".encode("latin-1"), "Grüße aus Köln, schön war's"),
        (b"a.txt", "“quoted” – dash".encode("cp1252"), "“quoted” – dash"),
        (
            b"a.py",
            "# -*- coding: latin-1 -*-\nname = 'Löwis'\n".encode("latin-1"),
            "# -*- coding: latin-1 -*-\nname = 'Löwis'\n",
        ),
        (b"a.py", "#!/usr/bin/python\n# vim: set fileencoding=koi8-r :\ns = 'да'\n".encode("koi8-r"), None),
        (b"a.html", '<meta charset="shift_jis"><p>日本語</p>'.encode("shift_jis"), "日本語"),
        (b"a.xml", '<?xml version="1.0" encoding="iso-8859-2"?><a>Łódź</a>'.encode("iso-8859-2"), None),
        (
            b"a.html",
            '<meta http-equiv="x" content="text/html; charset=iso-2022-jp"><p>日本語 x</p>'.encode("iso-2022-jp"),
            "日本語 x",
        ),
    ],
)
def test_encodings_are_recognised_and_every_character_is_found_again(name: bytes, content: bytes, expected: str | None) -> None:
    found = text_of(name, content)
    if expected is not None:
        assert found.text == expected
    else:
        assert "да" in found.text or "Łódź" in found.text
    for index, character in enumerate(found.text):
        if character.isspace():
            continue
        place = found.source.locate(index, index + 1)
        piece = content[place.start_byte : place.end_byte]
        assert character.encode("utf-8") == piece or len(piece) <= 12
    whole = found.source.locate(0, len(found.text))
    assert whole.end_byte <= len(content)


def test_utf8_with_a_little_damage_is_still_utf8() -> None:
    content = "Übergrößenträger äöü ßß ".encode() * 3 + b"\xff" + b" Ende"
    found = text_of(b"a.txt", content)
    assert "Übergrößenträger" in found.text
    at = found.text.index("Ende")
    place = found.source.locate(at, at + 4)
    assert content[place.start_byte : place.end_byte] == b"Ende"
    found.text.encode("utf-8")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3 lots", "PDF"),
        (b"\x7fELF\x02\x01", "ELF"),
        (b"words and a \0 byte", "binary"),
        (bytes(range(128, 256)) * 4, "binary"),
        (b"\x01\x02\x03\x04 text \x05\x06", "binary"),
        (b"x" * (MAX_CONTENT_BYTES + 1), "larger than 8 MiB"),
    ],
)
def test_what_is_no_text_is_skipped_with_a_reason(content: bytes, reason: str) -> None:
    assert reason in reason_of(b"file.txt", content)


def test_white_space_alone_is_no_text() -> None:
    assert text_of(b"a.py", b"").text == ""
    assert text_of(b"a.py", b"\n \n\t\n").text == ""
    assert text_of(b"a.html", b"<html><body>\n<script>x()</script></body></html>").text == ""


def test_a_page_gives_its_words_by_blocks_and_no_scripts() -> None:
    source = (
        "<html><head><title>The title</title><style>p {color: red}</style></head><body>"
        "<h1>Head &amp; shoulders</h1><p>First\n   paragraph with <b>bold</b>words.</p><script>var x = '<p>no</p>';</script>"
        "<ul><li>one<li>two</ul><pre>  kept\n    as it is</pre><!-- no --><table><tr><td>a</td><td>b</td></tr></table>"
        "<p>caf&eacute; &#228; &nosuch; A&B <img alt='a picture' src=x></body>"
    )
    page = read_page(source)
    assert page.text == (
        "The title\n\nHead & shoulders\n\nFirst paragraph with boldwords.\n\none\n\ntwo\n\n  kept\n    as it is\n\na b"
        "\n\ncafé ä &nosuch; A&B a picture "
    )
    assert page.headings == {page.text.index("Head"): 1}


def test_words_of_a_page_are_found_in_its_source() -> None:
    content = (
        "<html><body>\n<h1>Überschrift</h1>\n<p>Ein &lt;Wort&gt; und\n\n\n  noch   eines: schön &amp; gut</p>\n</body></html>"
    ).encode()
    found = text_of(b"page.html", content)
    for word, line in (("Überschrift", 2), ("Wort", 3), ("noch", 6), ("eines", 6), ("schön", 6), ("gut", 6)):
        at = found.text.index(word)
        place = found.source.locate(at, at + len(word))
        assert content[place.start_byte : place.end_byte].decode() == word
        assert (place.start_line, place.end_line) == (line, line)
    at = found.text.index("<")
    place = found.source.locate(at, at + 1)
    assert content[place.start_byte : place.end_byte] == b"&lt;"


@given(st.text(st.sampled_from("<>&;/ \n\t=\"'abpreh1x!-é🙂#"), max_size=300) | st.text(max_size=200))
def test_any_page_is_read_and_its_text_lies_where_it_is_said_to(source: str) -> None:
    page = read_page(source)
    position = 0
    for piece in page.pieces:
        assert piece.text_start == position
        position += piece.text_length
        assert piece.source_start >= 0 and piece.source_start + piece.source_length <= len(source)
        text = page.text[piece.text_start : position]
        if piece.text_length == piece.source_length > 1 and not text.startswith(("&", " ")):
            original = source[piece.source_start : piece.source_start + piece.source_length]
            if "&" not in original:
                assert original.split() == text.split()
    assert position == len(page.text)


@given(st.binary(max_size=400), st.sampled_from([b"a.txt", b"a.py", b"a.html", b"a.md", b"a"]))
def test_any_bytes_give_a_text_or_a_reason(content: bytes, name: bytes) -> None:
    found = extract(name, content)
    if isinstance(found, Skipped):
        assert found.reason
        return
    found.text.encode("utf-8")
    if found.text:
        place = found.source.locate(0, len(found.text))
        assert 0 <= place.start_byte <= place.end_byte <= len(content)
        assert 1 <= place.start_line <= place.end_line


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), min_size=1, max_size=200), st.data())
def test_byte_and_line_ranges_are_exact(text: str, data: st.DataObject) -> None:
    content = text.encode()
    found = text_of(b"a.txt", content)
    if not found.text or content.startswith(codecs.BOM_UTF8):
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    place = found.source.locate(start, end)
    assert content[place.start_byte : place.end_byte] == text[start:end].encode()
    assert place.start_line == text[:start].count("\n") + 1
    assert place.end_line == text[: end - 1].count("\n") + 1


def test_at_most_one_percent_of_the_standard_library_is_skipped() -> None:
    root = Path(sysconfig.get_paths()["stdlib"])
    sources = [
        path for path in root.rglob("*.py") if not {"test", "tests", "site-packages"} & set(path.relative_to(root).parts)
    ]
    assert len(sources) > 300
    skipped = {
        path.name: found.reason
        for path in sources
        if isinstance(found := extract(path.name.encode(), path.read_bytes()), Skipped)
    }
    assert len(skipped) <= len(sources) / 100, skipped


def test_the_size_is_looked_at_before_reading() -> None:
    assert extract_module.too_large(MAX_CONTENT_BYTES) is None
    assert extract_module.too_large(MAX_CONTENT_BYTES + 1) is not None
