"""Answers that were given lately, for who asks the same again. Which are still true?

Owned by the engine; any thread. An answer is good for just the state in which it was found: the revision of the volume and
what the views had. Any write at all, to whatever file, and any step of a view makes it worthless, so it can never be stale. An
answer that lacks something is not remembered: what it lacks may come without any of these moving.

Vectors are compared in half a millisecond, of which remembering an answer takes a tenth, and most are asked for once: their
answers are remembered from the second time they are asked for. A question in words is embedded, which takes ten times as long;
its answer is remembered at once.
"""

from array import array
from collections.abc import Hashable

from vexfs.core.search.caches import BoundedCache
from vexfs.core.search.types import Hit, SearchAnswer, TextSearch, VectorSearch

_HIT_BYTES = 1500
"""A hit beside its texts: the node, the tuples, the numbers."""
_QUESTION_BYTES = 300
"""A question beside its text, vector and filter."""
_ASKED_ONCE_MAX = 1 << 14
"""So many questions by vector are known to have been asked for, in 8 bytes each; a newer one may take an older one's place."""

_Key = tuple[type, TextSearch | VectorSearch, str]


class Results:
    """Remembers within `limit_bytes`; 0 remembers nothing."""

    def __init__(self, limit_bytes: int) -> None:
        self._cache: BoundedCache[SearchAnswer] = BoundedCache("results", limit_bytes)
        self._asked = array("q", bytes(8 * _ASKED_ONCE_MAX))

    def find(self, request: TextSearch | VectorSearch, state: Hashable) -> SearchAnswer | None:
        """The answer to the request in that state, which was read before; None unless it is known."""
        return self._cache.get(_key(request), state) if self._cache.enabled else None

    def keep(self, request: TextSearch | VectorSearch, state: Hashable, answer: SearchAnswer) -> SearchAnswer:
        """Remember the answer that was found in that state, if it lacks nothing and is worth it; returns it."""
        if self._cache.enabled and not answer.partial and _is_whole(request, answer):
            key = _key(request)
            if isinstance(request, TextSearch) or self._was_asked(key):
                self._cache.put(key, answer, _size_of(answer) + _size_of_question(request) + len(key[2]), state)
        return answer

    def _was_asked(self, key: _Key) -> bool:
        """Whether the question came before, as far as is known; it is known to have come from now on."""
        mark = hash(key)
        place = mark % _ASKED_ONCE_MAX
        before, self._asked[place] = self._asked[place], mark
        return before == mark


def _key(request: TextSearch | VectorSearch) -> _Key:
    # A NamedTuple equals any tuple of equal fields, so neither kind of request nor its filter would be a key by itself.
    return (type(request), request if request.filter is None else request._replace(filter=None), repr(request.filter))


def _is_whole(request: TextSearch | VectorSearch, answer: SearchAnswer) -> bool:
    """Whether nothing that the hits should show was out of reach just then."""
    return isinstance(request, VectorSearch) or all(hit.passage is not None for hit in answer.hits)


def _size_of_question(request: TextSearch | VectorSearch) -> int:
    return _QUESTION_BYTES + sum(len(field) for field in request if isinstance(field, (str, bytes)))


def _size_of(answer: SearchAnswer) -> int:
    return _HIT_BYTES + sum(map(_size_of_hit, answer.hits))


def _size_of_hit(hit: Hit) -> int:
    texts = len(hit.path) + len(hit.metadata or b"") + (0 if hit.passage is None else 2 * len(hit.passage.text))
    return _HIT_BYTES + texts
