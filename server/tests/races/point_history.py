"""What was put when, and whether an answer agrees with it: the judge of the races of points.

Writers tell every write with the time it was sent and the revision it was answered with; each id has one writer, so its
versions are in order. Readers keep every answer. When all have ended, `Judge` puts the rows at an answer's revision together
and holds the answer against them:

- All that was written up to the answer's revision shows in it; so does, unless it says `partial`, all that was acknowledged
  before it was asked for.
- What was written later, but sent before the answer came, may show in it or not: a query takes a moment, and promises its
  revision at least.
- An id stands there once, with the score of a vector that it may have, and with metadata that pass the filter.
- Best first, equal scores by file id. Never fewer than the limit, unless no more rows match.
- Nothing nearer is missing if it calls itself exact; what an approximate answer lacks counts against its recall, unless that
  is a point whose vector was asked for.
"""

import itertools
import math
import threading
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vexfs.contract.v1 import filter_pb2, points_pb2

SCORE_TOLERANCE = 1e-5
COSINE, DOT, EUCLIDEAN = "cosine", "dot", "euclidean"
GROUP = "group"


class Version(NamedTuple):
    """A point as it was put; without a vector it was deleted."""

    id: str
    vector: NDArray[np.float32] | None
    group: int


class Asked(NamedTuple):
    """A query, and what came back."""

    where: str
    """The process that answered."""
    request: points_pb2.QueryPointsRequest
    sent: float
    acknowledged: int
    """The newest revision that any writer had been told when this was asked."""
    answer: points_pb2.QueryPointsResponse
    ended: float


