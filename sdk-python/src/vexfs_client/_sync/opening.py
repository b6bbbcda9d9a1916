"""The base of `client.files`: its connection, and `open`, which only the synchronous client has: asyncio has no file
objects.
"""

from typing import Literal, overload

from vexfs_client import _convert, _methods
from vexfs_client._generated.vexfs import v1
from vexfs_client._io import ContentReader, ContentWriter
from vexfs_client._request import new_request_id
from vexfs_client._values import FileName, to_ref

from .transport import Transport


class Opening:
    """Holds the connection; opens files."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @overload
    def open(
        self,
        file: FileName,
        mode: Literal["rb"] = "rb",
        *,
        at_revision: int = 0,
        min_revision: int = 0,
        timeout: float | None = None,
    ) -> ContentReader: ...

    @overload
    def open(
        self, file: FileName, mode: Literal["wb", "xb"], *, make_parents: bool = False, timeout: float | None = None
    ) -> ContentWriter: ...

    def open(
        self,
        file: FileName,
        mode: str = "rb",
        *,
        at_revision: int = 0,
        min_revision: int = 0,
        make_parents: bool = False,
        timeout: float | None = None,
    ) -> ContentReader | ContentWriter:
        """Open a file as Python's file objects are: `rb` to read, `wb` to write it anew, `xb` to make it.

        A reader can seek, fetches what is read in ranges, and shows the content as it was when it was opened, whatever is
        written meanwhile; `timeout` is for each of its requests. A writer streams what is written to it; the file changes as
        a whole when it is closed, and not at all when the `with` block is left by an exception, the writer is discarded or
        lost; `timeout` is from opening to closing, and by default there is none. Both raise VexfsError where a file of the
        operating system raises OSError.
        """
        if mode == "rb":
            request = v1.StatFileRequest(file=to_ref(file), at_revision=at_revision, min_revision=min_revision)
            answer = self._transport.unary(_methods.STAT_FILE, request, timeout=timeout)
            return ContentReader(self._transport, _convert.file_of(answer), timeout)
        if mode not in ("wb", "xb"):
            raise ValueError(f"the mode is rb, wb or xb, not {mode!r}")
        options = v1.WriteOptions(if_content_revision=0 if mode == "xb" else None, make_parents=make_parents)
        header = v1.WriteFileHeader(file=to_ref(file), options=options)
        return ContentWriter(self._transport, header, new_request_id(None), timeout)
