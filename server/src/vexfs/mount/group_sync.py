"""fsync: which requests share a commit and an fdatasync, and when they are answered.

Driven by the loop; one thread, but for `_synced`, which runs in the one that syncs the log. While the log is being synced,
requests that come wait for the end of that, because no sync could begin for them earlier. After it the next commit waits for
those who synced last time, as long as requests come at all, because a commit for all costs little more than one for a few:
it writes the same pages of names and indexes. A program that syncs alone waits for nobody, and one that syncs what has been
synced already, such as the directory after its new file, does not wait for the disk again.

An answer promises that everything the program wrote before it asked is durable. When a group of transactions is lost while a
request waits, the request fails, whatever was lost.
"""

import errno
import logging
import select
import time
from typing import NamedTuple

from vexfs.mount.engine import Engine
from vexfs.mount.findable import FindableWait, Written

logger = logging.getLogger(__name__)

QUIET_S = 0.0002
"""When no request comes for so long, nobody else is about to sync."""
WAIT_MAX_NS = 10_000_000
"""How long requests wait for others at most, while other requests keep coming."""


class _Waiting(NamedTuple):
    """A request whose bytes are in the group; `ino` is 0 for a directory's."""

    unique: int
    ino: int
    groups_lost: int
    """Of the engine, when the request came."""


class GroupSync:
    """See the module."""

    def __init__(self, engine: Engine, findable: FindableWait) -> None:
        self._engine = engine
        self._findable = findable
        self._waiting: list[_Waiting] = []
        self._since_ns = 0
        """When the first that waits came, of time.monotonic_ns."""
        self._expected = 1
        """How many programs synced at once, last time."""
        self._durable: object = None
        """What the volume was, of the engine's `version`, when the last sync that succeeded began."""
        #: The log is being synced for requests that came before.
        self.syncing = False
        #: Requests wait, and no sync is under way that they have to wait for.
        self.wanted = False

    def add(self, unique: int, ino: int) -> None:
        """Answer that request once everything in the group is durable."""
        if not self._waiting:
            self._since_ns = time.monotonic_ns()
        self._waiting.append(_Waiting(unique, ino, self._engine.groups_lost))
        self.wanted = not self.syncing

    def begin_if_due(self) -> None:
        """Between two requests, while `wanted`."""
        if len(self._waiting) < self._expected and time.monotonic_ns() - self._since_ns < WAIT_MAX_NS:
            # Not poll, which counts in milliseconds; the connection's descriptor is among the first of the process.
            readable, _, _ = select.select((self._engine.session.fd,), (), (), QUIET_S)
            if readable:
                return
        self.begin()

    def begin(self) -> None:
        """Commit the group, and have the log synced for all that wait; at the end of the mount, too."""
        self.wanted = False
        waiting, self._waiting = self._waiting, []
        try:
            self._engine.commit_quietly()
            answers = [(request.unique, self._findable.plan(request.ino)) for request in waiting if self._is_whole(request)]
            version = self._engine.version()
            if version == self._durable:
                self._answer(answers, failed=False)
            elif answers:
                synced = self._engine.volume.syncer.sync()
                self.syncing = True
                synced.add_done_callback(lambda done: self._synced(answers, version, failed=done.exception() is not None))
        except Exception:  # a fault of ours: nobody may wait for ever
            logger.exception("a sync failed")
            for request in waiting:
                self._engine.session.fail(request.unique, errno.EIO)

    def _is_whole(self, request: _Waiting) -> bool:
        """Whether nothing of what the request asks for was lost; else it has failed."""
        file = self._engine.open_files.get(request.ino)
        number = 0 if file is None else file.take_error()
        if request.groups_lost != self._engine.groups_lost:
            number = errno.EIO
        if number:
            self._engine.session.fail(request.unique, number)
        return number == 0

    def _synced(self, answers: list[tuple[int, Written | None]], version: object, *, failed: bool) -> None:
        """In the thread that syncs. Each answer lets go of the interpreter, so only one alone is written here: two threads that
        take turns, the loop with requests to serve, are slower than one.
        """
        self._expected = len(answers) + len(self._waiting)
        if not failed:
            self._durable = version
        if len(answers) == 1:
            self._answer(answers, failed=failed)
            answers = []
        self.syncing = False
        if answers or self._waiting:
            self._engine.post(lambda: self._go_on(answers, failed=failed))

    def _go_on(self, answers: list[tuple[int, Written | None]], *, failed: bool) -> None:
        """In the loop, after a sync: answer, and let those that came meanwhile have their turn."""
        self._answer(answers, failed=failed)
        self.wanted = bool(self._waiting) and not self.syncing

    def _answer(self, answers: list[tuple[int, Written | None]], *, failed: bool) -> None:
        for unique, written in answers:
            if failed:
                self._engine.session.fail(unique, errno.EIO)
            else:
                self._findable.answer(unique, written)
