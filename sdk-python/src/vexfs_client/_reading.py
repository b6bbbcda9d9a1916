"""Where a stream of content stands, so that it can go on after a failure. Pure; one object a stream, used by one driver."""

from typing import Protocol, TypeVar

from betterproto2 import Message

from vexfs_client._generated.vexfs import v1

ResponseT_contra = TypeVar("ResponseT_contra", bound=Message, contravariant=True)


class Resumable(Protocol[ResponseT_contra]):
    """What a driver streams: the request for what is still to come, and word of what came."""

    @property
    def complete(self) -> bool:
        """Everything came already: a failure after that changes nothing."""
        ...

    def request(self) -> Message:
        """The request of the next attempt."""
        ...

    def received(self, response: ResponseT_contra) -> None:
        """Note a response."""
        ...


class ContentSource:
    """A range of one file's content. After the first piece its revision is kept, so that all pieces are of one."""

    def __init__(self, request: v1.ReadFileRequest) -> None:
        self._request = request
        self._begun = False

    @property
    def complete(self) -> bool:
        """All bytes of the range came."""
        return self._begun and self._request.length == 0

    def request(self) -> v1.ReadFileRequest:
        """What is still missing."""
        return self._request

    def received(self, response: v1.ReadFileResponse) -> None:
        """Go on behind this piece."""
        request = self._request
        size = len(response.data)
        if not self._begun:
            self._begun = True
            if response.file is not None and request.file is not None:
                request.file = v1.FileRef(id=response.file.id)  # a path may lead to another file by then
            there = max(0, response.file.size_bytes - request.offset) if response.file is not None else 0
            request.length = min(request.length, there) if request.length else there
            request.at_revision = response.revision
        request.offset += size
        request.length -= size
