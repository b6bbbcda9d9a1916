"""Where the words of a question stand in a passage: as other forms, as parts of names, as phrases.

Made by the reader for one answer, and asked for each passage it shows. Says what `query.py` looks for; ranks nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vexfs.core.words import Identifier, Span, fold, identifiers, whole, without_overlap
from vexfs.views.lexical.query import Wanted
from vexfs.views.lexical.stems import ENGLISH, stem


class _Words(NamedTuple):
    """The words of a passage, one beside the other."""

    spelled: list[str]
    folded: list[str]
    starts: list[int]

    def span(self, first: int, last: int) -> Span:
        """From the one word to the other, both included."""
        return Span(self.starts[first], self.starts[last] + len(self.spelled[last]))


class Spotter:
    """Finds the words of one question."""

    def __init__(self, wanted: Wanted, languages: Iterable[str]) -> None:
        self._languages = (ENGLISH, *languages)
        self._stems = {stem(word, language) for language in self._languages for word in wanted.spelled}
        self._wholes = {*wanted.wholes, *wanted.words, *wanted.joined, *(one.whole for one in wanted.phrases if one.whole)}
        self._words = {*wanted.words, *wanted.wholes, *wanted.joined, *(one.whole for one in wanted.phrases if one.whole)}
        self._runs: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for run in (*wanted.runs, *(one.words for one in wanted.phrases)):
            self._runs[run[0]].append(run)
        self._prefixes: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for prefix in wanted.prefixes:
            self._prefixes[prefix[0] if len(prefix) > 1 else ""].append(prefix)
        self._whole_prefixes = tuple("".join(prefix) for prefix in wanted.prefixes)

    def terms(self, text: str) -> list[str]:
        """The stretches of the text that the question is about, as they stand there, but for white space: each once."""
        return list(dict.fromkeys(" ".join(text[start:end].split()) for start, end in self.spans(text)))

    def spans(self, text: str) -> list[Span]:
        """Where they are: in order, without overlap; of two that overlap the longer one."""
        found = identifiers(text)
        words = _words_of(found)
        spans = [words.span(index, index) for index, known in enumerate(self._known(words)) if known]
        spans += [Span(one.start, one.end) for one in found if len(one.parts) > 1 and self._is_whole(whole(one))]
        if self._runs or self._prefixes:
            spans += self._stretches(words)
        return without_overlap(spans)

    def _known(self, words: _Words) -> Iterable[bool]:
        known = [word in self._words for word in words.folded]
        for language in self._languages if self._stems else ():
            for index, word in enumerate(words.spelled):
                known[index] = known[index] or stem(word, language) in self._stems
        return known

    def _is_whole(self, word: str) -> bool:
        return bool(word) and (word in self._wholes or word.startswith(self._whole_prefixes))

    def _stretches(self, words: _Words) -> Iterable[Span]:
        always = self._prefixes.get("", [])
        for index, word in enumerate(words.folded):
            for run in self._runs.get(word, ()):
                if tuple(words.folded[index : index + len(run)]) == run:
                    yield words.span(index, index + len(run) - 1)
            for prefix in (*self._prefixes.get(word, ()), *always):
                if _begins(words.folded[index : index + len(prefix)], prefix):
                    yield words.span(index, index + len(prefix) - 1)


def _begins(words: Sequence[str], prefix: tuple[str, ...]) -> bool:
    return len(words) == len(prefix) and tuple(words[:-1]) == prefix[:-1] and words[-1].startswith(prefix[-1])


def _words_of(found: Sequence[Identifier]) -> _Words:
    spelled = [part for one in found for part in one.parts]
    starts = [start for one in found for start in one.starts]
    return _Words(spelled, list(map(fold, spelled)), starts)
