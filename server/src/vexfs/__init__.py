"""VexFS: a file system you can search by meaning.

The package holds the reference server and the ``vexfs`` command; ARCHITECTURE.md walks its folders.
"""

import os

# Before anything imports numpy: a search scans on one thread. With two, a scan on busy cores took three times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
