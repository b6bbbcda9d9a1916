"""UpsertPointsStream: points of any number, put as they come.

A message is checked and put before the next one is read, so who sends waits for the store, and a call has one message in
memory. Transactions before the last do not wait for the disk; the last one, which answers, makes all of them durable. Runs on
the event loop; never puts what comes behind a point that is refused.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence

from vexfs.api.context import CallContext
from vexfs.api.errors import MalformedRequest
from vexfs.api.methods.points import check
from vexfs.api.registry import Handler
from vexfs.contract.v1 import points_pb2 as pb
from vexfs.contract.v1.common_pb2 import FileRef
from vexfs.core import points
from vexfs.core.errors import QueueFull, VexfsError
from vexfs.core.points import PointInput
from vexfs.core.types import Collection
from vexfs.store.writer import Transaction

PAUSE_SECONDS = 0.1
"""How long a stream waits before it tries again where writes of others fill the queue."""


async def upsert_points_stream(
    context: CallContext, requests: AsyncIterator[pb.UpsertPointsStreamRequest]
) -> pb.UpsertPointsStreamResponse:
    first = await anext(requests, None)
    if first is None or not first.HasField("collection"):
        raise MalformedRequest("the first message of the stream names the collection")
    stream = _Stream(context, first.collection)
    await stream.begin(first.points)
    async for request in requests:
        if request.HasField("collection") or request.request_id:
            raise MalformedRequest("only the first message of the stream names the collection and has a request id")
        await stream.go_on(request)
    return await stream.end()


class _Stream:
    """One call: what it is about, and how many of its points are put."""

    def __init__(self, context: CallContext, ref: FileRef) -> None:
        self._context = context
        self._ref = ref
        self._sum = hashlib.blake2b(context.request_digest, digest_size=32) if context.request_id else None
        self._answered = False
        self._upserted = 0

    async def begin(self, inputs: Sequence[pb.PointInput]) -> None:
        # What was answered before is not put again; whether it is the same stream is known at its end.
        self._answered = await self._context.answered()
        await self._put(inputs)

    async def go_on(self, request: pb.UpsertPointsStreamRequest) -> None:
        if self._sum is not None:
            self._sum.update(request.SerializeToString(deterministic=True))
        await self._put(request.points)

    async def end(self) -> pb.UpsertPointsStreamResponse:
        if self._sum is not None:
            self._context.request_digest = self._sum.digest()  # the same request is one with the same points

        def finish(txn: Transaction) -> pb.UpsertPointsStreamResponse:
            return pb.UpsertPointsStreamResponse(revision=txn.revision, upserted=self._upserted)

        with self._telling():
            return await self._context.write(pb.UpsertPointsStreamResponse, finish)

    async def _put(self, inputs: Sequence[pb.PointInput]) -> None:
        if self._answered:
            return
        with self._telling():
            for run in _runs(inputs):
                await self._put_run(run)

    async def _put_run(self, run: Sequence[pb.PointInput]) -> None:
        incoming = await self._context.read(lambda view, _: check(self._context, view, self._ref, run))
        for batch in points.batches(incoming.items):
            await self._put_batch(incoming.collection, batch)
            self._upserted += len(batch)

    async def _put_batch(self, collection: Collection, batch: Sequence[PointInput]) -> None:
        while True:
            self._context.deadline.check()
            with contextlib.suppress(QueueFull):  # nothing more of the stream is read meanwhile
                await self._context.step(lambda txn: points.upsert(txn, collection, batch))
                return
            await asyncio.sleep(PAUSE_SECONDS)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """A domain error says how many points are put."""
        try:
            yield
        except VexfsError as error:
            error.details["upserted"] = str(self._upserted)
            raise


def _runs(inputs: Sequence[pb.PointInput]) -> Iterator[list[pb.PointInput]]:
    """The points of a message, parted where an id comes again: how they were packed makes no difference to a stream.

    At least one run, so that who names no collection learns it at once.
    """
    run: dict[str, pb.PointInput] = {}
    for point in inputs:
        if point.id in run:
            yield [*run.values()]
            run = {}
        run[point.id] = point
    yield [*run.values()]


HANDLERS: dict[str, Handler] = {"vexfs.v1.PointsService.UpsertPointsStream": upsert_points_stream}
