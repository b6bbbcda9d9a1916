"""The server that answers as a script says over HTTP: REST's form of `faulty.py`, and answers that are no REST at all."""

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import h11
from betterproto2 import Message

from .faulty import Failure, Received, Scripted, Seen, as_json

STATUS = {"UNAVAILABLE": 503, "RESOURCE_EXHAUSTED": 429, "NOT_FOUND": 404, "FAILED_PRECONDITION": 409, "DEADLINE_EXCEEDED": 504}


@dataclass
class Raw:
    """An answer as it stands; with `cut`, the connection is closed behind it although more was announced."""

    status: int = 200
    body: bytes = b""
    cut: bool = False
    headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Early:
    """A failure that is answered when the head of the request has come; the body is never read."""

    failure: Failure


class FaultyHttpServer(Scripted):
    """Listens on a free port of this machine, in an event loop of its own."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(*answers)
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @property
    def reach(self) -> dict[str, Any]:
        return {"transport": "rest", "url": f"http://127.0.0.1:{self.port}"}

    def __enter__(self) -> "FaultyHttpServer":
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20), self._loop
        ).result(30)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)  # for the connections that were closed by this

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            connection = _Connection(self, reader, writer)
            while await connection.answer_one():
                pass
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            return
        finally:
            writer.transport.abort()


class _Connection:
    """The requests of one connection, one after another."""

    def __init__(self, server: FaultyHttpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def answer_one(self) -> bool:
        """Read a request and answer it; whether there may be another."""
        head = await self._event()
        if not isinstance(head, h11.Request):
            return False
        answers, seen = self._server, self._seen(head)
        upcoming = answers.answers[min(len(answers.seen) + 1, len(answers.answers)) - 1]
        if isinstance(upcoming, Early):
            answers.note(seen)
            await self._send(503, as_json(upcoming.failure.body(503)))
            await asyncio.sleep(3600)  # until the server ends: the client may write on, into nothing
        body = b""
        while isinstance(event := await self._event(), h11.Data):
            body += bytes(event.data)
        first, *rest = [json.loads(line) for line in body.splitlines()] or [self._query(head)]
        seen.request = Received(first)
        answer = answers.note(seen)
        if not isinstance(answer, Failure):
            answers.received.extend(map(Received, rest))
        left = asyncio.create_task(self._watch(seen))
        try:
            await self._play(answer, seen)
        finally:
            left.cancel()
            await asyncio.wait((left,))  # one coroutine at a time reads
        seen.ended.set()
        self._http.start_next_cycle()
        return True

    async def _event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(65536))
        return event

    def _seen(self, head: h11.Request) -> Seen:
        headers = {name.decode(): value.decode() for name, value in head.headers}
        timeout = headers.get("grpc-timeout")
        remaining = float(timeout[:-1]) * {"m": 0.001, "S": 1.0}[timeout[-1]] if timeout else None
        path = head.target.decode().partition("?")[0]
        return Seen(path, Received({}), {**headers}, remaining)

    def _query(self, head: h11.Request) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for name, text in parse_qsl(head.target.decode().partition("?")[2], keep_blank_values=True):
            *outer, last = name.split(".")
            holder = value
            for part in outer:
                holder = holder.setdefault(part, {})
            holder[last] = text
        return value

    async def _watch(self, seen: Seen) -> None:
        """Note when the client leaves while it is answered."""
        if not await self._reader.read(1):
            seen.ended.set()

    async def _play(self, answer: Any, seen: Seen) -> None:
        match answer:
            case list():
                await self._stream(answer)
            case Failure():
                status = STATUS.get(answer.code.name, 500)
                await self._send(status, as_json(answer.body(status)))
            case Raw():
                await self._send(answer.status, answer.body, answer)
            case Message():
                await self._send(200, as_json(answer))
            case _:
                message = await asyncio.get_running_loop().run_in_executor(None, answer)
                if seen.path.endswith("files:read"):
                    await self._stream([message])
                else:
                    await self._send(200, as_json(message))

    async def _send(self, status: int, body: bytes, raw: Raw | None = None) -> None:
        length = len(body) + (1 if raw is not None and raw.cut else 0)
        headers = [("content-length", str(length)), *(raw.headers if raw is not None else [])]
        self._write(h11.Response(status_code=status, headers=headers))
        self._write(h11.Data(data=body))
        if raw is not None and raw.cut:
            await self._writer.drain()
            raise ConnectionAbortedError
        self._write(h11.EndOfMessage())
        await self._writer.drain()

    async def _stream(self, answers: list[Any]) -> None:
        """Lines of JSON; a failure is the last one, unless it comes first."""
        if answers and isinstance(answers[0], Failure):
            await self._play(answers[0], Seen("", Received({}), {}, None))
            return
        self._write(h11.Response(status_code=200, headers=[("content-type", "application/x-ndjson")]))
        for answer in answers:
            if isinstance(answer, Raw):
                self._write(h11.Data(data=answer.body))
                if answer.cut:
                    await self._writer.drain()
                    raise ConnectionAbortedError
                continue
            value = answer.body(503) if isinstance(answer, Failure) else answer
            if callable(answer):
                await self._writer.drain()
                value = await asyncio.get_running_loop().run_in_executor(None, answer)
            self._write(h11.Data(data=as_json(value) + b"\n"))
        self._write(h11.EndOfMessage())
        await self._writer.drain()

    def _write(self, event: Any) -> None:
        self._writer.write(self._http.send(event) or b"")
