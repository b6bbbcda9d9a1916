"""Words of a text as people and programs write them: identifiers, and the parts they are made of.

`parseHTTPResponse`, `parse_http_response` and `parse-http-response` are one identifier of three parts; `utf8` and `SHA-256`
have two, a plain word is its own only part, an ideograph is a word by itself. Used by the lexical view for passages and
questions alike, and by the command line, which marks them in a passage. Pure functions; the caches are shared by all threads.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

PART_MAX_CHARACTERS = 60
WORD_MAX_CHARACTERS = 250
"""What is longer is no word (encoded data), and left out."""
MIXED_MAX_CHANGES = 3
"""A word that changes between letters and digits more often is a hash or the like, and not taken apart."""
_REMEMBERED_MAX = 32_768

# Python's \w knows letters and digits, but not the marks that belong to them: accents written apart, vowel signs.
_MARK_BLOCKS = (range(0x300, 0x3100), range(0xA600, 0xAC00), range(0xFE20, 0xFE30))
_MARKS = "".join(chr(code) for block in _MARK_BLOCKS for code in block if unicodedata.category(chr(code))[0] == "M")
_IDEOGRAPH = "぀-ヿ㐀-䶿一-鿿가-힯豈-﫿"
_WORD = re.compile(rf"[{_IDEOGRAPH}]|[^\W_{_IDEOGRAPH}](?:[^\W_{_IDEOGRAPH}]|[{_MARKS}])*")
_CJK = re.compile(f"[{_IDEOGRAPH}]")
# A plural acronym (URLs), an acronym before a capitalised word (HTTPServer), a word, digits.
_ASCII_PART = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_MIXED_CHANGE = re.compile(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")
_JOINERS = "_-"
"""One of these between two words makes one identifier of them."""
_ACCENTS = re.compile("[\u0300-\u036f]")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})


class Span(NamedTuple):
    """text[start:end]."""

    start: int
    end: int


class Identifier(NamedTuple):
    """Parts as they stand in the text, and where each starts there."""

    parts: list[str]
    starts: list[int]

    @property
    def start(self) -> int:
        return self.starts[0]

    @property
    def end(self) -> int:
        return self.starts[-1] + len(self.parts[-1])

    def units(self) -> list[list[str]]:
        """The parts that mean something on their own: of `sha256` its letters and digits only together."""
        units = [[self.parts[0]]]
        for before, part, gap in zip(self.parts, self.parts[1:], self._gaps(), strict=False):
            together = before[-1].isdigit() != part[0].isdigit() and not part.istitle()
            if together and not gap:
                units[-1].append(part)
            else:
                units.append([part])
        return units

    def _gaps(self) -> list[int]:
        """Between the parts, in characters."""
        ends = [start + len(part) for part, start in zip(self.parts, self.starts, strict=True)]
        return [start - end for end, start in zip(ends, self.starts[1:], strict=False)]


def identifiers(text: str) -> list[Identifier]:
    """Everything in the text that is a word or made of words, in order."""
    found: list[Identifier] = []
    last_end = -2
    for match in _WORD.finditer(text):
        word, start = match[0], match.start()
        parts = parts_of(word)
        if not parts:
            continue
        starts = [start] if len(parts) == 1 else list(accumulate(map(len, parts[:-1]), initial=start))
        if start == last_end + 1 and text[last_end] in _JOINERS:
            found[-1].parts.extend(parts)
            found[-1].starts.extend(starts)
        else:
            found.append(Identifier(list(parts), starts))
        last_end = start + len(word)
    return found


@lru_cache(_REMEMBERED_MAX)
def parts_of(word: str) -> tuple[str, ...]:
    """The parts of a run of letters and digits; together they are the word. None for what is no word."""
    if len(word) > WORD_MAX_CHARACTERS:
        return ()
    if (word.isalpha() and word[1:].islower()) or len(_MIXED_CHANGE.findall(word)) > MIXED_MAX_CHANGES:
        parts: tuple[str, ...] = (word,)
    elif word.isascii():
        parts = tuple(_ASCII_PART.findall(word))
    else:
        parts = _parts_of_any_script(word)
    return parts if all(len(part) <= PART_MAX_CHARACTERS for part in parts) else ()


def _parts_of_any_script(word: str) -> tuple[str, ...]:
    cuts = [0]
    for index in range(1, len(word)):
        before, here, after = word[index - 1], word[index], word[index + 1 : index + 2]
        hump = here.isupper() and (before.islower() or (before.isupper() and after.islower()))
        if hump or (here.isdigit() != before.isdigit() and not unicodedata.combining(here)):
            cuts.append(index)
    return tuple(word[start:end] for start, end in zip(cuts, [*cuts[1:], len(word)], strict=True))


@lru_cache(_REMEMBERED_MAX)
def fold(part: str) -> str:
    """What is the same word whatever its case, accents and width: "Größe" and "GROSSE" are "grosse"."""
    if part.isascii():
        return part.lower()
    plain = unicodedata.normalize("NFKD", part.casefold()).translate(_LETTERS)
    # The Cyrillic й is a letter of its own, though Unicode takes it apart.
    bare = _ACCENTS.sub("", plain.replace("\u0438\u0306", "\u0439"))
    return unicodedata.normalize("NFC", "".join(bare.split()))  # some single letters stand for several words


def whole(identifier: Identifier) -> str:
    """The identifier in one word, however it is spelled: "parsehttpresponse"; empty when it has one part, or is too long."""
    if len(identifier.parts) < 2:
        return ""
    joined = "".join(map(fold, identifier.parts))
    return joined if len(joined) <= WORD_MAX_CHARACTERS else ""


def without_overlap(spans: Iterable[Span]) -> list[Span]:
    """The spans in order; of two that overlap the longer one."""
    chosen: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not chosen or span.start >= chosen[-1].end:
            chosen.append(span)
        elif span.end - span.start > chosen[-1].end - chosen[-1].start:
            chosen[-1] = span
    return chosen


def is_ideograph(part: str) -> bool:
    return _CJK.match(part) is not None