class History:
    """Written by all writers while the load runs. Times are those of time.monotonic()."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.acknowledged = 0
        self.writes: list[tuple[float, int, list[Version]]] = []
        """When it was sent, its revision, what it put."""

    def wrote(self, sent: float, revision: int, versions: list[Version]) -> None:
        with self._lock:
            self.acknowledged = max(self.acknowledged, revision)
            self.writes.append((sent, revision, versions))


class Verdicts:
    """What the judge has seen, so that a test can say that it has seen enough."""

    def __init__(self) -> None:
        self.answers: dict[str, int] = defaultdict(int)
        """By strategy."""
        self.partial = 0
        self.wanted = 0
        self.lacking = 0
        """Of `wanted` hits of approximate answers, those that something nearer should have stood for."""
        self.faults: list[str] = []

    @property
    def recall(self) -> float:
        return 1.0 - self.lacking / max(1, self.wanted)


class Judge:
    """Holds answers against a history that is complete; `tied` are ids and file ids of points that are never deleted."""

    def __init__(self, history: History, metric: str, file_ids: dict[str, int]) -> None:
        self._metric = metric
        self._file_ids = file_ids
        self.verdicts = Verdicts()
        writes = sorted(history.writes, key=lambda write: write[1])
        rows = [(sent, revision, version) for sent, revision, versions in writes for version in versions]
        self._ids = [version.id for _, _, version in rows]
        self._by_id: dict[str, list[int]] = defaultdict(list)
        for row, id in enumerate(self._ids):
            self._by_id[id].append(row)
        dimension = next(len(version.vector) for _, _, version in rows if version.vector is not None)
        self._exists = np.array([version.vector is not None for _, _, version in rows])
        nothing = np.zeros(dimension, dtype=np.float32)
        self._vectors = np.array([nothing if v.vector is None else v.vector for _, _, v in rows], dtype=np.float64)
        self._groups = np.array([version.group for _, _, version in rows])
        self._from = np.array([revision for _, revision, _ in rows], dtype=np.int64)
        self._sent = np.array([sent for sent, _, _ in rows])
        self._until = np.full(len(rows), np.iinfo(np.int64).max)
        self._until_sent = np.full(len(rows), math.inf)
        for places in self._by_id.values():
            for before, after in itertools.pairwise(places):
                self._until[before], self._until_sent[before] = self._from[after], self._sent[after]

    def judge(self, asked: Asked) -> None:
        verdicts, answer = self.verdicts, asked.answer
        verdicts.answers[answer.strategy] += 1
        verdicts.partial += answer.partial
        # Who asks for what is near to a point means the vector that it had when the query came to it.
        found = min((self._compared(asked, vector) for vector in self._queries(asked)), key=lambda each: len(each.faults))
        verdicts.wanted += found.wanted
        verdicts.lacking += found.lacking
        told = f"{asked.where}, revision {answer.revision} ({answer.strategy}, {len(answer.hits)} hits)"
        verdicts.faults += [f"{told}: {fault}" for fault in found.faults]

    def _queries(self, asked: Asked) -> list[NDArray[np.float64]]:
        """The vectors that the query may have compared."""
        if asked.request.HasField("vector"):
            return [np.frombuffer(asked.request.vector.values, dtype="<f4").astype(np.float64)]
        return [self._vectors[row] for row in self._may(asked.request.point_id, asked)]

    def _may(self, id: str, asked: Asked) -> list[int]:
        """The versions of a point that the answer may show."""
        reflected = _reflected(asked)
        return [
            row
            for row in self._by_id.get(id, ())
            if self._exists[row] and self._until[row] > reflected and self._sent[row] < asked.ended
        ]

    def _compared(self, asked: Asked, query: NDArray[np.float64]) -> "_Compared":
        request, answer = asked.request, asked.answer
        faults = []
        if answer.revision < request.min_revision:
            faults.append(f"revision {request.min_revision} was waited for")
        if answer.exact < request.exact:
            faults.append("all was to be compared, and it is not exact")
        scores = self._scores(query)
        faults += self._faults_of_hits(asked, scores)
        absence = self._absence(asked, query, scores)
        return absence._replace(faults=faults + absence.faults)

    def _scores(self, wide: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of every version there ever was, by 64-bit floats."""
        if self._metric == EUCLIDEAN:
            return -np.sqrt(((self._vectors - wide) ** 2).sum(axis=1))
        products: NDArray[np.float64] = self._vectors @ wide
        if self._metric == DOT:
            return products
        lengths = np.sqrt((self._vectors**2).sum(axis=1)) * math.sqrt(float(wide @ wide))
        return products / np.maximum(lengths, 1e-30)

    def _faults_of_hits(self, asked: Asked, scores: NDArray[np.float64]) -> list[str]:
        request, hits, faults = asked.request, asked.answer.hits, []
        if len({hit.point.id for hit in hits}) < len(hits):
            faults.append("an id stands there twice")
        if len(hits) > request.limit:
            faults.append(f"more than {request.limit} hits")
        order = [(-hit.score, hit.point.file_id) for hit in hits]
        if order != sorted(order):
            faults.append("not in order")
        for hit in hits:
            may = self._may(hit.point.id, asked)
            if hit.point.id == request.point_id:
                faults.append(f"{hit.point.id} is near to itself")
            if not any(abs(scores[row] - hit.score) <= SCORE_TOLERANCE for row in may):
                faults.append(f"{hit.point.id} with score {hit.score}: it may have {[float(scores[row]) for row in may]}")
            group = int(hit.point.metadata[GROUP])
            if not any(self._groups[row] == group for row in may):
                faults.append(f"{hit.point.id} with metadata of another time")
            if request.HasField("filter") and not _passes(request.filter, group):
                faults.append(f"{hit.point.id}, whose group is {group}, does not pass")
            vector = np.frombuffer(hit.point.vectors["v"].values, dtype="<f4") if request.with_vectors else None
            if vector is not None and not any(np.array_equal(self._vectors[row], vector) for row in may):
                faults.append(f"{hit.point.id} with a vector of another time")
        return faults

    def _absence(self, asked: Asked, query: NDArray[np.float64], scores: NDArray[np.float64]) -> "_Compared":
        """Of rows that were there at the revision, and that nobody touched until the answer had come."""
        request, answer, reflected = asked.request, asked.answer, _reflected(asked)
        certain = self._exists & (self._from <= reflected) & (self._until > reflected) & (self._until_sent > asked.ended)
        if request.HasField("filter"):
            passing = [group for group in np.unique(self._groups).tolist() if _passes(request.filter, group)]
            certain &= np.isin(self._groups, passing)
        certain[self._by_id.get(request.point_id, [])] = False
        rows = np.flatnonzero(certain)
        faults = []
        if len(answer.hits) < min(request.limit, len(rows)):
            faults.append(f"{len(answer.hits)} hits of {min(request.limit, len(rows))}")
        found = {hit.point.id for hit in answer.hits}
        if len(answer.hits) == request.limit:
            rows = rows[scores[rows] >= answer.hits[-1].score - SCORE_TOLERANCE]
        missing = [row for row in rows.tolist() if self._ids[row] not in found and self._belongs(row, request, answer, scores)]
        # Also an approximate search finds what the query is itself: nothing can be nearer.
        own = [row for row in missing if self._metric != DOT and np.array_equal(self._vectors[row], query)]
        faults += [f"{self._ids[row]} is not found by its own vector" for row in own]
        if not answer.exact:
            return _Compared(faults, request.limit, min(request.limit, len(missing)))
        if missing:
            faults.append(f"exact, and without {[(self._ids[row], float(scores[row])) for row in missing[:3]]}")
        return _Compared(faults, 0, 0)

    def _belongs(
        self,
        row: int,
        request: points_pb2.QueryPointsRequest,
        answer: points_pb2.QueryPointsResponse,
        scores: NDArray[np.float64],
    ) -> bool:
        """Whether a row that is no hit is better than the last hit, or as good with a smaller file id."""
        if len(answer.hits) < request.limit:
            return True
        last = answer.hits[-1]
        if abs(scores[row] - last.score) > SCORE_TOLERANCE:
            return bool(scores[row] > last.score)
        # Rows of one vector have one score to the last digit; others this near may have been rounded either way.
        ids = (self._file_ids.get(self._ids[row]), self._file_ids.get(last.point.id))
        if ids[0] is None or ids[1] is None or ids[0] > ids[1]:
            return False
        return any(np.array_equal(self._vectors[row], self._vectors[other]) for other in self._by_id[last.point.id])


class _Compared(NamedTuple):
    """An answer beside what was there: what is wrong, and how many hits of how many an approximate one lacks."""

    faults: list[str]
    wanted: int
    lacking: int


def _reflected(asked: Asked) -> int:
    """Up to which revision the answer shows everything."""
    answer = asked.answer
    return int(answer.revision) if answer.partial else max(int(answer.revision), asked.acknowledged)


def group_is(group: int) -> filter_pb2.Filter:
    condition = filter_pb2.MetadataCondition(key=GROUP)
    condition.equals.number_value = group
    return filter_pb2.Filter(metadata=condition)


def group_below(group: int) -> filter_pb2.Filter:
    return filter_pb2.Filter(metadata=filter_pb2.MetadataCondition(key=GROUP, range=filter_pb2.NumberRange(lt=group)))


def _passes(condition: filter_pb2.Filter, group: Any) -> bool:
    """What the two filters above mean."""
    if condition.metadata.WhichOneof("test") == "equals":
        return bool(condition.metadata.equals.number_value == group)
    return bool(group < condition.metadata.range.lt)
