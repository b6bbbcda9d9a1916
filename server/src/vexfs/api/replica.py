"""A replica of the API: a further process on the same gRPC port that answers what only reads the volume. Which calls are those?

Started by the supervisor when there is more than one API process, beside the first one, which has every duty that exists once:
writing, REST, the text's views and their model, builders, the state of the server. A replica opens the volume to read, follows
its log, and has the vectors of collections in memory. It answers the methods without side effects of the services below, and
forwards all others (`forwarding`). Runs on the event loop, as the first one does.

What an answer shows: a snapshot of the volume sees every acknowledged write at once, whichever process took it. A query of
vectors waits up to half a second for those that its snapshot shows (`core.search.engine`), and says `partial` after that.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import NoReturn

from vexfs import runtime
from vexfs.api.application import Application, Settings, assemble
from vexfs.api.dispatch import Dispatcher
from vexfs.api.forwarding import Forwarder
from vexfs.api.grpc import GrpcAddress, GrpcSurface, abort
from vexfs.api.registry import Handler, Method, TwoWays, build
from vexfs.api.request_memory import RequestMemory, limit_bytes
from vexfs.core.errors import Unavailable
from vexfs.core.search.caches import result_cache_bytes
from vexfs.core.search.engine import SearchEngine
from vexfs.observability.sharing import MetricsSocket
from vexfs.security import token as token_files
from vexfs.store.volume import Volume

ANSWERED_SERVICES = frozenset({"vexfs.v1.FilesService", "vexfs.v1.CollectionsService", "vexfs.v1.PointsService"})
"""Whose methods without side effects depend on the volume and the vectors in it alone. Search depends on the text's views and
the embedding model, the server's own service on the state of the first process; a service that is new is forwarded."""
LOAD_SECONDS = 30.0
"""How long a replica that is reading the vectors keeps off the port; connections go to the other processes meanwhile."""
_LOOK_SECONDS = 0.02


def answers(method: Method) -> bool:
    """Whether a replica answers the method itself, by what the contract says of it."""
    contract = method.contract
    reads = contract.idempotency == "no side effects" and contract.permission == "read" and not contract.client_streaming
    return reads and contract.service in ANSWERED_SERVICES


async def open_replica(settings: Settings) -> Application:
    """Open what a replica owns. Raises domain errors that name what is wrong."""
    request_memory = RequestMemory(limit_bytes())
    folder = runtime.DataFolder(settings.data)
    secret = token_files.load_or_create(settings.token_file or folder.token_file)
    volume = Volume.open(folder.volume, settings.process_name, read_only=True)
    engine = SearchEngine(volume, _no_model, result_cache_bytes=result_cache_bytes(), vectors_only=True)
    engine.start()
    return assemble(settings, secret, volume, engine, request_memory)


class ReplicaSurfaces:
    """The gRPC port and the socket of the metrics. `start`, then `stop` once."""

    def __init__(self, application: Application, handlers: Mapping[str, Handler | TwoWays]) -> None:
        self._application = application
        settings = application.settings
        self._forwarder = Forwarder(runtime.socket_path(settings.data, "api"), abort)
        address = GrpcAddress(settings.host, settings.grpc_port, None, settings.tls, shared=True)
        self._grpc = GrpcSurface(Dispatcher(application), build(handlers), address, forwarder=self._forwarder, answers=answers)
        self._metrics = MetricsSocket(runtime.socket_path(settings.data, settings.process_name))

    async def start(self, stop: asyncio.Event) -> int:
        """Serve once the vectors are in memory, or after LOAD_SECONDS; returns the port. Raises OSError."""
        await self._metrics.start()
        until = time.monotonic() + LOAD_SECONDS
        while not (self._application.engine.dense.loaded or stop.is_set() or time.monotonic() > until):
            await asyncio.sleep(_LOOK_SECONDS)
        return await self._grpc.start()

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end within `grace_seconds`, then cancel them."""
        await self._grpc.stop(grace_seconds)
        await self._forwarder.close()
        await self._metrics.stop()


def _no_model() -> NoReturn:
    raise Unavailable("a replica embeds nothing")
