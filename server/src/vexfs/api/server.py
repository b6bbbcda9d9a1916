"""The life of the API process: open, listen, say so, serve until told to stop, close.

Called by `python -m vexfs.api` and, with other methods, by tests. SIGTERM and SIGINT stop it within STOP_SECONDS,
cleanly if that is possible in the time.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn

import uvloop

from vexfs import runtime
from vexfs.api.application import Application, Settings, open_application, process_name
from vexfs.api.dispatch import Dispatcher
from vexfs.api.grpc import GrpcAddress, GrpcSurface
from vexfs.api.registry import Handler, TwoWays, build
from vexfs.api.replica import ReplicaSurfaces, open_replica
from vexfs.api.rest import RestSurface
from vexfs.core.errors import VexfsError

STOP_SECONDS = 2.8
_CALLS_GRACE_SECONDS = 0.8
"""What running calls get to end by themselves."""
_EXIT_CANNOT_START = 1
_EXIT_FAULT = 70

_log = logging.getLogger("vexfs.api")


def run(settings: Settings, handlers: Mapping[str, Handler | TwoWays]) -> NoReturn:
    """Serve until stopped, then end the process: with 0, or with 1 when it could not start, which the log explains."""
    code = 0
    try:
        uvloop.run(serve(settings, handlers))
    except (VexfsError, OSError) as error:
        _log.error("cannot start: %s", error)
        code = _EXIT_CANNOT_START
    except BaseException:
        _log.exception("ended by a fault")
        code = _EXIT_FAULT
    # Everything is closed. Taking the interpreter apart would only kill threads that are inside a C++ library (a model on its
    # way into memory), which ends the process by a signal.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


async def serve(settings: Settings, handlers: Mapping[str, Handler | TwoWays]) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError when an address is taken, and what opening the data folder raises."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.tls is not None:
        settings.tls.ssl_context()  # before anything is opened: a wrong file is the caller's mistake
    application = await (open_replica(settings) if settings.replica else open_application(settings))
    try:
        await (_listen_as_replica if settings.replica else _listen)(application, handlers, stop)
    finally:
        await application.close()
        _log.info("stopped")


async def _listen(application: Application, handlers: Mapping[str, Handler | TwoWays], stop: asyncio.Event) -> None:
    settings = application.settings
    methods = build(handlers)
    dispatcher = Dispatcher(application)
    socket = runtime.socket_path(settings.data, "api")
    address = GrpcAddress(settings.host, settings.grpc_port, socket, settings.tls, shared=settings.processes > 1)
    grpc_surface = GrpcSurface(dispatcher, methods, address)
    names = map(process_name, range(1, settings.processes))
    replicas = {name: runtime.socket_path(settings.data, name) for name in names}
    rest_surface = RestSurface(dispatcher, methods, application.origins, replicas)
    try:
        rest_port = await rest_surface.start(settings.host, settings.rest_port, settings.tls)
        grpc_port = await grpc_surface.start()
        _announce(settings, rest_port, grpc_port)
        _settle()
        await stop.wait()
        _force_the_end()
    finally:
        await asyncio.gather(rest_surface.stop(), grpc_surface.stop(_CALLS_GRACE_SECONDS))


async def _listen_as_replica(application: Application, handlers: Mapping[str, Handler | TwoWays], stop: asyncio.Event) -> None:
    surfaces = ReplicaSurfaces(application, handlers)
    try:
        port = await surfaces.start(stop)
        settings = application.settings
        facts = {"grpc": f"{runtime_host(settings.host)}:{port}"}
        _log.info("ready", extra=facts)
        runtime.announce_ready(settings.data, settings.process_name, facts)
        _settle()
        await stop.wait()
        _force_the_end()
    finally:
        await surfaces.stop(_CALLS_GRACE_SECONDS)


def _settle() -> None:
    """What lives from here on lives to the end: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


def _announce(settings: Settings, rest_port: int, grpc_port: int) -> None:
    host = runtime_host(settings.host)
    scheme = "https" if settings.tls else "http"
    facts = {"grpc": f"{host}:{grpc_port}", "rest": f"{scheme}://{host}:{rest_port}"}
    _log.info("ready", extra=facts)
    runtime.announce_ready(settings.data, "api", facts)


def runtime_host(host: str) -> str:
    """The host part of the address that programs on this machine use."""
    if host in ("", "0.0.0.0"):
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host


def _force_the_end() -> None:
    """Leave at the latest STOP_SECONDS from now: what is not finished then is as safe as at a crash."""

    def leave() -> None:
        with suppress(Exception):
            _log.error("not stopped in time; leaving")
        os._exit(_EXIT_FAULT)

    timer = threading.Timer(STOP_SECONDS, leave)
    timer.daemon = True
    timer.start()
