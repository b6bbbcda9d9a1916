"""A real API process that reads from a folder of the test's how much memory there is: `python narrow_server.py --data DIR …`.

The folder VEXFS_TEST_SYSTEM stands for `/`; everything else is the server as it is.
"""

import functools
import os
import sys
from pathlib import Path

from vexfs.api.__main__ import settings_from
from vexfs.api.methods import HANDLERS
from vexfs.api.server import run
from vexfs.observability import logs
from vexfs.views.dense import memory

if __name__ == "__main__":
    memory.available_bytes = functools.partial(memory.available_bytes, Path(os.environ["VEXFS_TEST_SYSTEM"]))
    logs.configure("narrow")
    run(settings_from(sys.argv[1:]), HANDLERS)
