"""How long to poll for the next request before sleeping, learnt from whether that pays.

Used by the loop alone. Waking a sleeping server across cores is the dearest part of a small request; polling for a moment after one saves
it where client and server run on different cores. On one core it only takes the client's time, so there it is off. An idle mount never
polls: a window opens with a request only.
"""

import os
from pathlib import Path

_SCORE_MAX = 64
_MISS_COST = 8
"""A window in which nothing came costs the whole window; one in which a request came saves about an eighth of it."""
_REST_REQUESTS = 256
"""Requests served without polling before it is tried again."""
_LOOK_EVERY = 1024
"""Requests between two looks at the cores this process may use."""
_POWER = Path("/sys/class/power_supply")


class Spin:
    """`until_ns` (time.monotonic_ns) is the end of the current window; 0 when there is none."""

    __slots__ = ("_in_window", "_resting", "_score", "_since_look", "_window_ns", "hits", "misses", "until_ns")

    def __init__(self, window_us: int) -> None:
        self._window_ns = 0 if on_battery() else window_us * 1000
        self._score = _SCORE_MAX // 2
        self._resting = 0
        self._since_look = 0
        self._in_window = False
        self.until_ns = 0
        #: Windows in which a request came, and in which none did.
        self.hits = 0
        self.misses = 0
        self._look()

    def served(self, now_ns: int) -> None:
        """A request was answered."""
        if self._in_window:
            self.hits += 1
            if self._score < _SCORE_MAX:
                self._score += 1
        self._since_look += 1
        if self._since_look >= _LOOK_EVERY:
            self._look()
        if self._resting > 0:
            self._resting -= 1
            self._in_window = False
            self.until_ns = 0
        else:
            self._in_window = self._window_ns > 0
            self.until_ns = now_ns + self._window_ns

    def missed(self) -> None:
        """The loop goes to sleep; the window, if there was one, was for nothing."""
        if not self._in_window:
            return
        self._in_window = False
        self.until_ns = 0
        self.misses += 1
        self._score -= _MISS_COST
        if self._score <= 0:
            self._score = _MISS_COST
            self._resting = _REST_REQUESTS

    def _look(self) -> None:
        self._since_look = 0
        if self._window_ns and len(os.sched_getaffinity(0)) < 2:
            self._resting = 2 * _LOOK_EVERY


def on_battery() -> bool:
    """Whether this machine runs on a battery now."""
    for supply in _POWER.glob("*/status") if _POWER.is_dir() else ():
        try:
            if supply.read_text().strip() == "Discharging":
                return True
        except OSError:
            continue
    return False
