"""Lists: an iterator that pages by itself. The groups make them; a page is one call."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic

from vexfs_client._types import ItemT, Page


class AsyncItems(Generic[ItemT]):
    """The items of a list, fetched a page at a time while they are iterated over. Each iteration begins anew.

    Iterating raises what the calls raise: VexfsError.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[Page[ItemT]]]) -> None:
        self._fetch = fetch

    async def page(self, page_token: str = "") -> Page[ItemT]:
        """One page: the first, or the one that `next_page_token` of the page before names."""
        return await self._fetch(page_token)

    async def __aiter__(self) -> AsyncGenerator[ItemT]:
        token = ""
        while True:
            page = await self._fetch(token)
            for item in page.items:
                yield item
            token = page.next_page_token
            if not token:
                return
