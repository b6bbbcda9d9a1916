"""After an fsync: wait a moment until a search finds the file, when that is cheap for everybody.

`plan` runs in the loop's thread, `answer` in the one that synced the log; waiting happens in a thread of its own. fsync
promises durability only: the wait is short, for small text files, one at a time, not when fsyncs come quickly one after
another, and not when the views are busy or did not answer lately.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from vexfs.core import files
from vexfs.core.errors import NotFound, VexfsError
from vexfs.mount.api_client import ApiClient, Job
from vexfs.mount.engine import Engine
from vexfs.mount.requests import DONE

logger = logging.getLogger(__name__)

WAIT_S = 0.3
SIZE_MAX_BYTES = 16_384
"""About 16 passages."""
QUIET_S = 0.5
"""No wait when the last fsync is younger: a database at work, not a person."""
BACKOFF_S = 30.0
"""No further wait for so long after one that brought nothing: the indexer stands still."""
BACKOFF_UNREACHABLE_S = 2.0
"""The same after the API did not answer in time what is pending."""
_ASK_S = 0.1
_FIRST_CONTACT_S = 1.0


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
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vexfs-findable")

    def start(self) -> None:
        """Load what is needed for asking, in the background: the first fsync must not wait for that."""
        if self._enabled:
            self._worker.submit(self._meet)

    def _meet(self) -> None:
        try:
            self._api.pending_texts(_FIRST_CONTACT_S, Job())
        except VexfsError as error:
            logger.info("the API does not answer yet", extra={"reason": error.message})
        except Exception:
            logger.exception("the API cannot be asked")
            return
        self._met = True

    def plan(self, nodeid: int) -> int:
        """The revision worth waiting for, or 0. Call once for every fsync, after its commit."""
        now = time.monotonic()
        quiet = now - self._last_fsync_s >= QUIET_S
        self._last_fsync_s = now
        if not (self._met and quiet and nodeid and now >= self._not_before_s) or self._busy.locked():
            return 0
        try:
            node = files.stat(self._engine.writer, nodeid)
        except NotFound:
            return 0
        wanted = node.is_regular and node.nlink > 0 and 0 < node.size_bytes <= SIZE_MAX_BYTES
        return node.content_revision if wanted else 0

    def answer(self, unique: int, revision: int) -> None:
        """Answer the fsync: now, or when the views have `revision`, or when the time is over."""
        if not revision or not self._busy.acquire(blocking=False):
            self._engine.session.reply(unique, DONE)
            return
        try:
            self._worker.submit(self._wait, unique, revision)
        except RuntimeError:  # closing
            self._busy.release()
            self._engine.session.reply(unique, DONE)

    def _wait(self, unique: int, revision: int) -> None:
        started = time.monotonic()
        backoff_s = BACKOFF_UNREACHABLE_S
        try:
            job = Job()
            if self._api.pending_texts(_ASK_S, job) <= 1:
                backoff_s = BACKOFF_S
                self._api.wait_for_views(revision, max(0.01, WAIT_S - (time.monotonic() - started)), job)
        except VexfsError:
            self._not_before_s = time.monotonic() + backoff_s
        except Exception:
            logger.exception("waiting for the views failed")
            self._not_before_s = time.monotonic() + BACKOFF_S
        finally:
            self._busy.release()
            self._engine.session.reply(unique, DONE)

    def close(self) -> None:
        """Answer what waits, then stop; idempotent."""
        self._worker.shutdown(wait=True, cancel_futures=False)
