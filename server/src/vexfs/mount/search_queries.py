"""The directories of `.search` that ask: what each found lately, and searching in worker threads.

Used by the tree of `.search` and `search_saved`. A search goes through the API; the request that wanted it is answered from the
worker, and FUSE_INTERRUPT ends it. What was found is kept for a while, so that what a listing showed can be opened. Everything
is bounded; state is guarded by a lock held for moments only.
"""

import errno
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from vexfs.core.errors import InvalidRequest, VexfsError
from vexfs.mount.api_client import ApiClient, Cancelled, Failed, Found, Job
from vexfs.mount.engine import Engine
from vexfs.mount.requests import Answer
from vexfs.mount.search_questions import Question
from vexfs.mount.search_results import ResultSet, document

logger = logging.getLogger(__name__)

TIMEOUT_S = 20.0
CATCH_UP_S = 2.0
_ASK_AGAIN_S = 0.2
FRESH_S = 5.0
"""A listing younger than this is shown again; an older one is asked for anew."""
KEEP_S = 300.0
"""How long a name of a listing can be opened after it was last listed."""
QUERIES_MAX = 128
_SETS_MAX = 128
_RUNNING_MAX = 16
_WORKERS = 4


class Query:
    """One directory that asks: what was found, and how the last search ended. `nodeid` is the directory's."""

    def __init__(self, nodeid: int, name: str, up: bytes) -> None:
        self.nodeid = nodeid
        self.name = name
        self.up = up
        """The way from the directory to the root of the mount."""
        self.sets: list[ResultSet] = []
        """Newest first, at most two: a name of the one before can still be opened."""
        self.failure = ""
        self.refused = ""
        """Why the last setting was refused."""
        self.changed_ns = 0
        """When `.status` changed."""
        self.live_until_s = 0.0
        """Until then `search_live` sees to it that the newest result is the present one."""
        self.arriving: dict[bytes, tuple[ResultSet, int]] = {}
        """Names that `search_live` is about to make, and what they lead to; once they are made they are in `arrived`, too."""
        self.arrived: dict[bytes, tuple[ResultSet, int]] = {}
        self.leaving: frozenset[bytes] = frozenset()
        """Names that it is about to remove."""
        self.hidden: frozenset[bytes] = frozenset()
        """Names that lead nowhere although an older result has them."""

    @property
    def is_live(self) -> bool:
        return time.monotonic() <= self.live_until_s

    def fail(self, reason: str) -> None:
        """The last search brought nothing."""
        self.failure, self.changed_ns = reason, time.time_ns()

    def refuse(self, reason: str) -> None:
        """The last setting made no sense; empty when it did."""
        self.refused, self.changed_ns = reason, time.time_ns()

    def found(self, results: ResultSet) -> None:
        """The last search found something; what the one before found is kept beside it."""
        self.sets = [results, *self.sets[:1]]
        self.hidden = self.leaving
        self.arriving, self.arrived, self.leaving = {}, {}, frozenset()
        self.failure = self.refused = ""
        self.changed_ns = results.time_ns

    def left(self, name: bytes) -> None:
        """A name has been removed: who is told looks for it at once, before the newer result is shown."""
        self.hidden |= {name}

    def fresh(self, age_s: float, question: Question) -> ResultSet | None:
        """The newest result when it is young enough and answers that question."""
        if not self.sets or self.sets[0].question != question:
            return None
        return self.sets[0] if self.is_live or time.monotonic() - self.sets[0].made_s <= age_s else None

    def find(self, name: bytes) -> tuple[ResultSet, int] | None:
        """The link of that name in what was listed lately."""
        if name in self.arrived:
            return self.arrived[name]
        if name in self.hidden:
            return None
        for results in self.sets:
            place = results.index.get(name)
            if place is not None and (self.is_live or time.monotonic() - results.made_s <= KEEP_S):
                return results, place
        return None

    def status(self) -> bytes:
        """What `.status` in the directory says."""
        if self.refused:
            return document({"state": "setting refused", "query": self.name, "error": self.refused})
        if self.failure:
            return document({"state": "failed", "query": self.name, "error": self.failure})
        return self.sets[0].status if self.sets else document({"state": "not asked yet", "query": self.name})


