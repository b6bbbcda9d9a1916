"""Queries while points are put, replaced and deleted and generations come and go: every answer is that of its revision.

`make test` goes once through the life of an index, `make proofs-long` (VEXFS_PROOFS=long) many times, under every metric.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.running import Server
from tests.end_to_end.test_replicas import Connection, connections
from tests.power.test_power_cut import LONG
from vexfs.contract.v1 import collections_pb2
from vexfs.views.dense.engine import APPROXIMATE_FROM_ROWS

from .point_history import COSINE, DOT, EUCLIDEAN, History, Judge
from .point_load import COLLECTION, DIMENSION, Reader, TiedWriter, Worker, Writer, until

_ROUNDS = 12 if LONG else 1
_READERS = 2
_STEP_S = 120.0
_RECALL = 0.95
_CASES = [(n, metric) for n in (1, 2) for metric in (COSINE, DOT, EUCLIDEAN)] if LONG else [(1, EUCLIDEAN), (2, COSINE)]


@contextmanager
def _serving(folder: Path, processes: int) -> Iterator[dict[str, Connection]]:
    """A server of so many API processes, and a connection to each."""
    server = Server(folder, arguments=("--api-processes", str(processes)))
    try:
        server.start()
        if processes > 1:
            with connections(server) as found:
                yield found
        else:
            connection = Connection(server)
            yield {"api": connection}
            connection.channel.close()
    finally:
        server.close()


def _create_collection(connection: Connection, metric: str) -> None:
    number = collections_pb2.Metric.Value(f"METRIC_{metric.upper()}")
    vector = collections_pb2.VectorSpec(name="v", dimension=DIMENSION, metric=number)
    request = collections_pb2.CreateCollectionRequest(
        collection=COLLECTION, schema=collections_pb2.CollectionSchema(vectors=[vector])
    )
    connection.call("CollectionsService/CreateCollection", request, collections_pb2.CreateCollectionResponse)


def _live_through(readers: list[Reader], writers: list[Writer], workers: list[Worker]) -> set[str]:
    """The index grows a generation, gets another, shrinks until it has none, and grows again; the generations seen."""
    seen: set[str] = set()
    keepers = [reader for reader in readers if reader.where == "api"]  # a replica keeps what it has until there is another

    def all_have_another() -> bool:
        return all(reader.generation and reader.generation not in seen for reader in readers)

    def grow(rows: int, what: str) -> None:
        for writer in writers:
            writer.size = rows // len(writers)
        until(all_have_another, workers, _STEP_S, what)
        seen.update(reader.generation for reader in readers)

    for _ in range(_ROUNDS):
        grow(APPROXIMATE_FROM_ROWS + 1500, "the first generation")
        grow(APPROXIMATE_FROM_ROWS + 3500, "the next generation")
        for writer in writers:
            writer.size = APPROXIMATE_FROM_ROWS // 8
        until(lambda: not any(keeper.generation for keeper in keepers), workers, _STEP_S, "giving the generation up")
    return seen


@pytest.mark.timeout(0 if LONG else 300)
@pytest.mark.parametrize(("processes", "metric"), _CASES)
def test_every_answer_is_that_of_its_revision(tmp_path: Path, processes: int, metric: str) -> None:
    history, stop = History(), threading.Event()
    with _serving(tmp_path, processes) as found:
        _create_collection(found["api"], metric)
        any_connection = list(found.values())
        tied = TiedWriter("tied", found["api"], history, stop, seed=1)
        file_ids = tied.begin()
        writers = [Writer(f"w{seed}", any_connection[seed % processes], history, stop, seed) for seed in (2, 3)]
        readers = [
            Reader(where, connection, history, stop, seed)
            for seed in range(10, 10 + _READERS)
            for where, connection in found.items()
        ]
        workers: list[Worker] = [tied, *writers, *readers]
        for worker in workers:
            worker.start()
        try:
            generations = _live_through(readers, writers, workers)
        finally:
            stop.set()
        for worker in workers:
            worker.finish()
    judge = Judge(history, metric, file_ids)
    for reader in readers:
        for asked in reader.asked:
            judge.judge(asked)
    verdicts = judge.verdicts
    assert not verdicts.faults, f"{len(verdicts.faults)} faults:\n" + "\n".join(verdicts.faults[:20])
    assert len(generations) >= 2 * _ROUNDS
    assert verdicts.answers["exact"] > 100 and verdicts.answers["scann"] > 100, dict(verdicts.answers)
    assert verdicts.recall >= _RECALL
