"""The state machine: two openings of one volume write in turn, and every reader must see what the model says.

Run by `test_store_model.py`. One opening writes as the API does (a queue, each write durable when it is answered), the other
as a mount (groups that are committed, rolled back, or aborted in the middle). The past is read at random revisions, the window
is trimmed, blobs are collected, files compacted, the log checkpointed and the volume reopened in between.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import apsw
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from vexfs.core.errors import QuotaExceeded, RevisionNotAvailable, VexfsError
from vexfs.store import collect, compact, history, sqlite, usage
from vexfs.store.check import check_volume
from vexfs.store.reader import Reader
from vexfs.store.usage import UNLIMITED
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from . import operations
from . import volume as real
from .model import Model

_SEEDS = st.integers(0, 2**32 - 1)
"""Hypothesis chooses the rules; within one, a seed chooses. Drawing every detail made runs of a few dozen steps too tame."""

_ROOM = st.integers(0, 200_000)
"""Bytes that a quota leaves, for an operation that has one."""
_CAREFUL = ("zero",)
"""Operations that a quota refuses for what they might add; what they take away would sometimes make up for it."""

_OFTEN = ("create", "mkdir", "write", "write_large", "replace", "truncate", "rename", "remove")
_LEFTOVER = "no-stray-blob"
"""What a write that was refused, or lost with its group, had stored before: it takes room until it is collected."""


class StoreMachine(RuleBasedStateMachine):
    """`committed` is the model of what every reader sees, `pending` that of the mount's open group, if there is one."""

    kinds: Sequence[str] = (*operations.KINDS, *_OFTEN, "upsert")
    mount_kinds: Sequence[str] = (*operations.MOUNT_KINDS, *_OFTEN)

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="vexfs-model-", dir=memory if memory.is_dir() else None))
        self.api = Volume.open(self.folder / "main", "api", create=True)
        self.mount = Volume.open(self.folder / "main", "mount")
        self.committed = Model()
        self.pending: Model | None = None
        self.past: dict[int, list[Model]] = {0: [self.committed.copy()]}
        """By revision, what may be seen there: inside a mount's commit, what was before it or after it."""
        self.group: list[int] = []
        self.head = 0
        self.floor = 0

    @initialize(seed=_SEEDS)
    def begin_with_some_files(self, seed: int) -> None:
        for path in (("a",), ("a", "b"), ("c",)):
            self._api(("mkdir", path, 0o755))
        for path in (("d",), ("a", "a")):
            self._api(("create", path, 0o100644))
        self._api(("declare", ("c",), operations.VECTORS))
        self._api(("upsert", ("c",), operations.Places(operations.RandomChooser(seed), self.committed).items()))

    # ---- writing ----

    @precondition(lambda self: self.pending is None)
    @rule(seed=_SEEDS)
    def api_writes(self, seed: int) -> None:
        self._api(operations.choose(operations.RandomChooser(seed), self.committed, self.kinds))

    def _api(self, operation: real.Operation) -> None:
        note(f"api: {operation}")
        want = _outcome(self.committed, operation)
        try:
            answer = self.api.queue.submit(operation[0], real.prepare(self.api, operation)).result(timeout=30)
        except VexfsError as error:
            assert want is type(error), f"{operation}: want {want}, got {error!r}"
            return
        assert want is None, f"{operation}: want {want}, got success"
        self._took(answer.revision)

    @precondition(lambda self: self.pending is None)
    @rule(seed=_SEEDS, room=_ROOM, more_files=st.integers(0, 1))
    def api_writes_under_a_quota(self, seed: int, room: int, more_files: int) -> None:
        """What is refused changes nothing, and would have exceeded the limit: it is done without one then."""
        operation = operations.choose(operations.RandomChooser(seed), self.committed, self.kinds)
        note(f"api, with room for {room} bytes and {more_files} files: {operation}")
        limits: list[usage.UsageRow] = []
        perform = _limited(real.prepare(self.api, operation), room, more_files, limits.append)
        head = self.head
        try:
            answer = self.api.queue.submit(operation[0], perform).result(timeout=30)
        except QuotaExceeded:
            self.everybody_sees_what_was_committed()
            self._api(operation)
            if self.head > head and operation[0] not in _CAREFUL:
                used = self._counted(self.api)
                assert used.bytes > (limits[-1].limit_bytes or 0) or used.files > (limits[-1].limit_files or 0)
        except VexfsError as error:
            want = _outcome(self.committed, operation)
            assert want is type(error), f"{operation}: want {want}, got {error!r}"
        else:
            assert _outcome(self.committed, operation) is None
            self._took(answer.revision)
            used = self._counted(self.api)
            assert used.bytes <= (limits[-1].limit_bytes or 0) and used.files <= (limits[-1].limit_files or 0)

    def _counted(self, volume: Volume) -> usage.UsageRow:
        """What the volume counts, which is what there is."""
        with volume.snapshot() as view:
            used = usage.read(view)
            assert [used[:2]] == view.execute(usage.RECOUNT).fetchall()
        return used

    @rule(seed=_SEEDS, room=_ROOM)
    def mount_writes_under_a_quota(self, seed: int, room: int) -> None:
        """A mount cannot take back what it has written, so it is refused before."""
        model = self.committed.copy() if self.pending is None else self.pending
        operation = operations.choose(operations.RandomChooser(seed), model, self.mount_kinds)
        note(f"mount, with room for {room} bytes and no file: {operation}")
        perform = _limited(real.prepare(self.mount, operation), room, 0, lambda _: None)
        self.pending = model
        try:
            with self.mount.writer.begin(operation[0]) as txn:
                perform(txn)
        except VexfsError as error:
            assert self.mount.writer.group_open, f"{operation}: refused, and the group's earlier operations are lost with it"
            if not isinstance(error, QuotaExceeded):
                assert _outcome(model, operation) is type(error)
            self.the_mount_sees_its_own_group()
            return
        assert _outcome(model, operation) is None
        self.group.append(txn.revision)

    def _took(self, revision: int) -> None:
        """A transaction of the API's kind was committed: it is a revision of its own."""
        assert revision == self.head + 1, "revisions are gapless"
        self.head = revision
        self.past[revision] = [self.committed.copy()]

    @rule(seed=_SEEDS)
    def mount_writes(self, seed: int) -> None:
        model = self.committed.copy() if self.pending is None else self.pending
        operation = operations.choose(operations.RandomChooser(seed), model, self.mount_kinds)
        note(f"mount: {operation}")
        want = _outcome(model, operation)
        perform = real.prepare(self.mount, operation)
        self.pending = model
        try:
            with self.mount.writer.begin(operation[0]) as txn:
                perform(txn)
        except VexfsError as error:
            assert want is type(error), f"{operation}: want {want}, got {error!r}"
            assert self.mount.writer.group_open, f"{operation}: refused, and the group's earlier operations are lost with it"
            return
        assert want is None, f"{operation}: want {want}, got success"
        self.group.append(txn.revision)
        assert txn.revision == self.head + len(self.group)

    @rule(seed=_SEEDS)
    def mount_fails_halfway(self, seed: int) -> None:
        """An operation that has written something cannot be taken back alone: its group goes with it."""
        if self.pending is None:
            self.pending = self.committed.copy()
        operation = operations.choose(operations.RandomChooser(seed), self.pending, self.mount_kinds)
        perform = real.prepare(self.mount, operation)
        txn = self.mount.writer.begin(operation[0])
        with contextlib.suppress(VexfsError):
            perform(txn)
        self.mount.writer.abort(txn)
        if not self.mount.writer.group_open:
            self.pending, self.group = None, []

    @precondition(lambda self: self.pending is not None)
    @rule()
    def mount_commits(self) -> None:
        revision = self.mount.writer.commit()
        assert revision == (self.group[-1] if self.group else None)
        assert self.pending is not None
        for inner in self.group[:-1]:
            self.past[inner] = [self.committed.copy(), self.pending.copy()]
        self.committed, self.pending = self.pending, None
        if self.group:
            self.head = self.group[-1]
            self.past[self.head] = [self.committed.copy()]
            self.mount.syncer.sync().result(timeout=30)
        self.group = []

    @precondition(lambda self: self.pending is not None)
    @rule()
    def mount_loses_its_group(self) -> None:
        self.mount.writer.roll_back_group()
        self.pending, self.group = None, []

    # ---- reading ----

    @rule()
    def everybody_sees_what_was_committed(self) -> None:
        for volume in (self.api, self.mount):
            with volume.snapshot() as view:
                assert view.revision == self.head
                _same(self.committed, view)
            self._counted(volume)

    @precondition(lambda self: self.pending is not None)
    @rule()
    def the_mount_sees_its_own_group(self) -> None:
        assert self.pending is not None
        _same(self.pending, self.mount.writer)
        if self.group:
            writer = self.mount.writer
            assert [(writer.usage.bytes, writer.usage.files)] == writer.execute(usage.RECOUNT).fetchall()

    @rule(seed=_SEEDS)
    def the_past_is_as_it_was(self, seed: int) -> None:
        revision = operations.RandomChooser(seed).number(max(0, self.floor - 1), self.head + 1)
        if not self.floor <= revision <= self.head:
            try:
                self.api.snapshot(revision).close()
            except RevisionNotAvailable:
                return
            raise AssertionError(f"revision {revision} is shown; the window is {self.floor} to {self.head}")
        with self.api.snapshot(revision) as view:
            shown = real.dump(view)
        differences = [real.difference(model.dump(), shown) for model in self.past[revision]]
        assert "" in differences, f"at revision {revision} of {self.head}:\n" + "\n or\n".join(differences)

    @rule()
    def the_log_is_gapless(self) -> None:
        records = self.mount.tail.read(self.floor, limit=10_000)
        assert [record.revision for record in records] == list(range(self.floor + 1, self.head + 1))

    # ---- housekeeping ----

    @precondition(lambda self: self.pending is None)
    @rule(seed=_SEEDS)
    def the_window_is_trimmed(self, seed: int) -> None:
        target = operations.RandomChooser(seed).number(self.floor, self.head)
        answer = self.api.queue.submit("trim", lambda txn: history.trim_slice(txn, target)).result(timeout=30)
        self._took(answer.revision)
        assert answer.value is not None and self.floor <= answer.value <= target
        self.floor = answer.value

    @precondition(lambda self: self.pending is None)
    @rule()
    def blobs_are_collected(self) -> None:
        while collect.collect(self.api, grace_ns=0):
            self._took(self.head + 1)

    @precondition(lambda self: self.pending is None)
    @rule()
    def files_are_compacted(self) -> None:
        with self.api.snapshot() as view:
            inos = [ino for (ino,) in view.execute("SELECT DISTINCT ino FROM extent").fetchall()]
        with patch.object(compact, "PIECES_SLACK", 0):
            for ino in inos:
                compact.compact(self.api, ino)
        while self.head < self.api.head():
            self._took(self.head + 1)

    @rule(mode=st.sampled_from((apsw.SQLITE_CHECKPOINT_PASSIVE, apsw.SQLITE_CHECKPOINT_TRUNCATE)))
    def the_log_is_checkpointed(self, mode: int) -> None:
        connection = sqlite.connect(self.api.database)
        connection.set_busy_timeout(0)
        with contextlib.suppress(apsw.BusyError):  # the open group, or a tail that looks at the head just now
            connection.wal_checkpoint(mode=mode)
        connection.close()

    @precondition(lambda self: self.pending is None)
    @rule(both=st.booleans())
    def the_volume_is_reopened(self, *, both: bool) -> None:
        self.api.close()
        if both:
            self.mount.close()
            self.mount = Volume.open(self.folder / "main", "mount")
        self.api = Volume.open(self.folder / "main", "api")

    def teardown(self) -> None:
        try:
            self.mount.writer.roll_back_group()
            self.api.close()
            self.mount.close()
            findings = [finding for finding in check_volume(self.folder / "main", deep=True) if finding.invariant != _LEFTOVER]
            assert not findings, findings
        finally:
            shutil.rmtree(self.folder)


def _limited(
    perform: Callable[[Transaction], None], room: int, more_files: int, tell: Callable[[usage.UsageRow], object]
) -> Callable[[Transaction], None]:
    """The operation in a volume that may hold so much more than it does, for its time alone."""

    def limited(txn: Transaction) -> None:
        used = txn.usage
        used.limit_bytes, used.limit_files = used.bytes + room, used.files + more_files
        tell(usage.UsageRow(used.bytes, used.files, used.limit_bytes, used.limit_files))
        try:
            perform(txn)
        finally:
            used.limit_bytes = used.limit_files = UNLIMITED

    return limited


def _outcome(model: Model, operation: real.Operation) -> type[VexfsError] | None:
    """The class of error the operation ends with, None when it succeeds; the model is changed then."""
    try:
        model.apply(operation)
    except VexfsError as error:
        return type(error)
    return None


def _same(model: Model, view: Reader) -> None:
    difference = real.difference(model.dump(), real.dump(view))
    assert not difference, difference
