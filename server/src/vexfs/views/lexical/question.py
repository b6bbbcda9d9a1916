"""What is typed into a search: the few marks in a question that mean something, and the question without them.

`"exact words"` in quotes are a phrase, `conf*` is the beginning of a word. Both stand by themselves, white space or the edge of
the text around them; every other quote and star is a character like any other, so no text is a wrong question. Pure functions.
"""

import re
from typing import NamedTuple

MARKED_MAX = 16
"""Phrases and prefixes of a question; more of them are read as plain words."""
PREFIX_MIN_CHARACTERS = 2

_MARKED = re.compile(r'(?<!\S)(?:"(?P<phrase>[^"]+)"(?=[\s.,;:!?)]|$)|(?P<prefix>[^\s*"]*[^\W_])\*(?=\s|$))')
_LETTER = re.compile(r"[^\W_]")


class Question(NamedTuple):
    """A question taken apart."""

    text: str
    """All of it, without the marks: what is compared by meaning."""
    rest: str
    """What is neither phrase nor prefix."""
    phrases: tuple[str, ...]
    prefixes: tuple[str, ...]
    """Without their stars."""


def parse(text: str) -> Question:
    """Takes a question apart."""
    phrases: list[str] = []
    prefixes: list[str] = []
    plain: list[str] = []
    rest: list[str] = []
    end = 0
    for match in _MARKED.finditer(text):
        if len(phrases) + len(prefixes) == MARKED_MAX:
            break
        phrase, prefix = match["phrase"], match["prefix"]
        if len(_LETTER.findall(phrase or prefix)) < (1 if phrase else PREFIX_MIN_CHARACTERS):
            continue
        (phrases if phrase else prefixes).append(phrase or prefix)
        plain += [text[end : match.start()], phrase or prefix]
        rest += [text[end : match.start()], " "]
        end = match.end()
    return Question("".join([*plain, text[end:]]), "".join([*rest, text[end:]]), tuple(phrases), tuple(prefixes))
