"""The program whose power is cut: one volume, written by an API-like opening and a mount-like one at full speed, and kept.

Run as `python -m tests.power.workload FOLDER SEED ROUNDS OPERATIONS` under the recorder. It marks, in the
event log, every operation with its revision before the commit, and every revision that was acknowledged or fsynced after it.
Covers making the volume, both writers, blobs, request results, checkpoints, trimming, compaction, collection, closing and
opening again.
"""

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.store_model import operations
from tests.store_model import volume as real
from tests.store_model.model import Data, Model
from vexfs.core.errors import VexfsError
from vexfs.core.types import BLOCK_BYTES
from vexfs.store import collect, compact, history
from vexfs.store.checkpoint import Checkpointer
from vexfs.store.maintenance import Maintenance, Settings
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .promises import Acknowledged, Wrote, encode
from .recorder import mark

_OFTEN = ("create", "mkdir", "write", "write_large", "write_large", "replace")
_API_KINDS = (*operations.KINDS, *_OFTEN, "upsert")
_MOUNT_KINDS = (*operations.MOUNT_KINDS, *_OFTEN)
FIRST_CONTENT = Data(0, 6 * BLOCK_BYTES)
_NOW = Settings(window=history.Window(age_ns=0), blob_grace_ns=0)


class Workload:
    """The volume's life: `rounds` times opened, written by both, kept, and closed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._model = Model()
        self._newest = 0
        self._lock = threading.Lock()

    def run(self, rounds: int, operations_each: int) -> None:
        for number in range(rounds):
            self._live(self._seed * 1000 + number * 10, operations_each)
            _promise(Acknowledged(self._last()))

    def _live(self, seed: int, count: int) -> None:
        with Volume.open(self._folder, "api", create=True) as api:
            self._begin(api)
            checkpointer = Checkpointer(api.folder, api.database, api.tail)
            checkpointer.start()
            with Volume.open(self._folder, "mount") as mount:
                self._together(
                    lambda: self._write_as_api(api, seed, count),
                    lambda: self._write_as_api(api, seed + 1, count),
                    lambda: self._write_as_mount(mount, seed + 2, 2 * count),
                    lambda: self._keep(api, count),
                )
                self._remove_content(api)
                self._keep(api, 0)
                self._write_last(mount)
            _promise(Acknowledged(self._newest))  # what closing finds open is durable when it returns
            checkpointer.close()

    def _begin(self, volume: Volume) -> None:
        """The first content is one that a process before may have stored, and not have lived to sync."""
        if self._newest == 0:
            path = ("first",)
            operations: list[real.Operation] = [("create", path, 0o100644), ("replace", path, FIRST_CONTENT)]
            for operation in operations:
                self._submit(volume, operation, "")

    def _remove_content(self, volume: Volume) -> None:
        """Nobody else writes or syncs now: the blob's removal depends on the collector's own care."""
        path = (f"content {self._newest}",)
        for operation in (("create", path, 0o100644), ("replace", path, Data(self._newest, 6 * BLOCK_BYTES)), ("remove", path)):
            self._submit(volume, operation, "")

    def _write_last(self, mount: Volume) -> None:
        """One more operation in a group that nobody commits."""
        operation: real.Operation = ("mkdir", (f"last {self._newest}",), 0o755)
        with mount.writer.begin("mkdir") as txn:
            real.prepare(mount, operation)(txn)
            self._wrote(txn, operation)

    def _last(self) -> int:
        with Volume.open(self._folder, "reader") as volume:
            return volume.head()

    def _together(self, *functions: Any) -> None:
        threads = [threading.Thread(target=self._guarded, args=(function,)) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guarded(self, function: Any) -> None:
        """A thread that fails ends the program: it may hold the turn that the others wait for."""
        try:
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def _choose(self, chooser: operations.Chooser, kinds: Sequence[str]) -> real.Operation:
        with self._lock:
            return operations.choose(chooser, self._model, kinds)

    def _wrote(self, txn: Transaction, operation: real.Operation) -> None:
        """Inside the turn, so the model changes in the order of revisions."""
        _promise(Wrote(txn.revision, operation))
        with self._lock:
            self._newest = txn.revision
            self._apply(operation)

    def _apply(self, operation: real.Operation) -> None:
        try:
            self._model.apply(operation)
        except VexfsError as error:
            raise RuntimeError(f"the volume did {operation}, which the model refuses: {error!r}") from error

    def _write_as_api(self, volume: Volume, seed: int, count: int) -> None:
        """A closed loop of acknowledged writes; some carry a request id."""
        chooser = operations.RandomChooser(seed)
        for number in range(count):
            operation = self._choose(chooser, _API_KINDS)
            with contextlib.suppress(VexfsError):
                self._submit(volume, operation, f"{seed}-{number}" if number % 3 == 0 else "")

    def _submit(self, volume: Volume, operation: real.Operation, request_id: str) -> None:
        perform = real.prepare(volume, operation)

        def function(txn: Transaction) -> None:
            perform(txn)
            self._wrote(txn, operation)

        def serialize(_: None, revision: int) -> bytes:
            return str(revision).encode()

        answer = volume.queue.submit(operation[0], function, request_id=request_id, serialize=serialize).result()
        _promise(Acknowledged(answer.revision, request_id))

    def _write_as_mount(self, volume: Volume, seed: int, count: int) -> None:
        """Groups as long as the turn allows; an fsync now and then."""
        chooser = operations.RandomChooser(seed)
        writer = volume.writer
        for number in range(count):
            operation = self._choose(chooser, _MOUNT_KINDS)
            perform = real.prepare(volume, operation)
            try:
                with writer.begin(operation[0]) as txn:
                    perform(txn)
                    self._wrote(txn, operation)
            except VexfsError:
                if not writer.group_open:
                    raise RuntimeError(f"a refused {operation[0]} took its whole group away") from None
                continue
            if number % 12 == 11:
                revision = writer.commit()
                volume.syncer.sync().result()
                if revision is not None:
                    _promise(Acknowledged(revision))
            elif writer.must_commit(time.monotonic_ns()) or number % 5 == 4:
                writer.commit()
        writer.commit()

    def _keep(self, volume: Volume, count: int) -> None:
        """Trim, collect and compact as the maintenance does, with a window and a grace of nothing."""
        maintenance = Maintenance(volume, _NOW)
        for _ in range(1 + count // 8):
            time.sleep(0.02)
            maintenance.trim()
            while collect.collect(volume, grace_ns=0):
                pass
            with volume.snapshot() as view:
                inos = [ino for (ino,) in view.execute("SELECT DISTINCT ino FROM extent LIMIT 5").fetchall()]
            for ino in inos:
                compact.compact(volume, ino)


def _promise(promise: Wrote | Acknowledged) -> None:
    mark(encode(promise))


def main() -> None:
    folder, seed, rounds, operations_each = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    compact.PIECES_SLACK = 0  # so that a few extents are worth compacting
    Workload(folder, seed).run(rounds, operations_each)


if __name__ == "__main__":
    main()
