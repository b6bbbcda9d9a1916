"""Waiting until the views have what the store has, in short steps, so that a person sees what is still pending.

Used by `vexfs wait`, `vexfs import --wait` and `make run`.
"""

import time
from collections.abc import Callable

from vexfs.cli.client import Client
from vexfs.cli.exits import RemoteError
from vexfs.contract.v1 import search_pb2, server_pb2
from vexfs.core.errors import RevisionNotReached

STEP_SECONDS = 1.0


def server_info(client: Client) -> server_pb2.GetServerInfoResponse:
    """What the server tells about itself."""
    return client.call("ServerService.GetServerInfo", server_pb2.GetServerInfoRequest(), server_pb2.GetServerInfoResponse)


def wait_for_views(
    client: Client,
    timeout_s: float | None,
    on_step: Callable[[server_pb2.GetServerInfoResponse], None] = lambda _info: None,
) -> search_pb2.WaitForViewsResponse:
    """Wait until every view has what the store has now. Raises RevisionNotReached, with what is pending, at the deadline."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    revision = server_info(client).store.revision
    request = search_pb2.WaitForViewsRequest(min_revision=revision)
    while True:
        left = STEP_SECONDS if deadline is None else min(STEP_SECONDS, deadline - time.monotonic())
        try:
            return client.call(
                "SearchService.WaitForViews", request, search_pb2.WaitForViewsResponse, timeout_s=max(left, 0.05)
            )
        except RemoteError as error:
            if error.code != "DEADLINE_EXCEEDED":
                raise
        info = server_info(client)
        on_step(info)
        if deadline is not None and time.monotonic() >= deadline:
            pending = ", ".join(f"{view.view} {view.pending}" for view in info.views)
            raise RevisionNotReached(
                f"after {timeout_s:g} s the views do not have revision {revision} yet; pending: {pending or 'unknown'}",
                revision=str(revision),
                **{view.view: str(view.pending) for view in info.views},
            )
