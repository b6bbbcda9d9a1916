"""What the API process owns, put together in one function and taken apart in one.

`open_application` opens the volume and everything that serves it; `Application.close` ends it in the reverse order.
Handlers reach all of it through their CallContext. Made and closed on the event loop.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vexfs import runtime
from vexfs.api.revisions import RevisionWaits
from vexfs.api.tls import TlsFiles
from vexfs.security import token as token_files
from vexfs.security.origins import OriginGuard
from vexfs.security.token import TokenGuard
from vexfs.store.volume import Volume

READER_THREADS = 8
"""Reads that run at the same time; more wait their turn."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    data: Path
    host: str
    rest_port: int
    grpc_port: int
    token_file: Path | None
    tls: TlsFiles | None


@dataclass(slots=True)
class Application:
    """The parts behind the surfaces."""

    settings: Settings
    volume: Volume
    readers: ThreadPoolExecutor
    revisions: RevisionWaits
    tokens: TokenGuard
    origins: OriginGuard

    async def close(self) -> None:
        """End reads, finish and sync the queued writes, close the volume. Called once, after the surfaces have stopped."""
        self.revisions.close()
        await asyncio.to_thread(self._close_blocking)

    def _close_blocking(self) -> None:
        self.readers.shutdown(wait=True, cancel_futures=True)
        self.volume.close()


async def open_application(settings: Settings) -> Application:
    """Open everything the API process owns. Raises domain errors that name what is wrong with the data folder or the token."""
    folder = runtime.DataFolder(settings.data)
    folder.create()
    secret = token_files.load_or_create(settings.token_file or folder.token_file)
    volume = Volume.open(folder.volume, "api", create=True)
    return Application(
        settings=settings,
        volume=volume,
        readers=ThreadPoolExecutor(min(READER_THREADS, 4 * (os.cpu_count() or 1)), thread_name_prefix="vexfs-read"),
        revisions=RevisionWaits(volume),
        tokens=TokenGuard(secret),
        origins=OriginGuard(settings.host),
    )
