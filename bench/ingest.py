"""How fast do vectors go in: batches over gRPC, each acknowledged when it is durable, one at a time and several at once?"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import grpc  # type: ignore[import-untyped]
import numpy as np

from bench.runner import processes, vectors_data
from bench.runner.record import Benchmark, Key, Options, Record, Target
from bench.runner.systems import VEXFS, Server, VexfsServe
from bench.runner.vectors_data import DIMENSION, Vectors
from vexfs.contract.v1 import collections_pb2, common_pb2, points_pb2

ABOUT = """
Embedded texts of this machine, 384 dimensions, go into an empty collection of a fresh `vexfs serve` with its defaults: points
with an id and a vector, 500 in a request, over gRPC from one client. A request is acknowledged when it is durable. *One after
another* sends the next request when the last one is acknowledged; *4 in flight* has that many under way. *As a stream* sends
the same as the messages of one call, which is acknowledged at its end. Requests are serialised before the clock starts. All
the server does meanwhile is part of it: the view that makes the points findable, the builder of the index, the indexer. *CPU*
is that of all processes of the server until the last acknowledgement. Client and server share all cores.
"""

BATCH_ROWS = 500
IN_FLIGHT = (1, 4)
RATE, P50, P99, CPU = "rows/s", "p50 ms", "p99 ms", "CPU ms per 1,000 rows"
RATE_WANTED = 10_000
_TIMEOUT_S = 120.0
_STREAM = "/vexfs.v1.PointsService/UpsertPointsStream"
_UPSERT = "/vexfs.v1.PointsService/UpsertPoints"
_CREATE = "/vexfs.v1.CollectionsService/CreateCollection"
_COLLECTION = common_pb2.FileRef(path="/bench")


class Ingest(NamedTuple):
    """What came of it; a latency is from sending a request to its acknowledgement."""

    rows: int
    seconds: float
    cpu_seconds: float
    latencies_ms: list[float]


def run(options: Options, record: Record) -> None:
    rounds, count = options.rounds_or(5), options.size(50_000, 10_000, 600)
    vectors = vectors_data.prepare(count, 80 if options.tiny else 1_000, tiny=options.tiny)
    system = VexfsServe(mount=False)
    record.configuration |= {"rounds": rounds, "rows": count, "rows a request": BATCH_ROWS, VEXFS: system.configuration}
    record.configuration |= vectors.facts
    requests, messages = upserts(vectors.vectors)
    for number in range(rounds):
        for in_flight in IN_FLIGHT:
            sys.stderr.write(f"round {number + 1}/{rounds}, {in_flight} in flight\n")
            with system.start(processes.FREE) as server:
                done = ingest(server, requests, in_flight)
            _check(done, count)
            p50, p99 = np.percentile(done.latencies_ms, (50, 99))
            samples = {RATE: count / done.seconds, P50: p50, P99: p99, CPU: done.cpu_seconds / count * 1e6}
            for unit, value in samples.items():
                record.add(_key(in_flight, unit), number, float(value))
        sys.stderr.write(f"round {number + 1}/{rounds}, as a stream\n")
        with system.start(processes.FREE) as server:
            done = ingest_stream(server, messages)
        _check(done, count)
        record.add(_stream_key(RATE), number, count / done.seconds)
        record.add(_stream_key(CPU), number, done.cpu_seconds / count * 1e6)
    keys = [*(_key(in_flight, RATE) for in_flight in IN_FLIGHT), _stream_key(RATE)]
    record.targets += [Target(key, "median", ">=", RATE_WANTED) for key in keys]


def upserts(vectors: Vectors) -> tuple[list[bytes], list[bytes]]:
    """The requests, serialised, and the same points as the messages of a stream."""
    requests, messages = [], [points_pb2.UpsertPointsStreamRequest(collection=_COLLECTION).SerializeToString()]
    for start in range(0, len(vectors), BATCH_ROWS):
        points = [
            points_pb2.PointInput(id=str(start + row), vectors={"v": common_pb2.Vector(values=vector.tobytes())})
            for row, vector in enumerate(vectors[start : start + BATCH_ROWS])
        ]
        requests.append(points_pb2.UpsertPointsRequest(collection=_COLLECTION, points=points).SerializeToString())
        messages.append(points_pb2.UpsertPointsStreamRequest(points=points).SerializeToString())
    return requests, messages


def ingest(server: Server, requests: Sequence[bytes], in_flight: int) -> Ingest:
    """Send all, so many at a time, in their order. Raises grpc.RpcError when one fails."""
    latencies_ms: list[float] = []
    with _collection(server) as (channel, metadata):
        upsert = channel.unary_unary(_UPSERT)
        cpu_before, began = processes.cpu_seconds(server.pid), time.perf_counter()
        under_way: deque[tuple[float, grpc.Future]] = deque()
        acknowledged: list[bytes] = []

        def finish_first() -> None:
            sent, answer = under_way.popleft()
            acknowledged.append(answer.result())
            latencies_ms.append((time.perf_counter() - sent) * 1e3)

        for request in requests:
            if len(under_way) == in_flight:
                finish_first()
            under_way.append((time.perf_counter(), upsert.future(request, metadata=metadata, timeout=_TIMEOUT_S)))
        while under_way:
            finish_first()
        seconds = time.perf_counter() - began
        cpu_seconds = processes.cpu_seconds(server.pid) - cpu_before
        counts = [points_pb2.UpsertPointsResponse.FromString(answer).upserted for answer in acknowledged]
        return Ingest(sum(counts), seconds, cpu_seconds, latencies_ms)


def ingest_stream(server: Server, messages: Sequence[bytes]) -> Ingest:
    """Send all as one stream. Raises grpc.RpcError when it fails."""
    with _collection(server) as (channel, metadata):
        cpu_before, began = processes.cpu_seconds(server.pid), time.perf_counter()
        answer = channel.stream_unary(_STREAM)(iter(messages), metadata=metadata, timeout=_TIMEOUT_S)
        seconds = time.perf_counter() - began
        cpu_seconds = processes.cpu_seconds(server.pid) - cpu_before
        return Ingest(points_pb2.UpsertPointsStreamResponse.FromString(answer).upserted, seconds, cpu_seconds, [])


@contextmanager
def _collection(server: Server) -> Iterator[tuple[grpc.Channel, tuple[tuple[str, str], ...]]]:
    """An empty collection: a channel to its server, and what every call says of itself."""
    metadata = (("authorization", f"Bearer {server.token}"),)
    with grpc.insecure_channel(server.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        spec = collections_pb2.VectorSpec(name="v", dimension=DIMENSION)
        schema = collections_pb2.CollectionSchema(vectors=[spec])
        create = collections_pb2.CreateCollectionRequest(collection=_COLLECTION, schema=schema)
        channel.unary_unary(_CREATE)(create.SerializeToString(), metadata=metadata, timeout=_TIMEOUT_S)
        yield channel, metadata


def _check(done: Ingest, count: int) -> None:
    if done.rows != count:
        raise RuntimeError(f"{done.rows} of {count} points were put")


def _stream_key(unit: str) -> Key:
    return Key(f"put {BATCH_ROWS} points a message, as a stream", VEXFS, "", unit)


def _key(in_flight: int, unit: str) -> Key:
    how = "one after another" if in_flight == 1 else f"{in_flight} in flight"
    return Key(f"put {BATCH_ROWS} points a request, {how}", VEXFS, "", unit)


BENCHMARK = Benchmark("ingest", "Putting points", ABOUT, run)
