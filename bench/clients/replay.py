"""`python -m bench.clients.replay HOST PORT METHOD REQUESTS CONNECTIONS SECONDS`: what `grpcload` does, by gRPC's Python.

Closed loops of unary calls through grpc.aio, a connection each, in one process. Requests are serialised beforehand and answers
are not parsed, so that what it takes more than `grpcload` is gRPC's in Python alone. Prints the same JSON object. The token
comes from VEXFS_TOKEN.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]
import uvloop

from bench.clients.answers import read_requests


async def replay(target: str, method: str, requests: list[bytes], connections: int, seconds: float) -> dict[str, float]:
    token = os.environ.get("VEXFS_TOKEN", "")
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(target, options=options) for _ in range(connections)]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    waiting, latencies_s = iter(requests), list[float]()
    began = time.perf_counter()
    deadline = began + seconds if seconds else float("inf")

    async def client(channel: grpc.aio.Channel) -> None:
        call = channel.unary_unary(method)
        for request in waiting:
            sent = time.perf_counter()
            if sent >= deadline:
                return
            await call(request, metadata=metadata, timeout=30.0)
            latencies_s.append(time.perf_counter() - sent)

    await asyncio.gather(*(client(channel) for channel in channels))
    taken = time.perf_counter() - began
    await asyncio.gather(*(channel.close() for channel in channels))
    ordered, usage = sorted(latencies_s), resource.getrusage(resource.RUSAGE_SELF)
    return {
        "operations": len(ordered),
        "seconds": taken,
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
        "max_ms": ordered[-1] * 1000,
        "client_cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


def main() -> int:
    host, port, method, requests, connections, seconds = sys.argv[1:7]
    messages = list(read_requests(Path(requests)))
    result = uvloop.run(replay(f"{host}:{port}", method, messages, int(connections), float(seconds)))
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
