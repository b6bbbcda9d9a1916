"""After an fsync: wait a moment until a search finds the file, when that is cheap for everybody.

`plan` runs in the loop's thread, `answer` in the one that synced the log; waiting happens in a thread of its own. fsync
promises durability only: the wait is short, for small text files, one at a time, not when fsyncs come quickly one after
another, and not when waiting brought nothing lately. While an import is being indexed, the views are far behind and this file
is indexed before the rest of it: then the indexer's own records tell when it is done, and a search confirms it.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from vexfs.core import files
from vexfs.core.errors import NotFound, RevisionNotReached, VexfsError
from vexfs.core.types import Ino
from vexfs.mount.api_client import ApiClient, Job
from vexfs.mount.engine import Engine
from vexfs.mount.requests import DONE
from vexfs.views.derived import DerivedReader, PassageVector, derived_folder

logger = logging.getLogger(__name__)

WAIT_S = 0.3
SIZE_MAX_BYTES = 16_384
"""About 16 passages."""
QUIET_S = 0.5
"""No wait when the last fsync is younger: a database at work, not a person."""
BACKOFF_S = 30.0
"""No further wait for so long after one that brought nothing: the indexer stands still."""
BACKOFF_BUSY_S = 2.0
"""The same after the API did not answer in time what is pending, and while an import is being indexed."""
OTHERS_MAX = 32
"""With more waiting than that (about twice what a small file brings), the views as a whole are not waited for."""
_ASK_S = 0.1
_ASK_AGAIN_S = 0.01
_FIRST_CONTACT_S = 1.0


class Written(NamedTuple):
    """What a search shall find: a file, and the revision of its content."""

    ino: Ino
    revision: int


class FindableWait:
    """See the module."""

    def __init__(self, engine: Engine, api: ApiClient, *, enabled: bool) -> None:
        self._engine = engine
        self._api = api
        self._enabled = enabled
        self._met = False
        self._last_fsync_s = 0.0
        self._not_before_s = 0.0
        self._busy = threading.Lock()
        self._indexed = DerivedReader(derived_folder(engine.volume.folder))
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vexfs-findable")

    def start(self) -> None:
        """Load what is needed for asking, in the background: the first fsync must not wait for that."""
        if self._enabled:
            self._worker.submit(self._meet)

    def _meet(self) -> None:
        try:
            self._api.pending_items(_FIRST_CONTACT_S, Job())
        except VexfsError as error:
            logger.info("the API does not answer yet", extra={"reason": error.message})
        except Exception:
            logger.exception("the API cannot be asked")
            return
        self._met = True

    def plan(self, nodeid: int) -> Written | None:
        """What is worth waiting for, if anything. Call once for every fsync, after its commit."""
        now = time.monotonic()
        quiet = now - self._last_fsync_s >= QUIET_S
        self._last_fsync_s = now
        if not (self._met and quiet and nodeid and now >= self._not_before_s) or self._busy.locked():
            return None
        try:
            node = files.stat(self._engine.writer, nodeid)
        except NotFound:
            return None
        wanted = node.is_regular and node.nlink > 0 and 0 < node.size_bytes <= SIZE_MAX_BYTES
        return Written(node.ino, node.content_revision) if wanted else None

    def answer(self, unique: int, written: Written | None) -> None:
        """Answer the fsync: now, or when what was written can be found, or when the time is over."""
        if written is None or not self._busy.acquire(blocking=False):
            self._engine.session.reply(unique, DONE)
            return
        try:
            self._worker.submit(self._wait, unique, written)
        except RuntimeError:  # closing
            self._busy.release()
            self._engine.session.reply(unique, DONE)

    def _wait(self, unique: int, written: Written) -> None:
        end = time.monotonic() + WAIT_S
        backoff_s = BACKOFF_BUSY_S
        try:
            job = Job()
            if self._api.pending_items(_ASK_S, job) > OTHERS_MAX:
                self._wait_for_one(written, end, job)
            else:
                backoff_s = BACKOFF_S
                self._api.wait_for_views(written.revision, max(0.01, end - time.monotonic()), job)
        except VexfsError:
            self._not_before_s = time.monotonic() + backoff_s
        except Exception:
            logger.exception("waiting for the views failed")
            self._not_before_s = time.monotonic() + BACKOFF_S
        finally:
            self._busy.release()
            self._engine.session.reply(unique, DONE)

    def _wait_for_one(self, written: Written, end: float, job: Job) -> None:
        """Return when every passage of the file has its vector, and a search with one of them finds it.

        Raises RevisionNotReached at the end; ViewUnavailable; Failed, Cancelled.
        """
        indexed = self._indexed
        while True:
            incarnation, head = indexed.incarnation(), indexed.head()
            vectors = self._vectors(written)
            left = end - time.monotonic()
            if vectors is not None and (
                not vectors or self._api.finds(vectors[0].vector, written.ino, max(0.01, left), job)
            ):  # no vectors: there is no text in it
                return
            if left <= 0:
                raise RevisionNotReached("the file cannot be found yet")
            indexed.wait(incarnation, head, left if vectors is None else min(left, _ASK_AGAIN_S))

    def _vectors(self, written: Written) -> list[PassageVector] | None:
        """The file's passages, or None while the indexer is not done with it."""
        indexed = self._indexed
        state, model = indexed.file_state(written.ino), indexed.model()
        if state is None or state.content_revision < written.revision or indexed.pending_of(written.ino, model):
            return None
        return indexed.vectors(written.ino, model)

    def close(self) -> None:
        """Answer what waits, then stop; idempotent."""
        self._worker.shutdown(wait=True, cancel_futures=False)
        self._indexed.close()
