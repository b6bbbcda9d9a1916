"""What has been under way for too long, told in the log while it is: a hang without a line is a riddle.

One a Volume, with a thread of its own that looks once a second; `watch` may be called from any thread. It asks, and is told by
what it watches, which therefore only keeps the time at which something began. Never interrupts anything: a disk that comes back
after a minute has lost nothing.
"""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from itertools import islice

logger = logging.getLogger(__name__)

STALL_S = 5.0
"""So long nothing takes on a disk that works; told again at twice the time, and so on."""
LOOK_S = 1.0
_FRAMES = 6

Began = Callable[[], float | None]
"""When what is under way began (of time.monotonic), or None when nothing is. Any thread; brief."""


class Watched:
    """One thing that can take long."""

    def __init__(self, what: str, began: Began, thread: int | None) -> None:
        self._what = what
        self._began = began
        self._thread = thread
        self._since: float | None = None
        self._tell_at_s = STALL_S

    def look(self, now: float) -> None:
        since = self._began()
        if since != self._since:
            if self._tell_at_s > STALL_S and self._since is not None:
                logger.warning("over: %s", self._what, extra={"seconds": round(now - self._since, 1)})
            self._since, self._tell_at_s = since, STALL_S
        if since is not None and now - since >= self._tell_at_s:
            self._tell_at_s = 2 * (now - since)
            where = {} if self._thread is None else {"where": innermost(self._thread)}
            logger.warning("not over yet: %s", self._what, extra={"seconds": round(now - since, 1), **where})


class Stalls:
    """See the module. `role` is that of the opening."""

    def __init__(self, role: str) -> None:
        self._watched: list[Watched] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"vexfs-stalls-{role}", daemon=True)
        self._thread.start()

    def watch(self, what: str, began: Began, *, thread: int | None = None) -> None:
        """Tell when that takes long. With the `thread` that is at it, also what it is doing."""
        self._watched.append(Watched(what, began, thread))

    def _run(self) -> None:
        while not self._closing.wait(LOOK_S):
            for watched in self._watched:
                try:
                    watched.look(time.monotonic())
                except Exception:
                    logger.exception("what is under way could not be looked at")

    def close(self) -> None:
        """Idempotent."""
        self._closing.set()
        self._thread.join()


def innermost(thread: int) -> str:
    """What a thread of this process is doing: its innermost calls, the outer one first. Reads no file: the disk may hang."""
    frame = sys._current_frames().get(thread)
    calls = [] if frame is None else list(islice(traceback.walk_stack(frame), _FRAMES))
    return " > ".join(
        f"{call.f_code.co_filename.rpartition('vexfs/')[2]}:{line} {call.f_code.co_name}" for call, line in reversed(calls)
    )
