"""The program that makes and removes links in live directories of `.search` by real system calls, so that inotify sees them.

A process of its own, started by `search_live` with a pipe on each side: a system call on a mount waits for the mount's process,
which must not wait for itself; and the mount's end closes /dev/fuse, which ends a call that hangs here. Ends when its input
does. Reads requests (REQUEST, path, target), answers each with an errno, 0 for success. Imports nothing of VexFS.
"""

import os
import sys
from struct import Struct

REQUEST = Struct("<?HH")
"""Whether to make the link (else it is removed); bytes of its path and of its target, which follow."""
ANSWER = Struct("<i")


def serve(requests: int, answers: int) -> None:
    """Until there are no more requests."""
    while head := _read(requests, REQUEST.size):
        make, path_bytes, target_bytes = REQUEST.unpack(head)
        path, target = _read(requests, path_bytes), _read(requests, target_bytes)
        outcome = 0
        try:
            if make:
                os.symlink(target, path)  # noqa: PTH211 - bytes
            else:
                os.unlink(path)  # noqa: PTH108 - bytes
        except OSError as error:
            outcome = error.errno or -1
        os.write(answers, ANSWER.pack(outcome))


def _read(fd: int, size: int) -> bytes:
    """Exactly so many bytes, or none at the end of the input."""
    found = b""
    while len(found) < size:
        part = os.read(fd, size - len(found))
        if not part:
            return b""
        found += part
    return found


if __name__ == "__main__":
    serve(sys.stdin.fileno(), sys.stdout.fileno())
