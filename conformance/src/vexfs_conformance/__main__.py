"""`python -m vexfs_conformance` is `vexfs-conformance`."""

import sys

from vexfs_conformance.cli import main

if __name__ == "__main__":
    sys.exit(main())
