"""The vector that examples make: the contract's formula, whatever the examples, and what it refuses."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vexfs.core.errors import DimensionMismatch, InvalidVector
from vexfs.core.search import recommend
from vexfs.core.types import VectorSpec

DIMENSION = 3
_VECTORS = st.lists(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=DIMENSION, max_size=DIMENSION).filter(lambda v: math.hypot(*v) > 1e-3),
    min_size=1,
    max_size=5,
)


def packed(values: list[float]) -> bytes:
    return np.array(values, "<f4").tobytes()


def made(metric: str, positive: list[list[float]], negative: list[list[float]]) -> list[float]:
    """What the server makes of them."""
    spec = VectorSpec("v", DIMENSION, metric)
    return np.frombuffer(
        recommend.vector_of(spec, [packed(one) for one in positive], [packed(one) for one in negative]), "<f4"
    ).tolist()


def expected(metric: str, positive: list[list[float]], negative: list[list[float]]) -> list[float]:
    """The contract's formula, a number at a time."""

    def mean(vectors: list[list[float]]) -> list[float]:
        lengths = [math.hypot(*vector) if metric == "cosine" else 1.0 for vector in vectors]
        return [
            math.fsum(vector[place] / length for vector, length in zip(vectors, lengths, strict=True)) / len(vectors)
            for place in range(DIMENSION)
        ]

    like = mean(positive)
    return like if not negative else [2 * a - b for a, b in zip(like, mean(negative), strict=True)]


@given(st.sampled_from(["cosine", "dot", "euclidean"]), _VECTORS, st.one_of(st.just([]), _VECTORS))
def test_the_vector_is_that_of_the_contract(metric: str, positive: list[list[float]], negative: list[list[float]]) -> None:
    wanted = expected(metric, positive, negative)
    assume(metric != "cosine" or math.hypot(*wanted) > 1e-3)
    assert made(metric, positive, negative) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_one_example_points_where_it_points() -> None:
    assert made("euclidean", [[1, 2, 3]], []) == [1, 2, 3]
    assert made("cosine", [[0, 0, 7]], []) == [0, 0, 1]


def test_examples_that_cancel_each_other_out_have_no_direction_but_a_place() -> None:
    with pytest.raises(InvalidVector, match="cancel"):
        made("cosine", [[1, 0, 0], [-2, 0, 0]], [])
    assert made("euclidean", [[1, 0, 0], [-1, 0, 0]], []) == [0, 0, 0]


def test_what_32_bits_do_not_hold_is_refused() -> None:
    with pytest.raises(InvalidVector, match="too large"):
        made("dot", [[3e38, 0, 0]], [[-3e38, 0, 0]])


def test_every_example_is_checked() -> None:
    for bad, error in (([1, 2], DimensionMismatch), ([1, 2, math.nan], InvalidVector), ([0, 0, 0], InvalidVector)):
        with pytest.raises(error):
            made("cosine", [[1, 2, 3], bad], [])
        with pytest.raises(error):
            made("cosine", [[1, 2, 3]], [bad])
