"""The metrics of several processes on one page: a process shows its own on a Unix socket, another one collects them.

`MetricsSocket` runs in each replica of the API, `render_with` in the process that has the page. A series of a replica has its
name as the label `process`. Who can connect is who owns the data folder. Runs on the event loop; a process that does not answer
in time is left out.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import Metric

from vexfs.observability.metrics import REGISTRY

ANSWER_SECONDS = 1.0
PROCESS_LABEL = "process"
_ANSWER_MAX_BYTES = 16 << 20


class MetricsSocket:
    """Shows the metrics of this process to whoever connects."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises OSError."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(_show, self._path)
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Stop listening; the socket is gone."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)


async def render_with(processes: Mapping[str, Path]) -> bytes:
    """The metrics of this process and of those whose sockets are given by their names, in Prometheus's text format."""
    collected = await asyncio.gather(*(_collect(name, path) for name, path in processes.items()))
    return bytes(generate_latest(_Merged([metric for metrics in collected for metric in metrics])))


class _Merged:
    """As much of a registry as rendering needs: this process's metrics, each with the samples of the others."""

    def __init__(self, others: list[Metric]) -> None:
        self._others = others

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for metric in (*REGISTRY.collect(), *self._others):
            family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            family.samples += metric.samples
        return families.values()


async def _show(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    families = [
        {
            "name": metric.name,
            "documentation": metric.documentation,
            "type": metric.type,
            "samples": [[sample.name, sample.labels, sample.value] for sample in metric.samples],
        }
        for metric in REGISTRY.collect()
    ]
    with suppress(OSError):
        writer.write(json.dumps(families).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def _collect(name: str, path: Path) -> list[Metric]:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            families: list[dict[str, Any]] = json.loads(await _read(path))
    except (OSError, TimeoutError, ValueError):
        return []  # it is being started again
    metrics = []
    for family in families:
        metric = Metric(family["name"], family["documentation"], family["type"])
        for sample, labels, value in family["samples"]:
            metric.add_sample(sample, {**labels, PROCESS_LABEL: name}, value)
        metrics.append(metric)
    return metrics


async def _read(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path, limit=_ANSWER_MAX_BYTES)
    try:
        return await reader.read(-1)
    finally:
        writer.close()
