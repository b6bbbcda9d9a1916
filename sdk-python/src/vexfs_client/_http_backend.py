"""Connections for httpcore, over asyncio's transports: they notice an answer that comes before its request was sent.

A server may refuse a stream of content while it is being written, and close the connection before it has read everything. The
connections that httpcore brings look for an answer when all is written, and find that the connection is broken: why it
was refused is lost. These fail to write once an answer has begun to come, and httpcore reads it then.

Used by the REST driver, in one event loop. Without time-outs of their own: the driver's cover them.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

_BUFFER_MAX_BYTES = 256 * 1024
"""What may have come and not been read; then the connection waits."""


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens connections."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to this host. Raises httpcore.ConnectError."""
        del timeout, local_address, socket_options  # this package gives none
        connection = _Connection()
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection, host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return connection

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class _Connection(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection, which is both what asyncio calls and what httpcore calls."""

    def __init__(self) -> None:
        self._transport: Any = None  # asyncio.Transport; TLS of uvloop has a class of its own
        self._received = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._full = False
        self._changed = asyncio.Event()
        self._lost = asyncio.get_running_loop().create_future()

    # ---- What asyncio calls. -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > _BUFFER_MAX_BYTES:
            self._transport.pause_reading()
        self._changed.set()

    def eof_received(self) -> None:
        self._ended = True
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        self._changed.set()
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._changed.set()

    # ---- What httpcore calls. ----------------------------------------------------------------------------------------------

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some bytes; none at the end. Raises httpcore.ReadError."""
        del timeout
        while not self._received:
            if self._error is not None:
                raise httpcore.ReadError(str(self._error)) from self._error
            if self._ended:
                return b""
            await self._wait()
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        if len(self._received) <= _BUFFER_MAX_BYTES and not self._ended:
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it. Raises httpcore.WriteError, also when something came before it was sent."""
        del timeout
        self._check_writable()
        self._transport.write(buffer)
        while self._full:
            self._check_writable()
            await self._wait()

    def _check_writable(self) -> None:
        if self._received:
            raise httpcore.WriteError("the answer came before everything was sent")
        if self._ended:
            raise httpcore.WriteError("the connection is closed") from self._error

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def aclose(self) -> None:
        """Close it at once; what was not sent yet stays unsent."""
        self._transport.abort()
        await asyncio.shield(self._lost)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Go on with TLS. Raises httpcore.ConnectError."""
        del timeout
        try:
            self._transport = await asyncio.get_running_loop().start_tls(
                self._transport, self, ssl_context, server_hostname=server_hostname
            )
        except OSError as error:  # ssl.SSLError is one
            raise httpcore.ConnectError(str(error)) from error
        return self

    def get_extra_info(self, info: str) -> Any:
        """Whether a connection that nobody uses has something to read: then the server has closed it."""
        if info == "is_readable":
            return bool(self._received) or self._ended
        return self._transport.get_extra_info(info) if self._transport is not None else None
