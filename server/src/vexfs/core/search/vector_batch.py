"""Many searches of client vectors at one moment, whose answers are asked for one after another. Which are found together?

Made by a method of the API for one batch, in the thread that has the moment's snapshot; used by one thread at a time. Brief
searches of one index are answered in groups, which takes less than one after another, and a group no longer than some
milliseconds: who asks can let others go first after each answer. Everything else is searched alone, when it is asked for. Never
answers what a search alone would not: a group in which anything is wrong is given up, and each of it says for itself what is.
"""

from collections.abc import Mapping, Sequence

from vexfs.core.errors import VexfsError
from vexfs.core.search.engine import SearchEngine, is_brief_at
from vexfs.core.search.moments import VectorMoment
from vexfs.core.search.together import TOGETHER_MAX
from vexfs.core.search.types import SearchAnswer, VectorSearch
from vexfs.core.types import Ino

GROUP_HITS_MAX = 200
"""So many hits a group asks for together: each costs time, and memory for its metadata until it is asked for."""


class VectorBatch:
    """Answers searches, which are known by their places in a batch."""

    def __init__(self, engine: SearchEngine, moment: VectorMoment, searches: Mapping[int, VectorSearch]) -> None:
        """The moment was made for all of these searches."""
        self._engine = engine
        self._moment = moment
        self._searches = searches
        self._groups = {place: group for group in _groups(moment, searches) for place in group}
        self._found: dict[int, SearchAnswer] = {}
        """What was found with another and is not asked for yet."""

    def answer(self, place: int) -> SearchAnswer:
        """The answer of the search at that place, to be asked for once. Raises what `search_vectors_at` raises for it alone."""
        if place not in self._found:
            try:
                self._find(self._groups[place])
            except VexfsError:
                if len(self._groups[place]) == 1:
                    raise
                self._groups.update({one: [one] for one in self._groups[place]})
                self._find([place])
        return self._found.pop(place)

    def _find(self, group: Sequence[int]) -> None:
        answers = self._engine.search_vectors_at(self._moment, [self._searches[place] for place in group])
        self._found.update(zip(group, answers, strict=True))


def _groups(moment: VectorMoment, searches: Mapping[int, VectorSearch]) -> list[list[int]]:
    """All places, those together that are answered together."""
    groups: list[list[int]] = []
    growing: dict[tuple[Ino, str], tuple[list[int], int]] = {}
    for place, search in searches.items():
        if not is_brief_at(moment, search):
            groups.append([place])
            continue
        index = (search.collection, search.vector_name)
        group, hits = growing.get(index, ([], 0))
        if not group or len(group) == TOGETHER_MAX or hits + search.limit > GROUP_HITS_MAX:
            group, hits = [], 0
            groups.append(group)
        group.append(place)
        growing[index] = (group, hits + search.limit)
    return groups
