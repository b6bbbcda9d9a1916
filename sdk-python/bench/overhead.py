#!/usr/bin/env python3
"""What the SDK adds to a small call: StatFile of the root through `Client`, beside the same call over bare grpcio with
protobuf's own messages, in turns, against the server that VEXFS_ADDRESS and VEXFS_TOKEN name.

Called by the benchmark `sdk`: `overhead.py ROUNDS CALLS` prints a line of JSON for each round, with the medians in
microseconds.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from vexfs_client import Client

REPOSITORY = Path(__file__).resolve().parents[2]
TURN = 50
"""How many calls of one make a turn: what else the machine does then hits both alike."""


def bare(channel: grpc.Channel, token: str) -> Callable[[], object]:
    """The call as generated protobuf code makes it, with the same token and deadline."""
    buf = REPOSITORY / "node_modules" / ".bin" / "buf"
    described = subprocess.run([buf, "build", "proto", "-o", "-"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(described).file:
        pool.Add(file)  # type: ignore[attr-defined]
    names = ("vexfs.v1.StatFileRequest", "vexfs.v1.StatFileResponse", "vexfs.v1.FileRef")
    request, response, ref = (message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names)
    stub = channel.unary_unary(
        "/vexfs.v1.FilesService/StatFile",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    metadata = (("authorization", f"Bearer {token}"),)
    return lambda: stub(request(file=ref(path="/")), timeout=30, metadata=metadata).file.id  # type: ignore[call-arg]


def take(times: list[float], call: Callable[[], object]) -> None:
    """One turn: so many calls, one after another."""
    for _ in range(TURN):
        begun = time.perf_counter()
        call()
        times.append(1e6 * (time.perf_counter() - begun))


def main() -> None:
    """Measure, round by round."""
    rounds, calls = map(int, sys.argv[1:])
    with Client() as client, grpc.insecure_channel(os.environ["VEXFS_ADDRESS"]) as channel:
        stub = bare(channel, os.environ["VEXFS_TOKEN"])
        assert client.files.stat("/").id == stub() == 1
        for _ in range(rounds):
            by_sdk: list[float] = []
            by_stub: list[float] = []
            while len(by_sdk) < calls:
                take(by_sdk, lambda: client.files.stat("/"))
                take(by_stub, stub)
            print(json.dumps({"sdk_us": statistics.median(by_sdk), "stub_us": statistics.median(by_stub)}), flush=True)


if __name__ == "__main__":
    main()
