"""VexFS as a system of the vector benchmark: `vexfs serve`, points put and queried over gRPC.

Queries come from `grpcload`, a client in C that takes so little CPU that the server is what is measured, with requests that are
serialised before the clock starts; `python_clients` asks the same through gRPC's Python. Rows are put by this process.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import numpy as np
from google.protobuf import struct_pb2
from numpy.typing import NDArray

from bench.peers.vectors.trickle import BATCH_ROWS, Trickle, batch_count
from bench.peers.vectors.worker import INSERT_BATCH
from bench.runner import build, grpcload, processes
from bench.runner.grpcload import Load
from bench.runner.nearest import Answers, Condition, K
from bench.runner.peers import Files, Measured, Traits
from bench.runner.systems import Server, VexfsServe
from bench.runner.vectors_data import DIMENSION
from vexfs import __version__
from vexfs.contract.v1 import collections_pb2, common_pb2, filter_pb2, points_pb2

VEXFS_GRPC = "vexfs-grpc"
VEXFS_GRPC_2 = "vexfs-grpc, 2 API processes"
SERVERS: dict[str, tuple[str, ...]] = {VEXFS_GRPC: (), VEXFS_GRPC_2: ("--api-processes", "2")}
"""The servers that are measured, and with which arguments each is started."""
_QUERY = "/vexfs.v1.PointsService/QueryPoints"
_UPSERT = "/vexfs.v1.PointsService/UpsertPoints"
_CREATE = "/vexfs.v1.CollectionsService/CreateCollection"
_CALL_TIMEOUT_S = 300.0
_BUILD_TIMEOUT_S = 3600.0
_SETTLED_S = 2.0
"""A builder is started within half a second of there being a reason."""
_BUILDER = b"vexfs.views.dense.builder"
_ABOUT = {
    "version": __version__,
    "durable": "its own group commit and fdatasync, 250 rows a transaction",
}
_COLLECTION = common_pb2.FileRef(path="/bench")


class VexfsPoints:
    """A running server with one collection. The methods are those of `peers.Worker`."""

    def __init__(self, name: str, server: Server, files: Files) -> None:
        self.name = name
        self._server = server
        self._vectors = np.memmap(files.vectors, dtype="<f4", mode="r").reshape(-1, DIMENSION)
        self._queries = np.memmap(files.queries, dtype="<f4", mode="r").reshape(-1, DIMENSION)
        self._numbers = {name: np.load(file, mmap_mode="r") for name, file in files.numbers.items()}
        self.traits = Traits({**_ABOUT, "settings": " ".join(SERVERS[name]) or "its defaults"}, [], 0, True)
        self._channel = self._connected()
        self._written = 0
        """The revision of the newest rows."""
        self._metadata = (("authorization", f"Bearer {server.token}"),)
        spec = collections_pb2.VectorSpec(name="v", dimension=DIMENSION)
        schema = collections_pb2.CollectionSchema(vectors=[spec])
        request = collections_pb2.CreateCollectionRequest(collection=_COLLECTION, schema=schema)
        self._call(_CREATE, request.SerializeToString())

    @property
    def pid(self) -> int:
        return self._server.pid

    @property
    def data(self) -> Path:
        return self._server.data

    def pids(self) -> list[int]:
        return processes.tree_of(self._server.pid)

    def close(self) -> None:
        self._channel.close()

    def insert(self, start: int, count: int) -> float:
        seconds = 0.0
        for first in range(start, start + count, INSERT_BATCH):
            request = self._upsert(first, min(INSERT_BATCH, start + count - first))
            began = time.perf_counter()
            self._call(_UPSERT, request)
            seconds += time.perf_counter() - began
        return seconds

    def build(self) -> float:
        """Until nothing is pending, no builder runs, and all API processes search the same generation."""
        began = idle_since = time.perf_counter()
        question = self._requests(np.array([0]), None)[0]
        generation = ""
        while (now := time.perf_counter()) - idle_since < _SETTLED_S:
            with self._connected() as channel:  # the kernel decides which process a connection leads to
                answer = points_pb2.QueryPointsResponse.FromString(self._call(_QUERY, question, channel))
            if answer.pending or answer.generation != generation or self._builder_runs():
                idle_since, generation = now, answer.generation
            if now - began > _BUILD_TIMEOUT_S:
                raise RuntimeError(f"no generation within {_BUILD_TIMEOUT_S:.0f} s")
            time.sleep(0.1)
        return max(0.0, idle_since - began)

    def set_effort(self, effort: int) -> None:
        del effort

    def search(self, places: NDArray[np.int64], clients: int, seconds: float, condition: Condition | None = None) -> Measured:
        requests = self._requests(places, condition)
        return _measured(grpcload.run(self._server, _QUERY, requests, clients, seconds=seconds), places)

    def python_clients(self, places: NDArray[np.int64], clients: int, seconds: float) -> Measured:
        """The same from one process of gRPC's Python; it does not look at the answers."""
        requests = self._requests(places, None)
        return _measured(grpcload.run_python(self._server, _QUERY, requests, clients, seconds=seconds), places)

    def search_and_write(
        self,
        places: NDArray[np.int64],
        clients: int,
        seconds: float,
        start: int,
        rate: int,
        condition: Condition | None = None,
    ) -> Measured:
        batches = [self._upsert(start + n * BATCH_ROWS, BATCH_ROWS) for n in range(batch_count(seconds, rate))]
        writer = Trickle(self._put, batches, rate)
        requests = self._requests(places, condition)
        writer.start()
        load = grpcload.run(self._server, _QUERY, requests, clients, seconds=seconds)
        writer.finish()
        return _measured(load, places)._replace(rows_written=writer.rows, write_seconds=writer.seconds)

    def find_rows(self, start: int, count: int) -> int:
        """How many of these rows are found by their own vectors, asked with the revision of the last write."""
        found = 0
        for number in range(start, start + count):
            answer = self._call(_QUERY, self._question(self._vectors[number], None, self._written))
            found += number in _ids(answer)
        return found

    def _put(self, request: bytes) -> None:
        self._written = points_pb2.UpsertPointsResponse.FromString(self._call(_UPSERT, request)).revision

    def _connected(self) -> grpc.Channel:
        """A connection of its own: channels to the same address would share one otherwise."""
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        return grpc.insecure_channel(self._server.grpc, options=options)

    def _call(self, method: str, request: bytes, channel: grpc.Channel | None = None) -> bytes:
        over = self._channel if channel is None else channel
        answer: bytes = over.unary_unary(method)(request, metadata=self._metadata, timeout=_CALL_TIMEOUT_S)
        return answer

    def _upsert(self, start: int, count: int) -> bytes:
        points = []
        for number in range(start, start + count):
            numbers = struct_pb2.Struct(
                fields={name: struct_pb2.Value(number_value=float(values[number])) for name, values in self._numbers.items()}
            )
            vectors = {"v": common_pb2.Vector(values=self._vectors[number].tobytes())}
            points.append(points_pb2.PointInput(id=str(number), vectors=vectors, metadata=numbers))
        return points_pb2.UpsertPointsRequest(collection=_COLLECTION, points=points).SerializeToString()

    def _requests(self, places: NDArray[np.int64], condition: Condition | None) -> list[bytes]:
        wanted = [None if condition is None else (condition.name, int(place) % condition.count) for place in places]
        return [self._question(self._queries[place], value) for place, value in zip(places.tolist(), wanted, strict=True)]

    def _question(self, vector: NDArray[np.float32], wanted: tuple[str, int] | None, min_revision: int = 0) -> bytes:
        request = points_pb2.QueryPointsRequest(
            collection=_COLLECTION, vector=common_pb2.Vector(values=vector.tobytes()), limit=K, min_revision=min_revision
        )
        if wanted is not None:
            test = filter_pb2.MetadataCondition(key=wanted[0], equals=struct_pb2.Value(number_value=wanted[1]))
            request.filter.CopyFrom(filter_pb2.Filter(metadata=test))
        return request.SerializeToString()

    def _builder_runs(self) -> bool:
        for pid in self.pids():
            with contextlib.suppress(OSError):
                if _BUILDER in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return True
        return False


@contextlib.contextmanager
def opened(name: str, files: Files) -> Iterator[VexfsPoints]:
    """A fresh server, one of SERVERS, with an empty collection."""
    build.grpcload()
    with VexfsServe(mount=False, arguments=SERVERS[name]).start(processes.FREE) as server:
        system = VexfsPoints(name, server, files)
        try:
            yield system
        finally:
            system.close()


def _measured(load: Load, places: NDArray[np.int64]) -> Measured:
    asked = np.array([places[number] for number, _ in load.answers], np.int64)
    ids = np.full((len(asked), K), -1, np.int64)
    for row, (_, message) in enumerate(load.answers):
        found = _ids(message)
        ids[row, : len(found)] = found
    return Measured(load.operations, load.seconds, load.p50_ms, load.p99_ms, Answers(asked, ids))


def _ids(answer: bytes) -> list[int]:
    return [int(hit.point.id) for hit in points_pb2.QueryPointsResponse.FromString(answer).hits]
