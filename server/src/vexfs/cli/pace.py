"""How far indexing is, how fast it goes, and how long it will take, told from what a server says of itself now and then.

Used by `vexfs status`, `vexfs wait` and `vexfs import --wait`. A `Pace` is fed by one thread; it asks nobody.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vexfs.cli import output
from vexfs.contract.v1 import server_pb2

LOOKED_BACK_S = 15.0
"""The speed is that of the last so many seconds."""
_DENSE = "dense"


class Outlook(NamedTuple):
    """What is left to do; nothing when both are 0."""

    files: int
    """Files waiting to be read."""
    passages: int
    """Passages that wait for their embedding."""
    per_second: float
    """Passages embedded a second lately; 0 when that is not known (yet)."""
    seconds: float | None
    """Until all is done, at that speed, the files' passages guessed from those of other files; None when it is not known."""

    def __str__(self) -> str:
        if not (self.files or self.passages):
            return "nothing left to index"
        parts = [f"{self.files:,} files to read"] if self.files else []
        parts += [f"{self.passages:,} passages to embed"] if self.passages else []
        parts += [f"{self.per_second:.0f} a second"] if self.per_second >= 1 else []
        parts += [f"about {duration_text(self.seconds)} left"] if self.seconds is not None else []
        return ", ".join(parts)


class Pace:
    """Remembers the last looks."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, info: server_pb2.GetServerInfoResponse, now_s: float) -> Outlook:
        """What the server's answer, which came at that time (monotonic), says beside those before."""
        waiting = sum(view.pending for view in info.views if view.view == _DENSE)
        embedded = info.text.passages - waiting
        self._looks.append((now_s, embedded))
        while now_s - self._looks[0][0] > LOOKED_BACK_S and len(self._looks) > 2:
            self._looks.popleft()
        since_s, before = self._looks[0]
        per_second = max(0.0, (embedded - before) / (now_s - since_s)) if now_s > since_s else 0.0
        a_file = max(1.0, info.text.passages / info.text.ready) if info.text.ready else 1.0
        left = waiting + info.text.pending * a_file
        return Outlook(info.text.pending, waiting, per_second, left / per_second if per_second and left else None)


def duration_text(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


@contextlib.contextmanager
def shown_while_waiting() -> Iterator[Callable[[server_pb2.GetServerInfoResponse], None]]:
    """What is left to index, on a terminal's standard error; elsewhere nothing. Yields what takes the server's answers."""
    if not output.is_terminal():
        yield lambda _info: None
        return
    from rich.console import Console

    pace = Pace()
    with Console(stderr=True).status("waiting for the views") as shown:

        def step(info: server_pb2.GetServerInfoResponse) -> None:
            shown.update(f"waiting for the views: {pace.look(info, time.monotonic())}")

        yield step
