"""The base of `client.files`: its connection. Files to open are in its twin, `_sync/opening.py`: asyncio has no file
objects.
"""

from .transport import AsyncTransport


class AsyncOpening:
    """Holds the connection."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
