"""Large content on the local disk: immutable files named by the BLAKE3 of what they hold.

Called by `vexfs.core.content` (write, read), by the collector (unlink) and by `check`. Thread-safe: files are complete
before they have their name, and never change. A blob is durable when `add` returns: temporary file, fsync, rename, fsync of
the folder, in that order; a crash before the rename leaves a temporary file that the collector sweeps, one after it a blob
no row names.
"""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from blake3 import blake3

from vexfs.core.errors import CorruptContent, DataLoss, VolumeFull

Buffer = bytes | bytearray | memoryview

HASH_BYTES = 32
_PAGE_BYTES = 4096
_PIECES_MAX = 1024
"""As many as one writev takes."""
_TEMPORARY = "incoming"
_DAMAGED = "damaged"


class BlobFolder:
    """The `blobs` folder of one volume: `ab/abcdef…` by the hash in hex, `incoming/` while being written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / _TEMPORARY

    def prepare(self) -> None:
        """Make the folders, durably, before any blob: called under the writer's turn when a volume is opened.

        All shards are made at once, because a shard that merely exists may be one that another process has not synced yet.
        `incoming` comes last: once it is there, everything is; should a power cut take it, the next opening makes it again.
        `blobs` itself becomes durable when SQLite makes the database beside it, and syncs their folder.
        """
        if self._incoming.is_dir():
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for shard in range(256):
            (self._folder / f"{shard:02x}").mkdir(mode=0o700, exist_ok=True)
        sync_folder(self._folder)
        self._incoming.mkdir(mode=0o700)

    def path(self, digest: bytes) -> Path:
        """Where the blob of that hash lies, present or not."""
        name = digest.hex()
        return self._folder / name[:2] / name

    def add(self, data: Buffer) -> bytes:
        """Store `data` durably; returns its hash. Storing the same bytes again writes nothing."""
        return self.add_pieces([data], cached=True)

    def add_pieces(self, pieces: Sequence[Buffer], *, cached: bool) -> bytes:
        """As `add`, of bytes that lie in several places. `cached`: they stay in the page cache; else that is avoided where it
        can be, which saves a copy.
        """
        incoming = self.begin()
        try:
            incoming.write_all(pieces, cached=cached)
            return incoming.finish()
        finally:
            incoming.discard()

    def begin(self) -> "IncomingBlob":
        """Start writing a blob piece by piece."""
        return IncomingBlob(self, self._incoming / secrets.token_hex(16))

    def size(self, digest: bytes) -> int | None:
        """Bytes on disk, or None when the blob is absent."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def free_bytes(self) -> int:
        """What the disk has room for still."""
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize

    def open(self, digest: bytes) -> int:
        """A descriptor for reading a blob, which the caller closes. Raises CorruptContent when the blob is missing."""
        try:
            return os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise CorruptContent(f"blob {digest.hex()} is missing: run `vexfs check`", blob=digest.hex()) from None

    def read(self, digest: bytes, offset: int, length: int) -> bytes:
        """Exactly `length` bytes at `offset`. Raises CorruptContent when the blob is missing or short."""
        fd = self.open(digest)
        try:
            data = os.pread(fd, length, offset)
        except OSError as error:
            raise CorruptContent(f"blob {digest.hex()} cannot be read: {error.strerror}", blob=digest.hex()) from error
        finally:
            os.close(fd)
        if len(data) != length:
            raise CorruptContent(f"blob {digest.hex()} is shorter than its rows say: run `vexfs check`", blob=digest.hex())
        return data

    def verify(self, digest: bytes) -> bool:
        """Whether the bytes on disk have that hash; reads all of them."""
        hasher = blake3()
        try:
            hasher.update_mmap(self.path(digest))
        except FileNotFoundError:
            return False
        return hasher.digest() == digest

    def unlink(self, digest: bytes) -> None:
        """Remove the file; absent is fine."""
        self.path(digest).unlink(missing_ok=True)

    def set_aside(self, digest: bytes) -> None:
        """Keep a damaged file out of the way, as `damaged/HASH`, for whoever wants to look at it."""
        damaged = self._folder / _DAMAGED
        damaged.mkdir(mode=0o700, exist_ok=True)
        if self.path(digest).exists():
            self.path(digest).rename(damaged / digest.hex())

    def all_hashes(self) -> Iterator[bytes]:
        """The hash of every blob file there is."""
        for shard in self._folder.iterdir():
            if shard.name not in (_TEMPORARY, _DAMAGED) and shard.is_dir():
                for file in shard.iterdir():
                    yield bytes.fromhex(file.name)

    def abandoned(self, older_than_s: float, now_s: float) -> list[Path]:
        """Temporary files last written more than `older_than_s` ago: what a crash left."""
        found = []
        for file in self._incoming.iterdir():
            try:
                if now_s - file.stat().st_mtime > older_than_s:
                    found.append(file)
            except FileNotFoundError:
                continue
        return found


class IncomingBlob:
    """A blob being written; one thread."""

    def __init__(self, folder: BlobFolder, temporary: Path) -> None:
        self._folder = folder
        self._temporary = temporary
        self._hasher = blake3()
        with _disk_errors():
            self._fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.size_bytes = 0

    def write(self, data: Buffer) -> None:
        self.write_all([data], cached=True)

    def write_all(self, pieces: Sequence[Buffer], *, cached: bool) -> None:
        """All the pieces, one behind the other; `cached` as for `BlobFolder.add_pieces`."""
        for piece in pieces:
            self._hasher.update(piece)
        with _disk_errors():
            done = 0 if cached else self._write_past_the_cache(pieces)
            for piece in pieces:
                left = memoryview(piece)[done:]
                done = max(done - len(piece), 0)
                while left:
                    left = left[os.write(self._fd, left) :]
                self.size_bytes += len(piece)

    def _write_past_the_cache(self, pieces: Sequence[Buffer]) -> int:
        """How many bytes went straight from where they lie to the disk: none where they are not whole pages, or it cannot."""
        if len(pieces) > _PIECES_MAX or any(len(piece) % _PAGE_BYTES for piece in pieces):
            return 0
        flags = fcntl.fcntl(self._fd, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._fd, fcntl.F_SETFL, flags | os.O_DIRECT)
            return os.writev(self._fd, pieces)
        except OSError as error:
            # The answer of a file system that cannot, or that finds the memory in the wrong place.
            if error.errno != errno.EINVAL:
                raise
            return 0
        finally:
            fcntl.fcntl(self._fd, fcntl.F_SETFL, flags)

    def finish(self) -> bytes:
        """Make it durable under its name; returns the hash."""
        digest = self._hasher.digest()
        path = self._folder.path(digest)
        if self._folder.size(digest) == self.size_bytes:
            # Another writer may have renamed it a moment ago and not have synced the folder yet.
            sync_folder(path.parent)
            return digest
        with _disk_errors():
            os.fsync(self._fd)
            self._temporary.rename(path)
            sync_folder(path.parent)
        return digest

    def discard(self) -> None:
        """Close, and remove what was not finished; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Turns what the disk answers into VolumeFull or DataLoss."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise VolumeFull("the disk under the volume is full: free some space, then try again") from error
        raise DataLoss(f"content could not be written to the disk: {error.strerror}") from error


def sync_folder(path: Path) -> None:
    """Make a folder's entries durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
