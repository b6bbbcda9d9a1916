"""The synchronous driver of REST: the asynchronous one, in an event loop in a thread of its own.

May be used by many threads at the same time. A thread that waits for a socket cannot be woken; so a call that waits for its
answer ends at its deadline, by Ctrl-C and when the client is closed, and the server learns of it.
"""

from collections.abc import Generator
from types import TracebackType
from typing import Self

from betterproto2 import Message

from vexfs_client._async.rest_driver import AsyncRestDriver
from vexfs_client._async.transport import AsyncUpload
from vexfs_client._loop_thread import LoopThread
from vexfs_client._methods import Method, ResponseT
from vexfs_client._reading import Resumable
from vexfs_client._settings import Settings

from .transport import Transport, Upload


class RestDriver(Transport):
    """A pool of connections to one server, and the thread that uses it."""

    def __init__(self, settings: Settings) -> None:
        self._driver = AsyncRestDriver(settings)
        self._thread = LoopThread(at_end=self._driver.aclose)

    def close(self) -> None:
        self._thread.stop()

    def unary(self, method: Method[ResponseT], request: Message, *, timeout: float | None, request_id: str = "") -> ResponseT:
        return self._thread.run(self._driver.unary(method, request, timeout=timeout, request_id=request_id))

    def stream(self, method: Method[ResponseT], source: Resumable[ResponseT], *, timeout: float | None) -> Generator[ResponseT]:
        responses = self._driver.stream(method, source, timeout=timeout)

        async def following() -> ResponseT | None:
            return await anext(responses, None)

        try:
            while (response := self._thread.run(following())) is not None:
                yield response
        finally:
            self._thread.finish(responses.aclose())

    def upload(self, method: Method[ResponseT], *, timeout: float | None, request_id: str) -> Upload[ResponseT]:
        return _Upload(self._thread, self._driver.upload(method, timeout=timeout, request_id=request_id))


class _Upload(Upload[ResponseT]):
    """A stream of requests that the thread sends."""

    def __init__(self, thread: LoopThread, upload: AsyncUpload[ResponseT]) -> None:
        self._thread = thread
        self._upload = upload

    def send(self, message: Message) -> None:
        self._thread.run(self._upload.send(message))

    def finish(self) -> ResponseT:
        return self._thread.run(self._upload.finish())

    def __enter__(self) -> Self:
        self._thread.run(self._upload.__aenter__())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.finish(self._upload.__aexit__(kind, error, trace))
