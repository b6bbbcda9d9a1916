"""Compact rows: the same answers as of float32 rows out of less memory, and an error where the exact ones cannot be read."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dense.vectors import DIMENSION, text_vectors
from dense.volumes import VECTOR, catch_up, delete_points, make_collection, new_volume, put_points, running_view, wait_until
from vexfs.core.errors import DataLoss, ViewUnavailable
from vexfs.core.types import Collection, Ino
from vexfs.store.volume import Volume
from vexfs.views.dense import builder, generation, metrics, quantization, ranking
from vexfs.views.dense.compact import CompactMatrix, CompactRows, open_compact
from vexfs.views.dense.index import DenseIndex, IndexSpec, IndexState
from vexfs.views.dense.metrics import Query
from vexfs.views.dense.rows import RowIds, Rows, files_of, key_of
from vexfs.views.dense.view import DenseView

METRICS = (metrics.COSINE, metrics.DOT, metrics.EUCLIDEAN)
BUILD_S = 240


class Half:
    """A searcher that finds every other row."""

    def __init__(self, count: int) -> None:
        self.count = count

    def candidates(self, query: Query, wanted: int) -> RowIds:
        return np.arange(0, self.count, 2)[::-1]


def rows_of(raw: np.ndarray, metric: str) -> Rows:
    keys = np.array([key_of(ino, 0) for ino in range(1, len(raw) + 1)], np.int64)
    return Rows(keys, metrics.prepare_rows(raw, metric))


def stored(folder: Path, rows: Rows, metric: str, storage: str) -> CompactRows:
    np.save(folder / "vectors.npy", rows.matrix)
    matrix, _, _ = open_compact(folder / "vectors.npy", len(rows), rows.matrix.shape[1], metric, storage)
    return CompactRows(rows.keys, matrix)


def index_of(rows: Rows | CompactRows, metric: str, storage: str) -> DenseIndex:
    index = DenseIndex(IndexSpec(1, "v", rows.matrix.shape[1], metric, storage))
    index.load(rows, 1, Half(len(rows)), "g")
    return index


def answers(state: IndexState, query: Query, depth: int) -> list[tuple[list[int], list[float], bool, bool]]:
    """Every way to search."""
    subset = ranking.subset_of(state, np.arange(5, 10**6, 3))
    found = [
        ranking.nearest(state, query, depth),
        ranking.nearest(state, query, depth, exhaustive=True),
        ranking.nearest_among(state, query, depth, subset),
        ranking.nearest_sifted(state, query, depth, subset, len(state.base.keys)),
    ]
    return [
        (each.keys.tolist(), each.scores.tolist(), each.complete, each.exact) if each is not None else ([], [], False, False)
        for each in found
    ]


@pytest.mark.parametrize("storage", quantization.COMPACT)
@pytest.mark.parametrize("metric", METRICS)
@given(data=st.data())
@settings(max_examples=40)
def test_answers_are_those_of_float32_rows_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, metric: str, storage: str, data: st.DataObject
) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dimension = data.draw(st.sampled_from([1, 2, 5, 64, 384]))
    count = data.draw(st.integers(1, 400))
    raw = random.standard_normal((count, dimension)).astype(np.float32)
    if data.draw(st.booleans()):  # many equal rows, and rows that are the same when quantized
        raw = raw[random.integers(0, max(1, count // 20), count)]
        raw[::3] *= np.float32(1 + 1e-6)
    raw[random.random(count) < 0.1] *= 1000
    rows = rows_of(raw, metric)
    compact = index_of(stored(tmp_path_factory.mktemp("rows"), rows, metric, storage), metric, storage)
    plain = index_of(rows, metric, quantization.FLOAT32)
    query = metrics.prepare_query(random.standard_normal(dimension).astype(np.float32).tobytes(), dimension, metric)
    for round in range(2):
        for depth in (1, 10, 300):
            assert answers(compact.state, query, depth) == answers(plain.state, query, depth)
        changed = random.integers(1, count + 5, 30).tolist()
        vectors = {ino: random.standard_normal((1, dimension)).astype(np.float32) for ino in changed}
        for index in (compact, plain):
            index.apply(
                {
                    ino: Rows(np.array([key_of(ino, 0)][: ino % 2], np.int64), metrics.prepare_rows(vector[: ino % 2], metric))
                    for ino, vector in vectors.items()
                },
                2 + round,
            )
    truth = wide_scores(compact.live_rows().matrix, query, metric)
    best = ranking.nearest(compact.state, query, 10, exhaustive=True)
    tolerance = 1e-5 * max(1.0, float(np.abs(truth).max(initial=0)))
    assert best.exact and best.scores.tolist() == pytest.approx(sorted(truth.tolist(), reverse=True)[:10], abs=tolerance)


def wide_scores(matrix: np.ndarray, query: Query, metric: str) -> np.ndarray:
    wide, asked = matrix.astype(np.float64), query.astype(np.float64)
    return -np.sqrt(((wide - asked) ** 2).sum(axis=1)) if metric == metrics.EUCLIDEAN else wide @ asked


def test_more_rows_within_reach_than_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that differ by less than is kept of them: each has to be read."""
    monkeypatch.setattr(ranking, "_READ_ROWS", 64)
    raw = np.ones((1000, 8), np.float32) + np.random.default_rng(2).uniform(-1e-5, 1e-5, (1000, 8)).astype(np.float32)
    rows = rows_of(raw, metrics.DOT)
    query = metrics.prepare_query(np.arange(8, dtype=np.float32).tobytes(), 8, metrics.DOT)
    plain = answers(index_of(rows, metrics.DOT, quantization.FLOAT32).state, query, 100)
    compact = index_of(stored(tmp_path, rows, metrics.DOT, quantization.INT8), metrics.DOT, quantization.INT8)
    assert answers(compact.state, query, 100) == plain


