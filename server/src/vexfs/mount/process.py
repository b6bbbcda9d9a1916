"""The mount process: its command line, its start, its end.

`python -m vexfs.mount --data DIR MOUNTPOINT`, started by the supervisor (`vexfs serve --mount`), by `vexfs mount`, or by
hand. Opens the volume, mounts, sweeps what a killed mount left, serves until SIGTERM, SIGINT or unmount, then writes
everything out and unmounts.
"""

import argparse
import ctypes
import gc
import logging
import os
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from vexfs import runtime
from vexfs.core.errors import VexfsError, VolumeReadOnly
from vexfs.mount import device, lifecycle, wire
from vexfs.mount.api_client import ApiClient
from vexfs.mount.engine import Engine
from vexfs.mount.file_facts import FileFacts
from vexfs.mount.findable import FindableWait
from vexfs.mount.group_sync import GroupSync
from vexfs.mount.invalidation import Invalidator
from vexfs.mount.lock_table import Gate, LockTable
from vexfs.mount.loop import Loop
from vexfs.mount.operations.attributes import AttributeOperations
from vexfs.mount.operations.content import ContentOperations
from vexfs.mount.operations.directories import DirectoryOperations
from vexfs.mount.operations.locks import LockOperations
from vexfs.mount.operations.namespace import NamespaceOperations
from vexfs.mount.operations.ranges import RangeOperations
from vexfs.mount.operations.xattrs import XattrOperations
from vexfs.mount.options import LOCKS_VARIABLE, MountOptions, spin_from_environment
from vexfs.mount.requests import RequestBuffer
from vexfs.mount.search_directory import SearchDirectory
from vexfs.mount.session import READAHEAD_BYTES, Session
from vexfs.mount.writeback import Writeback
from vexfs.observability import logs
from vexfs.store import nodes, orphans
from vexfs.store.volume import Volume

logger = logging.getLogger(__name__)

_FLUSH_TIMEOUT_S = 1.2
_NOTIFIED_S = 0.02
"""So long the loop need not serve for the last notification to end."""
_NOTIFICATION_TIMEOUT_S = 2.0
_MAPPINGS_TIMEOUT_S = 1.0
_QUIET_S = 0.003
_QUIET_LOOKS = 3
_SYNC_TIMEOUT_S = 1.0
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE_BUFFER_BYTES = 256 * 1024
_SWITCH_INTERVAL_S = 0.0005
"""How long a helper thread may hold the interpreter while the loop has a request."""


