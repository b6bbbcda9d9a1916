# Made from _async/client.py by scripts/make-sync.
"""The client: settings, one connection, the groups and the methods that belong to none."""

import os
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self

from vexfs_client import _convert, _methods, _settings
from vexfs_client._filters import Filter
from vexfs_client._generated.vexfs import v1
from vexfs_client._queries import HITS_AT_ONCE, SearchQuery, search_message
from vexfs_client._settings import TransportName
from vexfs_client._types import (
    Page,
    SearchHit,
    SearchMode,
    SearchResult,
    ServerInfo,
    SkippedFile,
    VectorLike,
    ViewPositions,
)
from vexfs_client._values import FileName, check_32_bits, to_ref

from .collections import Collections
from .connecting import connect
from .files import Files
from .paging import Items
from .points import Points


class Client:
    """A client of one VexFS server. Use it as a context manager, or close it.

    It connects when the first call is made, and again when the connection was lost.
    """

    files: Files
    """Files of every kind: looking, reading, writing, moving, attributes, metadata."""
    collections: Collections
    """Directories with a vector schema."""
    points: Points
    """The points of collections."""

    def __init__(
        self,
        *,
        transport: TransportName | None = None,
        address: str | None = None,
        url: str | None = None,
        token: str | None = None,
        tls: bool | None = None,
        tls_ca: str | os.PathLike[str] | None = None,
        tls_client_cert: str | os.PathLike[str] | None = None,
        tls_client_key: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
        max_attempts: int | None = None,
    ) -> None:
        """What is None is taken from its variable (`VEXFS_ADDRESS` …), or is the default.

        `transport` is `grpc` (the default) or `rest`, which needs `vexfs-client[rest]`. gRPC goes to `address`, `host:port`
        (default 127.0.0.1:8083), REST to `url` (default http://127.0.0.1:8080). `token` is sent with every call. `tls` is for
        gRPC and trusts the system's certificates; the PEM files `tls_ca`, `tls_client_cert` and `tls_client_key` turn it on,
        too. REST uses TLS, and these files, where `url` begins with https. `timeout` is the seconds a call may take, with all
        attempts and pauses (default 30; 0: no limit), `max_attempts` how often it is tried at most (default 4). Raises
        SettingsError, which names the setting.
        """
        settings = _settings.load(
            {
                "transport": transport,
                "address": address,
                "url": url,
                "token": token,
                "tls": tls,
                "tls_ca": tls_ca,
                "tls_client_cert": tls_client_cert,
                "tls_client_key": tls_client_key,
                "timeout": timeout,
                "max_attempts": max_attempts,
            }
        )
        self._transport = connect(settings)
        self.files = Files(self._transport)
        self.collections = Collections(self._transport)
        self.points = Points(self._transport)

    def search(
        self,
        text: str | None = None,
        *,
        vector: VectorLike | None = None,
        like: FileName | None = None,
        scope: FileName | None = None,
        filter: Filter | None = None,
        mode: SearchMode | str | None = None,
        limit: int = 0,
        vector_name: str = "",
        exact: bool = False,
        dense_weight: float = 0.0,
        lexical_weight: float = 0.0,
        page_token: str = "",
        min_revision: int = 0,
        timeout: float | None = None,
    ) -> SearchResult:
        """The files that answer a question best, each with its best passage. Give `text`, `vector` or `like`.

        `like` is a file: what is near to the mean of its passages is answered, without the file itself.

        `scope` looks only in this directory and below it, `filter` only at files that pass it. `mode` is `hybrid` (the
        default), `dense` or `lexical`; `limit` how many hits at most (0: 10; up to 1,000). A vector is one of the model that
        embeds the files (`server_info` names it), or of `vector_name` in the collection that `scope` names. `exact` compares,
        by meaning, with every passage that may be answered, so that none is missed, however long that takes.
        `dense_weight` and `lexical_weight` say how much each ranking of a hybrid search counts (0: 1). `page_token` asks for
        the hits that follow an answer, by its `next_page_token`; the other arguments stay, but for `limit`. A search answers
        from what the views have, and says how much is pending; `min_revision` waits for a revision. Raises
        InvalidArgumentError, UnavailableError (VIEW_UNAVAILABLE).
        """
        query = SearchQuery(
            text=text,
            vector=vector,
            like=like,
            scope=scope,
            filter=filter,
            mode=mode,
            limit=limit,
            vector_name=vector_name,
            exact=exact,
            dense_weight=dense_weight,
            lexical_weight=lexical_weight,
            page_token=page_token,
        )
        request = search_message(query, min_revision)
        return _convert.search_result(self._transport.unary(_methods.SEARCH, request, timeout=timeout))

    def search_hits(
        self, search: SearchQuery, *, page_size: int = 0, min_revision: int = 0, timeout: float | None = None
    ) -> Items[SearchHit]:
        """All files that answer a question, best first; an iterator that pages by itself (0: 100 at once; up to 1,000).

        The search's `limit` is how many hits there are in all (0: no limit), its `page_token` where they begin. The pages have
        10,000 hits in all: an iterator without a limit that comes to their end, where there are more, raises
        InvalidArgumentError. The size of the first page is how deep a hybrid search is fused, as the limit of `search` is.
        """

        def fetch(page_token: str, limit: int) -> Page[SearchHit]:
            request = search_message(replace(search, limit=limit, page_token=page_token), min_revision)
            found = _convert.search_result(self._transport.unary(_methods.SEARCH, request, timeout=timeout))
            return Page(found.revision, found.hits, found.next_page_token)

        return Items(fetch, page_size or HITS_AT_ONCE, limit=search.limit, page_token=search.page_token)

    def batch_search(
        self, searches: Iterable[SearchQuery], *, min_revision: int = 0, timeout: float | None = None
    ) -> list[SearchResult]:
        """What `search` would answer to each of these, at most 100, in their order and from one state of the views.

        Their limits may be 10,000 together, the answers 3 MiB (TOO_LARGE). If one search cannot be answered all fail; the error
        names it, in its message and as `index` of its `metadata`.
        """
        request = v1.BatchSearchRequest(searches=[*map(search_message, searches)], min_revision=min_revision)
        answer = self._transport.unary(_methods.BATCH_SEARCH, request, timeout=timeout)
        return [_convert.search_result(one) for one in answer.answers]

    def wait_for_views(self, *, min_revision: int = 0, timeout: float | None = None) -> ViewPositions:
        """Wait until all views have `min_revision` (0: what is the newest now), so that what was written can be found.

        Raises DeadlineExceededError when the time-out passes before; UnavailableError (VIEW_UNAVAILABLE).
        """
        request = v1.WaitForViewsRequest(min_revision=min_revision)
        answer = self._transport.unary(_methods.WAIT_FOR_VIEWS, request, timeout=timeout)
        return ViewPositions(answer.revision, [_convert.view_position(view) for view in answer.views])

    def list_skipped_files(
        self, *, scope: FileName | None = None, page_size: int = 0, min_revision: int = 0, timeout: float | None = None
    ) -> Items[SkippedFile]:
        """The files whose text was not indexed, by id, each with the reason; an iterator that pages by itself."""

        def fetch(page_token: str, page_size: int) -> Page[SkippedFile]:
            check_32_bits(page_size=page_size)
            request = v1.ListSkippedFilesRequest(
                scope=None if scope is None else to_ref(scope),
                page_size=page_size,
                page_token=page_token,
                min_revision=min_revision,
            )
            answer = self._transport.unary(_methods.LIST_SKIPPED_FILES, request, timeout=timeout)
            return Page(
                answer.revision, [_convert.skipped_file(file, answer.revision) for file in answer.files], answer.next_page_token
            )

        return Items(fetch, page_size)

    def server_info(self, *, min_revision: int = 0, timeout: float | None = None) -> ServerInfo:
        """The server's version, capabilities and limits, and the positions of store and views."""
        request = v1.GetServerInfoRequest(min_revision=min_revision)
        return _convert.server_info(self._transport.unary(_methods.GET_SERVER_INFO, request, timeout=timeout))

    def close(self) -> None:
        """Close the connection; calls under way end with CancelledError. Closing again does nothing."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
