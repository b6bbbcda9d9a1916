"""The one way from a surface to a handler.

Every call of every surface passes here: origin and token, deadline, the contract's rules, `min_revision`, the request
id, the handler, the hook that counts and times, and the translation of whatever went wrong. A surface parses bytes
before and writes bytes after; it decides nothing. Runs on the event loop.
"""

import asyncio
import contextlib
import hashlib
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from google.protobuf.message import Message

from vexfs.api.context import CallContext, Caller, Deadline
from vexfs.api.errors import translate
from vexfs.api.limits import CALLS_MAX
from vexfs.api.registry import Method
from vexfs.api.request_memory import Hold
from vexfs.api.validation import validate
from vexfs.contract.descriptors import Permission
from vexfs.core.errors import PermissionDenied, QueueFull
from vexfs.observability.hook import NOTHING_NOTED, Observation, slow_threshold_seconds

if TYPE_CHECKING:
    from vexfs.api.application import Application

UNARY_TIMEOUT_DEFAULT_SECONDS = 60.0
"""The deadline of a unary call whose caller set none. Streams have none then: their length is the caller's business."""

ROOM_PAUSE_SECONDS = 0.05
"""How long a message of a stream waits before it asks for room again."""

Load = Callable[[Hold], Message | Awaitable[Message]]
"""Gives the request message, or has it read, and counts its bytes.

Raises a domain error when the bytes are none, or too many now.
"""


class Dispatcher:
    """Carries calls to the handlers of one application."""

    def __init__(self, application: "Application") -> None:
        self._application = application
        self._slow_seconds = slow_threshold_seconds()
        self.running = 0
        """Calls that are answered now."""

    def admit(self, caller: Caller) -> frozenset[Permission]:
        """What the caller may do. Raises ForeignOrigin or Unauthenticated unless it may speak to this server at all."""
        self.admit_origin(caller)
        return self._application.tokens.permissions_of(caller.authorization)

    def admit_origin(self, caller: Caller) -> None:
        """Raise ForeignOrigin for a caller of another site; for the few pages that need no token."""
        self._application.origins.check(caller.host, caller.origin)

    async def unary(self, method: Method, caller: Caller, load: Load) -> Message:
        """One request, one response. Raises VexfsError only (and CancelledError)."""
        noted: dict[str, int] = {}
        with _Call(self, method, caller, self._slow_seconds, noted) as held:
            timeout = UNARY_TIMEOUT_DEFAULT_SECONDS if caller.timeout_seconds is None else caller.timeout_seconds
            context = self._context(method, caller, timeout)
            context.noted = noted
            loaded = load(held)
            if isinstance(loaded, Message) and method.at_once is not None:
                # This way waits for the loop's next turn and for nothing else, so it needs no timer.
                validate(loaded)
                if (response := await _at_once(context, loaded)) is not None:
                    return response
            async with asyncio.timeout(context.deadline.remaining_seconds()):
                request = loaded if isinstance(loaded, Message) else await loaded
                await self._prepare(context, request)
                if request is not loaded and (response := await _at_once(context, request)) is not None:
                    return response
                return cast(Message, await method.handler(context, request))

    async def stream(self, method: Method, caller: Caller, load: Load) -> AsyncGenerator[Message]:
        """One request, many responses. Raises VexfsError only, possibly after some responses."""
        with _Call(self, method, caller, math.inf) as held:
            context = self._context(method, caller, caller.timeout_seconds)
            responses = method.handler(context, await self._load(context, load, held))
            async with contextlib.aclosing(responses):
                while True:
                    # The timeout is taken anew for every message: it must not hold while the consumer has the turn.
                    async with asyncio.timeout(context.deadline.remaining_seconds()):
                        try:
                            response = await anext(responses)
                        except StopAsyncIteration:
                            return
                    yield response

    async def collect(self, method: Method, caller: Caller, requests: Callable[[], AsyncGenerator[Message]]) -> Message:
        """Many requests, one response. The first request carries what the call is about: its revision and request id count."""
        with _Call(self, method, caller, math.inf) as held:
            context = self._context(method, caller, caller.timeout_seconds)
            async with asyncio.timeout(context.deadline.remaining_seconds()), contextlib.aclosing(requests()) as incoming:
                return cast(Message, await method.handler(context, self._checked(context, incoming, held)))

    def hold(self) -> Hold:
        """What one call has of the memory for requests."""
        return self._application.request_memory.hold()

    def _context(self, method: Method, caller: Caller, timeout_seconds: float | None) -> CallContext:
        permissions = self.admit(caller)
        if method.contract.permission not in permissions:
            raise PermissionDenied(f"{method.name} needs the permission to {method.contract.permission}")
        return CallContext(self._application, method, caller, Deadline(timeout_seconds))

    async def _load(self, context: CallContext, load: Load, held: Hold) -> Message:
        async with asyncio.timeout(context.deadline.remaining_seconds()):
            loaded = load(held)
            request = loaded if isinstance(loaded, Message) else await loaded
        await self._prepare(context, request)
        return request

    async def _prepare(self, context: CallContext, request: Message) -> None:
        validate(request)
        fields = cast(Any, request)
        method = context.method
        if method.has_request_id and fields.request_id:
            context.request_id = fields.request_id
            context.request_digest = digest_of(method, request)
        if method.has_min_revision and fields.min_revision:
            await self._application.revisions.wait(fields.min_revision, context.deadline)

    async def _checked(self, context: CallContext, requests: AsyncIterator[Message], held: Hold) -> AsyncIterator[Message]:
        first = True
        async for request in requests:
            await _make_room(held, request.ByteSize())
            if first:
                await self._prepare(context, request)
                first = False
            else:
                validate(request)
            yield request
            held.give_back()  # before the next one: a caller may take its time for that


