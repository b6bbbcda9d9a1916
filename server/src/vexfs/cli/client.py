"""A client of the contract, whatever the transport: which calls can a command make?

`connect` makes one; `grpc_client` and `rest_client` are the two kinds. Commands know this interface and the messages, and no
transport. Clients are safe to use from several threads.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from vexfs.contract.v1 import common_pb2

M = TypeVar("M", bound=Message)

#: Content up to this size goes in one request, larger content as a stream. Well below every server's limit.
SMALL_CONTENT_BYTES = 1024 * 1024
#: The pieces of a stream.
PIECE_BYTES = 256 * 1024


class Client(Protocol):
    """One server, over one transport.

    Every method raises `RemoteError`: what the server said, or that it cannot be reached.
    """

    #: Where the server is, for people.
    where: str

    def call(self, method: str, request: Message, answer: type[M], *, timeout_s: float | None = None) -> M:
        """One request, one answer. `method` is `FilesService.StatFile`; `timeout_s` replaces the client's own limit."""
        ...

    def read(self, file: common_pb2.FileRef) -> Iterator[bytes]:
        """The content of a file, in pieces."""
        ...

    def write(self, file: common_pb2.FileRef, pieces: Iterable[bytes]) -> common_pb2.File:
        """Write content of any size; the file changes as a whole when all pieces are there."""
        ...

    def close(self) -> None:
        """End the connection. Idempotent."""
        ...
