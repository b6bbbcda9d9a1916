"""The part of `client.files` that reads and writes content."""

from collections.abc import AsyncGenerator
from typing import Any

from vexfs_client import _convert, _methods
from vexfs_client._errors import ResourceExhaustedError
from vexfs_client._generated.vexfs import v1
from vexfs_client._methods import Method, ResponseT
from vexfs_client._pieces import UNARY_MAX_BYTES, AsyncContent, async_pieces
from vexfs_client._reading import ContentSource
from vexfs_client._reasons import Reason
from vexfs_client._request import new_request_id
from vexfs_client._types import File
from vexfs_client._values import FileName, check_32_bits, to_ref

from .opening import AsyncOpening


class AsyncContentGroup(AsyncOpening):
    """Content of files, whole, in ranges and in streams; the base of `client.files`."""

    async def read(
        self,
        file: FileName,
        *,
        offset: int = 0,
        length: int = 0,
        at_revision: int = 0,
        min_revision: int = 0,
        timeout: float | None = None,
    ) -> bytes:
        """The content, or `length` bytes at most (0: to the end) from byte `offset` on. All of it is of one revision.

        Raises NotFoundError, FailedPreconditionError (IS_A_DIRECTORY, NOT_A_REGULAR_FILE), DataLossError.
        """
        if length <= UNARY_MAX_BYTES:
            request = v1.GetContentRequest(
                file=to_ref(file), offset=offset, length=length, at_revision=at_revision, min_revision=min_revision
            )
            try:
                return (await self._transport.unary(_methods.GET_CONTENT, request, timeout=timeout)).data
            except ResourceExhaustedError as error:
                if error.reason != Reason.TOO_LARGE:
                    raise
        stream = self.read_stream(
            file, offset=offset, length=length, at_revision=at_revision, min_revision=min_revision, timeout=timeout
        )
        return b"".join([piece async for piece in stream])

    async def read_stream(
        self,
        file: FileName,
        *,
        offset: int = 0,
        length: int = 0,
        at_revision: int = 0,
        min_revision: int = 0,
        timeout: float | None = None,
    ) -> AsyncGenerator[bytes]:
        """As `read`, in pieces, so that content of any size fits in memory. `timeout` is for the whole stream.

        A connection that breaks is made again, and reading goes on at the same revision. Closing the iterator ends the call.
        """
        source = ContentSource(
            v1.ReadFileRequest(
                file=to_ref(file), offset=offset, length=length, at_revision=at_revision, min_revision=min_revision
            )
        )
        responses = self._transport.stream(_methods.READ_FILE, source, timeout=timeout)
        try:
            async for response in responses:
                if response.data:
                    yield response.data
        finally:
            await responses.aclose()

    async def write(
        self,
        file: FileName,
        content: AsyncContent,
        *,
        offset: int | None = None,
        if_content_revision: int | None = None,
        make_parents: bool = False,
        mode: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> File:
        """Write content; the file is made if there is none at this path. It changes as a whole or not at all.

        `content` is bytes, a file open for reading bytes, or pieces of bytes. Bytes up to 3 MiB go in one request, which is
        tried again when that can help; more, and pieces, are streamed, once. With `offset` the bytes are written over what
        is there from this byte on, and the rest stays. `if_content_revision` writes only if the content still is of this
        revision (`File.content_revision`; 0: only if there is no such file). `make_parents` makes missing directories;
        `mode` is the permission bits of a new file (None: 0o644).

        Raises FailedPreconditionError (CONTENT_CHANGED, IS_A_DIRECTORY …), AlreadyExistsError, NotFoundError,
        ResourceExhaustedError (VOLUME_FULL); TypeError for what is no content.
        """
        request_id = new_request_id(request_id)
        check_32_bits(mode=mode)
        options = v1.WriteOptions(offset=offset, if_content_revision=if_content_revision, make_parents=make_parents, mode=mode)
        if isinstance(content, (bytes, bytearray, memoryview)) and memoryview(content).nbytes <= UNARY_MAX_BYTES:
            request = v1.PutContentRequest(file=to_ref(file), data=bytes(content), options=options, request_id=request_id)
            return _convert.file_of(await self._write(_methods.PUT_CONTENT, request, timeout))
        header = v1.WriteFileHeader(file=to_ref(file), options=options)
        async with self._transport.upload(_methods.WRITE_FILE, timeout=timeout, request_id=request_id) as upload:
            await upload.send(v1.WriteFileRequest(header=header, request_id=request_id))
            async for piece in async_pieces(content):
                await upload.send(v1.WriteFileRequest(data=piece))
            return _convert.file_of(await upload.finish())

    async def _write(self, method: Method[ResponseT], request: Any, timeout: float | None) -> ResponseT:
        return await self._transport.unary(method, request, timeout=timeout, request_id=request.request_id)