class Queries:
    """See the module."""

    def __init__(self, engine: Engine, api: ApiClient) -> None:
        self._engine = engine
        self._api = api
        self._lock = threading.Lock()
        self._queries: OrderedDict[int, Query] = OrderedDict()
        self._sets: OrderedDict[int, ResultSet] = OrderedDict()
        self._set_number = 0
        self._running = 0
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="vexfs-search")

    def at(self, nodeid: int) -> Query | None:
        """The query of a directory, unless it was forgotten."""
        return self._queries.get(nodeid)

    def need(self, nodeid: int, name: str, up: bytes) -> Query:
        """The query of a directory, made if it is new; the one used longest ago is forgotten for it."""
        with self._lock:
            query = self._queries.get(nodeid)
            if query is None:
                query = self._queries[nodeid] = Query(nodeid, name, up)
            self._queries.move_to_end(nodeid)
            query.name = name
            while len(self._queries) > QUERIES_MAX:
                self._queries.popitem(last=False)
            return query

    def results(self, number: int) -> ResultSet | None:
        """The result set of that number, unless it was forgotten."""
        return self._sets.get(number)

    # -- searching -------------------------------------------------------------------------------------

    def with_results(
        self, unique: int, query: Query, question: Question, age_s: float, use: Callable[[ResultSet], Answer]
    ) -> Answer:
        """`use` the query's results: those at hand if young enough, else from a worker, which then answers the request."""
        results = query.fresh(age_s, question)
        if results is not None:
            return use(results)
        return self.in_worker(unique, lambda job: use(self._search(query, question, job)))

    def in_worker(self, unique: int, work: Callable[[Job], Answer]) -> Answer:
        """Have a worker answer the request with what `work` gives; with None it is answered elsewhere."""
        with self._lock:
            if self._running >= _RUNNING_MAX:
                return -errno.EAGAIN
            self._running += 1
        job = Job()
        self._engine.interruptible[unique] = job.cancel
        self._workers.submit(self._answer, unique, work, job)
        return None

    def _answer(self, unique: int, work: Callable[[Job], Answer], job: Job) -> None:
        try:
            answer = -errno.EINTR if job.cancelled else work(job)
        except Cancelled:
            answer = -errno.EINTR
        except VexfsError as error:
            logger.warning("a search failed", extra={"reason": error.message})
            answer = -errno.EINVAL if isinstance(error, InvalidRequest) else -errno.EIO
        except Exception:
            logger.exception("a search failed")
            answer = -errno.EIO
        with self._lock:
            self._running -= 1
        self._engine.interruptible.pop(unique, None)
        if answer is not None:
            self._engine.session.answer(unique, answer)

    def _search(self, query: Query, question: Question, job: Job) -> ResultSet:
        try:
            results, _ = self.ask(question, query.up, job)
        except Cancelled:
            raise
        except VexfsError as error:
            query.fail(error.message)
            raise
        query.found(results)
        return results

    def ask(self, question: Question, up: bytes, job: Job) -> tuple[ResultSet, bool]:
        """Ask the API, in the caller's thread; the answer, which no directory shows yet, and whether something was pending.

        Raises what `ApiClient.search` raises.
        """
        begun = time.monotonic()
        found = self._ask(question, job)
        with self._lock:
            self._set_number += 1
            results = ResultSet(self._set_number, question, found, up, time.monotonic() - begun)
            self._sets[results.number] = results
            while len(self._sets) > _SETS_MAX:
                self._sets.popitem(last=False)
        return results, bool(int(found.facts.get("pending", 0)) or found.facts.get("partial"))

    def hold(self, query: Query, for_s: float) -> None:
        """What the query shows is the present, for so long."""
        query.live_until_s = time.monotonic() + for_s
        with self._lock:
            for results in query.sets[:1]:
                self._sets[results.number] = results
                self._sets.move_to_end(results.number)

    def _ask(self, question: Question, job: Job) -> Found:
        """Ask the API. An empty answer from views that lack something is no answer: they get a moment, then it is a failure."""
        deadline = time.monotonic() + CATCH_UP_S
        while True:
            found = self._api.search(question.request, TIMEOUT_S, job)
            if found.hits or not found.facts.get("partial"):
                return found
            if time.monotonic() >= deadline:
                reasons = "; ".join(found.facts.get("partial_reasons", []))
                raise Failed(f"nothing found, but not everything could be looked through: {reasons}")
            if job.cancelled:
                raise Cancelled("the request was interrupted")
            time.sleep(_ASK_AGAIN_S)

    def close(self) -> None:
        """Give up what is running; idempotent."""
        for end in list(self._engine.interruptible.values()):
            end()
        self._workers.shutdown(wait=True, cancel_futures=True)
