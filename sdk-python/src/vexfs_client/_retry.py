"""Whether a failed attempt is followed by another, and when: the rules of docs/sdk.md, without a clock or a connection of
their own.

One `Attempts` a call. The drivers ask it for the time the next attempt may take, report how that went, and sleep as long as
told.
"""

import random
import time
from collections.abc import Callable

from vexfs_client._status import Failure

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class Attempts:
    """The attempts of one call. `timeout` in seconds for all of them and the pauses together, 0 for no limit."""

    def __init__(
        self,
        *,
        max_attempts: int,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.made = 0
        self._max = max_attempts
        self._clock = clock
        self._chance = chance
        self._end = clock() + timeout if timeout else None

    def begin(self) -> float | None:
        """Count an attempt; the seconds it may take, None for no limit."""
        self.made += 1
        return self.remaining()

    def remaining(self) -> float | None:
        """The seconds until the deadline, None for no limit."""
        return None if self._end is None else max(0.0, self._end - self._clock())

    def pause_after(self, failure: Failure) -> float | None:
        """The seconds to wait before the next attempt; None if there shall be none."""
        if not failure.retryable or failure.code == "DEADLINE_EXCEEDED" or self.made >= self._max:
            return None  # after a deadline there is no time left, whatever may come later
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (self.made - 1))
        pause = max(self._chance() * longest, failure.retry_after)
        if self._end is not None and self._clock() + pause >= self._end:
            return None
        return pause
