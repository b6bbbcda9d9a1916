"""One FUSE connection: the agreement made at INIT, and the ways to answer a request or to tell the kernel something.

Made once by the mount process. Writing to the descriptor is atomic for each message, so answers and notifications come from any
thread; reading belongs to the loop.
"""

import errno
import logging
import os
from collections.abc import Sequence
from typing import NamedTuple

from vexfs.core.errors import NotSupported
from vexfs.mount import wire

logger = logging.getLogger(__name__)

# Readdirplus always, not FUSE_READDIRPLUS_AUTO: with it `find -size` over 10⁶ files took three times as long, because programs
# list first and stat afterwards, and the kernel then looked up each name; a listing without stat takes half as long again.
_WANTED = (
    wire.FUSE_ASYNC_READ
    | wire.FUSE_ATOMIC_O_TRUNC
    | wire.FUSE_BIG_WRITES
    | wire.FUSE_DONT_MASK
    | wire.FUSE_DO_READDIRPLUS
    | wire.FUSE_ASYNC_DIO
    | wire.FUSE_PARALLEL_DIROPS
    | wire.FUSE_MAX_PAGES
    | wire.FUSE_CACHE_SYMLINKS
    | wire.FUSE_EXPLICIT_INVAL_DATA
    | wire.FUSE_HANDLE_KILLPRIV_V2
    | wire.FUSE_SETXATTR_EXT
    | wire.FUSE_INIT_EXT
    | wire.FUSE_DIRECT_IO_ALLOW_MMAP
)
_MAX_BACKGROUND = 64
_CONGESTION_THRESHOLD = 48
_PAGE_BYTES = 4096
READAHEAD_BYTES = 1 << 20
"""What a program that reads in sequence is given in one request, and as much again before it asks."""

_ERRNO_END = 512
"""Where the kernel's own, internal numbers begin."""

#: What a write to the descriptor may fail with when the request or the connection is gone: nobody waits for the answer.
GONE = frozenset({errno.ENOENT, errno.ENODEV, errno.EPERM})


class Agreement(NamedTuple):
    """What INIT settled: the minor protocol version both speak, and the flags in force (flags2 in the upper half)."""

    minor: int
    flags: int


def agree(request: memoryview, *, kernel_permissions: bool = False, serve_locks: bool = False) -> tuple[Agreement, bytes]:
    """Answer an INIT request (with its header): the agreement, and the reply's payload. Raises NotSupported for an old
    kernel.

    Access control lists are agreed only where the kernel checks permissions: with them it always does. `serve_locks`: programs'
    locks come here instead of staying in the kernel.
    """
    body = request[wire.IN_HEADER_BYTES :]
    if len(body) < wire.FUSE_COMPAT_INIT_IN_SIZE:
        raise NotSupported(f"the kernel began with a request of {len(request)} bytes, too few for INIT")
    if len(body) >= wire.fuse_init_in.size:
        major, minor, readahead, low, high = wire.fuse_init_in.unpack_from(body)
    else:
        major, minor, readahead, low = (int.from_bytes(body[at : at + 4], "little") for at in range(0, 16, 4))
        high = 0
    if major != wire.FUSE_KERNEL_VERSION or minor < wire.FUSE_MINOR_OLDEST:
        raise NotSupported(
            f"this kernel speaks FUSE {major}.{minor}; VexFS needs 7.{wire.FUSE_MINOR_OLDEST} (Linux 5.4) or newer"
        )
    offered = low | (high << 32 if low & wire.FUSE_INIT_EXT else 0)
    wanted = _WANTED | (wire.FUSE_POSIX_ACL if kernel_permissions else 0)
    wanted |= (wire.FUSE_POSIX_LOCKS | wire.FUSE_FLOCK_LOCKS) if serve_locks else 0
    agreement = Agreement(min(minor, wire.FUSE_KERNEL_MINOR_VERSION), offered & wanted)
    payload = wire.fuse_init_out.pack(
        wire.FUSE_KERNEL_VERSION,
        wire.FUSE_KERNEL_MINOR_VERSION,
        max(readahead, READAHEAD_BYTES),
        agreement.flags & 0xFFFFFFFF,
        _MAX_BACKGROUND,
        _CONGESTION_THRESHOLD,
        wire.MAX_WRITE_BYTES,
        1,
        wire.MAX_WRITE_BYTES // _PAGE_BYTES,
        0,
        agreement.flags >> 32,
        0,
        0,
    )
    return agreement, payload


