"""Live saved queries: their directories follow the volume by themselves, and inotify tells who watches them.

A thread of the mount asks again when the index or the volume has moved, at most every ROUND_S. A file that is new among the
answers is made in the directory, and one that is gone is removed from it, by real system calls: the kernel tells watchers of
nothing else. `live_helper`, a process, makes them; the loop lets them pass for what the thread has announced, from that process
only. Then the new answer is shown. A name that only changed (rank and score stand in it) makes no event.

The thread holds no lock while it waits for the helper, and the loop waits for neither. At most LIVE_MAX queries are live, with
one search each in a round; an idle volume is not searched. Without live queries there is no helper.
"""

import errno
import logging
import os
import select
import subprocess
import sys
import threading
import time
from typing import NamedTuple

from vexfs.core import saved_queries
from vexfs.core.errors import InvalidRequest, NotFound, VexfsError, ViewUnavailable
from vexfs.core.types import Ino, Revision
from vexfs.mount import live_helper, replies, search_questions, wire
from vexfs.mount.api_client import Job
from vexfs.mount.engine import Engine
from vexfs.mount.requests import BODY, DONE, SEARCH_NAME, Answer, RequestBuffer, Table
from vexfs.mount.search_nodes import LINK, SAVED, Attributes, Place
from vexfs.mount.search_queries import Queries, Query
from vexfs.mount.search_questions import Question
from vexfs.mount.search_results import ResultSet
from vexfs.mount.search_tree import SAVED_NAME, UP_FROM_SAVED
from vexfs.views.derived import DerivedReader, derived_folder

logger = logging.getLogger(__name__)

LIVE_MAX = 8
ROUND_S = 1.0
_BUSY_SHARE = 10
"""A round is followed by a pause so many times as long, at least."""
HOLD_S = 30.0
"""How long an answer is shown as the present one after the thread was last seen."""
_HELPER_S = 5.0
_CLOSE_S = 1.0


class _Live(NamedTuple):
    ino: Ino
    name: bytes
    question: Question


