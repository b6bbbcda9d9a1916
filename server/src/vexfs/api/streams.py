"""Streams of requests over gRPC. Has the caller ended this one, or is it broken?

Used by the gRPC surface and by the forwarding of replicas, on the event loop. No state.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import grpc.aio  # type: ignore[import-untyped]
from grpc._cython.cygrpc import ExecuteBatchError  # type: ignore[import-untyped]


async def whole(stream: AsyncIterator[bytes], context: Any) -> AsyncGenerator[bytes]:
    """The messages of a stream, which ends only if the caller has ended it. Raises CancelledError for one that breaks.

    grpc.aio tells of a broken stream in two steps: the messages end, as if the caller had ended them, and then the call is
    cancelled. Who believed the first would take half of a file for a whole one. What is broken cannot be answered any more,
    though, so beginning the answer shows which it is. What was begun is brought to its end even when it is cancelled: a call
    that is refused while its beginning is being sent could not be told so.
    """
    async for data in stream:
        yield data
    beginning = asyncio.ensure_future(context.send_initial_metadata(()))
    try:
        await asyncio.shield(beginning)
    except asyncio.CancelledError:
        await asyncio.wait({beginning})
        beginning.exception()
        raise
    except (ExecuteBatchError, grpc.aio.BaseError, asyncio.InvalidStateError) as error:
        raise asyncio.CancelledError from error
