"""SearchService: finding files, waiting for the views, and what was not indexed."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from vexfs.api.context import CallContext
from vexfs.api.methods import messages, references
from vexfs.api.methods.defaults import PAGE_DEFAULT, SEARCH_LIMIT_DEFAULT
from vexfs.api.methods.filters import filter_of
from vexfs.api.registry import Handler
from vexfs.contract.v1 import common_pb2
from vexfs.contract.v1 import search_pb2 as pb
from vexfs.core import files, paths
from vexfs.core.errors import InvalidRequest, RevisionNotReached
from vexfs.core.search.types import DENSE, HYBRID, LEXICAL, Hit, SearchAnswer, TextSearch, VectorSearch
from vexfs.core.status import BEHIND, READY, REBUILDING, UNAVAILABLE, ViewStatus
from vexfs.core.types import Ino
from vexfs.store import dentries
from vexfs.store.reader import Reader

T = TypeVar("T")

_MODES = {
    pb.SEARCH_MODE_UNSPECIFIED: HYBRID,
    pb.SEARCH_MODE_HYBRID: HYBRID,
    pb.SEARCH_MODE_DENSE: DENSE,
    pb.SEARCH_MODE_LEXICAL: LEXICAL,
}
_MODE_NUMBERS = {DENSE: pb.SEARCH_MODE_DENSE, LEXICAL: pb.SEARCH_MODE_LEXICAL}
_STATES = {
    READY: common_pb2.VIEW_STATE_READY,
    BEHIND: common_pb2.VIEW_STATE_BEHIND,
    REBUILDING: common_pb2.VIEW_STATE_REBUILDING,
    UNAVAILABLE: common_pb2.VIEW_STATE_UNAVAILABLE,
}
_SLICE_SECONDS = 0.5
"""A wait is cut into pieces of this length, so that a caller that has gone is noticed."""
_SLICE_MIN_SECONDS = 0.05
"""What is left below this is not worth another piece, which might end too late to say why."""


async def search(context: CallContext, request: pb.SearchRequest) -> pb.SearchResponse:
    engine, volume = context.application.engine, context.application.volume

    def find(ref: common_pb2.FileRef) -> Ino:
        with volume.snapshot() as view:
            return references.find(view, ref).node.ino

    def run(deadline_s: float | None) -> pb.SearchResponse:
        asked = question(request, find)
        if isinstance(asked, TextSearch):
            return response_of(asked, engine.search(asked, min_revision=request.min_revision, deadline_s=deadline_s))
        return response_of(asked, engine.search_vectors(asked, min_revision=request.min_revision, deadline_s=deadline_s))

    return await reached(context, request.min_revision, run, outside=not request.vector_name)


def question(request: pb.SearchRequest, find: Callable[[common_pb2.FileRef], Ino]) -> TextSearch | VectorSearch:
    """What a request asks for; `find` says which file a reference names, and raises when none is.

    Raises InvalidRequest, InvalidFilter.
    """
    asked = _first_page(request, find)
    return asked._replace(after=messages.cursor(request.page_token, asked))


def _first_page(request: pb.SearchRequest, find: Callable[[common_pb2.FileRef], Ino]) -> TextSearch | VectorSearch:
    compiled = filter_of(request.filter) if request.HasField("filter") else None
    limit = request.limit or SEARCH_LIMIT_DEFAULT
    scope = find(request.scope) if request.HasField("scope") else None
    if not request.vector_name:
        return TextSearch(
            text=request.text,
            mode=_MODES[request.mode],
            limit=limit,
            scope=scope,
            filter=compiled,
            vector=request.vector.values if request.HasField("vector") else None,
            exact=request.exact,
            like=find(request.like) if request.HasField("like") else None,
            weights=(request.dense_weight or 1.0, request.lexical_weight or 1.0),
        )
    if scope is None or not request.HasField("vector"):
        raise InvalidRequest("vector_name goes with a vector, and with a scope that names the collection")
    return VectorSearch(
        collection=scope,
        vector=request.vector.values,
        vector_name=request.vector_name,
        limit=limit,
        filter=compiled,
        exact=request.exact,
    )


def response_of(asked: TextSearch | VectorSearch, answer: SearchAnswer) -> pb.SearchResponse:
    """An answer as the contract shows it."""
    return pb.SearchResponse(
        revision=answer.revision,
        hits=[_hit(hit) for hit in answer.hits],
        generation=answer.generation,
        exact=answer.exact,
        strategy=answer.strategy,
        partial=answer.partial,
        partial_reasons=answer.partial_reasons,
        pending=answer.pending,
        next_page_token=messages.cursor_token(answer.next, asked),
    )


async def wait_for_views(context: CallContext, request: pb.WaitForViewsRequest) -> pb.WaitForViewsResponse:
    engine = context.application.engine
    wanted = request.min_revision or context.application.volume.tail.head()

    def run(deadline_s: float | None) -> int:
        return engine.wait_for_views(wanted, deadline_s)

    revision = await reached(context, wanted, run)
    statuses = await context.run(engine.progress.views)
    return pb.WaitForViewsResponse(revision=revision, views=[view_position(status) for status in statuses])


async def list_skipped_files(context: CallContext, request: pb.ListSkippedFilesRequest) -> pb.ListSkippedFilesResponse:
    limit = request.page_size or PAGE_DEFAULT
    after = int.from_bytes(messages.page_position(request.page_token)[:8], "big")
    derived = context.application.derived

    def run(view: Reader, revision: int) -> pb.ListSkippedFilesResponse:
        del revision
        inside = _in_scope(view, request)
        response = pb.ListSkippedFilesResponse(revision=context.application.engine.progress.text_revision())
        position = after
        while page := derived.skipped(position, min(limit, PAGE_DEFAULT)):
            for state in page:
                position = state.ino
                path = paths.path_of(view, state.ino)
                if path is None or not inside(state.ino):
                    continue  # it has gone, and the indexer will see it
                if len(response.files) == limit:
                    response.next_page_token = messages.page_token(response.files[-1].file.id.to_bytes(8, "big"))
                    return response
                shown = messages.file(files.stat(view, state.ino), path)
                response.files.append(pb.SkippedFile(file=shown, reason=state.reason))
        return response

    return await context.read(run)


async def reached(context: CallContext, min_revision: int, run: Callable[[float | None], T], *, outside: bool = False) -> T:
    """Run a search that may wait for a revision: `run(deadline)`, again and again while the caller's deadline allows.

    `outside` says that it spends half its time outside the interpreter, as a question in words does. Raises RevisionNotReached
    at the caller's deadline, and what `run` raises.
    """
    end = context.deadline.waiting_until()
    carry: Callable[[Callable[[], T]], Awaitable[T]] = context.wait if min_revision else partial(context.run, outside=outside)
    while True:
        now = time.monotonic()
        until = now + _SLICE_SECONDS if end is None else min(end, now + _SLICE_SECONDS)
        try:
            return await carry(lambda until=until: run(until))  # type: ignore[misc]
        except RevisionNotReached as error:
            if end is not None and time.monotonic() >= end - _SLICE_MIN_SECONDS:
                raise error from None


def view_position(status: ViewStatus) -> common_pb2.ViewPosition:
    """Where a view is, as the contract shows it."""
    return common_pb2.ViewPosition(
        view=status.view,
        revision=status.revision,
        pending=status.pending,
        state=_STATES[status.state],
        generation=status.generation,
        put_off=status.put_off,
    )


def _in_scope(view: Reader, request: pb.ListSkippedFilesRequest) -> Callable[[Ino], bool]:
    if not request.HasField("scope"):
        return lambda _: True
    node = references.find(view, request.scope).node
    if not node.is_directory:
        return lambda ino: ino == node.ino
    directories = set(dentries.directories_below(view, node.ino))
    return lambda ino: any(parent in directories for parent, _ in dentries.names_of(view, ino))


def _hit(hit: Hit) -> pb.SearchHit:
    message = pb.SearchHit(
        file=messages.file(hit.node, hit.path),
        score=hit.score,
        matches=[
            pb.Match(mode=_MODE_NUMBERS[match.mode], rank=match.rank, score=match.score, terms=match.terms)
            for match in hit.matches
        ],
    )
    if hit.passage is not None:
        message.passage.text = hit.passage.text
        message.passage.start_byte = hit.passage.start_byte
        message.passage.end_byte = hit.passage.end_byte
        message.passage.start_line = hit.passage.start_line
        message.passage.end_line = hit.passage.end_line
    return message


HANDLERS: dict[str, Handler] = {
    "vexfs.v1.SearchService.Search": search,
    "vexfs.v1.SearchService.WaitForViews": wait_for_views,
    "vexfs.v1.SearchService.ListSkippedFiles": list_skipped_files,
}
