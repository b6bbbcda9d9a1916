"""The TCP side of the fault proxy: forwards bytes of any protocol, and resets the first connection after so many bytes of
answers.
"""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

_PIECE_BYTES = 16384
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset instead of the rest."""


class TcpSide:
    """Listens on a free port of this machine and forwards to `host:port`."""

    def __init__(self, upstream: str, reset_after_bytes: Callable[[], int]) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host.strip("[]"), int(port))
        self._limit = reset_after_bytes
        self._used = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            # Only one connection is ever reset: the lock is taken by it and stays taken.
            limit = self._limit() if self._used.acquire(blocking=False) else 0
            try:
                server = socket.create_connection(self._upstream, timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            broken = threading.Event()
            threading.Thread(target=_pump, args=(client, server, 0, broken), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client, limit, broken), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _pump(source: socket.socket, sink: socket.socket, limit: int, broken: threading.Event) -> None:
    """Carry bytes until the source ends; with a limit, reset the sink once so many were carried."""
    carried = 0
    with suppress(OSError):
        while data := source.recv(_PIECE_BYTES):
            if limit and carried + len(data) >= limit:
                broken.set()
                # The reset goes out when nobody uses the socket any more: the other pump has to leave its recv first.
                sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                sink.shutdown(socket.SHUT_RD)
                break
            sink.sendall(data)
            carried += len(data)
    for each in (source, sink):
        with suppress(OSError):
            if broken.is_set():
                each.close()
            else:
                each.shutdown(socket.SHUT_RDWR)
