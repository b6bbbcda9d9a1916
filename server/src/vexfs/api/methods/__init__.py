"""One module a part of the contract: messages to core operations and back.

A handler is `async def stat_file(context, request) -> response`, registered by the full name of its method; it names no
surface and knows no bytes. `HANDLERS` is all of them.
"""

from vexfs.api.methods import (
    attributes,
    batches,
    collections,
    content,
    files,
    links,
    points,
    points_stream,
    queries,
    search,
    server,
)
from vexfs.api.registry import Handler, TwoWays

HANDLERS: dict[str, Handler | TwoWays] = {
    **files.HANDLERS,
    **content.HANDLERS,
    **links.HANDLERS,
    **attributes.HANDLERS,
    **collections.HANDLERS,
    **points.HANDLERS,
    **points_stream.HANDLERS,
    **queries.HANDLERS,
    **search.HANDLERS,
    **batches.HANDLERS,
    **server.HANDLERS,
}
