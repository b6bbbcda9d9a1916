"""Copying a local directory into VexFS: what is new or changed goes up, several files at a time.

Used by `vexfs import` and `make run`. An import that was interrupted goes on where it stopped: a file whose size and time
already agree is left alone, and a file gets its time only after its content. The calling thread makes the directories,
`STREAMS` others send content; at most `STREAMS` × 2 files wait.
"""

import os
import secrets
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from vexfs.cli.client import Client
from vexfs.cli.content import make_directory, store
from vexfs.cli.exits import RemoteError
from vexfs.cli.listing import entries
from vexfs.cli.local_tree import Entry, LocalTree, Skipped
from vexfs.cli.records import absolute, reference, time_ns, timestamp
from vexfs.contract.v1 import attributes_pb2, common_pb2, files_pb2, links_pb2

STREAMS = 6
RETRY_SECONDS = 60.0


@dataclass
class Report:
    """What an import did so far. Sizes in bytes of content."""

    total_files: int = 0
    total_size_bytes: int = 0
    stored: int = 0
    unchanged: int = 0
    done_size_bytes: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    failed: list[Skipped] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Files dealt with, in one way or the other."""
        return self.stored + self.unchanged + len(self.failed)


class Importer:
    """One import of `source` into the directory `into`. `run` does it; `report` may be read from any thread meanwhile."""

    def __init__(
        self,
        client: Client,
        source: Path,
        into: str,
        *,
        excluded: tuple[str, ...] = (),
        included: tuple[str, ...] = (),
        progress: Callable[[Report], None] = lambda _report: None,
    ) -> None:
        self._client = client
        self._into = absolute(into)
        self._tree = LocalTree(source, excluded=excluded, included=included)
        self._progress = progress
        self._lock = threading.Lock()
        self._places = threading.Semaphore(STREAMS * 2)
        self._stop = threading.Event()
        self.report = Report()

    def run(self) -> Report:
        """Import everything. A file that fails is reported and the rest goes on; a server that is gone ends the import."""
        plan = self._plan()
        self._progress(self.report)
        if self._into != "/":
            make_directory(self._client, self._into)
        known = {"": self._known("")}
        with ThreadPoolExecutor(STREAMS, thread_name_prefix="vexfs-import") as pool:
            futures: list[Future[None]] = []
            try:
                for entry in plan:
                    parent = entry.relative.rpartition("/")[0]
                    there = known[parent].get(os.fsencode(entry.path.name))
                    if entry.is_directory:
                        known[entry.relative] = self._directory(entry, there)
                        continue
                    self._places.acquire()
                    if self._stop.is_set():
                        break
                    futures.append(pool.submit(self._one, entry, there))
            except BaseException:
                self._stop.set()
                raise
        for future in futures:
            future.result()
        return self.report

    def stop(self) -> None:
        """Ask a running import to end soon; it can be run again later and goes on there."""
        self._stop.set()

    def _plan(self) -> list[Entry]:
        plan = []
        for found in self._tree.walk():
            if isinstance(found, Skipped):
                self.report.skipped.append(found)
                continue
            plan.append(found)
            if not found.is_directory:
                self.report.total_files += 1
                self.report.total_size_bytes += found.facts.st_size
        return plan

    def _remote(self, relative: str) -> str:
        return f"{self._into.rstrip('/')}/{relative}" if relative else self._into

    def _known(self, relative: str) -> dict[bytes, common_pb2.File]:
        """What the directory holds in VexFS already, by name."""
        return {
            (file.path_bytes or file.path.encode()).rpartition(b"/")[2]: file
            for file in entries(self._client, reference(self._remote(relative)))
        }

    def _directory(self, entry: Entry, there: common_pb2.File | None) -> dict[bytes, common_pb2.File]:
        if there is not None and there.kind == common_pb2.FILE_KIND_DIRECTORY:
            return self._known(entry.relative)
        request = files_pb2.MakeDirectoryRequest(
            directory=reference(self._remote(entry.relative)),
            mode=stat.S_IMODE(entry.facts.st_mode) | 0o700,
            request_id=secrets.token_hex(16),
        )
        _retrying(lambda: self._client.call("FilesService.MakeDirectory", request, files_pb2.MakeDirectoryResponse))
        return {}

    def _one(self, entry: Entry, there: common_pb2.File | None) -> None:
        """Store one file, in a thread of the pool. Notes the outcome; raises only when the server is gone."""
        try:
            if self._stop.is_set():
                return
            if there is not None and _is_same(entry, there):
                self._note(unchanged=entry)
                return
            if entry.is_symlink:
                self._symlink(entry, there)
            else:
                _retrying(lambda: self._file(entry))
            self._note(stored=entry)
        except OSError as error:
            self._note(failed=Skipped(entry.path, error.strerror or str(error)))
        except RemoteError as error:
            if error.code in ("UNAVAILABLE", "UNAUTHENTICATED"):
                self._stop.set()
                raise
            self._note(failed=Skipped(entry.path, error.message))
        finally:
            self._places.release()

    def _file(self, entry: Entry) -> None:
        file = reference(self._remote(entry.relative))
        with entry.path.open("rb") as content:
            facts = os.fstat(content.fileno())
            store(self._client, file, content)
        request = attributes_pb2.SetAttributesRequest(
            file=file, mode=stat.S_IMODE(facts.st_mode), mtime=timestamp(facts.st_mtime_ns), request_id=secrets.token_hex(16)
        )
        self._client.call("FilesService.SetAttributes", request, attributes_pb2.SetAttributesResponse)

    def _symlink(self, entry: Entry, there: common_pb2.File | None) -> None:
        link = reference(self._remote(entry.relative))
        target = os.fsencode(entry.path.readlink())
        if there is not None:
            if self._leads(link) == target:
                return
            remove = files_pb2.RemoveFileRequest(file=link, request_id=secrets.token_hex(16))
            self._client.call("FilesService.RemoveFile", remove, files_pb2.RemoveFileResponse)
        request = links_pb2.CreateSymlinkRequest(link=link, request_id=secrets.token_hex(16))
        try:
            request.target = target.decode("utf-8")
        except UnicodeDecodeError:
            request.target_bytes = target
        _retrying(lambda: self._client.call("FilesService.CreateSymlink", request, links_pb2.CreateSymlinkResponse))

    def _leads(self, link: common_pb2.FileRef) -> bytes:
        request = links_pb2.ReadSymlinkRequest(file=link)
        answer = self._client.call("FilesService.ReadSymlink", request, links_pb2.ReadSymlinkResponse)
        return answer.target_bytes or answer.target.encode()

    def _note(self, *, stored: Entry | None = None, unchanged: Entry | None = None, failed: Skipped | None = None) -> None:
        with self._lock:
            self.report.stored += stored is not None
            self.report.unchanged += unchanged is not None
            if failed is not None:
                self.report.failed.append(failed)
            for entry in (stored, unchanged):
                self.report.done_size_bytes += entry.facts.st_size if entry is not None else 0
            self._progress(self.report)


def _is_same(entry: Entry, there: common_pb2.File) -> bool:
    return (
        not entry.is_symlink
        and there.kind == common_pb2.FILE_KIND_REGULAR
        and there.size_bytes == entry.facts.st_size
        and time_ns(there.mtime) == entry.facts.st_mtime_ns
    )


def _retrying(act: Callable[[], object]) -> None:
    """Do it again, after a growing delay, as long as the server says that trying again can help."""
    deadline = time.monotonic() + RETRY_SECONDS
    delay_s = 0.1
    while True:
        try:
            act()
            return
        except RemoteError as error:
            if error.details.get("retryable") != "true" or time.monotonic() + delay_s > deadline:
                raise
        time.sleep(delay_s)
        delay_s = min(delay_s * 2, 2.0)
