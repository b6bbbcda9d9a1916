"""From a question to a query of the index: which of its words count, and how much?

Called by the reader. User text never reaches the index's own query language: any text makes a valid query, or none. The
weights are round numbers near those that did best on the first half of the benchmark's set (`make bench NAME=quality`) and on
half of a set of abstracts.
"""

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import tantivy

from vexfs.core.words import Identifier, fold, identifiers, is_ideograph, whole
from vexfs.views.lexical.index import schema
from vexfs.views.lexical.question import Question
from vexfs.views.lexical.stems import ENGLISH, stems

T = TypeVar("T")

WORDS_MAX = 128
"""Distinct words of a question that count; the rest of a longer text is left out."""
NEIGHBOURS_MAX = 32
"""Of so many words it counts, too, which stand beside each other."""
RUN_PARTS_MAX = 16
EXPANSIONS_MAX = 64
"""Words that a prefix is scored by."""

AS_WRITTEN = 0.5
"""Of the word itself, beside 1 of its stem."""
PHRASE = 2.0
"""Of an identifier, a dotted name, a path: its parts in their order."""
WHOLE = 1.0
"""Of an identifier in one word, as others may spell it."""
JOINED_NEIGHBOURS = 0.5
"""Of two words of the question written as one: "time stamp" finds `timestamp`."""
NEIGHBOURS = 0.2
"""Of two words of the question that stand beside each other in the passage, too."""

_SCHEMA = schema()
_CONNECTION = re.compile(r"[._:/\\@#-]*")

_FUNCTION_WORDS = (
    "a an and are as at be by can could did do does for from had has have how i in is it me my of on or our should that the"
    " their them then there these they this those to was we were what when where which who why will with would you your"
)
_QUESTION_WORDS = frozenset(_FUNCTION_WORDS.split())


class Phrase(NamedTuple):
    """Words in their order."""

    words: tuple[str, ...]
    whole: str
    """All in one word, if they are one identifier."""


class Wanted(NamedTuple):
    """What a question's words come to, folded unless said otherwise; each once, in order."""

    spelled: list[str]
    """The words that count, as they are spelled."""
    wholes: list[str]
    """Identifiers of several parts, in one word."""
    runs: list[tuple[str, ...]]
    """Words that belong together in this order."""
    neighbours: list[tuple[tuple[str, ...], tuple[str, ...]]]
    """Of words that count, which stand beside each other."""
    joined: list[str]
    """Words that count, and may be written as one."""
    phrases: list[Phrase]
    """What must stand there."""
    prefixes: list[tuple[str, ...]]
    """Words in this order, of the last of which only the beginning is given."""

    @property
    def words(self) -> list[str]:
        return list(map(fold, self.spelled))


def wanted_of(question: Question) -> Wanted:
    """What to look for; everything empty for a text without words."""
    found = identifiers(question.rest)
    units = [tuple(unit) for one in found for unit in one.units()]
    counting = _telling(units)
    folded = _distinct(map(_folded, counting))[:WORDS_MAX]
    spelled: dict[str, str] = {}
    for unit in counting:
        if len(unit) == 1:
            spelled.setdefault(fold(unit[0]), unit[0])
    mixed = [unit for unit in folded if len(unit) > 1]
    known = frozenset(folded)
    pairs = [pair for pair in pairwise(map(_folded, units)) if known.issuperset(pair)]
    close = [one + two for one, two in pairwise(map(_folded, counting)) if not _ideographs(one, two)]
    return Wanted(
        list(spelled.values())[:WORDS_MAX],
        _distinct([*filter(None, map(whole, found)), *map("".join, mixed)]),
        _distinct([*mixed, *_runs(question.rest, found)]),
        _distinct(pairs)[:NEIGHBOURS_MAX],
        _distinct(map("".join, close))[:NEIGHBOURS_MAX],
        [one for one in map(_phrase, question.phrases) if one.words],
        [one.words for one in map(_phrase, question.prefixes) if one.words],
    )


