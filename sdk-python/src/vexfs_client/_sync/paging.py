# Made from _async/paging.py by scripts/make-sync.
"""Lists: an iterator that pages by itself. The groups make them; a page is one call."""

from collections.abc import Callable, Generator
from typing import Generic

from vexfs_client._types import ItemT, Page


class Items(Generic[ItemT]):
    """The items of a list, fetched a page at a time while they are iterated over. Each iteration begins anew.

    Iterating raises what the calls raise: VexfsError.
    """

    def __init__(self, fetch: Callable[[str], Page[ItemT]]) -> None:
        self._fetch = fetch

    def page(self, page_token: str = "") -> Page[ItemT]:
        """One page: the first, or the one that `next_page_token` of the page before names."""
        return self._fetch(page_token)

    def __iter__(self) -> Generator[ItemT]:
        token = ""
        while True:
            page = self._fetch(token)
            for item in page.items:
                yield item
            token = page.next_page_token
            if not token:
                return
