"""How far an approximate searcher must look to reach its recall, and how well it does. Is this searcher good enough?

Called by the builder process, on a searcher just trained. The queries are rows of the index itself, each of which is left out
of its own answer. That is honest as far as the data can say: a row is one of hundreds that trained each code and leaf; having
been there hardly favours it, and rows are what the index holds, whereas a perturbed row lies nearer to its neighbours than
anything real. What little it claims too much is known (`OPTIMISM`); how questions differ from what is stored is not.

Each half of the queries must reach the recall by itself, and the number kept with the generation is the lower one, so that it
is hardly that of the luckiest choice. A candidate counts when it scores as high as the last row of the true answer: among equal
rows any will do. Pure functions of their arguments; time grows with the rows (a matrix product) and hardly with what is tried.
"""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vexfs.views.dense import metrics
from vexfs.views.dense.metrics import Query, Scores
from vexfs.views.dense.rows import Matrix, RowIds

RECALL_TARGET = 0.98
"""Of the rows of a true answer, so many are found, at `NEAR` and at `FAR` rows wanted."""
NEAR, FAR = 10, 100
"""Wanted rows for which an effort is chosen; other numbers lie between or beyond."""
QUERIES = 512
DEPTH_MIN, DEPTH_MAX = 80, 1_000
"""Fewer candidates than the smallest depth cost little less time, and leave no room for questions unlike the rows."""
_DEPTH_STEP = 1.2
OPTIMISM = 0.005
"""Rows claim up to so much more than queries find that were never stored (of trees, at 50,000 and 200,000 vectors of text), so
they must show so much more."""
_BLOCK_ROWS = 8_192

CandidatesOf = Callable[[Query, int, int], RowIds]
"""(query, leaves to search, depth) → so many row ids, the most promising first."""


class Effort(NamedTuple):
    """How far to look for a number of wanted rows."""

    leaves: int
    """0 without a tree."""
    depth: int
    """Candidates to score exactly."""


class Calibrated(NamedTuple):
    near: Effort
    far: Effort
    recall: float
    """At `NEAR`, of the half of the queries that finds less."""
    far_recall: float


class Sample(NamedTuple):
    """Rows as queries, with what separates their true answers from the rest."""

    places: RowIds
    edges: dict[int, Scores]
    """By number of wanted rows: the score of the last one of each true answer, the row itself not counted."""
    matrix: Matrix
    metric: str


def sample(matrix: Matrix, metric: str, queries: int = QUERIES) -> Sample:
    """Evenly spread rows and their true answers, by comparing each with every row. Needs more than `FAR` rows."""
    places = np.unique(np.linspace(0, len(matrix) - 1, queries).astype(np.int64))
    asked = matrix[places]
    best = np.empty((len(places), 0), dtype=np.float32)
    for start in range(0, len(matrix), _BLOCK_ROWS):
        block = matrix[start : start + _BLOCK_ROWS]
        scores = asked @ block.T
        if metric == metrics.EUCLIDEAN:
            scores = 2 * scores - metrics.squared_lengths(block)
        inside = np.flatnonzero((places >= start) & (places < start + len(block)))
        scores[inside, places[inside] - start] = -np.inf
        best = np.concatenate([best, scores], axis=1)
        if best.shape[1] > FAR:
            best = np.partition(best, -FAR, axis=1)[:, -FAR:]
    best = np.sort(best, axis=1)[:, ::-1]
    return Sample(places, {wanted: best[:, wanted - 1] for wanted in (NEAR, FAR)}, matrix, metric)


