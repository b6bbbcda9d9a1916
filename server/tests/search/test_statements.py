"""How many SQL statements an answer takes: as many for a hundred files as for one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.search.statements import statements, traced_connections
from tests.views.dense.vectors import DIMENSION, text_vectors
from tests.views.dense.volumes import catch_up, make_collection, new_volume, put_points, write
from vexfs.core import files, points
from vexfs.core.errors import ViewUnavailable
from vexfs.core.search import SearchEngine, VectorSearch
from vexfs.core.types import ROOT_INO, Collection
from vexfs.store import versioned
from vexfs.store.volume import Volume

COUNT = 600
STATEMENTS = 4
"""BEGIN, the revision, the hits with their names and metadata, ROLLBACK."""


class Small:
    def __init__(self, folder: Path) -> None:
        self.volume: Volume = new_volume(folder)
        self.collection: Collection = make_collection(self.volume, b"c", DIMENSION)
        self.vectors = text_vectors(20_200)[:COUNT]
        self.ids = [f"p{number:05}" for number in range(COUNT)]
        self.inos = put_points(
            self.volume, self.collection, self.vectors, metadata=[b'{"n": %d}' % number for number in range(COUNT)]
        )
        deep = self.collection.ino
        for depth in range(5):
            deep = write(
                self.volume,
                lambda txn, at=deep, n=depth: files.make_directory(txn, at, b"d%d" % n, mode=0o40755, uid=0, gid=0),
            ).ino
        for place in range(0, COUNT, 2):
            name = b"p%05d" % place
            write(self.volume, lambda txn, name=name: files.rename(txn, self.collection.ino, name, deep, name))
        self.engine = SearchEngine(self.volume, _no_model, result_cache_bytes=0)
        self.engine.dense.start()
        catch_up(self.engine.dense, self.volume)

    def near(self, limit: int) -> int:
        request = VectorSearch(self.collection.ino, self.vectors[3].tobytes(), limit=limit, with_metadata=True)
        with statements() as run:
            answer = self.engine.search_vectors(request)
        assert len(answer.hits) == limit
        assert {hit.metadata for hit in answer.hits} <= {b'{"n": %d}' % number for number in range(COUNT)}
        return len(run)

    def counted(self, read: Callable[[Volume], list[object]], count: int) -> int:
        with statements() as run:
            assert len(read(self.volume)) == count
        return len(run)

    def close(self) -> None:
        self.engine.stop()
        self.volume.close()


def _no_model() -> object:
    raise ViewUnavailable("these searches need no model")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with traced_connections():
        opened = Small(tmp_path_factory.mktemp("statements"))
        yield opened
        opened.close()


def test_a_search_of_vectors_reads_all_its_hits_at_once(small: Small) -> None:
    small.near(500)
    assert 3 <= small.near(1) == small.near(500) <= STATEMENTS


def test_a_collection_and_the_paths_of_directories_are_read_once_a_revision(small: Small) -> None:
    small.near(10)
    assert small.near(10) == STATEMENTS
    write(small.volume, lambda txn: files.make_directory(txn, ROOT_INO, b"other", mode=0o40755, uid=0, gid=0))
    catch_up(small.engine.dense, small.volume)
    assert small.near(10) == STATEMENTS + 2
    assert small.near(10) == STATEMENTS


def test_vectors_are_read_only_when_they_are_shown(small: Small) -> None:
    request = VectorSearch(small.collection.ino, small.vectors[3].tobytes(), limit=10, with_metadata=True)
    with statements() as run:
        small.engine.search_vectors(request)
    assert run and not [sql for sql in run if "FROM vector" in sql]


@pytest.mark.parametrize("with_vectors", [False, True])
def test_points_are_read_together_in_the_order_they_were_asked_for(small: Small, with_vectors: bool) -> None:
    there = small.ids[1::2][:200]
    asked = [there[7], "absent", *there, "d0"]

    def read(count: int) -> tuple[list[points.Point], int]:
        with small.volume.snapshot() as view, statements() as run:
            return points.get_many(view, small.collection, asked[:count], with_vectors=with_vectors), len(run)

    (few, statements_of_few), (many, statements_of_many) = read(3), read(len(asked))
    assert [point.id for point in few] == [there[7], there[0]]
    assert [point.id for point in many] == [there[7], *there]
    assert 3 <= statements_of_few == statements_of_many <= 4
    number = small.ids.index(there[7])
    assert many[0].ino == small.inos[number] and many[0].metadata == b'{"n": %d}' % number
    assert many[0].vectors == ({"v": small.vectors[number].tobytes()} if with_vectors else {})


def test_a_past_moment_shows_the_points_it_had(small: Small) -> None:
    before = small.volume.head()
    id = small.ids[1]
    revised = points.PointInput(id, {"v": small.vectors[2].tobytes()}, b'{"n": "later"}')
    write(small.volume, lambda txn: points.upsert(txn, small.collection, [revised]))
    write(small.volume, lambda txn: points.delete(txn, small.collection, [small.ids[5]]))
    with small.volume.snapshot(before) as view:
        found = points.get_many(view, small.collection, [id, small.ids[5]], with_vectors=True)
    assert [(point.id, point.metadata) for point in found] == [(id, b'{"n": 1}'), (small.ids[5], b'{"n": 5}')]
    assert [point.vectors["v"] for point in found] == [small.vectors[1].tobytes(), small.vectors[5].tobytes()]
    with small.volume.snapshot() as view:
        (now,) = points.get_many(view, small.collection, [id, small.ids[5]], with_vectors=False)
        assert now.metadata == b'{"n": "later"}'
        assert versioned.get_metadata(view, now.ino) == '{"n": "later"}'
    assert np.array_equal(small.vectors[1], np.frombuffer(found[0].vectors["v"], "<f4"))