def query_of(wanted: Wanted, searcher: tantivy.Searcher, languages: Iterable[str]) -> tantivy.Query | None:
    """What finds the passages that have all the phrases and, if there is anything else, any of it; None for nothing at all.

    `languages`: those other than English that passages are written in.
    """
    some = [_weighted(term("words", word), AS_WRITTEN) for word in wanted.words]
    some += [term("stems", stem) for one in (ENGLISH, *languages) for stem in dict.fromkeys(stems(wanted.spelled, one))]
    some += [_weighted(term("wholes", word), WHOLE) for word in wanted.words]
    some += [_weighted(in_one_word(one), WHOLE) for one in wanted.wholes]
    some += [_weighted(phrase(run), PHRASE) for run in wanted.runs]
    # Of ideographs, two together are what a word is elsewhere.
    some += [_weighted(phrase(one + two), WHOLE if _ideographs(one, two) else NEIGHBOURS) for one, two in wanted.neighbours]
    some += [_weighted(in_one_word(one), JOINED_NEIGHBOURS) for one in wanted.joined]
    some += [beginning(searcher, words) for words in wanted.prefixes]
    all_of = [(tantivy.Occur.Must, _exactly(one)) for one in wanted.phrases]
    if not all_of:
        return any_of(some) if some else None
    return tantivy.Query.boolean_query([*all_of, *((tantivy.Occur.Should, query) for query in some)])


def _telling(units: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    """Without the words a question is built of, unless it has no others: in a small volume they are rare, and would win."""
    return [unit for unit in units if fold(unit[0]) not in _QUESTION_WORDS or len(unit) > 1] or units


def term(field: str, text: str) -> tantivy.Query:
    return tantivy.Query.term_query(_SCHEMA, field, text)


def phrase(words: Sequence[str]) -> tantivy.Query:
    """These words in this order, as they are written."""
    return term("words", words[0]) if len(words) == 1 else tantivy.Query.phrase_query(_SCHEMA, "words", list(words))


def in_one_word(word: str) -> tantivy.Query:
    """An identifier of several parts, however it is spelled; it may also stand there as a plain word."""
    return any_of([term("wholes", word), term("words", word)])


def any_of(queries: Iterable[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def _weighted(query: tantivy.Query, weight: float) -> tantivy.Query:
    return query if weight == 1 else tantivy.Query.boost_query(query, weight)


def beginning(searcher: tantivy.Searcher, words: Sequence[str]) -> tantivy.Query:
    """These words in this order, of the last of which only the beginning is given; all that begin so count as one word."""
    *before, last = words
    if before:
        written = tantivy.Query.regex_phrase_query(_SCHEMA, "words", [*before, f"{last}.*"])
        return any_of([written, _one_of(searcher, "wholes", "".join(words))])
    return any_of([_one_of(searcher, "words", last), _one_of(searcher, "wholes", last)])


def _one_of(searcher: tantivy.Searcher, field: str, prefix: str) -> tantivy.Query:
    """The words of a field that begin so, each as rare as all of them together; beyond the most frequent they add no score."""
    count = searcher.num_docs
    found = searcher.terms_with_prefix(field, prefix, limit=EXPANSIONS_MAX)
    together = _rarity(min(count, sum(frequency for _, frequency in found)), count)
    scored = [_weighted(term(field, word), together / _rarity(frequency, count)) for word, frequency in found]
    others = tantivy.Query.const_score_query(tantivy.Query.regex_query(_SCHEMA, field, f"{prefix}.*"), 0.0)
    return tantivy.Query.disjunction_max_query([*scored, others])


def _rarity(frequency: int, count: int) -> float:
    """What BM25 weighs a word by that so many of all documents have."""
    return math.log(1 + (max(0, count - frequency) + 0.5) / (frequency + 0.5))


def _exactly(one: Phrase) -> tantivy.Query:
    written = phrase(one.words)
    return any_of([written, in_one_word(one.whole)]) if one.whole else written


def _phrase(text: str) -> Phrase:
    found = identifiers(text)
    words = tuple(fold(part) for one in found for part in one.parts)[:WORDS_MAX]
    return Phrase(words, "".join(words) if len(found) == 1 else "")


def _distinct(found: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(found))


def _folded(unit: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(fold, unit))


def _runs(text: str, found: Sequence[Identifier]) -> list[tuple[str, ...]]:
    """Words that belong together: each identifier of several parts, and what dots, slashes and the like connect, or nothing."""
    runs: list[tuple[str, ...]] = []
    connected: tuple[str, ...] = ()
    for index, one in enumerate(found):
        parts = _folded(one.parts)
        if index and _CONNECTION.fullmatch(text, found[index - 1].end, one.start):
            connected += parts
        else:
            runs.append(connected)
            connected = parts
        runs.append(parts)
    runs.append(connected)
    return [run for run in dict.fromkeys(runs) if 2 <= len(run) <= RUN_PARTS_MAX][:NEIGHBOURS_MAX]


def _ideographs(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    return is_ideograph(one[0]) and is_ideograph(two[0])
