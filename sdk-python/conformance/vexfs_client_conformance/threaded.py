"""The synchronous client, called from an event loop: each call in a thread, each iterator a step at a time."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from vexfs_client import Client

_ITERATORS = {"list", "read_stream", "list_skipped_files"}
_END = object()


class Threaded:
    """A client, or one of its groups, whose methods are awaited."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._inner, name)
        if not callable(member):
            return Threaded(member)
        if name in _ITERATORS:
            return lambda **given: _Steps(member(**given))

        async def call(*args: Any, **given: Any) -> Any:
            return await asyncio.to_thread(member, *args, **given)

        return call

    async def aclose(self) -> None:
        """Close the client."""
        await asyncio.to_thread(self._inner.close)


class _Steps:
    """An iterable of the synchronous client."""

    def __init__(self, iterable: Any) -> None:
        self._iterable = iterable
        self._generator: AsyncGenerator[Any] | None = None

    async def page(self, page_token: str) -> Any:
        return await asyncio.to_thread(self._iterable.page, page_token)

    async def __aiter__(self) -> AsyncGenerator[Any]:
        iterator = iter(self._iterable)
        try:
            while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
                yield item
        finally:
            await asyncio.to_thread(iterator.close)

    async def __anext__(self) -> Any:
        if self._generator is None:
            self._generator = aiter(self)
        return await anext(self._generator)

    async def aclose(self) -> None:
        if self._generator is not None:
            await self._generator.aclose()


def client(**settings: Any) -> Threaded:
    """A synchronous client with these settings. Raises SettingsError."""
    return Threaded(Client(**settings))