def calibrate(
    truth: Sample, candidates_of: CandidatesOf, leaves: Iterable[int], cost: Callable[[Effort], float]
) -> Calibrated | None:
    """The cheapest efforts that reach the recall; None when none of these numbers of leaves does."""
    ascending = sorted(leaves)
    most = _Profile(truth, candidates_of, ascending[-1])
    if any(most.depth_for(wanted) > DEPTH_MAX for wanted in (NEAR, FAR)):
        return None
    profiles = {ascending[-1]: most}
    for searched in ascending[:-1]:
        profiles[searched] = _Profile(truth, candidates_of, searched)
        if all(profiles[searched].depth_for(wanted) <= _depths(wanted)[0] for wanted in (NEAR, FAR)):
            break  # more leaves cannot save depth
    chosen: dict[int, tuple[Effort, float]] = {}
    for wanted in (NEAR, FAR):
        efforts = [
            Effort(searched, depth)
            for searched, profile in profiles.items()
            for depth in _depths(wanted)
            if depth >= profile.depth_for(wanted)
        ]
        cheapest = min(efforts, key=cost)
        chosen[wanted] = (cheapest, profiles[cheapest.leaves].recall(wanted, cheapest.depth))
    (near, recall), (far, far_recall) = chosen[NEAR], chosen[FAR]
    far = Effort(max(near.leaves, far.leaves), max(near.depth, far.depth))
    return Calibrated(near, far, recall, far_recall)


class _Profile:
    """Recall by depth, of one number of leaves: that of the half of the queries that finds less."""

    def __init__(self, truth: Sample, candidates_of: CandidatesOf, leaves: int) -> None:
        depth_max = min(DEPTH_MAX, len(truth.matrix) - 1)
        recalls = {wanted: np.zeros((2, depth_max)) for wanted in (NEAR, FAR)}
        halves = np.bincount(np.arange(len(truth.places)) % 2, minlength=2)
        margin = _margin(truth)
        for number, place in enumerate(truth.places.tolist()):
            query = Query(truth.matrix[place])
            found = candidates_of(query, leaves, depth_max + 1)
            found = found[found != place][:depth_max]
            scores = _ordering(truth, query, found)
            for wanted, recall in recalls.items():
                reached = np.minimum(np.cumsum(scores >= truth.edges[wanted][number] - margin), wanted) / wanted
                recall[number % 2, : len(reached)] += reached
                recall[number % 2, len(reached) :] += reached[-1] if len(reached) else 0.0
        self._recalls = {wanted: np.min(recall / halves[:, None], axis=0) for wanted, recall in recalls.items()}

    def depth_for(self, wanted: int) -> int:
        """The smallest depth with which the target is reached; DEPTH_MAX + 1 when there is none."""
        enough = np.flatnonzero(self._recalls[wanted] >= RECALL_TARGET + OPTIMISM)
        return int(enough[0]) + 1 if len(enough) else DEPTH_MAX + 1

    def recall(self, wanted: int, depth: int) -> float:
        recall: NDArray[np.float64] = self._recalls[wanted]
        return float(recall[min(depth, len(recall)) - 1])


@lru_cache(maxsize=1024)
def effort_for(near: Effort, far: Effort, wanted: int) -> Effort:
    """On the line through both efforts, to either side of `FAR`; never less than `near`."""
    share = max(0.0, (wanted - NEAR) / (FAR - NEAR))
    return Effort(*(math.ceil(low + share * (high - low)) for low, high in zip(near, far, strict=True)))


def _depths(wanted: int) -> list[int]:
    """Depths worth telling apart."""
    depths, depth = [], max(DEPTH_MIN, 2.5 * wanted)
    while depth < DEPTH_MAX:
        depths.append(int(depth))
        depth *= _DEPTH_STEP
    return [*depths, DEPTH_MAX]


def _ordering(truth: Sample, query: Query, rows: RowIds) -> Scores:
    return metrics.approximate(truth.matrix[rows], query, truth.metric, None)


def _margin(truth: Sample) -> float:
    """How far a score can differ from the same one out of another product, by rounding."""
    longest = float(np.max(metrics.squared_lengths(truth.matrix[truth.places])))
    return 1e-5 * max(longest, 1e-30)