async def _at_once(context: CallContext, request: Message) -> Message | None:
    """The response of a method that can answer on the event loop, or None: then it is for the handler."""
    at_once = context.method.at_once
    promised = None if at_once is None else at_once(context, request)
    return None if promised is None else cast(Message | None, await promised)


class _Call:
    """Around a whole call: its place among those that run, its memory, its translated error, and what is counted."""

    __slots__ = ("_dispatcher", "_held", "_method", "_observation")

    def __init__(
        self,
        dispatcher: Dispatcher,
        method: Method,
        caller: Caller,
        slow_seconds: float,
        noted: Mapping[str, int] = NOTHING_NOTED,
    ) -> None:
        self._dispatcher = dispatcher
        self._method = method
        self._observation = Observation(caller.surface, method.name, slow_seconds=slow_seconds, caller=caller.peer, noted=noted)

    def __enter__(self) -> Hold:
        self._observation.__enter__()
        if self._dispatcher.running >= CALLS_MAX:
            error = QueueFull(f"{CALLS_MAX} calls are running: try again in a moment")
            self._observation.__exit__(QueueFull, error, None)
            raise error
        self._dispatcher.running += 1
        self._held = self._dispatcher.hold()
        return self._held

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._dispatcher.running -= 1
        self._held.give_back()
        if not isinstance(error, Exception):
            self._observation.__exit__(kind, error, trace)
            return
        translated = translate(error, self._method.name)
        self._observation.__exit__(type(translated), translated, trace)
        raise translated from error


async def _make_room(held: Hold, size_bytes: int) -> None:
    """Wait until a message of a stream fits beside the requests of others; nothing more of the stream is read meanwhile."""
    while True:
        with contextlib.suppress(QueueFull):
            held.grow_to(size_bytes)
            return
        await asyncio.sleep(ROOM_PAUSE_SECONDS)


def digest_of(method: Method, request: Message) -> bytes:
    """What makes two requests the same: the method and every field but the request id itself and `min_revision`."""
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("request_id")
    if method.has_min_revision:
        bare.ClearField("min_revision")
    return hashlib.blake2b(
        method.full_name.encode() + b"\0" + bare.SerializeToString(deterministic=True), digest_size=32
    ).digest()
