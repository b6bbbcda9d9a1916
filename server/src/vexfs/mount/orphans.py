"""Files that were deleted while a mount had them open, and whose mount is gone: they go now.

Called once at the start of a mount. An opening of the volume that still lives answers on its doorbell; what belongs to
another one is left alone. Crash here → the rest is swept at the next start.
"""

import logging
import os
import socket
from pathlib import Path

from vexfs.core import files
from vexfs.core.types import Ino
from vexfs.mount.engine import Engine
from vexfs.store import nodes

logger = logging.getLogger(__name__)

_GROUP = 200


def sweep(engine: Engine) -> int:
    """Forget every orphan of a dead opening; returns how many there were."""
    alive: dict[int, bool] = {engine.volume.origin: True}
    left = 0
    for ino, origin in nodes.orphans(engine.writer):
        if origin not in alive:
            alive[origin] = _answers(engine.volume.folder / "doorbells", origin)
        if alive[origin]:
            continue
        with engine.begin("forget") as txn:
            files.forget_orphan(txn, Ino(ino))
        left += 1
        if left % _GROUP == 0:
            engine.commit()
    engine.commit()
    if left:
        logger.info("swept deleted files of a mount that is gone", extra={"files": left})
    return left


def _answers(doorbells: Path, origin: int) -> bool:
    """Whether a process still listens on that opening's doorbell. The path is reached through a descriptor: it may be long."""
    try:
        folder = os.open(doorbells, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            probe.connect(f"/proc/self/fd/{folder}/{origin:016x}.sock")
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    finally:
        os.close(folder)
    return True
