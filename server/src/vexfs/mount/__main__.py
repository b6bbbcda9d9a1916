"""`python -m vexfs.mount`: see `vexfs.mount.process`."""

import sys

from vexfs.mount.process import main

if __name__ == "__main__":
    sys.exit(main())
