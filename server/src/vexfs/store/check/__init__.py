"""`vexfs check`: finding what cannot be, and repairing it.

Called by the command line. Every rule is an `Invariant` with a name that stands in docs/INVARIANTS.md; rules are checked in
an order in which an earlier repair is what a later one builds on. A repair is one transaction each, through the writer's
turn, so a crash in between leaves the rest to be found again; running check twice is always safe.
"""

from vexfs.store.check.rule import Invariant
from vexfs.store.check.run import INVARIANTS, Finding, check_volume

__all__ = ["INVARIANTS", "Finding", "Invariant", "check_volume"]
