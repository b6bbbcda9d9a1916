"""HTTP to an embedding endpoint that speaks the API of OpenAI: a request, tried again while that may help and time is left.

Used by `vexfs.views.embedding.endpoint_model`. Requests run on an event loop in a thread of the client's own, so that a limit
of time holds for a whole request, however slowly it is answered; any thread may call. The key goes into the header of requests
to the one address and nowhere else: it is in no message, and redirects are not followed.
"""

import asyncio
import email.utils
import random
import threading
import time
from typing import Any, NamedTuple

import aiohttp

from vexfs.views.embedding.weights import ModelUnusable

CONCURRENT_MAX = 8
"""Requests at a time, of all threads."""
ANSWER_MAX_BYTES = 64 << 20
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_REFUSED = frozenset({400, 413, 422})
_FIRST_PAUSE_S = 0.1
_RETRY_AFTER_MAX_S = 600.0
_SAID_MAX = 200


class Limits(NamedTuple):
    """How long a caller waits."""

    attempt_s: float
    """For one answer."""
    again_s: float
    """No other attempt begins later than so long after the first; when that would be, the caller is told at once."""
    pause_max_s: float
    """Between attempts, of all callers, unless the endpoint asks for more."""


PASSAGES = Limits(attempt_s=60.0, again_s=5.0, pause_max_s=30.0)
QUESTIONS = Limits(attempt_s=1.5, again_s=0.5, pause_max_s=5.0)


class EndpointFailed(ModelUnusable):
    """The endpoint gave no vectors; the message says why, and what to do."""


class TextsRefused(EndpointFailed):
    """It does not take these texts; fewer or others may do."""


class _Failure(NamedTuple):
    """An attempt that may be worth another one."""

    reason: str
    retry_after_s: float | None = None
    slow: bool = False


class EndpointClient:
    """Posts to one address. `close` ends its thread."""

    def __init__(self, url: str, key: str, limits: Limits) -> None:
        self._url = url
        self._key = key
        self._limits = limits
        self._not_before = 0.0
        self._failures = 0
        """In a row."""
        self._reason = ""
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(CONCURRENT_MAX)
        self._thread = threading.Thread(target=self._loop.run_forever, name="vexfs-endpoint", daemon=True)
        self._thread.start()

    def post(self, body: dict[str, Any]) -> bytes:
        """The body of the answer. Raises EndpointFailed, TextsRefused when others texts may do."""
        return asyncio.run_coroutine_threadsafe(self._post(body), self._loop).result()

    def close(self) -> None:
        """Idempotent; nothing may be under way."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close_session(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _close_session(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(self, body: dict[str, Any]) -> bytes:
        end = time.monotonic() + self._limits.again_s
        while True:
            wait_s = max(0.0, self._not_before - time.monotonic())  # what one request was told to wait, all wait
            if time.monotonic() + wait_s > end:
                raise self._failed(self._reason)
            await asyncio.sleep(wait_s)
            found = await self._attempt(body)
            if isinstance(found, bytes):
                self._failures = 0
                return found
            self._reason = found.reason
            self._failures += 1
            self._not_before = max(self._not_before, time.monotonic() + self._pause_s(found))

    def _pause_s(self, failure: _Failure) -> float:
        """Hardly any after the first failure in a row, which may be of an old connection; then longer and longer."""
        if failure.retry_after_s is not None:
            return min(failure.retry_after_s, _RETRY_AFTER_MAX_S)
        if self._failures == 1 and not failure.slow:
            return _FIRST_PAUSE_S
        return min(2.0 ** min(max(self._failures - 2, 0), 10), self._limits.pause_max_s) * random.uniform(0.7, 1.0)

    async def _attempt(self, body: dict[str, Any]) -> bytes | _Failure:
        """An answer, or what went wrong if it may go right later. Raises EndpointFailed when it will not."""
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=True)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            async with (
                asyncio.timeout(self._limits.attempt_s),
                self._slots,
                self._session.post(self._url, json=body, headers=headers, allow_redirects=False) as response,
            ):
                content = await _read(response)
                status, retry_after = response.status, response.headers.get("Retry-After", "")
        except TimeoutError:
            return _Failure(f"there was no answer within {self._limits.attempt_s:g} s", slow=True)
        except (aiohttp.ClientError, OSError) as error:
            return _Failure(f"it cannot be reached: {str(error) or type(error).__name__}")
        if status == 200 and content is not None:
            return content
        said = self._without_key((content or b"").decode("utf-8", "replace"))[:_SAID_MAX].strip()
        told = f"it answered {status}" + (f": {said}" if said else "")
        if status in _RETRIED:
            return _Failure(told, _seconds(retry_after))
        if status in _REFUSED:
            raise self._failed(told, TextsRefused)
        if status in (401, 403):
            raise self._failed(f"{told}; check the key in VEXFS_MODEL_KEY or VEXFS_MODEL_KEY_FILE")
        if status == 200:
            raise self._failed(f"its answer is larger than {ANSWER_MAX_BYTES >> 20} MiB")
        raise self._failed(f"{told}; check the address in VEXFS_MODEL, to which /embeddings is added, and VEXFS_MODEL_NAME")

    def _failed(self, reason: str, kind: type[EndpointFailed] = EndpointFailed) -> EndpointFailed:
        return kind(f"the embedding endpoint {self._url} gives no vectors: {self._without_key(reason)}")

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "(the key)") if self._key else text


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The whole body; None when it is too large."""
    content = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        content += piece
        if len(content) > ANSWER_MAX_BYTES:
            return None
    return bytes(content)


def _seconds(retry_after: str) -> float | None:
    """What a Retry-After header asks for, in seconds or as a date; None when it says nothing."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
