"""What the API process owns, put together in one function and taken apart in one.

`open_application` opens the volume and everything that serves it; `Application.close` ends it in the reverse order.
Handlers reach all of it through their CallContext. Made and closed on the event loop.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from vexfs import runtime
from vexfs.api.gathering import AnswerAll, Gathering
from vexfs.api.limits import READER_THREADS, WAITER_THREADS
from vexfs.api.readers import ReaderThreads
from vexfs.api.request_memory import RequestMemory, limit_bytes
from vexfs.api.revisions import RevisionWaits
from vexfs.api.tls import TlsFiles
from vexfs.core import quotas
from vexfs.core.search.caches import result_cache_bytes
from vexfs.core.search.engine import SearchEngine
from vexfs.core.search.reranking import Reranking
from vexfs.security import token as token_files
from vexfs.security.origins import OriginGuard
from vexfs.security.token import TokenGuard
from vexfs.store.volume import Volume
from vexfs.views.derived import DerivedReader, derived_folder
from vexfs.views.embedding import choice, cross_encoder
from vexfs.views.embedding.choice import TextModel
from vexfs.views.embedding.cross_encoder import CrossEncoder


def process_name(replica: int) -> str:
    """The name of an API process: the first one is number 0, its replicas follow."""
    return f"api-replica-{replica}" if replica else "api"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    data: Path
    host: str
    rest_port: int
    grpc_port: int
    token_file: Path | None
    tls: TlsFiles | None
    cors_origins: frozenset[str] = frozenset()
    """The pages of other sites that may call, as browsers write their origins."""
    quota_bytes: int | None = None
    """How many bytes the volume may hold, whoever writes; None is no limit."""
    quota_files: int | None = None
    processes: int = 1
    """How many API processes share the gRPC port."""
    replica: int = 0
    """Which of the further ones this is, from 1; 0 is the first process, which has all duties."""

    @property
    def process_name(self) -> str:
        """How the supervisor, the logs and the files in `run` call this process."""
        return process_name(self.replica)


@dataclass(slots=True)
class Application:
    """The parts behind the surfaces."""

    settings: Settings
    volume: Volume
    engine: SearchEngine
    derived: DerivedReader
    readers: ReaderThreads
    waiters: ThreadPoolExecutor
    revisions: RevisionWaits
    tokens: TokenGuard
    origins: OriginGuard
    request_memory: RequestMemory
    gatherings: dict[AnswerAll, Gathering] = field(default_factory=dict)

    def gathering(self, answer_all: AnswerAll) -> Gathering:
        """Where calls wait that are answered together by this function, which is always the same one."""
        found = self.gatherings.get(answer_all)
        if found is None:
            found = self.gatherings[answer_all] = Gathering(answer_all)
        return found

    async def close(self) -> None:
        """End reads, finish and sync the queued writes, close the volume. Called once, after the surfaces have stopped."""
        self.revisions.close()
        await asyncio.to_thread(self._close_blocking)

    def _close_blocking(self) -> None:
        self.engine.stop()  # wakes what waits for a view
        self.waiters.shutdown(wait=True, cancel_futures=True)
        self.readers.close()
        self.derived.close()
        self.volume.close()


async def open_application(settings: Settings) -> Application:
    """Open everything the API process owns. Raises domain errors that name what is wrong: data folder, token, settings."""
    cache_bytes = result_cache_bytes()
    request_memory = RequestMemory(limit_bytes())
    reranking = _reranking()
    folder = runtime.DataFolder(settings.data)
    folder.create()
    secret = token_files.load_or_create(settings.token_file or folder.token_file)
    volume = _open_volume(settings, folder)
    engine = SearchEngine(volume, _load_model, load_again=_load_again, reranking=reranking, result_cache_bytes=cache_bytes)
    engine.start()
    return assemble(settings, secret, volume, engine, request_memory)


def _open_volume(settings: Settings, folder: runtime.DataFolder) -> Volume:
    """The volume, with the quota that the settings say: all its processes read it there."""
    volume = Volume.open(folder.volume, "api", create=True)
    try:
        quotas.set_limits(volume, limit_bytes=settings.quota_bytes, limit_files=settings.quota_files)
    except BaseException:
        volume.close()
        raise
    return volume


def assemble(
    settings: Settings, secret: str, volume: Volume, engine: SearchEngine, request_memory: RequestMemory
) -> Application:
    """An API process, the first one or a replica, around the volume and the engine that it has opened."""
    return Application(
        settings=settings,
        volume=volume,
        engine=engine,
        derived=DerivedReader(derived_folder(volume.folder)),
        readers=ReaderThreads(READER_THREADS, "vexfs-read"),
        waiters=ThreadPoolExecutor(WAITER_THREADS, thread_name_prefix="vexfs-wait"),
        revisions=RevisionWaits(volume, looks=volume.read_only),
        tokens=TokenGuard(secret),
        origins=OriginGuard(settings.host, pages=settings.cors_origins),
        request_memory=request_memory,
    )


def _load_model() -> TextModel:
    return choice.load(questions=True)


def _reranking() -> Reranking | None:
    """As the settings say: none by default. Raises InvalidRequest for a number of hits that makes no sense."""
    folder = cross_encoder.chosen_folder()
    return None if folder is None else Reranking(lambda: CrossEncoder.load(folder), cross_encoder.hit_count())


def _load_again(name: str, source: str) -> TextModel:
    return choice.load_again(name, source, questions=True)
