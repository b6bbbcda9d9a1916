"""From candidates to an answer: files that still exist, their paths and passages. What does the caller get?

Used by the engine, on one snapshot a search. Goes deeper into the rankings until the answer is full or nothing is left: files
that vanished, or lost their passage, since the views saw them are passed over and others take their place.
"""

from vexfs.core.errors import ViewUnavailable
from vexfs.core.search.fusion import Candidate
from vexfs.core.search.matcher import Matcher
from vexfs.core.search.rankings import Ranking
from vexfs.core.search.types import DENSE, LEXICAL, Hit, Match, PassageText, SearchAnswer
from vexfs.core.status import Trust
from vexfs.store import nodes
from vexfs.store.reader import Snapshot
from vexfs.views.derived import DerivedReader
from vexfs.views.lexical import LexicalReader, Spotter

_DEEPER = 4


class Answers:
    """Puts answers together for one volume; any thread."""

    def __init__(self, derived: DerivedReader, lexical: LexicalReader) -> None:
        self._derived = derived
        self._lexical = lexical

    def assemble(
        self, view: Snapshot, matcher: Matcher, ranking: Ranking, limit: int, trust: Trust, question: str | None
    ) -> SearchAnswer:
        """Up to `limit` hits. `question`: the text whose passages and words are shown; None shows none."""
        spotter = self._lexical.spotter(question) if question else None
        hits: dict[int, Hit] = {}
        passed_over: set[int] = set()
        depth = ranking.first_depth
        while True:
            candidates, complete = ranking.candidates(matcher, depth)
            hits = {}
            for candidate in candidates:
                if len(hits) == limit:
                    break
                if candidate.ino in passed_over:
                    continue
                hit = self._hit(view, matcher, candidate, spotter, with_passage=question is not None)
                if hit is None:
                    passed_over.add(candidate.ino)
                else:
                    hits[candidate.ino] = hit
            if len(hits) == limit or complete:
                break
            depth *= _DEEPER
        reasons = (*trust.reasons, *ranking.reasons)
        return SearchAnswer(
            tuple(hits.values()),
            trust.revision,
            ranking.generation,
            ranking.strategy,
            ranking.exact,
            bool(reasons),
            reasons,
            trust.pending,
        )

    def _hit(
        self, view: Snapshot, matcher: Matcher, candidate: Candidate, spotter: Spotter | None, *, with_passage: bool
    ) -> Hit | None:
        """None when the file, or the passage, is there no more."""
        node = nodes.get(view, candidate.ino)
        path = None if node is None else matcher.path_of(candidate.ino)
        if node is None or path is None:
            return None
        passage: PassageText | None = None
        if with_passage:
            try:
                found = self._derived.passage(candidate.ino, candidate.ordinal)
            except ViewUnavailable:
                pass  # the file was found all the same; that the text is not there makes the answer partial
            else:
                if found is None:
                    return None
                passage = PassageText(found[1], *found[0][2:6])
        return Hit(node, path, candidate.score, passage, _matches(candidate, passage, spotter))


def _matches(candidate: Candidate, passage: PassageText | None, spotter: Spotter | None) -> tuple[Match, ...]:
    matches = []
    if candidate.dense is not None:
        matches.append(Match(DENSE, candidate.dense.rank, candidate.dense.score))
    if candidate.lexical is not None:
        terms = () if passage is None or spotter is None else tuple(spotter.terms(passage.text))
        matches.append(Match(LEXICAL, candidate.lexical.rank, candidate.lexical.score, terms))
    return tuple(matches)
