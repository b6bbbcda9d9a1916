"""A signal to stop is never lost, whatever the loop is doing when it comes."""

import sys
from pathlib import Path

from .conftest import STOP_S, MakeMount

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
