"""Which vectors really are the nearest, by comparing all; and how many of them an answer has.

Exact neighbours are kept beside the vectors they were computed from, because at 200,000 they take minutes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.runner.vectors_data import Vectors

K = 10
_QUERIES_AT_ONCE = 256
_VECTORS_AT_ONCE = 50_000
_ROUNDING = 1e-5
"""Two scores nearer to each other than this are equal: which of such neighbours an engine takes says nothing about it."""


class Condition(NamedTuple):
    """Vectors whose number (`values_of`) is the one the query asks for: its place modulo `count`."""

    name: str
    count: int
    values_of: NDArray[np.int64]


class Truth(NamedTuple):
    """For each query, the score of its K-th nearest vector (of its last, when fewer pass), and how many of K there are."""

    edges: NDArray[np.float32]
    wanted: NDArray[np.int64]

    @property
    def digest(self) -> str:
        """Of the counts and of the scores to four digits: the same on any machine with the same vectors."""
        return hashlib.sha256(self.wanted.tobytes() + np.round(self.edges, 4).tobytes()).hexdigest()[:16]


def exact(vectors: Vectors, queries: Vectors, condition: Condition | None, folder: Path) -> Truth:
    """Compares every query with every vector that passes."""
    name = "all" if condition is None else condition.name
    file = folder / f"truth-{len(vectors)}-{len(queries)}-{name}-{_mark(vectors, queries)}.npz"
    if file.exists():
        kept = np.load(file)
        return Truth(kept["edges"], kept["wanted"])
    edges, wanted = np.full(len(queries), np.inf, np.float32), np.zeros(len(queries), np.int64)
    if condition is None:
        _fill(vectors, queries, np.arange(len(queries)), edges, wanted)
    else:
        for value in range(condition.count):
            asking = np.arange(value, len(queries), condition.count)
            _fill(vectors[np.flatnonzero(condition.values_of == value)], queries, asking, edges, wanted)
    unfinished = file.with_suffix(".unfinished.npz")
    np.savez(unfinished, edges=edges, wanted=wanted)
    unfinished.rename(file)
    return Truth(edges, wanted)


def recall(vectors: Vectors, queries: Vectors, truth: Truth, condition: Condition | None, answers: Answers) -> float:
    """The share of the nearest neighbours in the answers; a row that does not pass, or stands twice, is none."""
    found = wanted = 0
    for place, ids in zip(answers.places.tolist(), answers.ids, strict=True):
        rows = np.unique(ids[(ids >= 0) & (ids < len(vectors))])
        if condition is not None:
            rows = rows[condition.values_of[rows] == place % condition.count]
        scores = vectors[rows] @ queries[place]
        found += min(int((scores >= truth.edges[place] - _ROUNDING).sum()), int(truth.wanted[place]))
        wanted += int(truth.wanted[place])
    return found / wanted if wanted else 1.0


class Answers(NamedTuple):
    """The queries that were asked, by their places, and the K ids that were answered to each (-1 where there was none)."""

    places: NDArray[np.int64]
    ids: NDArray[np.int64]


def _mark(vectors: Vectors, queries: Vectors) -> str:
    return hashlib.sha256(vectors[-1].tobytes() + vectors[0].tobytes() + queries[-1].tobytes()).hexdigest()[:8]


def _fill(
    vectors: Vectors,
    queries: Vectors,
    asking: NDArray[np.int64],
    edges: NDArray[np.float32],
    wanted: NDArray[np.int64],
) -> None:
    depth = min(K, len(vectors))
    wanted[asking] = depth
    if not depth:
        return
    for start in range(0, len(asking), _QUERIES_AT_ONCE):
        some = asking[start : start + _QUERIES_AT_ONCE]
        best = np.empty((len(some), 0), np.float32)
        for first in range(0, len(vectors), _VECTORS_AT_ONCE):
            scores = queries[some] @ vectors[first : first + _VECTORS_AT_ONCE].T
            best = np.concatenate([best, _largest(scores, depth)], axis=1)
        edges[some] = _largest(best, depth).min(axis=1)


def _largest(scores: NDArray[np.float32], depth: int) -> NDArray[np.float32]:
    if scores.shape[1] <= depth:
        return scores
    largest: NDArray[np.float32] = np.partition(scores, scores.shape[1] - depth, axis=1)[:, -depth:]
    return largest
