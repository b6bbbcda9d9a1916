"""Reading documents (PDF, docx) beside the indexer's work: one at a time, while everything else goes on.

The indexer's main thread begins a document and goes on; a thread of its own talks to the process that reads and rings when
the text is there. The main thread then takes it, and only after that begins another: texts never pile up. Which files wait for
their turn stands in `derived.db`.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

from vexfs.views.embedding.document_process import DocumentReader
from vexfs.views.embedding.extract import ExtractedText, Skipped

IDLE_END_S = 30.0
"""The process is ended after so long without a document."""


class Key(NamedTuple):
    """A file's content."""

    ino: int
    content_revision: int


class _Task(NamedTuple):
    key: Key
    kind: str
    content: bytes


class _Finished(NamedTuple):
    key: Key
    result: ExtractedText | Skipped | Exception


class Documents:
    """From `start` to `close`; all other methods belong to the main thread. `ring` is called by the thread that reads."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._reader = DocumentReader()
        self._changed = threading.Condition()
        self._task: _Task | None = None
        self._finished: _Finished | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="vexfs-documents", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Ends the reading at hand, too. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._reader.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def busy(self) -> bool:
        """Whether a document is being read, or was and is not taken yet: no other can be begun."""
        return self._task is not None or self._finished is not None

    @property
    def finished(self) -> Key | None:
        """The document that was read and waits to be taken."""
        return self._finished.key if self._finished is not None else None

    def begin(self, key: Key, kind: str, content: bytes) -> None:
        """Read this one; only when not `busy`."""
        with self._changed:
            self._task = _Task(key, kind, content)
            self._changed.notify_all()

    def take(self, key: Key) -> ExtractedText | Skipped | None:
        """What was read of that content, once; None when it was not. Raises what kept it from being read at all."""
        if self._finished is None or self._finished.key != key:
            return None
        result, self._finished = self._finished.result, None
        if isinstance(result, Exception):
            raise result
        return result

    def discard(self) -> None:
        """What was read is of no use: the file changed meanwhile."""
        self._finished = None

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._closing or self._task is not None, IDLE_END_S):
                    self._reader.close_process()
                    continue
                task = self._task
            if self._closing or task is None:
                return
            finished = _Finished(task.key, self._read(task))
            with self._changed:
                self._finished, self._task = finished, None
            del task, finished
            self._ring()

    def _read(self, task: _Task) -> ExtractedText | Skipped | Exception:
        try:
            return self._reader.read(task.kind, task.content)
        except Exception as error:
            return error  # for the main thread, which puts the file off: nothing was found out about it
