"""The load of the races of points: who puts, replaces and deletes, and who asks meanwhile.

A `Writer` is a thread that owns some ids, so that their versions have one order. A `Reader` is a thread on one process's
connection. Both go on until `stop`; a call that fails ends its thread with the error, which `join` raises.
"""

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.end_to_end.test_replicas import Connection
from vexfs.contract.v1 import common_pb2, filter_pb2, points_pb2

from .point_history import GROUP, Asked, History, Version, group_below, group_is

DIMENSION = 16
COLLECTION = common_pb2.FileRef(path="/races")
GROUPS = 100
BATCH_MAX = 250
TIED = 24
"""Points that begin with one and the same vector, which some lose for a while and get back; none is ever deleted."""


class Worker(threading.Thread):
    """Works in turns until it is stopped, resting `pause_s` after each."""

    def __init__(self, name: str, stop: threading.Event, pause_s: float) -> None:
        super().__init__(name=name, daemon=True)
        self._stop_asked = stop
        self._pause_s = pause_s
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._stop_asked.wait(self._pause_s):
                self.turn()
        except BaseException as error:
            self.failure = error
            self._stop_asked.set()

    def turn(self) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """Waits for its end; raises what ended it early."""
        self.join(60)
        assert not self.is_alive(), f"{self.name} does not end"
        if self.failure is not None:
            raise self.failure


def random_vectors(numbers: np.random.Generator, count: int) -> NDArray[np.float32]:
    return numbers.standard_normal((count, DIMENSION)).astype(np.float32)


class Writer(Worker):
    """Keeps about `size` points alive, and changes them all the time."""

    def __init__(self, name: str, connection: Connection, history: History, stop: threading.Event, seed: int) -> None:
        super().__init__(name, stop, pause_s=0.02)
        self._connection = connection
        self._history = history
        self._random = random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        self._alive: dict[str, Version] = {}
        self._gone: list[str] = []
        self._made = 0
        self.size = 0
        """How many points it shall have; it goes there within some turns."""

    @property
    def count(self) -> int:
        return len(self._alive)

    def turn(self) -> None:
        batch = self._random.choice((1, 3, 20, 100, BATCH_MAX))
        if len(self._alive) < self.size - BATCH_MAX:
            self.put([self._new_id() for _ in range(BATCH_MAX)])
        elif len(self._alive) > self.size + BATCH_MAX or self._random.random() < 0.3:
            self._remove(self._some(min(batch, len(self._alive)) if self.size else len(self._alive)))
        elif self._random.random() < 0.5:
            self.put([self._new_id() for _ in range(batch)])
        else:
            self.put(self._some(batch), keep_vectors=self._random.random() < 0.2)

    def put(self, ids: list[str], *, vectors: NDArray[np.float32] | None = None, keep_vectors: bool = False) -> None:
        """Makes or replaces points, as one transaction; with `keep_vectors` it changes their metadata only."""
        if not ids:
            return
        made = random_vectors(self._numbers, len(ids)) if vectors is None else vectors
        versions = []
        for id, vector in zip(ids, made, strict=True):
            before = self._alive.get(id)
            kept = before.vector if keep_vectors and before is not None else None
            versions.append(Version(id, vector if kept is None else kept, self._random.randrange(GROUPS)))
        points = [_input(version) for version in versions]
        request = points_pb2.UpsertPointsRequest(collection=COLLECTION, points=points)
        sent = time.monotonic()
        answer = self._connection.call("PointsService/UpsertPoints", request, points_pb2.UpsertPointsResponse)
        self._history.wrote(sent, int(answer.revision), versions)
        self._alive.update((version.id, version) for version in versions)

    def _remove(self, ids: list[str]) -> None:
        if not ids:
            return
        request = points_pb2.DeletePointsRequest(collection=COLLECTION, ids=ids)
        sent = time.monotonic()
        answer = self._connection.call("PointsService/DeletePoints", request, points_pb2.DeletePointsResponse)
        assert answer.deleted == len(ids)
        self._history.wrote(sent, int(answer.revision), [Version(id, None, -1) for id in ids])
        for id in ids:
            del self._alive[id]
        self._gone += ids

    def _some(self, count: int) -> list[str]:
        return self._random.sample(list(self._alive), min(count, len(self._alive), BATCH_MAX))

    def _new_id(self) -> str:
        """A name that was never used, or that of a point that was deleted."""
        if self._gone and self._random.random() < 0.3:
            return self._gone.pop(self._random.randrange(len(self._gone)))
        self._made += 1
        return f"{self.name}-{self._made}"


