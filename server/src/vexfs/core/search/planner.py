"""How a ranking is found under a condition: over-fetching, or exactly among the files that pass. Which way is cheapest?

Called by the engine with a `Matcher`. Neither function answers fewer rows than it was asked for unless there are no more, and
both say so (`complete`). Measured at 50,000 × 384: of 1 % that pass, comparing them exactly takes 115 µs where over-fetching
misses most; of 5 %, over-fetching takes half the time of comparing; an over-fetch that brought too little tells how rare the
passing files are.
"""

import numpy as np

from vexfs.core.search.matcher import Matcher
from vexfs.views.dense import ranking
from vexfs.views.dense.index import IndexState
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.ranking import Ranked
from vexfs.views.dense.rows import Keys, contains, files_of
from vexfs.views.lexical import LexicalHit, LexicalReader

PROBE_ROWS = 200
"""Rows looked at first when it is not known how many files pass."""
GATHER_ROWS_MAX = 1_500
GATHER_SHARE = 0.02
OVERFETCH = 1.5
OVERFETCH_SHARE_MAX = 0.2
RESTRICT_FILES_MAX = 2_000
"""A word search is told the files it may answer up to so many; beyond, it answers more and is sifted."""


def dense(state: IndexState, query: Query, depth: int, matcher: Matcher) -> Ranked:
    """The nearest rows whose files pass: `depth` of them, or all there are."""
    if matcher.trivial:
        found = ranking.nearest(state, query, depth)
        short = len(found.keys) < depth and not found.complete
        return ranking.nearest(state, query, depth, exhaustive=True) if short else found
    allowed = matcher.known_allowed(state)
    if allowed is None:
        found = _sifted(ranking.nearest(state, query, max(PROBE_ROWS, 2 * depth)), matcher, depth)
        if len(found.keys) >= depth or found.complete:
            return found
        allowed = matcher.allowed(state)
    return _among(state, query, depth, allowed)


def _sifted(found: Ranked, matcher: Matcher, depth: int) -> Ranked:
    files = files_of(found.keys)
    passing = matcher.passing(files.tolist())
    kept = np.array([ino in passing for ino in files.tolist()], dtype=np.bool_)
    keys, scores = found.keys[kept], found.scores[kept]
    return Ranked(keys[:depth], scores[:depth], found.complete and len(keys) <= depth, found.exact)


def _among(state: IndexState, query: Query, depth: int, allowed: Keys) -> Ranked:
    """Under a condition whose files are known."""
    base, tail = ranking.rows_among(state, allowed)
    count, total = len(base) + len(tail), state.live_count
    if state.searcher is not None and count > max(GATHER_ROWS_MAX, GATHER_SHARE * total):
        wanted = int(OVERFETCH * depth * total / count) + PROBE_ROWS
        if wanted <= OVERFETCH_SHARE_MAX * total:
            found = ranking.nearest(state, query, wanted)
            kept = contains(allowed, files_of(found.keys))
            if int(kept.sum()) >= depth:
                return Ranked(found.keys[kept][:depth], found.scores[kept][:depth], complete=False, exact=False)
    return ranking.nearest_among(state, query, depth, allowed)


def lexical(reader: LexicalReader, text: str, depth: int, matcher: Matcher) -> tuple[list[LexicalHit], bool]:
    """The best passages by words whose files pass: `depth` of them, or all there are; and whether these are all.

    Raises ViewUnavailable.
    """
    restrict = None
    inside = matcher.files_in_scope()
    if inside is not None and len(inside) <= RESTRICT_FILES_MAX:
        restrict = set(inside.tolist())
    asked = depth
    while True:
        found = reader.search(text, asked, restrict)
        passing = matcher.passing({int(hit.ino) for hit in found})
        kept = [hit for hit in found if int(hit.ino) in passing]
        complete = len(found) < asked
        if complete or len(kept) >= depth:
            return kept[:depth], complete and len(kept) <= depth
        asked *= 4
