"""What a recorded program promises, as marks in its event log, and whether a volume found after a cut keeps it.

Written by `workload.py` and `killed.py`, read by the power-cut and kill tests. The promises: every acknowledged revision is
there; revisions are a prefix (nothing is there that came after something absent); the tree is exactly what the operations up to
the newest revision make of it, so every transaction is whole or absent; so is the past inside the window; answers kept for a
request id are there; `check` finds nothing; the volume can be written.
"""

import pickle
import random
from pathlib import Path
from typing import NamedTuple

from tests.store_model import volume as real
from tests.store_model.model import Data, Model
from vexfs.core.types import BLOCK_BYTES
from vexfs.store import history, requests
from vexfs.store.check import check_volume
from vexfs.store.reader import Snapshot
from vexfs.store.volume import Volume

VOLUME = "main"
"""The volume's folder below the recorded one."""
_HOUSEKEEPING = frozenset(("trim", "collect", "compact", "expire"))
"""Operations that change no tree."""
_LEFTOVERS = frozenset(("no-stray-blob",))
"""Findings that break no promise: a blob that was about to be used, or removed, when the power failed. It takes room only."""


class Wrote(NamedTuple):
    """An operation was done under that revision; its commit may still be lost."""

    revision: int
    operation: real.Operation


class Acknowledged(NamedTuple):
    """Everything up to the revision is durable, and a client knows it; with `request_id` the answer is kept too."""

    revision: int
    request_id: str = ""


def encode(promise: Wrote | Acknowledged) -> bytes:
    return pickle.dumps(promise)


class Promises:
    """All marks up to some point of a run, and the models they make."""

    def __init__(self) -> None:
        self._read = 0
        self._operations: dict[int, real.Operation] = {}
        self._models = [Model()]
        self._requests: dict[str, int] = {}
        self.acknowledged = 0

    def read(self, marks: list[bytes]) -> None:
        """Take in what is new in `marks`, a list that only grows."""
        for data in marks[self._read :]:
            promise = pickle.loads(data)
            if isinstance(promise, Wrote):
                self._operations[promise.revision] = promise.operation
                del self._models[max(1, promise.revision) :]  # that revision was lost before, and is used again
            else:
                self.acknowledged = max(self.acknowledged, promise.revision)
                if promise.request_id:
                    self._requests[promise.request_id] = promise.revision
        self._read = len(marks)

    def model(self, revision: int) -> Model:
        """What the operations up to `revision` make of an empty volume."""
        while len(self._models) <= revision:
            model = self._models[-1].copy()
            operation = self._operations.get(len(self._models))
            if operation is not None and operation[0] not in _HOUSEKEEPING:
                model.apply(operation)
            self._models.append(model)
        return self._models[revision]

    def housekeeping(self, revision: int) -> None:
        """The log says that this revision changed no tree."""
        if self._operations.pop(revision, None) is not None:
            del self._models[revision:]

    # ---- the check ----

    def verify(self, folder: Path, marks: list[bytes]) -> int:
        """Check everything on the volume in `folder`; returns how many promises there were to keep. See `cuts.Check`."""
        self.read(marks)
        rng = random.Random(len(marks))
        with Volume.open(folder / VOLUME, "reader", create=True) as volume:
            with volume.snapshot() as view:
                self._verify_log(view)
                _same(self.model(view.revision), view)
                self._verify_requests(view)
                past = rng.randint(history.floor(view), view.revision)
            with volume.snapshot(past) as view:
                self._verify_past(view, past)
        findings = [finding for finding in check_volume(folder / VOLUME) if finding.invariant not in _LEFTOVERS]
        assert not findings, f"check finds {findings}"
        if self.acknowledged == 0 or rng.random() < 0.2:
            self._write(folder)
        return self.acknowledged + len(self._requests)

    def _verify_log(self, view: Snapshot) -> None:
        assert view.revision >= self.acknowledged, f"{self.acknowledged} was acknowledged, {view.revision} is the newest there"
        floor = history.floor(view)
        rows = view.execute("SELECT revision, operation FROM log ORDER BY revision").fetchall()
        assert [revision for revision, _ in rows] == list(range(floor + 1, view.revision + 1)), "the log has a gap"
        for revision, operation in rows:
            if operation in _HOUSEKEEPING:
                self.housekeeping(revision)
            else:
                written = self._operations.get(revision)
                assert written is not None and written[0] == operation, f"{revision} is {operation}, not {written}"

    def _verify_requests(self, view: Snapshot) -> None:
        for request_id, revision in self._requests.items():
            stored = requests.find(view, request_id, b"", now_ns=0)  # however long this takes, none has expired
            assert stored is not None and stored.revision == revision, f"the answer kept for {request_id} is {stored}"

    def _verify_past(self, view: Snapshot, revision: int) -> None:
        """Inside a mount's commit, which is one version, a revision shows what was before it: the log says which that is."""
        base = view.execute("SELECT base FROM log WHERE revision=?", (revision + 1,)).fetchall()
        _same(self.model(min([revision, *(row[0] for row in base)])), view)

    def _write(self, folder: Path) -> None:
        """The volume goes on from where it was found."""
        path = ("after the cut",)
        operations: list[real.Operation] = [("create", path, 0o100644)]
        operations += [("replace", path, Data(seed, 5 * BLOCK_BYTES)) for seed in range(100, 104)]
        with Volume.open(folder / VOLUME, "api") as volume:
            with volume.snapshot() as view:
                model = self.model(view.revision).copy()
            for operation in operations:
                volume.queue.submit(operation[0], real.prepare(volume, operation)).result(timeout=30)
                model.apply(operation)
            with volume.snapshot() as view:
                _same(model, view)


def _same(model: Model, view: Snapshot) -> None:
    difference = real.difference(model.dump(), real.dump(view))
    assert not difference, f"at revision {view.at_revision or view.revision} of {view.revision}:\n{difference}"