def bound_memory() -> None:
    """Have glibc give large buffers back to the system when they are freed, instead of keeping a heap as large as its peak."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BUFFER_BYTES)
        libc.mallopt(_M_ARENA_MAX, 2)


class Mount:
    """One mounted volume: its parts, made in the order in which they need each other."""

    def __init__(self, options: MountOptions) -> None:
        self._options = options
        folder = runtime.DataFolder(options.data)
        folder.create()
        self._volume = Volume.open(folder.volume, "mount", create=not options.read_only)
        try:
            requested = device.DeviceOptions(
                allow_other=options.allow_other,
                kernel_permissions=options.kernel_permissions,
                read_only=options.read_only,
            )
            self._fd = device.open_and_mount(options.mountpoint, requested)
        except BaseException:
            self._volume.close()
            raise
        try:
            self._gate = Gate(folder.run / "locks" / self._volume.folder.name)
            self._shares_locks = self._agree_on_locks()
            self._make_parts(
                Session.start(self._fd, kernel_permissions=options.kernel_permissions, serve_locks=self._shares_locks)
            )
            device.widen_readahead(options.mountpoint, READAHEAD_BYTES)
        except BaseException:
            lifecycle.detach(options.mountpoint)
            os.close(self._fd)
            self._volume.close()
            raise

    def _agree_on_locks(self) -> bool:
        """Whether this mount shares its locks: because it was told to, or because another one does."""
        shares = self._options.shared_locks or self._gate.others(shared=True)
        self._gate.announce(shared=shares)
        if shares:
            self._gate.sweep()
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # each owner of locks on a file takes a descriptor
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        if self._gate.others(shared=False):
            logger.warning("locks do not hold on every mount of this data folder: another one keeps its own")
        return shares

    def _make_parts(self, session: Session) -> None:
        options = self._options
        if options.read_only:  # whoever mounts it writable again later finds it refuses all the same
            self._volume.writer.fail(VolumeReadOnly("it is mounted read-only"))
        self._invalidator = Invalidator(self._volume, session, self._mark_stale, self._mark_nameless)
        self._engine = Engine(self._volume, session, self._invalidator, options)
        self._buffer = RequestBuffer()
        self._writeback = Writeback(self._engine, self._buffer.slabs)
        self._api = ApiClient(options.data, options.token_file)
        self._findable = FindableWait(self._engine, self._api, enabled=options.wait_findable)
        self._group_sync = GroupSync(self._engine, self._findable)
        self._facts = FileFacts(self._engine)
        self._loop = self._make_loop()

    def _make_loop(self) -> Loop:
        buffer = self._buffer
        self._search = SearchDirectory(self._engine, self._api, buffer)
        self._locks = None
        if self._shares_locks:
            self._locks = LockOperations(self._engine, self._writeback, buffer, LockTable(self._gate))
        self._content = ContentOperations(self._engine, self._writeback, buffer, self._group_sync, self._locks)
        names = NamespaceOperations(self._engine, self._writeback, buffer, self._search.root_entry(), self._locks)
        attributes = AttributeOperations(self._engine, self._writeback, buffer).table()
        tables = [
            names.table(),
            self._content.table(),
            attributes,
            DirectoryOperations(self._engine, buffer).table(),
            XattrOperations(self._engine, buffer, self._facts).table(),
            RangeOperations(self._engine, self._writeback, buffer).table(),
            {} if self._locks is None else self._locks.table(),
        ]
        virtual = {wire.FUSE_STATFS: attributes[wire.FUSE_STATFS], **self._search.table()}
        return Loop(self._engine, self._writeback, self._group_sync, buffer, tables, virtual)

    def _mark_stale(self, ino: int | None) -> None:
        """Others changed the content of a file, or (None) nobody knows of which: called by the invalidation thread."""
        if ino is not None:
            file = self._engine.open_files.get(ino)
            if file is not None:
                file.stale = True
            return
        for file in self._engine.open_files.all():
            file.stale = True
            self._engine.session.invalidate_inode(file.ino, content=True)

    def _mark_nameless(self, ino: int) -> None:
        """Others took the last name of a file: called by the invalidation thread."""
        self._engine.post(lambda: self._content.removed_elsewhere(ino))

    def _sweep(self) -> None:
        """Remove what a killed mount had open without a name."""
        left = orphans.BATCH if nodes.orphans(self._volume.writer) else 0
        while left == orphans.BATCH:
            with self._engine.begin("forget") as txn:
                left = orphans.forget_abandoned(txn)
            self._engine.commit()

    def serve(self) -> None:
        """Serve until a signal or the end of the mount; then everything is in the volume and durable."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._loop.stop())
        try:
            if not self._options.read_only:
                self._sweep()
            self._invalidator.start()
            self._findable.start()
            self._search.start()
            facts = {
                "mountpoint": str(self._options.mountpoint),
                "locks_shared": self._shares_locks,
                "locks_hold_everywhere": not self._gate.others(shared=False),
            }
            runtime.announce_ready(self._options.data, self._options.ready_name, facts)
            sys.setswitchinterval(_SWITCH_INTERVAL_S)
            gc.collect()
            gc.freeze()
            logger.info("mounted", extra=facts)
            self._loop.run()
            if not self._loop.unmounted and not self._invalidator.close(_NOTIFIED_S):
                self._loop.run_during(lambda: self._invalidator.close(_NOTIFICATION_TIMEOUT_S))
            if not self._loop.unmounted and not self._options.read_only:
                self._loop.run_during(self._take_mappings)
            self._write_out()
        finally:
            self._close()

    def _take_mappings(self) -> None:
        """Have the kernel write what programs changed in shared mappings, which only it knows of, while the loop serves.

        Some kernels do not wait for the writes that they make then, so it is over when no more come.
        """
        deadline = time.monotonic() + _MAPPINGS_TIMEOUT_S
        syncing = threading.Thread(target=self._sync_mappings, name="vexfs-mappings", daemon=True)
        syncing.start()
        syncing.join(_MAPPINGS_TIMEOUT_S)
        requests = select.poll()
        requests.register(self._fd, select.POLLIN)
        quiet = written = 0
        while quiet < _QUIET_LOOKS and time.monotonic() < deadline:
            before, written = written, self._loop.counts[wire.FUSE_WRITE]
            quiet = quiet + 1 if written == before and not self._writeback.in_flight and not requests.poll(0) else 0
            time.sleep(_QUIET_S)
        if syncing.is_alive() or quiet < _QUIET_LOOKS:
            logger.error("what programs changed in mappings could not all be taken in time")

    def _sync_mappings(self) -> None:
        try:
            lifecycle.sync(self._options.mountpoint)
        except OSError as error:
            logger.warning("what programs changed in mappings was not asked for", extra={"reason": str(error)})

    def _write_out(self) -> None:
        """Bytes, rows, log: in this order to the disk. New writes are answered meanwhile by nobody."""
        if not self._writeback.flush_all(_FLUSH_TIMEOUT_S):
            logger.error("some large content could not be stored in time", extra={"bytes": self._writeback.total_bytes})
        self._group_sync.begin()  # the sync below answers who waits for one
        try:
            self._engine.commit()
            self._volume.syncer.sync().result(_SYNC_TIMEOUT_S)
        except (VexfsError, TimeoutError):
            logger.exception("the last changes could not be made durable")
        self._engine.run_posted()

    def _close(self) -> None:
        """Unmount and let go. The kernel may send requests while it unmounts, so that happens in a thread while the loop
        serves.
        """
        unmounting = threading.Thread(target=self._unmount, name="vexfs-unmount", daemon=True)
        unmounting.start()
        deadline = time.monotonic() + 0.5
        while unmounting.is_alive() and time.monotonic() < deadline:
            unmounting.join(0.01)
        self._content.close()
        if self._locks is not None:
            self._locks.close()
        self._findable.close()
        self._search.close()
        self._facts.close()
        self._writeback.close()
        self._invalidator.close()
        self._engine.open_table.close()
        os.close(self._fd)
        self._gate.close()
        self._api.close()
        self._volume.close()
        logger.info("unmounted", extra={"mountpoint": str(self._options.mountpoint)})

    def _unmount(self) -> None:
        if self._loop.unmounted:
            return
        try:
            lifecycle.detach(self._options.mountpoint)
        except VexfsError as error:
            logger.warning("could not unmount", extra={"reason": error.message})


