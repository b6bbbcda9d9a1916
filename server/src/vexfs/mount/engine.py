"""What every operation of the mount works with: the volume, the group of transactions, the connection, the open files.

One Engine a mount, made by the process and driven by the loop. Everything here belongs to the loop's thread except `post`,
which hands it work from other threads. Never blocks on a disk's sync or on the network.
"""

import errno
import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable

from vexfs.core.errors import Internal, VexfsError
from vexfs.core.types import CHANGE_ENTRY_ADDED, CHANGE_ENTRY_REMOVED, Change
from vexfs.mount.invalidation import Invalidator
from vexfs.mount.open_files import OpenFiles
from vexfs.mount.options import MountOptions
from vexfs.mount.session import Session
from vexfs.store.openings import OpenTable
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

logger = logging.getLogger(__name__)


class Engine:
    """See the module."""

    def __init__(self, volume: Volume, session: Session, invalidator: Invalidator, options: MountOptions) -> None:
        self.volume = volume
        self.writer = volume.writer
        self.session = session
        self.invalidator = invalidator
        self.options = options
        self.open_table = OpenTable(volume.folder, volume.origin)
        self.open_files = OpenFiles(self.open_table)
        #: Changes of the open group, for the day its commit fails.
        self.group_changes: list[list[Change]] = []
        #: Requests answered later that FUSE_INTERRUPT can end: unique → what to do.
        self.interruptible: dict[int, Callable[[], None]] = {}
        #: Work for the loop from other threads.
        self.posted: deque[Callable[[], None]] = deque()
        #: Something came up that will be due at a time (an open group, dirty bytes); the loop sets its clock and clears this.
        self.clock_needed = False
        #: Groups that could not be committed, so far.
        self.groups_lost = 0
        self._loop_thread = threading.get_ident()
        self._unended: Transaction | None = None
        self._unended_ino = 0
        self.writer.on_group_lost = self._group_lost

    def version(self) -> object:
        """Another value whenever something in the volume has changed: here, or elsewhere and told to the kernel."""
        return self.writer.head, self.volume.tail.head()

    # -- work from other threads -----------------------------------------------------------------------

    def post(self, work: Callable[[], None]) -> None:
        """Have the loop run `work` soon. Any thread."""
        self.posted.append(work)
        signal.pthread_kill(self._loop_thread, signal.SIGALRM)

    def run_posted(self) -> None:
        """Run what was posted; an exception ends that piece of work alone."""
        while self.posted:
            work = self.posted.popleft()
            try:
                work()
            except Exception:
                logger.exception("posted work failed")

    def answer_with(self, unique: int, work: Callable[[], bytes | int]) -> None:
        """Answer a request that had to wait with what `work` gives; a failure becomes its errno."""
        try:
            answer = work()
        except VexfsError as error:
            answer = -error.errno
        except Exception:
            logger.exception("a postponed request failed")
            answer = -errno.EIO
        self.session.answer(unique, answer)

    # -- transactions ----------------------------------------------------------------------------------

    def begin(self, operation: str) -> Transaction:
        """A transaction of the group, noted so that a lost group can be told to the kernel. A context manager."""
        if self._unended is not None:
            self.end_create()
        transaction = self.writer.begin(operation)
        self.group_changes.append(transaction.changes)
        self.clock_needed = True
        return transaction

    def keep_create(self, transaction: Transaction, ino: int) -> None:
        """Leave the creation of a file open: its first content often follows, and then both are one transaction.

        Its rows are written already; what is missing is its row in the log, which the next `begin` or `commit` brings.
        """
        self._unended, self._unended_ino = transaction, ino

    def write_into(self, ino: int, write: Callable[[Transaction], object]) -> None:
        """Run `write` in the file's creation if that is still open, else in a transaction of its own."""
        transaction = self._unended
        if transaction is None or self._unended_ino != ino:
            with self.begin("write") as own:
                write(own)
            return
        transaction.now_ns = time.time_ns()
        try:
            write(transaction)
        except VexfsError:  # raised before it wrote: the creation stays
            self.end_create()
            raise
        except BaseException as error:
            self._unended = None
            transaction.__exit__(type(error), error, error.__traceback__)
            raise
        self.end_create()

    def end_create(self) -> None:
        """Close the creation that was kept open, if one is."""
        transaction, self._unended = self._unended, None
        if transaction is not None:
            self.writer.end(transaction)

    def commit(self) -> None:
        """Commit the group, if one is open. Raises VexfsError when it was lost."""
        self.end_create()
        writer = self.writer
        if not writer.group_open:
            return
        base = writer.group_base
        head = writer.commit()
        if head is not None:
            self.invalidator.skip_own(base, head)
        self.group_changes.clear()

    def commit_quietly(self) -> None:
        """Commit because it is time: a failure is logged and told through the files it concerns."""
        try:
            self.commit()
        except VexfsError:
            logger.exception("the group could not be committed")
        except Exception as error:  # a fault of ours: the group must not stay open, nor the mount end
            logger.exception("the group could not be committed")
            self.writer.roll_back_group()
            self._group_lost(Internal(str(error)))

    def _group_lost(self, reason: VexfsError) -> None:
        """The last operations never happened: the kernel must forget them, and each file concerned says EIO once."""
        logger.error("the last operations are lost", extra={"reason": reason.reason, "operations": len(self.group_changes)})
        self.groups_lost += 1
        self._unended = None
        lost, self.group_changes = self.group_changes, []
        for changes in lost:
            for change in changes:
                self.invalidator.forget_inode(change.ino)
                if change.kind in (CHANGE_ENTRY_ADDED, CHANGE_ENTRY_REMOVED):
                    self.invalidator.forget_entry(change.parent, change.name)
                    self.invalidator.forget_inode(change.parent)
                file = self.open_files.get(change.ino)
                if file is not None:
                    file.error = errno.EIO
