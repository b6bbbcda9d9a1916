"""How long to poll for the next request before sleeping, learnt from whether that pays.

Used by the loop alone. Waking a sleeping server across cores is the dearest part of a small request; polling for a moment after
one saves it where client and server run on different cores. With one core it only takes the client's time, so there it is off;
where a thread that asks alone was put on the server's core, the loop offers it the core between two polls. An idle mount never
polls: a window opens with a request only. What it costs is counted.
"""

import os
from pathlib import Path

_SERVED_MIN = 4
"""Requests between two sleeps below which the windows cost more than the wake-ups they save."""
_SCORE_MAX = 16
_REST_REQUESTS = 512
"""Requests served without a window before it is tried again."""
_POWER = Path("/sys/class/power_supply")


class Spin:
    """`window_ns` is how long to poll after a request now; 0: sleep at once, and try again after `try_after` requests."""

    def __init__(self, window_us: int) -> None:
        self._asked_ns = 0 if on_battery() else window_us * 1000
        self._score = _SCORE_MAX // 2
        self.window_ns = self._asked_ns if _has_cores() else 0
        self.try_after = _REST_REQUESTS if self._asked_ns else 1 << 62
        #: Windows that ended without a request: each cost its length in CPU.
        self.missed = 0

    def slept(self, served: int) -> None:
        """The loop goes to sleep after `served` requests since it last did."""
        self.missed += 1
        self._score = min(_SCORE_MAX, self._score + 1) if served >= _SERVED_MIN else self._score - 1
        if self._score <= 0 or not _has_cores():
            self._score = 1
            self.window_ns = 0

    def rested(self) -> None:
        """`try_after` requests were served without a window."""
        self.window_ns = self._asked_ns if _has_cores() else 0


def _has_cores() -> bool:
    return len(os.sched_getaffinity(0)) > 1


def on_battery() -> bool:
    """Whether this machine runs on a battery now."""
    for supply in _POWER.glob("*/status") if _POWER.is_dir() else ():
        try:
            if supply.read_text().strip() == "Discharging":
                return True
        except OSError:
            continue
    return False