class TiedWriter(Writer):
    """Owns the points with one vector: takes it from some of them, and gives it back."""

    VECTOR = random_vectors(np.random.default_rng(99), 1)[0]

    def begin(self) -> dict[str, int]:
        """Makes them; their file ids by id."""
        ids = [f"tied-{number}" for number in range(TIED)]
        self._give_back(ids)
        request = points_pb2.GetPointsRequest(collection=COLLECTION, ids=ids)
        answer = self._connection.call("PointsService/GetPoints", request, points_pb2.GetPointsResponse)
        return {point.id: point.file_id for point in answer.points}

    def turn(self) -> None:
        ids = self._some(self._random.randrange(1, 6))
        self.put(ids)
        self._give_back(ids)
        self._stop_asked.wait(0.2)

    def _give_back(self, ids: list[str]) -> None:
        self.put(ids, vectors=np.tile(self.VECTOR, (len(ids), 1)))


class Reader(Worker):
    """Asks one process all kinds of queries and keeps the answers."""

    def __init__(self, where: str, connection: Connection, history: History, stop: threading.Event, seed: int) -> None:
        super().__init__(f"reader-{where}-{seed}", stop, pause_s=0.005)
        self.where = where
        self._connection = connection
        self._history = history
        self._random = random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        self.asked: list[Asked] = []
        self.generation = ""
        """The one that the newest answer came from."""

    def turn(self) -> None:
        choose = self._random
        request = points_pb2.QueryPointsRequest(
            collection=COLLECTION,
            limit=choose.choice((1, 5, 10, 40)),
            exact=choose.random() < 0.2,
            with_vectors=choose.random() < 0.2,
        )
        self._choose_query(request)
        if (condition := self._filter()) is not None:
            request.filter.CopyFrom(condition)
        sent, acknowledged = time.monotonic(), self._history.acknowledged
        answer = self._connection.call("PointsService/QueryPoints", request, points_pb2.QueryPointsResponse)
        self.asked.append(Asked(self.where, request, sent, acknowledged, answer, time.monotonic()))
        self.generation = answer.generation

    def _choose_query(self, request: points_pb2.QueryPointsRequest) -> None:
        """A vector that was put, perhaps with its revision to wait for; that of the tied points, one of them, or any."""
        kind = self._random.random()
        if kind < 0.6:
            writes = self._history.writes
            _, revision, versions = self._random.choice(writes[-10:] if self._random.random() < 0.4 else writes)
            version = self._random.choice(versions)
            vector = TiedWriter.VECTOR if version.vector is None else version.vector
            request.vector.values = vector.astype("<f4").tobytes()
            request.min_revision = revision if self._random.random() < 0.5 else 0
        elif kind < 0.7:
            request.vector.values = TiedWriter.VECTOR.astype("<f4").tobytes()
        elif kind < 0.8:
            request.point_id = f"tied-{self._random.randrange(TIED)}"
        else:
            request.vector.values = random_vectors(self._numbers, 1)[0].astype("<f4").tobytes()

    def _filter(self) -> filter_pb2.Filter | None:
        kind = self._random.random()
        if kind < 0.5:
            return None
        return group_is(self._random.randrange(GROUPS)) if kind < 0.7 else group_below(self._random.randrange(1, GROUPS + 1))


def until(condition: Callable[[], Any], workers: list[Worker], seconds: float, what: str) -> None:
    """Waits for a condition under the load; fails when it does not come true, or one of the workers has failed."""
    deadline = time.monotonic() + seconds
    while not condition():
        for worker in workers:
            if worker.failure is not None:
                raise worker.failure
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)


def _input(version: Version) -> points_pb2.PointInput:
    assert version.vector is not None
    vector = common_pb2.Vector(values=version.vector.astype("<f4").tobytes())
    point = points_pb2.PointInput(id=version.id, vectors={"v": vector})
    point.metadata[GROUP] = version.group
    return point
