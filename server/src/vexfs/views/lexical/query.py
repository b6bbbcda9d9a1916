"""From a question to a query of the index: which of its words count, and how much?

Called by the reader. User text is never parsed as a query language of the index: any text makes a valid query, or none. The
weights are round numbers near those that did best on the first half of the benchmark's set (`make bench NAME=quality`) and on
half of a set of abstracts.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import tantivy

from vexfs.views.lexical.index import schema
from vexfs.views.lexical.stems import ENGLISH, stems
from vexfs.views.lexical.words import Identifier, fold, identifiers, is_ideograph, whole

WORDS_MAX = 128
"""Distinct words of a question that count; the rest of a longer text is left out."""
NEIGHBOURS_MAX = 32
"""Of so many words it counts, too, which stand beside each other."""
PHRASE_PARTS_MAX = 16

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


def query_of(text: str, languages: Iterable[str]) -> tantivy.Query | None:
    """What finds the passages that hold any of the words; None for a text without words.

    `languages`: those other than English that passages are written in.
    """
    found = identifiers(text)
    units = [tuple(unit) for one in found for unit in one.units()]
    counting = telling(units)
    if not counting:
        return None
    folded = list(dict.fromkeys(map(_folded, counting)))[:WORDS_MAX]
    words = [unit[0] for unit in folded if len(unit) == 1]
    spelled = list({fold(unit[0]): unit[0] for unit in reversed(counting) if len(unit) == 1}.values())[:WORDS_MAX]
    wholes = [*map(whole, found), *("".join(unit) for unit in folded if len(unit) > 1)]
    runs = [*(unit for unit in folded if len(unit) > 1), *_runs(text, found)]
    wanted = [term("stems", stem) for language in (ENGLISH, *languages) for stem in dict.fromkeys(stems(spelled, language))]
    wanted += [_weighted(term("words", word), AS_WRITTEN) for word in words]
    wanted += [_weighted(term("wholes", word), WHOLE) for word in words]
    wanted += [_weighted(in_one_word(one), WHOLE) for one in dict.fromkeys(filter(None, wholes))]
    wanted += [_weighted(phrase(run), PHRASE) for run in dict.fromkeys(runs)]
    wanted += _neighbours(list(map(_folded, units)), list(map(_folded, counting)))
    return any_of(wanted)


def telling(units: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
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
    return [run for run in dict.fromkeys(runs) if 2 <= len(run) <= PHRASE_PARTS_MAX][:NEIGHBOURS_MAX]


def _neighbours(units: Sequence[tuple[str, ...]], counting: Sequence[tuple[str, ...]]) -> list[tantivy.Query]:
    known = frozenset(counting)
    beside = [pair for pair in dict.fromkeys(pairwise(units)) if known.issuperset(pair)][:NEIGHBOURS_MAX]
    # Of ideographs, two together are what a word is elsewhere.
    queries = [_weighted(phrase(one + two), WHOLE if _ideographs(one, two) else NEIGHBOURS) for one, two in beside]
    # "number of lines" may be written `numberlines`, but never `numberof`.
    for one, two in list(dict.fromkeys(pairwise(counting)))[:NEIGHBOURS_MAX]:
        if not _ideographs(one, two):
            queries.append(_weighted(in_one_word("".join(one + two)), JOINED_NEIGHBOURS))
    return queries


def _ideographs(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    return is_ideograph(one[0]) and is_ideograph(two[0])
