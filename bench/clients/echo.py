"""`python -m bench.clients.echo`: a server that does nothing, as the limit of what any server on this stack can do.

One gRPC method that answers the bytes it got (grpc.aio) and one HTTP route that answers the body it got (aiohttp), on
uvloop, in one process as the API of VexFS is. Prints {"grpc": "host:port", "rest": "http://host:port"}; serves until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]
import uvloop
from aiohttp import web

METHOD = "/bench.Echo/Echo"
_BODY_MAX_BYTES = 64 * 1024 * 1024


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return grpc.unary_unary_rpc_method_handler(_echo) if call.method == METHOD else None


async def _echo(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    del context
    return request


async def _echo_http(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def _serve() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    application = web.Application(client_max_size=_BODY_MAX_BYTES)
    application.router.add_put("/echo", _echo_http)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    rest_port = runner.addresses[0][1]
    sys.stdout.write(json.dumps({"grpc": f"127.0.0.1:{port}", "rest": f"http://127.0.0.1:{rest_port}"}) + "\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await runner.cleanup()
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(_serve())