class LiveQueries:
    """See the module. `start` and the handlers belong to the loop's thread."""

    def __init__(self, engine: Engine, queries: Queries, attributes: Attributes, buffer: RequestBuffer) -> None:
        self._engine = engine
        self._queries = queries
        self._attributes = attributes
        self._buffer = buffer
        self._folder = b"/".join([os.fsencode(engine.options.mountpoint), SEARCH_NAME, SAVED_NAME])
        self._indexed = DerivedReader(derived_folder(engine.volume.folder))
        self._helper: subprocess.Popen[bytes] | None = None
        self._job = Job()
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._live: list[_Live] = []
        self._unfinished = True
        """Whether the next round has to ask again although nothing moves."""
        self._unsubscribe = engine.volume.tail.subscribe(self._moved)
        self._thread = threading.Thread(target=self._run, name="vexfs-live", daemon=True)

    def table(self) -> Table:
        return {wire.FUSE_SYMLINK: self.symlink, wire.FUSE_UNLINK: self.unlink}

    def start(self) -> None:
        """Once the mount is served."""
        self._wake.set()
        self._thread.start()

    # -- in the loop -------------------------------------------------------------------------------------

    def symlink(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        name, _ = self._buffer.two_names(BODY, end)
        query = self._announced(nodeid)
        arriving = None if query is None else query.arriving.get(name)
        if query is None or arriving is None:
            return -errno.EROFS
        query.arrived[name] = results, rank = arriving
        link = self._attributes.link(Place(LINK, results.number, rank), results.targets[rank], results.time_ns)
        return replies.entry(link, 0)

    def unlink(self, _unique: int, nodeid: int, end: int, _uid: int, _gid: int) -> Answer:
        name = self._buffer.name(BODY, end)
        query = self._announced(nodeid)
        if query is None or name not in query.leaving:
            return -errno.EROFS
        query.left(name)
        return DONE

    def _announced(self, nodeid: int) -> Query | None:
        """The live query whose directory the helper wants to change; None for anybody else."""
        helper = self._helper
        pid = wire.fuse_in_header.unpack_from(self._buffer.view)[6]
        return self._queries.at(nodeid) if helper is not None and pid == helper.pid else None

    def _moved(self, _head: Revision) -> None:
        self._wake.set()

    # -- the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        seen: object = None
        while not self._closing.is_set():
            self._wake.wait(ROUND_S if self._live else None)
            begun = time.monotonic()
            try:
                moved = self._wake.is_set()
                if moved:
                    self._wake.clear()
                    self._live = self._read_live()
                position = self._position() if self._live else None
                self._round(ask=moved or position != seen or self._unfinished)
                seen = position
            except Exception:
                logger.exception("live queries could not follow")
            self._closing.wait(max(ROUND_S, (time.monotonic() - begun) * _BUSY_SHARE))

    def _position(self) -> object:
        try:
            return self._indexed.incarnation(), self._indexed.head()
        except ViewUnavailable:
            return None

    def _read_live(self) -> list[_Live]:
        found = []
        with self._engine.volume.snapshot() as view:
            for name, ino in saved_queries.listed(view):
                try:
                    saved = saved_queries.read(view, ino)
                except (InvalidRequest, NotFound):
                    continue
                if saved.live:
                    found.append(_Live(ino, name, search_questions.of_saved(saved)))
        if len(found) > LIVE_MAX:
            logger.warning("too many live queries: the last by name stand still", extra={"live": len(found), "limit": LIVE_MAX})
        return found[:LIVE_MAX]

    def _round(self, *, ask: bool) -> None:
        unfinished = False
        for live in self._live:
            query = self._queries.need(Place(SAVED, live.ino).nodeid, live.name.decode("utf-8", "replace"), UP_FROM_SAVED)
            if not ask and query.sets:
                self._queries.hold(query, HOLD_S)
                continue
            try:
                unfinished = self._advance(live, query) or unfinished
            except VexfsError as error:
                query.fail(error.message)
                unfinished = True
        self._unfinished = unfinished or (ask and not self._unfinished)  # the API may follow a moment later: look twice

    def _advance(self, live: _Live, query: Query) -> bool:
        """Ask, tell the watchers, show the answer. Returns whether something was still pending."""
        results, pending = self._queries.ask(live.question, query.up, self._job)
        shown = query.sets[0] if query.sets and query.sets[0].question == live.question else None
        if shown is not None:
            self._tell(live, query, shown, results)
        query.found(results)
        self._queries.hold(query, HOLD_S)
        return pending

    def _tell(self, live: _Live, query: Query, shown: ResultSet, results: ResultSet) -> None:
        """Have the kernel see what comes and what goes."""
        before, after = set(shown.inos), set(results.inos)
        query.arriving = {name: (results, rank) for name, rank in results.index.items() if results.inos[rank] not in before}
        query.leaving = frozenset(name for name, rank in shown.index.items() if shown.inos[rank] not in after)
        for name in query.leaving:
            self._call(live.name, name, None)
        query.hidden = query.leaving | query.arriving.keys()
        for name, (_, rank) in query.arriving.items():
            self._call(live.name, name, results.targets[rank])

    def _call(self, directory: bytes, name: bytes, target: bytes | None) -> None:
        """Have the helper make a link, or remove it. A call that fails only means that nobody is told."""
        path = b"/".join([self._folder, directory, name])
        if self._closing.is_set():
            return
        helper = self._helper
        if helper is None or helper.poll() is not None:
            helper = self._helper = self._start_helper()
        assert helper.stdin is not None
        assert helper.stdout is not None
        try:
            head = live_helper.REQUEST.pack(target is not None, len(path), len(target or b""))
            os.write(helper.stdin.fileno(), head + path + (target or b""))
            ready, _, _ = select.select([helper.stdout], [], [], _HELPER_S)
            answer = os.read(helper.stdout.fileno(), live_helper.ANSWER.size) if ready else b""
        except OSError:
            answer = b""
        if len(answer) != live_helper.ANSWER.size:
            logger.warning("the helper of live queries does not answer; it is ended")
            self._end_helper()
            return
        (outcome,) = live_helper.ANSWER.unpack(answer)
        if outcome:
            logger.info("watchers of a live query missed a change", extra={"reason": os.strerror(outcome)})

    def _start_helper(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-I", "-S", live_helper.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd="/",
        )

    def _end_helper(self) -> None:
        helper, self._helper = self._helper, None
        if helper is None:
            return
        helper.kill()
        for pipe in (helper.stdin, helper.stdout):
            if pipe is not None:
                pipe.close()

    def close(self) -> None:
        """Stop the thread, and end the helper; idempotent. A call that hangs ends when /dev/fuse is closed."""
        self._closing.set()
        self._wake.set()
        self._job.cancel()
        self._unsubscribe()
        helper = self._helper
        if helper is not None:
            helper.kill()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            self._end_helper()
            self._indexed.close()
