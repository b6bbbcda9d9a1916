#!/usr/bin/env python3
"""What the SDK adds to a call: StatFile through `Client`, beside the same call over bare grpcio with protobuf's own messages.

Starts a server unless VEXFS_ADDRESS and VEXFS_TOKEN name one. Prints both medians and their ratio; fails above LIMIT.
Usage: make bench-sdk-python, or sdk-python/.venv/bin/python sdk-python/bench/overhead.py [CALLS]
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SDK = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SDK))

from tests.server import REPOSITORY, Server  # noqa: E402

from vexfs_client import Client  # noqa: E402

LIMIT = 1.8
ROUNDS = 9


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """Address and token of a server."""
    if os.environ.get("VEXFS_ADDRESS"):
        yield os.environ["VEXFS_ADDRESS"], os.environ.get("VEXFS_TOKEN", "")
        return
    with tempfile.TemporaryDirectory() as folder:
        running = Server(Path(folder)).start()
        try:
            yield running.address, running.token
        finally:
            running.stop()


def bare(channel: grpc.Channel, token: str) -> Callable[[], object]:
    """The call as generated protobuf code makes it."""
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
    return lambda: stub(request(file=ref(path="/a")), timeout=30, metadata=metadata).file.size_bytes  # type: ignore[call-arg]


def median_seconds(call: Callable[[], object], count: int) -> float:
    """The median over calls made one after another."""
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def main() -> int:
    """Measure in alternating rounds; 1 if the SDK takes more than LIMIT times as long."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with (
        server() as (address, token),
        Client(address=address, token=token) as client,
        grpc.insecure_channel(address) as channel,
    ):
        client.files.write("/a", b"x")
        ours, theirs = (lambda: client.files.stat("/a").size_bytes), bare(channel, token)
        assert ours() == theirs() == 1
        pairs = [(median_seconds(ours, count), median_seconds(theirs, count)) for _ in range(ROUNDS)]
    ratio = statistics.median(one / other for one, other in pairs)
    ours_us, theirs_us = (1e6 * statistics.median(values) for values in zip(*pairs, strict=True))
    print(f"StatFile, median of {ROUNDS} rounds of {count} calls: SDK {ours_us:.0f} µs, bare gRPC {theirs_us:.0f} µs")
    print(f"ratio {ratio:.2f} (at most {LIMIT})")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
