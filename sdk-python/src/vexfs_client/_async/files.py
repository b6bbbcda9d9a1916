"""The group `client.files`: every method of FilesService but for content, which `content.py` adds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vexfs_client import _convert, _methods
from vexfs_client._generated.vexfs import v1
from vexfs_client._request import new_request_id
from vexfs_client._types import Copied, File, Metadata, Page, Removed
from vexfs_client._values import FileName, check_32_bits, from_struct, to_ref, to_struct

from .content import AsyncContentGroup
from .paging import AsyncItems


class AsyncFiles(AsyncContentGroup):
    """Files of every kind. Reached as `client.files`.

    What the methods have in common: `timeout` is in seconds for all attempts together (None: the client's; 0: no limit).
    `request_id` is made by the client unless given; with an empty one the call is not tried again. `min_revision` waits, within
    the time-out, until the server has that revision; `at_revision` answers from the state at that revision, inside the history
    window. All raise VexfsError.
    """

    async def stat(self, file: FileName, *, at_revision: int = 0, min_revision: int = 0, timeout: float | None = None) -> File:
        """What a file is: kind, size, times, owner. Raises NotFoundError."""
        request = v1.StatFileRequest(file=to_ref(file), at_revision=at_revision, min_revision=min_revision)
        return _convert.file_of(await self._transport.unary(_methods.STAT_FILE, request, timeout=timeout))

    def list(
        self,
        directory: FileName,
        *,
        page_size: int = 0,
        at_revision: int = 0,
        min_revision: int = 0,
        timeout: float | None = None,
    ) -> AsyncItems[File]:
        """The entries of a directory in byte order of their names; an iterator that pages by itself.

        `page_size` is how many to fetch at once (0: 1,000), `timeout` for each page. Iterating raises NotFoundError, or
        FailedPreconditionError (NOT_A_DIRECTORY).
        """

        async def fetch(page_token: str, page_size: int) -> Page[File]:
            check_32_bits(page_size=page_size)
            request = v1.ListFilesRequest(
                directory=to_ref(directory),
                page_size=page_size,
                page_token=page_token,
                at_revision=at_revision,
                min_revision=min_revision,
            )
            answer = await self._transport.unary(_methods.LIST_FILES, request, timeout=timeout)
            return Page(
                answer.revision, [_convert.file(file, answer.revision) for file in answer.files], answer.next_page_token
            )

        return AsyncItems(fetch, page_size)

    async def make_directory(
        self,
        directory: FileName,
        *,
        make_parents: bool = False,
        mode: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> File:
        """Make a directory.

        `make_parents` makes those above it that are missing, and then it is no error if it is there. `mode` is its
        permission bits (None: 0o755). Raises AlreadyExistsError, NotFoundError.
        """
        check_32_bits(mode=mode)
        request = v1.MakeDirectoryRequest(
            directory=to_ref(directory), make_parents=make_parents, mode=mode, request_id=new_request_id(request_id)
        )
        return _convert.file_of(await self._write(_methods.MAKE_DIRECTORY, request, timeout))

    async def move(
        self,
        source: FileName,
        destination: FileName,
        *,
        no_replace: bool = False,
        exchange: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> File:
        """Give a file another name or place; what has the new name is replaced, as rename(2) does.

        `no_replace` fails with AlreadyExistsError instead; `exchange` exchanges the two, which both must be there. Raises
        NotFoundError, FailedPreconditionError (DIRECTORY_NOT_EMPTY, MOVE_INTO_ITSELF, VECTORS_DO_NOT_FIT …).
        """
        request = v1.MoveFileRequest(
            source=to_ref(source),
            destination=to_ref(destination),
            no_replace=no_replace,
            exchange=exchange,
            request_id=new_request_id(request_id),
        )
        return _convert.file_of(await self._write(_methods.MOVE_FILE, request, timeout))

    async def copy(
        self,
        source: FileName,
        destination: FileName,
        *,
        recursive: bool = False,
        no_replace: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Copied:
        """Copy a file, or with `recursive` a tree, with content, attributes, metadata and vectors; large content is shared.

        A tree is copied in steps: a failure leaves the part that was done. `no_replace` fails with AlreadyExistsError
        instead of replacing a file. Raises NotFoundError, FailedPreconditionError.
        """
        request = v1.CopyFileRequest(
            source=to_ref(source),
            destination=to_ref(destination),
            recursive=recursive,
            no_replace=no_replace,
            request_id=new_request_id(request_id),
        )
        answer = await self._write(_methods.COPY_FILE, request, timeout)
        return Copied(answer.revision, _convert.file_of(answer), answer.copied)

    async def remove(
        self, file: FileName, *, recursive: bool = False, request_id: str | None = None, timeout: float | None = None
    ) -> Removed:
        """Remove a file, an empty directory or, with `recursive`, a whole tree.

        A tree is removed in steps: a failure leaves what was not yet removed. Raises NotFoundError, FailedPreconditionError
        (DIRECTORY_NOT_EMPTY, ROOT_IMMUTABLE).
        """
        request = v1.RemoveFileRequest(file=to_ref(file), recursive=recursive, request_id=new_request_id(request_id))
        answer = await self._write(_methods.REMOVE_FILE, request, timeout)
        return Removed(answer.revision, answer.removed)

    async def symlink(
        self, link: FileName, target: str | bytes, *, request_id: str | None = None, timeout: float | None = None
    ) -> File:
        """Make a symbolic link at the path `link` that leads to `target`, which need not exist; bytes if it is not UTF-8.

        Raises AlreadyExistsError, NotFoundError.
        """
        request = v1.CreateSymlinkRequest(link=to_ref(link), request_id=new_request_id(request_id))
        if isinstance(target, bytes):
            request.target_bytes = target
        else:
            request.target = target
        return _convert.file_of(await self._write(_methods.CREATE_SYMLINK, request, timeout))

    async def read_symlink(
        self, file: FileName, *, at_revision: int = 0, min_revision: int = 0, timeout: float | None = None
    ) -> str | bytes:
        """Where a symbolic link leads; bytes if that is not UTF-8. Raises FailedPreconditionError (NOT_A_SYMLINK)."""
        request = v1.ReadSymlinkRequest(file=to_ref(file), at_revision=at_revision, min_revision=min_revision)
        answer = await self._transport.unary(_methods.READ_SYMLINK, request, timeout=timeout)
        return answer.target_bytes or answer.target

    async def link(
        self, file: FileName, link: FileName, *, request_id: str | None = None, timeout: float | None = None
    ) -> File:
        """Give a file a second name, the path `link`. Raises AlreadyExistsError, FailedPreconditionError."""
        request = v1.CreateLinkRequest(file=to_ref(file), link=to_ref(link), request_id=new_request_id(request_id))
        return _convert.file_of(await self._write(_methods.CREATE_LINK, request, timeout))

    async def set_attributes(
        self,
        file: FileName,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        atime: datetime | None = None,
        mtime: datetime | None = None,
        size_bytes: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> File:
        """Change permission bits, owner, times (with a time zone) or size in bytes; what is None stays.

        A smaller size cuts the content off, a larger one fills it with zeros. Raises NotFoundError, FailedPreconditionError.
        """
        check_32_bits(mode=mode, uid=uid, gid=gid)
        request = v1.SetAttributesRequest(
            file=to_ref(file),
            mode=mode,
            uid=uid,
            gid=gid,
            atime=_convert.times(atime, "atime"),
            mtime=_convert.times(mtime, "mtime"),
            size_bytes=size_bytes,
            request_id=new_request_id(request_id),
        )
        return _convert.file_of(await self._write(_methods.SET_ATTRIBUTES, request, timeout))

    async def get_xattr(
        self, file: FileName, name: str, *, at_revision: int = 0, min_revision: int = 0, timeout: float | None = None
    ) -> bytes:
        """The value of an extended attribute, such as `user.colour`. Raises NotFoundError (ATTRIBUTE_NOT_FOUND)."""
        request = v1.GetXattrRequest(file=to_ref(file), name=name, at_revision=at_revision, min_revision=min_revision)
        return (await self._transport.unary(_methods.GET_XATTR, request, timeout=timeout)).value

    async def set_xattr(
        self,
        file: FileName,
        name: str,
        value: bytes,
        *,
        create_only: bool = False,
        replace_only: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> int:
        """Set an extended attribute, at most 64 KiB; answers the revision.

        `create_only` raises AlreadyExistsError if it is set, `replace_only` NotFoundError if it is not.
        """
        request = v1.SetXattrRequest(
            file=to_ref(file),
            name=name,
            value=value,
            create_only=create_only,
            replace_only=replace_only,
            request_id=new_request_id(request_id),
        )
        return (await self._write(_methods.SET_XATTR, request, timeout)).revision

    async def list_xattrs(
        self, file: FileName, *, at_revision: int = 0, min_revision: int = 0, timeout: float | None = None
    ) -> "list_[str]":
        """The names of a file's extended attributes, in byte order."""
        request = v1.ListXattrsRequest(file=to_ref(file), at_revision=at_revision, min_revision=min_revision)
        return (await self._transport.unary(_methods.LIST_XATTRS, request, timeout=timeout)).names

    async def remove_xattr(
        self, file: FileName, name: str, *, request_id: str | None = None, timeout: float | None = None
    ) -> int:
        """Remove an extended attribute; answers the revision. Raises NotFoundError (ATTRIBUTE_NOT_FOUND)."""
        request = v1.RemoveXattrRequest(file=to_ref(file), name=name, request_id=new_request_id(request_id))
        return (await self._write(_methods.REMOVE_XATTR, request, timeout)).revision

    async def get_metadata(
        self, file: FileName, *, at_revision: int = 0, min_revision: int = 0, timeout: float | None = None
    ) -> Metadata:
        """A file's metadata; empty if none was ever set."""
        request = v1.GetMetadataRequest(file=to_ref(file), at_revision=at_revision, min_revision=min_revision)
        return from_struct((await self._transport.unary(_methods.GET_METADATA, request, timeout=timeout)).metadata)

    async def set_metadata(
        self,
        file: FileName,
        metadata: Mapping[str, Any],
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> File:
        """Replace a file's metadata by this JSON object, at most 64 KiB; an empty one clears it.

        Raises InvalidArgumentError (INVALID_METADATA); TypeError or ValueError for what is no JSON.
        """
        request = v1.SetMetadataRequest(file=to_ref(file), metadata=to_struct(metadata), request_id=new_request_id(request_id))
        return _convert.file_of(await self._write(_methods.SET_METADATA, request, timeout))


list_ = list