class Session:
    """The connection after INIT."""

    def __init__(self, fd: int, agreement: Agreement) -> None:
        self.fd = fd
        self.agreement = agreement

    @classmethod
    def start(cls, fd: int, *, kernel_permissions: bool = False, serve_locks: bool = False) -> "Session":
        """Read INIT from a freshly mounted descriptor, answer it, and make the descriptor non-blocking."""
        buffer = bytearray(wire.READ_BUFFER_BYTES)
        os.set_blocking(fd, True)
        length = os.readv(fd, [buffer])
        _, opcode, unique, *_ = wire.fuse_in_header.unpack_from(buffer)
        if opcode != wire.FUSE_INIT:
            raise NotSupported(f"the kernel began with request {opcode} instead of INIT")
        request = memoryview(buffer)[:length]
        agreement, payload = agree(request, kernel_permissions=kernel_permissions, serve_locks=serve_locks)
        session = cls(fd, agreement)
        session.reply(unique, payload)
        os.set_blocking(fd, False)
        logger.info("FUSE session agreed", extra={"minor": agreement.minor, "flags": f"{agreement.flags:#x}"})
        return session

    def reply(self, unique: int, payload: bytes) -> None:
        """Answer a request. Never raises: that it was interrupted or aborted meanwhile is no error, anything else is logged; a
        request whose answer has the wrong length has got EIO from the kernel by then.
        """
        self._write([wire.fuse_out_header.pack(wire.OUT_HEADER_BYTES + len(payload), 0, unique), payload])

    def send(self, message: memoryview) -> None:
        """Give the kernel an answer that stands in memory with its header. Never raises, as `reply`."""
        self._write([message])

    def fail(self, unique: int, number: int) -> None:
        """Answer a request with an errno (positive).

        What the kernel would not take for one, leaving the request without an answer for ever, becomes EIO.
        """
        if not 0 < number < _ERRNO_END:
            logger.error("an answer with an impossible errno", extra={"errno": number})
            number = errno.EIO
        self._write([wire.fuse_out_header.pack(wire.OUT_HEADER_BYTES, -number, unique)])

    def answer(self, unique: int, answer: bytes | int) -> None:
        """Answer with a payload, or with a negative errno."""
        if isinstance(answer, int):
            self.fail(unique, -answer)
        else:
            self.reply(unique, answer)

    def _write(self, parts: Sequence[bytes | memoryview]) -> None:
        try:
            os.writev(self.fd, parts)
        except OSError as error:
            if error.errno not in GONE:
                logger.error("an answer was refused by the kernel", exc_info=error)

    # -- notifications: each returns the kernel's errno, 0 when it knew what was meant ------------------

    def _notify(self, code: int, *parts: bytes) -> int:
        length = wire.OUT_HEADER_BYTES + sum(map(len, parts))
        try:
            os.writev(self.fd, [wire.fuse_out_header.pack(length, code, 0), *parts])
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def invalidate_inode(self, ino: int, *, content: bool) -> int:
        """Forget the attributes of a file, and its cached pages (a directory's cached listing) with `content`."""
        offset = 0 if content else -1
        return self._notify(wire.FUSE_NOTIFY_INVAL_INODE, wire.fuse_notify_inval_inode_out.pack(ino, offset, 0))

    def invalidate_entry(self, parent: int, name: bytes) -> int:
        """Forget where a name leads, or that it is absent."""
        head = wire.fuse_notify_inval_entry_out.pack(parent, len(name), 0)
        return self._notify(wire.FUSE_NOTIFY_INVAL_ENTRY, head, name + b"\0")

    def delete_entry(self, parent: int, child: int, name: bytes) -> int:
        """Tell that `name` and the file it led to are gone."""
        head = wire.fuse_notify_delete_out.pack(parent, child, len(name))
        return self._notify(wire.FUSE_NOTIFY_DELETE, head, name + b"\0")

    def new_epoch(self) -> bool:
        """Have every cached name looked up again; False when this kernel cannot."""
        if self.agreement.minor < wire.FUSE_MINOR_INC_EPOCH:
            return False
        return self._notify(wire.FUSE_NOTIFY_INC_EPOCH) == 0
