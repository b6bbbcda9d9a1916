"""Checkpoints: moving committed pages from the write-ahead log into the database, outside everybody's COMMIT.

One thread in the process that is elected by a byte lock (the indexer, else the API); the mount never takes part, because a
checkpoint calls fsync. Passive passes run while commits come in, each as short as the last one allowed; only the last pass
of a large WAL takes the writer's turn, so that the WAL can begin anew.
"""

import logging
import threading
import time
from pathlib import Path
from typing import Any

import apsw

from vexfs.store import sqlite
from vexfs.store.tail import LogTail
from vexfs.store.turn import Turn

logger = logging.getLogger(__name__)

INTERVAL_S = 0.2
SHORT_PASS_S = 0.004
"""A pass this short has caught up with the writers; longer ones are repeated."""
PASSES_MAX = 5
RESET_BYTES = 16 * 1024 * 1024
"""A WAL with more than this in use is finished inside the turn, so that the next writer starts it anew.

Its file keeps the size it once had, so that says nothing.
"""
WARN_BYTES = 256 * 1024 * 1024
ELECTION_S = 1.0
RETRY_S = 1.0
_FRAME_BYTES = 4096 + 24


class Checkpointer:
    """The thread; `start` once, `close` once."""

    def __init__(self, folder: Path, database: Path, tail: LogTail) -> None:
        self._database = database
        self._tail = tail
        self._turn = Turn(folder)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vexfs-checkpoint", daemon=True)
        self._warned = False
        #: Passes done, and how many of them inside the turn; for metrics.
        self.passes = 0
        self.passes_in_turn = 0

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set() and not self._turn.try_checkpointer():
            self._stop.wait(ELECTION_S)
        if self._stop.is_set():
            return
        while not self._stop.is_set():
            try:
                self._connect_and_follow()
            except apsw.Error:  # the disk is full, perhaps: the WAL keeps everything meanwhile
                logger.exception("a checkpoint failed; trying again")
                self._stop.wait(RETRY_S)
        self._turn.leave_checkpointer()

    def _connect_and_follow(self) -> None:
        connection = sqlite.connect(self._database)
        try:
            self._follow(connection)
        finally:
            connection.close()

    def _follow(self, connection: apsw.Connection) -> None:
        done = -1
        while not self._stop.is_set():
            head = self._tail.head()
            if head == done:
                self._tail.wait(head, timeout_s=1.0)
                continue
            if self._checkpoint(connection):
                done = head
            self._stop.wait(INTERVAL_S)

    def _checkpoint(self, connection: apsw.Connection) -> bool:
        """Passive passes, and the one in the turn when the WAL is large; True when all of it is in the database."""
        for _ in range(PASSES_MAX):
            began = time.monotonic()
            frames, moved = self._passive(connection)
            if time.monotonic() - began < SHORT_PASS_S:
                break
        if frames * _FRAME_BYTES > RESET_BYTES:
            frames, moved = self._in_turn(connection)
        self._warn_if_held(frames, moved)
        return frames == moved

    def _in_turn(self, connection: apsw.Connection) -> tuple[int, int]:
        self._turn.take()
        self.passes_in_turn += 1
        try:
            return self._passive(connection)
        finally:
            self._turn.leave()

    def _passive(self, connection: apsw.Connection) -> tuple[int, int]:
        self.passes += 1
        result: Any = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return int(result[0]), int(result[1])

    def _warn_if_held(self, frames: int, moved: int) -> None:
        wal_bytes = frames * _FRAME_BYTES
        held = frames > moved and wal_bytes > WARN_BYTES
        if held and not self._warned:
            logger.warning("a long read keeps the write-ahead log from being reset", extra={"wal_bytes": wal_bytes})
        self._warned = held

    def close(self) -> None:
        """Idempotent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._turn.close()