def parse(arguments: Sequence[str] | None = None) -> MountOptions:
    """The options of the command line. Exits with a message when they make no sense."""
    parser = argparse.ArgumentParser(prog="python -m vexfs.mount", description="Mount a VexFS volume.")
    parser.add_argument("mountpoint", type=Path, help="an existing directory")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--token-file", type=Path, help="the server's token; DATA/token by default")
    parser.add_argument("--allow-other", action="store_true", help="let every local user use the mount")
    parser.add_argument("--read-only", action="store_true", help="refuse every change")
    parser.add_argument(
        "--shared-locks",
        action="store_true",
        default=os.environ.get(LOCKS_VARIABLE) == "1",
        help="programs' locks hold on every mount of the data folder",
    )
    parser.add_argument("--spin-us", type=int, default=spin_from_environment(), help="poll this long for the next request")
    parser.add_argument("--no-wait-findable", action="store_true", help="fsync never waits for the search views")
    parser.add_argument("--ready-name", default="mount", help="announce readiness as DATA/run/NAME.ready.json")
    given = parser.parse_args(arguments)
    data = given.data.expanduser().absolute()
    return MountOptions(
        data=data,
        mountpoint=given.mountpoint.expanduser().absolute(),
        token_file=given.token_file or runtime.DataFolder(data).token_file,
        allow_other=given.allow_other,
        read_only=given.read_only,
        shared_locks=given.shared_locks,
        spin_us=given.spin_us,
        wait_findable=not given.no_wait_findable,
        ready_name=given.ready_name,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The process; its exit status."""
    options = parse(arguments)
    bound_memory()
    logs.configure("mount")
    try:
        Mount(options).serve()
    except VexfsError as error:
        print(f"vexfs mount: {error.message}", file=sys.stderr)  # noqa: T201
        return 1
    return 0
