"""Which language a text's prose is in, and the stems of its words in that language.

Called by the lexical view for passages and questions. The stem of another language than English carries its name, `de:haus`, so
that it meets only passages of that language. Code counts as English: its words are. Thread-safe.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import islice

import tantivy

from vexfs.core.words import fold

ENGLISH = "en"
_DISTINCT_MIN = 5
_SHARE_MIN = 0.15
"""So many different function words of a language must stand in a text, and so large a part of its words be such, before it is
taken for prose in that language: code has some of them by chance."""
_LOOKED_AT_MAX = 4000
_REMEMBERED_MAX = 32_768

_STEMMERS = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french", "it": "italian",
    "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ru": "russian", "sv": "swedish",
}  # fmt: skip
# Without those that are as frequent in code: single letters, `os`, `do`, `as`, `no`.
_FUNCTION_WORDS = {
    "da": "og er det at en af til på som med ikke der den han hun var jeg blev fra eller også når hvad efter være bliver",
    "de": "der die das und ist nicht ein eine mit auf für den dem des zu von im sich auch wird werden wie oder bei nach aus",
    "en": "the of and to that it for with be this have from not by but which they his her their were there would been",
    "es": "el la los las de que en un una es se por con para su al lo como más pero sus le ya está son del hay fue",
    "fi": "ja on ei se että hän oli ovat mutta kun myös joka tai niin kuin jos sitä olla vain voi sen tämä",
    "fr": "le la les de des et est une un dans que qui pour pas sur ce il elle avec sont au aux par plus du ne se ou",
    "it": "il lo la gli le di che è un una non per con del della dei sono si da nel alla come più anche ma questo",
    "nl": "de het een en van is dat niet op te zijn voor met aan er maar om bij ook als naar door wordt deze uit",
    "no": "og er det at en av til på som med ikke der den han hun var jeg ble fra eller også når hva etter være blir",
    "pt": "de que da em um uma é não por com para se na dos das mais como mas ao aos seu sua pelo pela são está foi ou",
    "ru": "и в не на что он она с как это по но из от к у за же для был была было они мы вы его её или при так",
    "sv": "och är det att en av till på som med inte den han hon var jag från eller också när vad efter vara blir",
}
OTHER_LANGUAGES = tuple(sorted(_STEMMERS.keys() - {ENGLISH}))
_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _words in _FUNCTION_WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_language)


def language_of(words: Iterable[str]) -> str:
    """The language of a text of these words; English unless it is prose in one of the others for sure."""
    looked_at = [word.lower() for word in islice(words, _LOOKED_AT_MAX)]
    counts: Counter[str] = Counter()
    distinct: Counter[str] = Counter()
    for word, count in Counter(looked_at).items():
        for language in _LANGUAGES_OF.get(word, ()):
            counts[language] += count
            distinct[language] += 1
    if not counts:
        return ENGLISH
    language = max(counts, key=lambda one: (counts[one], one))
    sure = distinct[language] >= _DISTINCT_MIN and counts[language] >= _SHARE_MIN * len(looked_at)
    return language if sure and counts[language] > 2 * counts[ENGLISH] else ENGLISH


def stems(words: Sequence[str], language: str = ENGLISH) -> list[str]:
    """The stem of each word."""
    if language == ENGLISH:
        return _stemmer(language).analyze(" ".join(map(fold, words)))
    # The other stemmers know suffixes by their accents.
    spelled = [unicodedata.normalize("NFC", word.lower()) for word in words]
    return [f"{language}:{fold(stem)}" for stem in _stemmer(language).analyze(" ".join(spelled))]


@lru_cache(_REMEMBERED_MAX)
def stem(word: str, language: str) -> str:
    """The stem of one word, which is remembered: for texts that are read again and again."""
    return "".join(stems([word], language))


@cache
def _stemmer(language: str) -> tantivy.TextAnalyzer:
    split = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    return split.filter(tantivy.Filter.stemmer(_STEMMERS[language])).build()
