"""A view beside the one that keeps the generations: it takes those that are there, and never builds, deletes or loses one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from dense.vectors import DIMENSION, text_vectors
from dense.volumes import VECTOR, catch_up, delete_points, make_collection, new_volume, put_points, wait_until
from vexfs.core.types import Collection
from vexfs.store.volume import Volume
from vexfs.views.dense import coding, generation, metrics, quantization, ranking
from vexfs.views.dense.builder import generations_folder
from vexfs.views.dense.index import IndexSpec, IndexState
from vexfs.views.dense.rows import Rows, files_of
from vexfs.views.dense.sources import VolumeSource, load_rows
from vexfs.views.dense.view import DenseView

VECTORS = text_vectors(2000)


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    with new_volume(tmp_path) as opened:
        yield opened


@contextmanager
def borrowing_view(volume: Volume) -> Iterator[DenseView]:
    """Over an opening of its own, as in a process of its own."""
    with Volume.open(volume.folder, "api-replica-1", read_only=True) as opened:
        view = DenseView(opened, vectors_only=True)
        view.start()
        try:
            yield view
        finally:
            view.stop()


class Keeper:
    """Makes generations of a collection as the builder does, at a moment of the test's choice."""

    def __init__(self, volume: Volume, collection: Collection, storage: str = quantization.FLOAT32) -> None:
        self.root = generations_folder(volume.folder)
        self.spec = IndexSpec(collection.ino, VECTOR, DIMENSION, metrics.COSINE, storage)
        self._source = VolumeSource(volume)
        self._identity = self._source.identity()
        self._read: tuple[int, Rows] = (0, Rows(np.empty(0, np.int64), np.empty((0, DIMENSION), np.float32)))

    def read(self) -> None:
        self._read = (self._source.position(), load_rows(self._source, self.spec))

    def publish(self) -> str:
        position, rows = self._read
        manifest = generation.write(self.root, self.spec, [rows], source=self._identity, position=position)
        assert manifest is not None
        return manifest.id


def state_of(view: DenseView, collection: Collection) -> IndexState:
    state = view.index_state(collection.ino, VECTOR)
    assert state is not None
    return state


def nearest(view: DenseView, collection: Collection, vector: np.ndarray) -> int:
    state = state_of(view, collection)
    query = metrics.prepare_query(vector.astype(np.float32).tobytes(), state.spec.dimension, state.spec.metric)
    return int(files_of(ranking.nearest(state, query, 1).keys)[0])


@pytest.mark.parametrize("storage", [quantization.FLOAT32, *quantization.COMPACT])
def test_a_generation_that_is_published_is_taken_and_outlives_its_files(volume: Volume, storage: str) -> None:
    collection = make_collection(volume, b"c", DIMENSION, storage=storage)
    keeper = Keeper(volume, collection, storage)
    with borrowing_view(volume) as view:
        inos = put_points(volume, collection, VECTORS[:200])
        catch_up(view, volume)
        keeper.read()
        first = keeper.publish()
        wait_until(lambda: state_of(view, collection).generation == first, 30, "the generation is taken")

        generation.delete(keeper.root / first)
        inos += put_points(volume, collection, VECTORS[200:210], first=200)
        delete_points(volume, collection, [3])
        catch_up(view, volume)
        assert state_of(view, collection).generation == first
        assert nearest(view, collection, VECTORS[205]) == inos[205]
        assert nearest(view, collection, VECTORS[3]) != inos[3]

        keeper.read()
        second = keeper.publish()
        wait_until(lambda: state_of(view, collection).generation == second, 30, "the next one is taken")
        assert (keeper.root / second).is_dir()
        assert view.lost_generations == 0
        assert view.builder_pid == 0


def test_what_comes_is_coded_by_the_replica_itself(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "CODE_ROWS_MIN", 150)
    collection = make_collection(volume, b"c", DIMENSION)
    with borrowing_view(volume) as view:
        catch_up(view, volume)  # what it reads first is no tail
        inos = put_points(volume, collection, VECTORS[:200])
        catch_up(view, volume)
        wait_until(lambda: state_of(view, collection).coded_rows > 0, 30, "its tail is coded")
        inos += put_points(volume, collection, VECTORS[200:210], first=200)
        catch_up(view, volume)
        assert [nearest(view, collection, VECTORS[number]) for number in (7, 205)] == [inos[7], inos[205]]


def test_a_generation_older_than_what_was_read_is_taken_by_reading_again(volume: Volume) -> None:
    collection = make_collection(volume, b"c", DIMENSION)
    keeper = Keeper(volume, collection)
    inos = put_points(volume, collection, VECTORS[:200])
    keeper.read()
    inos += put_points(volume, collection, VECTORS[200:210], first=200)
    with borrowing_view(volume) as view:
        catch_up(view, volume)
        published = keeper.publish()
        wait_until(lambda: state_of(view, collection).generation == published, 30, "the generation is taken")
        catch_up(view, volume)
        assert nearest(view, collection, VECTORS[205]) == inos[205]


def test_a_generation_that_is_found_at_the_start_is_used_and_a_damaged_one_is_left_to_its_keeper(volume: Volume) -> None:
    collection = make_collection(volume, b"c", DIMENSION)
    keeper = Keeper(volume, collection)
    inos = put_points(volume, collection, VECTORS[:200])
    keeper.read()
    whole, damaged = keeper.publish(), keeper.publish()
    (keeper.root / damaged / "vectors.npy").write_bytes(b"damaged")
    with borrowing_view(volume) as view:
        catch_up(view, volume)
        assert state_of(view, collection).generation == whole
        assert nearest(view, collection, VECTORS[7]) == inos[7]
    assert (keeper.root / damaged).is_dir()