def test_rows_are_read_one_by_one_in_runs_and_as_slices(tmp_path: Path) -> None:
    rows = rows_of(text_vectors(2000)[:500], metrics.COSINE)
    matrix = stored(tmp_path, rows, metrics.COSINE, quantization.BFLOAT16).matrix
    assert matrix.shape == rows.matrix.shape
    for wanted in ([3], [3, 4, 5, 90, 91, 499], [499, 0, 7, 7, 6], [], list(range(500))):
        ids = np.array(wanted, np.int64)
        assert np.array_equal(matrix[ids], rows.matrix[ids])
    assert np.array_equal(matrix[17], rows.matrix[17])
    assert np.array_equal(matrix[10:90:7], rows.matrix[10:90:7])
    assert matrix.size_bytes < 0.6 * rows.matrix.nbytes


def test_a_file_that_holds_something_else_is_not_opened(tmp_path: Path) -> None:
    rows = rows_of(text_vectors(2000)[:50], metrics.COSINE)
    for wrong in (rows.matrix[:49], rows.matrix.astype(np.float64), np.asfortranarray(rows.matrix)):
        np.save(tmp_path / "vectors.npy", wrong)
        with pytest.raises(DataLoss, match="does not hold 50 vectors"):
            open_compact(tmp_path / "vectors.npy", 50, DIMENSION, metrics.COSINE, quantization.INT8)
    (tmp_path / "vectors.npy").write_bytes(b"no such file")
    with pytest.raises(DataLoss, match="does not hold 50 vectors"):
        open_compact(tmp_path / "vectors.npy", 50, DIMENSION, metrics.COSINE, quantization.INT8)


@pytest.mark.parametrize("damage", ["cut short", "one bit"])
def test_a_row_that_is_not_what_it_was_is_an_error_and_never_an_answer(tmp_path: Path, damage: str) -> None:
    rows = rows_of(text_vectors(2000)[:500], metrics.COSINE)
    index = index_of(stored(tmp_path, rows, metrics.COSINE, quantization.INT8), metrics.COSINE, quantization.INT8)
    path = tmp_path / "vectors.npy"
    if damage == "cut short":
        os.truncate(path, path.stat().st_size - 1)
    else:
        with path.open("r+b") as file:  # the lowest bit of the last component
            file.seek(-4, os.SEEK_END)
            byte = file.read(1)[0]
            file.seek(-4, os.SEEK_END)
            file.write(bytes([byte ^ 1]))
    near_the_first = metrics.prepare_query(rows.matrix[0].tobytes(), DIMENSION, metrics.COSINE)
    assert ranking.nearest(index.state, near_the_first, 1, exhaustive=True).keys.tolist() == [rows.keys[0]]
    assert not index.lost
    near_the_last = metrics.prepare_query(rows.matrix[499].tobytes(), DIMENSION, metrics.COSINE)
    with pytest.raises(ViewUnavailable, match="try again"):
        ranking.nearest(index.state, near_the_last, 1, exhaustive=True)
    assert index.lost


def test_the_file_of_a_matrix_that_nobody_uses_is_closed(tmp_path: Path) -> None:
    def open_files() -> int:
        mine = Path("/proc/self/fd")
        return sum(entry.readlink() == tmp_path / "vectors.npy" for entry in mine.iterdir() if entry.is_symlink())

    matrix = stored(tmp_path, rows_of(text_vectors(2000)[:20], metrics.COSINE), metrics.COSINE, quantization.INT8).matrix
    assert matrix.shape == (20, DIMENSION) and open_files() == 1
    del matrix
    assert open_files() == 0


# -- a running view ------------------------------------------------------------------------------------


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    with new_volume(tmp_path) as opened:
        yield opened


def state_of(view: DenseView, collection: Collection) -> IndexState:
    state = view.index_state(collection.ino, VECTOR)
    assert state is not None
    return state


def shuffled_vectors() -> np.ndarray:
    """In no order, so that those which are only asked for are of the same kind as those which are stored."""
    vectors = text_vectors(4100)
    return vectors[np.random.default_rng(1).permutation(len(vectors))]


