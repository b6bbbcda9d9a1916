"""What quantizing keeps of a vector: never so little that a score lies outside the bounds they give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vexfs.views.dense import metrics
from vexfs.views.dense.quantization import BFLOAT16, COMPACT, INT8, Quantized

METRICS = (metrics.COSINE, metrics.DOT, metrics.EUCLIDEAN)


def kept(matrix: np.ndarray, metric: str, storage: str) -> Quantized:
    quantized = Quantized(len(matrix), matrix.shape[1], metric, storage)
    middle = len(matrix) // 2
    quantized.put(middle, matrix[middle:])
    quantized.put(0, matrix[:middle])
    return quantized


def numbers(matrix: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    """What `bounds` bounds, in float64."""
    products = matrix.astype(np.float64) @ query.astype(np.float64)
    return 2 * products - (matrix.astype(np.float64) ** 2).sum(axis=1) if metric == metrics.EUCLIDEAN else products


def numbers_of_scores(scores: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    wide = scores.astype(np.float64)
    return (query.astype(np.float64) ** 2).sum() - wide**2 if metric == metrics.EUCLIDEAN else wide


@pytest.mark.parametrize("storage", COMPACT)
@pytest.mark.parametrize("metric", METRICS)
@given(data=st.data())
@settings(max_examples=100)
def test_the_true_score_and_the_answered_one_lie_within_the_bounds(metric: str, storage: str, data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dimension = data.draw(st.sampled_from([1, 2, 3, 8, 65, 384, 4096]))
    rows = data.draw(st.integers(1, 40))
    magnitudes = 10.0 ** random.uniform(*data.draw(st.sampled_from([(0, 0), (-3, 3), (-30, 10), (-44, -38)])), (rows, 1))
    spiky = data.draw(st.sampled_from([1, 3, 15]))  # a power: the higher, the more a vector is a single component
    raw = (random.standard_normal((rows, dimension)) ** spiky * magnitudes).clip(-1e15, 1e15).astype(np.float32)
    raw[random.random((rows, dimension)) < data.draw(st.sampled_from([0, 0.5, 1]))] = 0
    asked = raw[0] if data.draw(st.booleans()) and raw[0].any() else random.standard_normal(dimension).astype(np.float32)
    if metric == metrics.COSINE and not np.sqrt((asked.astype(np.float64) ** 2).sum()):
        return
    query = metrics.prepare_query(asked.tobytes(), dimension, metric)
    matrix = metrics.prepare_rows(raw, metric)

    quantized = kept(matrix, metric, storage)
    low, high = quantized.bounds(query)
    some = np.flatnonzero(random.random(rows) < 0.5)
    low_of_some, high_of_some = quantized.take(some).bounds(query)
    for true in (numbers(matrix, query, metric), numbers_of_scores(metrics.exact(matrix, query, metric), query, metric)):
        assert (low <= true).all() and (true <= high).all()
        assert (low_of_some <= true[some]).all() and (true[some] <= high_of_some).all()


@pytest.mark.parametrize("storage", COMPACT)
@pytest.mark.parametrize("metric", METRICS)
def test_of_numbers_that_are_too_large_nothing_is_claimed(metric: str, storage: str) -> None:
    largest = np.finfo(np.float32).max / 2
    matrix = np.array([[largest, largest], [largest, -largest], [1, 2]], np.float32)
    query = metrics.prepare_query(np.array([largest, largest / 2], np.float32).tobytes(), 2, metric)
    low, high = kept(metrics.prepare_rows(matrix, metric), metric, storage).bounds(query)
    assert not np.isnan(low).any() and not np.isnan(high).any()
    if metric == metrics.COSINE:
        assert np.isfinite(low).all()
    else:
        assert (low[:2] < -2 * largest).all() and (high[:2] > 2 * largest).all()


@pytest.mark.parametrize(("storage", "width"), [(BFLOAT16, 0.005), (INT8, 0.02)])
def test_the_bounds_are_close_enough_to_tell_rows_apart(storage: str, width: float) -> None:
    random = np.random.default_rng(1)
    matrix = metrics.prepare_rows(random.standard_normal((500, 384)).astype(np.float32), metrics.COSINE)
    query = metrics.prepare_query(matrix[3].tobytes(), 384, metrics.COSINE)
    quantized = kept(matrix, metrics.COSINE, storage)
    low, high = quantized.bounds(query)
    assert (high - low).max() < width
    assert quantized.size_bytes < 500 * (384 * (2 if storage == BFLOAT16 else 1) + 9)
