"""What a mount can be told at its start. Parsed by `vexfs.mount.process`; read by the parts. Immutable."""

import os
from dataclasses import dataclass
from pathlib import Path

SPIN_VARIABLE = "VEXFS_MOUNT_SPIN_US"
"""How long the loop polls for the next request before it sleeps, in microseconds; 0 switches it off."""
SPIN_DEFAULT_US = 150

LOCKS_VARIABLE = "VEXFS_MOUNT_SHARED_LOCKS"
"""1: as the flag --shared-locks."""


@dataclass(frozen=True, kw_only=True)
class MountOptions:
    """`data` and `mountpoint` are absolute paths."""

    data: Path
    mountpoint: Path
    token_file: Path
    allow_other: bool = False
    read_only: bool = False
    shared_locks: bool = False
    """Whether programs' locks hold on every mount of the volume, and not on this one only."""
    spin_us: int = SPIN_DEFAULT_US
    wait_findable: bool = True
    """Whether fsync of a small file also waits, briefly, until a search finds it."""
    ready_name: str = "mount"
    """The name under which readiness is announced, see vexfs.runtime."""

    @property
    def kernel_permissions(self) -> bool:
        """Whether the kernel has to check modes and owners.

        Where only root can reach the mount nobody would ever be refused, and the kernel would ask for a directory's
        attributes again after every change in it.
        """
        return self.allow_other or os.getuid() != 0


def spin_from_environment() -> int:
    """The value of VEXFS_MOUNT_SPIN_US, or the default when it is absent or no number."""
    try:
        return max(0, int(os.environ.get(SPIN_VARIABLE, SPIN_DEFAULT_US)))
    except ValueError:
        return SPIN_DEFAULT_US
