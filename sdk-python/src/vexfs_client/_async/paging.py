"""Lists: an iterator that pages by itself. The groups make them; a page is one call."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic

from vexfs_client._types import ItemT, Page


class AsyncItems(Generic[ItemT]):
    """The items of a list, fetched a page at a time while they are iterated over. Each iteration begins anew.

    Iterating raises what the calls raise: VexfsError.
    """

    def __init__(
        self, fetch: Callable[[str, int], Awaitable[Page[ItemT]]], page_size: int, *, limit: int = 0, page_token: str = ""
    ) -> None:
        """`fetch` answers the page of a token, with so many items at most; `limit` is how many items there are in all (0: no
        limit), `page_token` where they begin."""
        self._fetch = fetch
        self._page_size = page_size
        self._limit = limit
        self._first = page_token

    async def page(self, page_token: str = "") -> Page[ItemT]:
        """One page: the first, or the one that `next_page_token` of the page before names."""
        return await self._fetch(page_token or self._first, self._size(self._limit))

    async def __aiter__(self) -> AsyncGenerator[ItemT]:
        token, wanted = self._first, self._limit
        while True:
            page = await self._fetch(token, self._size(wanted))
            for item in page.items:
                yield item
            token = page.next_page_token
            wanted -= len(page.items)
            if not token or (self._limit and wanted <= 0):
                return

    def _size(self, wanted: int) -> int:
        """Of the next page, when so many items are wanted."""
        return min(wanted, self._page_size) if self._limit else self._page_size
