"""What VexFS knows of a file beside its bytes, as extended attributes that nobody has set: `user.vexfs.state` and its like.

Asked for by name, never listed: a program that copies a file's attributes must not take them for the file's own. Called by the
loop, which reads the volume; the index of the text is read in a thread of this module, which then answers the request. Never
searches, never asks the API.
"""

import errno
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from vexfs.core import files, points
from vexfs.core.errors import ViewUnavailable
from vexfs.core.types import Node
from vexfs.mount import wire
from vexfs.mount.engine import Engine
from vexfs.mount.requests import Answer
from vexfs.views.derived import STATE_SKIPPED, DerivedReader, derived_folder

logger = logging.getLogger(__name__)

REVISION = b"user.vexfs.revision"
"""The revision that brought the content."""
STATE = b"user.vexfs.state"
"""`ready`: the text is read and embedded; `pending`: not yet; `skipped: ` and why; `unavailable`: the index is not there."""
PASSAGES = b"user.vexfs.passages"
"""Of how many passages the text is made."""
DIMENSION = b"user.vexfs.dimension"
"""How many numbers the vector of a passage has."""
VECTORS = b"user.vexfs.vectors"
"""The vectors that a client gave the file: name and dimension, a line each."""
NAMES = frozenset({REVISION, STATE, PASSAGES, DIMENSION, VECTORS})

PENDING, READY, UNAVAILABLE = b"pending", b"ready", b"unavailable"
_FLOAT_BYTES = 4
_ASKED_MAX = 64


class FileFacts:
    """See the module."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._indexed = DerivedReader(derived_folder(engine.volume.folder))
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vexfs-facts")
        self._asked = threading.BoundedSemaphore(_ASKED_MAX)
        self._of_the_text: dict[bytes, Callable[[Node], bytes]] = {
            STATE: self._state,
            PASSAGES: self._passages,
            DIMENSION: self._dimension,
        }

    def getxattr(self, unique: int, nodeid: int, name: bytes, size: int) -> Answer:
        """The value of one of NAMES, for who has `size` bytes for it; ENODATA for a file that has nothing of the kind."""
        node = files.stat(self._engine.writer, nodeid)
        if not node.is_regular:
            return -errno.ENODATA
        if name == REVISION:
            return sized(b"%d" % node.content_revision, size)
        if name == VECTORS:
            given = points.from_node(self._engine.writer, node, "").vectors
            lines = [b"%s %d" % (vector.encode(), len(data) // _FLOAT_BYTES) for vector, data in sorted(given.items())]
            return sized(b"\n".join(lines), size) if lines else -errno.ENODATA
        if not self._asked.acquire(blocking=False):
            return -errno.EAGAIN
        self._worker.submit(self._answer, unique, node, self._of_the_text[name], size)
        return None

    def _answer(self, unique: int, node: Node, ask: Callable[[Node], bytes], size: int) -> None:
        answer: bytes | int
        try:
            value = ask(node)
            answer = sized(value, size) if value else -errno.ENODATA
        except ViewUnavailable:
            answer = sized(UNAVAILABLE, size) if ask == self._state else -errno.ENODATA
        except Exception:
            logger.exception("the index of the text could not be asked about a file")
            answer = -errno.EIO
        self._asked.release()
        self._engine.session.answer(unique, answer)

    # -- of the text: empty where there is nothing to tell ---------------------------------------------------

    def _state(self, node: Node) -> bytes:
        indexed = self._indexed
        state, model = indexed.file_state(node.ino), indexed.model()
        if state is None or state.content_revision < node.content_revision or indexed.pending_of(node.ino, model):
            return PENDING
        return b"skipped: " + state.reason.encode() if state.state == STATE_SKIPPED else READY

    def _passages(self, node: Node) -> bytes:
        return b"%d" % len(self._indexed.passages(node.ino)) if self._indexed.file_state(node.ino) is not None else b""

    def _dimension(self, node: Node) -> bytes:
        found = self._indexed.vectors(node.ino, self._indexed.model())
        return b"%d" % (len(found[0].vector) // _FLOAT_BYTES) if found else b""

    def close(self) -> None:
        """Answer what was asked, then stop; idempotent."""
        self._worker.shutdown(wait=True)
        self._indexed.close()


def sized(value: bytes, size: int) -> bytes | int:
    """The answer with a value to a caller that has `size` bytes for it; 0 asks for the length only."""
    if size == 0:
        return wire.fuse_getxattr_out.pack(len(value))
    return value if len(value) <= size else -errno.ERANGE
