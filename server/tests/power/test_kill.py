"""Two writers killed with SIGKILL at random moments: what was acknowledged is there, whole, in order, and the volume goes on.

`make test` does a few rounds, `make proofs-long` (VEXFS_PROOFS=long) two hundred. A kill keeps the page cache, so this proves
what the processes do to each other and to half-written groups; durability is proved by power cuts.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from . import recorder
from .events import Kind, read_events
from .promises import VOLUME, Promises
from .test_power_cut import LONG, PACKAGE

_SERVER = Path(__file__).parents[2]
_VOLUMES, _KILLS_EACH = (25, 8) if LONG else (1, 5)
_START_S = 60.0


def _start(root: Path, log: Path, seed: int) -> list[subprocess.Popen[bytes]]:
    """Both writers, once each has opened the volume and written."""
    marks_only = root.parent / "nothing"
    marks_only.mkdir(exist_ok=True)
    environment = recorder.environment(marks_only, log) | {"PYTHONPATH": os.pathsep.join((str(PACKAGE.parent), str(_SERVER)))}
    before = log.stat().st_size if log.exists() else 0
    arguments = [sys.executable, "-m", "tests.power.killed", str(root / VOLUME)]
    writers = [subprocess.Popen([*arguments, str(seed), role], env=environment) for role in ("api", "mount")]
    deadline = time.monotonic() + _START_S
    while not log.exists() or log.stat().st_size < before + 4096:
        assert time.monotonic() < deadline and all(writer.poll() is None for writer in writers), "the writers do not write"
        time.sleep(0.01)
    return writers


def _kill(writers: list[subprocess.Popen[bytes]], rng: random.Random) -> None:
    """Both at once, or one a while before the other, which must not be held up by what the dead one held."""
    rng.shuffle(writers)
    for writer in writers:
        time.sleep(rng.choice((0.0, rng.uniform(0.0, 0.4))))
        assert writer.poll() is None, "a writer ended by itself"
        writer.send_signal(signal.SIGKILL)
    for writer in writers:
        assert writer.wait(timeout=30) == -signal.SIGKILL


def _live(scratch: Path, rounds: int, rng: random.Random) -> int:
    """One volume, written and killed `rounds` times; returns how many revisions were acknowledged."""
    root, log = scratch / "root", scratch / "events"
    root.mkdir(parents=True)
    promises = Promises()
    for _ in range(rounds):
        before = promises.acknowledged
        writers = _start(root, log, rng.randrange(10**6))
        try:
            _kill(writers, rng)
        finally:
            for writer in writers:
                writer.kill()
                writer.wait()
        marks = [event.data for event in read_events(log) if event.kind == Kind.MARK]
        shutil.rmtree(scratch / "after", ignore_errors=True)
        shutil.copytree(root, scratch / "after", ignore=shutil.ignore_patterns("*.sock"))
        promises.verify(scratch / "after", marks)
        assert promises.acknowledged >= before
    shutil.rmtree(scratch)
    return promises.acknowledged


@pytest.mark.parametrize("volume", range(_VOLUMES))
def test_what_was_acknowledged_survives_kills(scratch: Path, volume: int) -> None:
    acknowledged = _live(scratch / "volume", _KILLS_EACH, random.Random(volume))
    assert acknowledged > 10 * _KILLS_EACH, f"{_KILLS_EACH} kills, and only {acknowledged} revisions were acknowledged"
