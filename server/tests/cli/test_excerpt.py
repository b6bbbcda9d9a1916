"""What a hit shows of its passage: which lines, how much of them, and which words in bold."""

import re

import click
import pytest

from vexfs.cli.excerpt import COLUMNS, LINES, excerpt

BOLD = re.compile(r"\x1b\[1m(.*?)\x1b\[0m")


def bold(text: str, *terms: str) -> list[str]:
    return BOLD.findall("\n".join(excerpt(text, terms)))


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("rotate the keys, keyring", ("keys", "rotate"), ["rotate", "keys"]),
        ("a key in a monkey, key", ("key",), ["key", "key"]),
        ("parseHTTPResponse", ("HTTP", "Response"), ["HTTP", "Response"]),
        ("parseHTTPResponse", ("parseHTTPResponse", "HTTP"), ["parseHTTPResponse"]),
        ("rotate   keys", ("rotate keys", "keys"), ["rotate   keys"]),
        ("a.b (c)", (".b", "(c)", "("), []),
        ("nothing", (), []),
        ("x", ("",), []),
    ],
)
def test_words_are_marked_and_nothing_inside_another(text: str, terms: tuple[str, ...], expected: list[str]) -> None:
    assert bold(text, *terms) == expected


def test_the_first_lines_are_shown_unless_others_have_more_of_the_words() -> None:
    lines = [f"line {number}" for number in range(10)]
    assert excerpt("\n\n  ".join(lines), []) == lines[:LINES]
    lines[6] = "here it is, the zebra"
    shown = [click.unstyle(line) for line in excerpt("\n".join(lines), ["zebra"])]
    assert lines[6] in shown and len(shown) == LINES
    assert excerpt("", ["zebra"]) == [] == excerpt(" \n ", [])


def test_a_long_line_is_cut_so_that_its_first_word_is_seen() -> None:
    line = "x " * 400 + "zebra" + " y" * 400
    (shown,) = excerpt(line, ["zebra"])
    assert bold(line, "zebra") == ["zebra"]
    assert click.unstyle(shown).startswith("…") and len(click.unstyle(shown)) == COLUMNS + 1
    (shown,) = excerpt("word " * 100, ["word"])
    assert click.unstyle(shown) == ("word " * 100)[:COLUMNS]


def test_control_characters_never_reach_the_terminal() -> None:
    (shown,) = excerpt("bell\x07 \x1b[31mred", ["bell", "red"])
    assert click.unstyle(shown) == "bell\\x07 \\x1b[31mred"
    assert BOLD.findall(shown) == ["bell"], "31mred is another word"
