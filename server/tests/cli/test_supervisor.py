"""How long the supervisor waits before it starts a crashed process again, and how it names an end."""

import signal
import subprocess
import sys
import time

from vexfs.supervisor import BACKOFF_FIRST_SECONDS, BACKOFF_MAX_SECONDS, SETTLED_SECONDS, Child


def test_each_crash_doubles_the_wait_up_to_a_limit() -> None:
    child = Child(name="api", command=list)
    child.started = time.monotonic()
    waits = [child.next_delay(child.started + 1) for _ in range(10)]
    assert waits[:3] == [BACKOFF_FIRST_SECONDS, BACKOFF_FIRST_SECONDS * 2, BACKOFF_FIRST_SECONDS * 4]
    assert waits[-1] == BACKOFF_MAX_SECONDS


def test_after_a_long_life_the_wait_is_short_again() -> None:
    child = Child(name="api", command=list)
    child.crashes = 8
    assert child.next_delay(child.started + SETTLED_SECONDS + 1) == BACKOFF_FIRST_SECONDS


def test_an_end_is_said_in_words() -> None:
    for program, ending in (("import sys; sys.exit(3)", "ended with status 3"), (None, f"was ended by {signal.SIGKILL.name}")):
        child = Child(name="api", command=list)
        child.process = subprocess.Popen([sys.executable, "-c", program or "import time; time.sleep(60)"])
        assert child.is_running()
        if program is None:
            child.send(signal.SIGKILL)
        child.process.wait()
        assert not child.is_running()
        assert child.ending() == ending
