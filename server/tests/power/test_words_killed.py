"""The word index is killed before any system call of the threads that merge and name its segments: it opens, and catches up.

`strace` counts the calls of a thread and kills the process before the one that is asked for. `make test` does that at a few
calls, `make proofs-long` (VEXFS_PROOFS=long) at every one. Power cuts are the matter of `test_words_cut.py`.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tracing import END_S, needs_tracing
from vexfs.views.derived import derived_folder
from vexfs.views.indexing.words import Words
from vexfs.views.indexing.writer import DerivedWriter
from vexfs.views.lexical import LexicalReader

from .building import ROWS, ino_of, is_removed, text_of
from .promises import VOLUME
from .test_power_cut import LONG

_SERVER = Path(__file__).parents[2]
_CALLS = "openat,write,?rename,renameat,renameat2,?unlink,unlinkat,fsync,fdatasync,ftruncate"
_SAMPLE = 4
_NEVER = 65_535  # the most that strace can count to

pytestmark = needs_tracing


def _threads(pid: int, name: str) -> list[str]:
    """Those that are called so, once they all are: a thread gives itself its name."""
    tasks = Path(f"/proc/{pid}/task")
    before: list[str] = []
    deadline = time.monotonic() + END_S
    while True:
        found = sorted(task.name for task in tasks.iterdir() if (task / "comm").read_text().strip().startswith(name))
        if found and found == before:
            return found
        assert time.monotonic() < deadline, f"there is no thread {name}"
        before = found
        time.sleep(0.05)


class Ended(NamedTuple):
    """An edit of notes, killed or not."""

    killed: bool
    committed: int
    """The place of the last note that was committed; -1 if none was."""
    calls: int
    """Of the one traced thread that made most."""


def _run(folder: Path, thread: str, kill_at: int) -> Ended:
    """Edits notes, killed before that call of a thread; which calls there are depends on how merges and commits meet."""
    command = [sys.executable, "-m", "tests.power.building", str(folder / VOLUME), "edited"]
    process = subprocess.Popen(command, cwd=_SERVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    tracer = None
    try:
        assert process.stdout.readline() == b"ready\n"
        threads = _threads(process.pid, thread)
        attach = [part for each in threads for part in ("-p", each)]
        inject = f"inject={_CALLS}:signal=KILL:when={kill_at}"
        tracing = ["strace", "-o", str(folder / "calls"), "-e", f"trace={_CALLS}", "-e", inject, *attach]
        tracer = subprocess.Popen(tracing, stderr=subprocess.PIPE)
        assert tracer.stderr is not None
        for _ in threads:
            assert b"attached" in tracer.stderr.readline()
        told, _ = process.communicate(b"go\n", timeout=END_S)
        assert process.returncode in (0, -signal.SIGKILL)
        tracer.wait(END_S)
    finally:
        for started in (process, tracer):
            if started is not None:
                started.kill()
                started.communicate()
    traced = [line for line in (folder / "calls").read_text().splitlines() if "(" in line and "resumed>" not in line]
    by_thread = Counter(line.split()[0] if len(threads) > 1 else thread for line in traced)
    return Ended(process.returncode != 0, int((told.split() or [b"-1"])[-1]), max(by_thread.values(), default=0))


def _verify(folder: Path, committed: int) -> None:
    """All that was committed is there; the note after that may be, and may have had the one before it removed."""
    writer = DerivedWriter(derived_folder(folder / VOLUME))
    words = Words(writer)
    while words.behind:
        words.fill(1.0)
    words.commit()
    present = {int(ino) for ino in writer.known_files(0)}
    certain = {int(ino_of(place)) for place in range(committed + 1) if not is_removed(place, committed)}
    gone = {int(ino_of(place)) for place in range(committed + 1) if is_removed(place, committed)}
    assert certain - {int(ino_of(committed))} <= present
    assert not present & gone
    assert present - certain <= {int(ino_of(committed + 1))}
    reader = LexicalReader(words.lexical.folder)
    assert {int(hit.ino) for hit in reader.search("text", 2 * ROWS)} == present
    for place in range(ROWS):
        found = [int(hit.ino) for hit in reader.search(text_of(place).split()[1], 2 * ROWS)]
        assert found == [int(ino_of(place))] * (int(ino_of(place)) in present)
    words.close()
    writer.close()


@pytest.mark.timeout(0 if LONG else 300)
@pytest.mark.parametrize("thread", ["merge_thread", "segment_updater"])
def test_a_kill_before_any_call_of_a_thread_leaves_an_index_that_catches_up(scratch: Path, thread: str) -> None:
    whole = _run(scratch, thread, _NEVER)
    assert not whole.killed and whole.committed == ROWS - 1 and whole.calls > 30, whole
    _verify(scratch, whole.committed)
    tried = range(1, whole.calls, 1 if LONG else whole.calls // _SAMPLE + 1)
    killed = 0
    for at in tried:
        folder = scratch / str(at)
        folder.mkdir()
        ended = _run(folder, thread, at)
        _verify(folder, ended.committed)
        killed += ended.killed
        shutil.rmtree(folder)
    # Merges that share a thread in one run may have one each in the next, which then makes half as many calls.
    assert killed >= len(tried) // 2, f"{killed} kills at {len(tried)} calls"
