"""Can this machine mount, is something mounted on a folder, and is it the target? Looks only; mounts and unmounts nothing.

Called before a run, and when the suite's own server has ended. Stateless.
"""

import os
import re
import shutil
import time
from pathlib import Path

from vexfs_conformance.outcomes import Answered, CallSpec, Endpoint, HarnessError, Json, Lane

DEVICE = Path("/dev/fuse")
_CAP_SYS_ADMIN = 1 << 21
_OCTAL = re.compile(r"\\([0-7]{3})")
_SAME = ("id", "mtime", "ctime")
_SEEN_S = 10.0
"""How long a mount on a busy machine may take to see what others changed."""


def obstacle() -> str:
    """Why nobody can mount here as this user; empty if one can."""
    if not DEVICE.exists():
        return f"there is no {DEVICE}"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return f"this user may not open {DEVICE}"
    if os.geteuid() != 0:
        return "" if shutil.which("fusermount3") else "an ordinary user needs the program fusermount3 to mount"
    capabilities = Path("/proc/self/status").read_text().partition("\nCapEff:")[2].split()[0]
    return "" if int(capabilities, 16) & _CAP_SYS_ADMIN else "this root may not mount: it lacks CAP_SYS_ADMIN"


def is_mounted(folder: Path) -> bool:
    """Whether something is mounted on this folder, be it alive or dead: the folder itself is not touched."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [_OCTAL.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines]
    return str(folder.parent.resolve() / folder.name) in points


def check(mount: Lane, surface: Lane, endpoint: Endpoint) -> None:
    """Raise HarnessError unless the mount shows the files of the endpoint: the times of its root are the same."""
    end = time.monotonic() + _SEEN_S
    while True:
        told, wanted = _root(mount, endpoint), _root(surface, endpoint)
        if all(told.get(key) == wanted.get(key) for key in _SAME):
            return
        if time.monotonic() > end:
            raise HarnessError(
                f"what --mount names does not show the target's files: its root is {told}, the target's {wanted}"
            )
        time.sleep(0.05)


def _root(lane: Lane, endpoint: Endpoint) -> Json:
    outcome = lane.call(CallSpec("StatFile", [{"file": {"path": "/"}}], endpoint))
    return dict(outcome.messages[0]["file"]) if isinstance(outcome, Answered) else {"outcome": str(outcome)}
