"""File objects over ranges and streams, which `client.files.open` returns. One thread at a time uses one, as with any file
object.
"""

import io
from types import TracebackType
from typing import TYPE_CHECKING, Any

from vexfs_client import _convert, _methods
from vexfs_client._errors import FailedPreconditionError, VexfsError
from vexfs_client._generated.vexfs import v1
from vexfs_client._pieces import PIECE_BYTES, UNARY_MAX_BYTES, split
from vexfs_client._reading import ContentSource
from vexfs_client._reasons import Reason
from vexfs_client._types import File, FileKind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from vexfs_client._sync.transport import Transport, Upload


class _RawReader(io.RawIOBase):
    """Fetches each range when it is read."""

    def __init__(self, transport: "Transport", file: File, timeout: float | None) -> None:
        super().__init__()
        self.file = file
        self._transport = transport
        self._timeout = timeout
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.file.size_bytes}.get(whence)
        if base is None:
            raise ValueError(f"whence is 0, 1 or 2, not {whence!r}")
        if base + offset < 0:
            raise ValueError(f"no place before the start: {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target = memoryview(buffer).cast("B")
        size = min(len(target), UNARY_MAX_BYTES, self.file.size_bytes - self._position)
        if size <= 0:
            return 0
        request = v1.GetContentRequest(
            file=v1.FileRef(id=self.file.id), offset=self._position, length=size, at_revision=self.file.at_revision
        )
        data = self._transport.unary(_methods.GET_CONTENT, request, timeout=self._timeout).data
        target[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self) -> bytes:
        size = self.file.size_bytes - self._position
        if size <= 0:
            return b""
        request = v1.ReadFileRequest(
            file=v1.FileRef(id=self.file.id), offset=self._position, length=size, at_revision=self.file.at_revision
        )
        responses = self._transport.stream(_methods.READ_FILE, ContentSource(request), timeout=self._timeout)
        data = b"".join([response.data for response in responses])
        self._position += len(data)
        return data


class ContentReader(io.BufferedReader):
    """A file open for reading. `file` is what it was when it was opened."""

    file: File
    """The file, its size in bytes among the rest."""

    def __init__(self, transport: "Transport", file: File, timeout: float | None) -> None:
        if file.kind is not FileKind.REGULAR:
            reason = Reason.IS_A_DIRECTORY if file.is_directory else Reason.NOT_A_REGULAR_FILE
            raise FailedPreconditionError(f"{file.path} has no content: it is of the kind {file.kind}", reason=reason)
        raw = _RawReader(transport, file, timeout)
        super().__init__(raw, min(PIECE_BYTES, max(file.size_bytes, 1)))
        self.file = file


class _RawWriter(io.RawIOBase):
    """Sends each piece when it is written. Closed without `commit`, it leaves nothing behind."""

    def __init__(self, upload: "Upload[Any]", header: v1.WriteFileHeader, request_id: str) -> None:
        super().__init__()
        self._upload = upload
        self._upload.__enter__()
        self._first: v1.WriteFileRequest | None = v1.WriteFileRequest(header=header, request_id=request_id)
        self.discarded = False

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        view = memoryview(data).cast("B")
        if not self.discarded:
            self._begin()
            for piece in split(view):
                self._upload.send(v1.WriteFileRequest(data=piece))
        return len(view)

    def commit(self) -> v1.WriteFileResponse:
        self._begin()
        response: v1.WriteFileResponse = self._upload.finish()
        return response

    def close(self) -> None:
        if not self.closed:
            self._upload.__exit__(None, None, None)
        super().close()

    def _begin(self) -> None:
        if self._first is not None:
            first, self._first = self._first, None
            self._upload.send(first)


class ContentWriter(io.BufferedWriter):
    """A file open for writing. Closing it makes what was written the file's content."""

    file: File | None
    """The file as written; None until it is closed, and if it was discarded."""

    def __init__(self, transport: "Transport", header: v1.WriteFileHeader, request_id: str, timeout: float | None) -> None:
        upload = transport.upload(_methods.WRITE_FILE, timeout=timeout or 0, request_id=request_id)
        self._raw = _RawWriter(upload, header, request_id)
        super().__init__(self._raw, PIECE_BYTES)
        self.file = None

    def discard(self) -> None:
        """Close it without an effect: the file stays what it was."""
        self._raw.discarded = True
        self.close()

    def close(self) -> None:
        """Make what was written the content, and close. Raises VexfsError; nothing has changed then."""
        if self.closed:
            return
        try:
            if not self._raw.discarded:
                self.flush()
                self.file = _convert.file_of(self._raw.commit())
        except VexfsError:
            self._raw.discarded = True  # what the buffer still holds goes nowhere
            raise
        finally:
            super().close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        if not self.closed:
            self.discard()
