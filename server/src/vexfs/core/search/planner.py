"""How a ranking is found under a condition: over-fetching, or exactly among the files that pass. Which way is cheapest?

Called by the engine with a `Matcher`. Neither function answers fewer rows than it was asked for unless there are no more, and
both say so (`complete`). Over-fetching asks the searcher for so many of the nearest rows of all that enough of them pass; it
costs the more, the rarer those are, where comparing costs the less. The rows that pass are kept with the files that pass, from
search to search; while they are not known, a first look at the nearest rows may do.
"""

import math

import numpy as np

from vexfs.core.search.matcher import Matcher
from vexfs.views.dense import ranking
from vexfs.views.dense.index import IndexState
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.ranking import Ranked, Subset
from vexfs.views.dense.rows import files_of
from vexfs.views.lexical import LexicalHit, LexicalReader

PROBE_ROWS = 200
"""Rows looked at first when it is not known how many files pass."""
OVERFETCH_DEVIATIONS = 3.0
"""So many standard deviations more than needed on average are asked for, as if rows passed independently of each other."""
COMPARE_NS = 1.0
"""What a number of a row that passes costs to fetch and compare: of a million rows .65 where 10,000 pass, 1.5 where 50,000."""
OVERFETCH_NS = 100_000.0
"""What an over-fetch costs beside the search of each searcher: calls, and picking those that pass."""
RESTRICT_FILES_MAX = 2_000
"""A word search is told the files it may answer up to so many; beyond, it answers more and is sifted."""


def dense(state: IndexState, query: Query, depth: int, matcher: Matcher, ahead: Ranked | None = None) -> Ranked:
    """The nearest rows whose files pass: `depth` of them, or all there are; `ahead` is what `ranking.nearest` found before."""
    if matcher.trivial:
        found = ahead or ranking.nearest(state, query, depth)
        short = len(found.keys) < depth and not found.complete
        return ranking.nearest(state, query, depth, exhaustive=True) if short else found
    subset = matcher.known_subset(state)
    if subset is None:
        found = _sifted(ranking.nearest(state, query, max(PROBE_ROWS, 2 * depth)), matcher, depth)
        if len(found.keys) >= depth or found.complete:
            return found
        subset = matcher.subset(state)
    return among(state, query, depth, subset)


def _sifted(found: Ranked, matcher: Matcher, depth: int) -> Ranked:
    files = files_of(found.keys)
    passing = matcher.passing(files.tolist())
    kept = np.array([ino in passing for ino in files.tolist()], dtype=np.bool_)
    keys, scores = found.keys[kept], found.scores[kept]
    return Ranked(keys[:depth], scores[:depth], found.complete and len(keys) <= depth, found.exact)


def among(state: IndexState, query: Query, depth: int, subset: Subset) -> Ranked:
    """Under a condition whose rows are known."""
    if state.searcher is not None and subset.rows > depth:
        wanted = math.ceil((depth + OVERFETCH_DEVIATIONS * math.sqrt(depth)) * state.live_count / subset.rows)
        searchers = [state.searcher, *(run.searcher for run in state.coded)]
        if sum(OVERFETCH_NS + one.cost_ns(wanted) for one in searchers) < COMPARE_NS * state.spec.dimension * subset.rows:
            found = ranking.nearest_sifted(state, query, depth, subset, wanted)
            if found is not None:
                return found
    return ranking.nearest_among(state, query, depth, subset)


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
