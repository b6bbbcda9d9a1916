"""`python -m bench.peers`: builds the peers of the mount benchmark from their sources, and says which are there and why not."""

from __future__ import annotations

import sys

from bench.peers import agentfs, passthrough_hp
from bench.runner import build

PEERS = {"fuser_memory": build.fuser_memory, passthrough_hp.NAME: passthrough_hp.binary, agentfs.NAME: agentfs.binary}


def main() -> int:
    """Status 1 when a peer is missing; the benchmark then measures without it."""
    missing = 0
    for name, built in PEERS.items():
        try:
            built()
            sys.stdout.write(f"{name}: built\n")
        except build.NotAvailable as error:
            sys.stdout.write(f"{name}: not available: {error}\n")
            missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
