# Made from _async/transport.py by scripts/make-sync.
"""What the groups need of a connection, whichever way it speaks: the base of the drivers."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from types import TracebackType
from typing import Generic, Self

from betterproto2 import Message

from vexfs_client._methods import Method, ResponseT
from vexfs_client._reading import Resumable


class Transport(ABC):
    """Makes calls, with all their attempts. All of its methods raise VexfsError, CancelledError after closing."""

    @abstractmethod
    def unary(self, method: Method[ResponseT], request: Message, *, timeout: float | None, request_id: str = "") -> ResponseT:
        """One request, one response."""

    @abstractmethod
    def stream(self, method: Method[ResponseT], source: Resumable[ResponseT], *, timeout: float | None) -> Generator[ResponseT]:
        """One request, many responses; after a failure that can be overcome it goes on where it stopped."""

    @abstractmethod
    def upload(self, method: Method[ResponseT], *, timeout: float | None, request_id: str) -> "Upload[ResponseT]":
        """Begin a stream of requests. It is one attempt: what was taken from the caller cannot be sent again."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; calls under way end with CancelledError."""


class Upload(ABC, Generic[ResponseT]):
    """A stream of requests under way, as a context manager. Left without `finish`, it is cancelled and has no effect."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Send one message; waits while the connection is busy. Raises VexfsError if the call has ended."""

    @abstractmethod
    def finish(self) -> ResponseT:
        """End the stream and wait for the response. Raises VexfsError."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