def exact_scores_hold(state: IndexState, vectors: dict[Ino, np.ndarray], queries: np.ndarray) -> None:
    """Exact answers are those of brute force over what was put; approximate ones have the right scores, and
    the recall that the builder saw to, as far as so few queries tell it."""
    inos = sorted(vectors)
    matrix = np.stack([vectors[ino] for ino in inos])
    hits = 0
    for vector in queries:
        query = metrics.prepare_query(vector.tobytes(), DIMENSION, state.spec.metric)
        scores = wide_scores(metrics.prepare_rows(matrix, state.spec.metric), query, state.spec.metric)
        truth = dict(zip(inos, scores, strict=True))
        expected = sorted(truth.values(), reverse=True)[:10]
        exact, near = ranking.nearest(state, query, 10, exhaustive=True), ranking.nearest(state, query, 10)
        assert exact.scores.tolist() == pytest.approx(expected, abs=1e-5)
        for found in (exact, near):
            assert found.scores.tolist() == pytest.approx([truth[ino] for ino in files_of(found.keys).tolist()], abs=1e-5)
        hits += int((near.scores >= expected[-1] - 1e-6).sum())
    assert hits >= 0.96 * 10 * len(queries)


@pytest.mark.parametrize(
    ("storage", "metric"),
    [(quantization.BFLOAT16, metrics.COSINE), (quantization.INT8, metrics.EUCLIDEAN), (quantization.INT8, metrics.DOT)],
)
def test_a_compact_index_answers_exactly_through_its_whole_life(volume: Volume, storage: str, metric: str) -> None:
    vectors = shuffled_vectors()
    collection = make_collection(volume, b"c", DIMENSION, metric, storage)
    inos = put_points(volume, collection, vectors[:4000])
    content = dict(zip(inos, vectors[:4000], strict=True))
    root = builder.generations_folder(volume.folder)
    with running_view(volume) as view:
        catch_up(view, volume)
        assert not isinstance(state_of(view, collection).base.matrix, CompactMatrix), "before there is a generation"
        wait_until(lambda: state_of(view, collection).generation != "", BUILD_S, "the first generation")
        first = state_of(view, collection).generation
        assert isinstance(state_of(view, collection).base.matrix, CompactMatrix)
        exact_scores_hold(state_of(view, collection), content, vectors[4000:4050])

        changed = put_points(volume, collection, vectors[4050:4080], first=3990)  # ten of them replace
        content |= dict(zip(changed, vectors[4050:4080], strict=True))
        delete_points(volume, collection, range(50))
        content = {ino: vector for ino, vector in content.items() if ino not in inos[:50]}
        catch_up(view, volume)
        assert state_of(view, collection).generation == first and state_of(view, collection).live_count == len(content)
        exact_scores_hold(state_of(view, collection), content, vectors[4000:4050])

        generation.delete(root / first)
        wait_until(lambda: state_of(view, collection).generation != first, 5, "the loss is noticed")
        exact_scores_hold(state_of(view, collection), content, vectors[4000:4050])
        wait_until(lambda: state_of(view, collection).generation not in ("", first), BUILD_S, "another generation")
        exact_scores_hold(state_of(view, collection), content, vectors[4000:4050])
        second = state_of(view, collection).generation

    with running_view(volume) as view:
        catch_up(view, volume)
        assert state_of(view, collection).generation == second, "a restart opens what is there"
        assert isinstance(state_of(view, collection).base.matrix, CompactMatrix)
        exact_scores_hold(state_of(view, collection), content, vectors[4000:4050])


def test_vectors_that_cannot_be_read_any_more_are_an_error_until_they_are_read_anew(volume: Volume) -> None:
    vectors = shuffled_vectors()
    collection = make_collection(volume, b"c", DIMENSION, storage=quantization.BFLOAT16)
    content = dict(zip(put_points(volume, collection, vectors[:3000]), vectors[:3000], strict=True))
    with running_view(volume) as view:
        catch_up(view, volume)
        wait_until(lambda: state_of(view, collection).generation != "", BUILD_S, "a generation")
        first = state_of(view, collection)
        query = metrics.prepare_query(vectors[7].tobytes(), DIMENSION, metrics.COSINE)
        os.truncate(builder.generations_folder(volume.folder) / first.generation / "vectors.npy", 1000)
        with pytest.raises(ViewUnavailable, match="try again"):
            ranking.nearest(first, query, 10)
        wait_until(lambda: not isinstance(state_of(view, collection).base.matrix, CompactMatrix), 5, "they are read anew")
        exact_scores_hold(state_of(view, collection), content, vectors[4000:4050])
        assert view.failure == ""
        wait_until(lambda: state_of(view, collection).generation not in ("", first.generation), BUILD_S, "another generation")
        exact_scores_hold(state_of(view, collection), content, vectors[4000:4050])
        assert view.lost_generations >= 1
