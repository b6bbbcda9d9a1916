"""One call from its first attempt to its last: deadline, attempts, headers, span and the error that comes of it.

What all drivers share. They make the attempts and sleep; this decides. Used by one thread or task.
"""

from types import TracebackType
from typing import Any, Self

from vexfs_client import _request, _tracing
from vexfs_client._errors import VexfsError
from vexfs_client._methods import Method
from vexfs_client._retry import Attempts
from vexfs_client._settings import Settings
from vexfs_client._status import Failure, error_from


class Call:
    """The state of one call; a context manager around all its attempts. `timeout` in seconds; None: the client's."""

    def __init__(
        self,
        settings: Settings,
        method: Method[Any],
        *,
        timeout: float | None,
        request_id: str,
        once: bool = False,
    ) -> None:
        again = not once and (not method.writes or bool(request_id))
        self._attempts = Attempts(
            max_attempts=settings.max_attempts if again else 1,
            timeout=settings.timeout if timeout is None else timeout,
        )
        self._request_id = request_id
        self._span = _tracing.start(method.path, settings)
        self.headers = _request.headers(settings) + _tracing.headers(self._span)

    def begin(self) -> float | None:
        """A new attempt begins; the seconds it may take, None for no limit."""
        return self._attempts.begin()

    def remaining(self) -> float | None:
        """The seconds until the deadline, None for no limit."""
        return self._attempts.remaining()

    def failed(self, failure: Failure, cause: BaseException) -> float:
        """An attempt failed; the seconds to wait before the next. Raises the VexfsError of the call if there is none."""
        pause = self._attempts.pause_after(failure)
        if pause is None:
            raise error_from(failure, request_id=self._request_id, attempts=self._attempts.made) from cause
        return pause

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._span is None:
            return
        if error is None or isinstance(error, GeneratorExit):
            code = "OK"
        else:
            code = error.code if isinstance(error, VexfsError) else "CANCELLED"
        _tracing.end(self._span, code, self._attempts.made, None if code == "OK" else error)
