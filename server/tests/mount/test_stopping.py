"""A signal to stop is never lost, whatever the loop is doing when it comes, nor is what programs changed in their mappings."""

import mmap
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vexfs.mount import lifecycle

from .conftest import STOP_S, MakeMount, Mounted

#: The mount process, which is told to stop exactly while it does what a clock's tick made due, once the file `told` exists.
TOLD_WHILE_LOOKING = """
import os, signal, sys
from pathlib import Path
from vexfs.mount import loop, process
told = Path(sys.argv[sys.argv.index("--data") + 1]).parent / "told"
look = loop.Loop._look
def look_and_be_told(self):
    look(self)
    if told.exists():
        os.kill(os.getpid(), signal.SIGTERM)
loop.Loop._look = look_and_be_told
sys.exit(process.main(sys.argv[1:]))
"""


def test_a_stop_that_comes_while_due_work_is_done_ends_the_mount(make_mount: MakeMount, folder: Path) -> None:
    mount = make_mount(program=[sys.executable, "-c", TOLD_WHILE_LOOKING])
    (mount.path / "f").write_text("f")
    assert mount.process is not None
    (folder / "told").touch()
    assert mount.process.wait(STOP_S) == 0


PAGE = mmap.PAGESIZE
#: Changes every page of a file in a shared mapping, without msync, and keeps it until its standard input ends.
DIRTY_MAPPING = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    mapped = mmap.mmap(file.fileno(), 0)
for page in range(0, len(mapped), mmap.PAGESIZE):
    mapped[page:page + 6] = b"mapped"
print("changed", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("pages", [10, 1000], ids=["small", "large"])
def test_what_programs_changed_in_their_mappings_is_in_the_volume_after_a_stop(mount: Mounted, pages: int) -> None:
    (mount.path / "f").write_bytes(bytes(pages * PAGE))
    with subprocess.Popen(
        [sys.executable, "-c", DIRTY_MAPPING, mount.path / "f"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        assert program.stdout.readline() == b"changed\n"
        begun = time.monotonic()
        assert mount.stop() == 0
        assert time.monotonic() - begun < STOP_S / 2
        assert not lifecycle.is_mounted(mount.path)
        program.stdin.close()
        program.wait(STOP_S)
    assert mount.errors() == []
    mount.restart()
    content = (mount.path / "f").read_bytes()
    assert [content[page : page + 6] for page in range(0, len(content), PAGE)] == [b"mapped"] * pages
