"""The adapter's program: frames on standard input and output, one task a call, one client for each distinct connection."""

import asyncio
import json
import os
import platform
import struct
import sys
import traceback
from typing import Any, BinaryIO

from vexfs_client import (
    AlreadyExistsError,
    AsyncClient,
    CancelledError,
    DataLossError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    SettingsError,
    UnauthenticatedError,
    UnavailableError,
    VexfsError,
    __version__,
)

from . import threaded
from ._generated.vexfs.conformance import v1
from .calls import HANDLERS, Asked
from .requests import Unsupported
from .responses import UNREPORTED

KINDS = {
    "not_found": NotFoundError,
    "already_exists": AlreadyExistsError,
    "failed_precondition": FailedPreconditionError,
    "invalid_argument": InvalidArgumentError,
    "unauthenticated": UnauthenticatedError,
    "permission_denied": PermissionDeniedError,
    "resource_exhausted": ResourceExhaustedError,
    "unavailable": UnavailableError,
    "deadline_exceeded": DeadlineExceededError,
    "cancelled": CancelledError,
    "data_loss": DataLossError,
    "internal": InternalError,
}


class Adapter:
    """Answers calls; `sync` uses the synchronous client."""

    def __init__(self, output: BinaryIO, *, sync: bool) -> None:
        self._output = output
        self._sync = sync
        self._clients: dict[bytes, Any] = {}

    def hello(self) -> None:
        """Say who this is."""
        features = ["error_kinds"] if self._sync else ["cancel", "error_kinds"]
        hello = v1.Hello(
            name="python-sync" if self._sync else "python",
            version=__version__,
            language=f"{platform.python_implementation()} {platform.python_version()}",
            transports=["grpc", "rest"],
            features=features,
            unreported_fields=UNREPORTED,
        )
        self._send(v1.FromAdapter(hello=hello))

    async def answer(self, call: v1.Call) -> None:
        """Make one call and answer it."""
        try:
            result = await self._result(call)
        except SettingsError as error:
            result = v1.Result(settings_error=v1.SettingsError(setting=error.setting, message=str(error)))
        except VexfsError as error:
            result = v1.Result(sdk_error=_sdk_error(error))
        except Unsupported as error:
            result = v1.Result(unsupported=str(error))
        except Exception:
            result = v1.Result(adapter_fault=traceback.format_exc())
        result.id = call.id
        self._send(v1.FromAdapter(result=result))

    async def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            await client.aclose()

    async def _result(self, call: v1.Call) -> v1.Result:
        asked = Asked(
            [json.loads(request) for request in call.requests],
            None if call.timeout_ms is None else call.timeout_ms / 1000,
            call.paging == v1.Paging.ONE_PAGE,
            call.take,
            call.hits_page_size,
        )
        client = self._client(call.connection or v1.Connection())
        task = asyncio.ensure_future(HANDLERS[call.method.rpartition("/")[2]](client, asked))
        if call.cancel_after_ms is not None:
            asyncio.get_running_loop().call_later(call.cancel_after_ms / 1000, task.cancel)
        try:
            messages = await task
        except asyncio.CancelledError:
            return v1.Result(sdk_error=v1.SdkError(code="CANCELLED", message="the task was cancelled", kinds=["cancelled"]))
        return v1.Result(response=v1.Response(messages=[json.dumps(message) for message in messages]))

    def _client(self, connection: v1.Connection) -> Any:
        key = bytes(connection)
        if key not in self._clients:
            names = ("transport", "address", "url", "token", "tls", "tls_ca", "tls_client_cert", "tls_client_key")
            given = {name: getattr(connection, name) for name in names if getattr(connection, name) is not None}
            if connection.max_attempts is not None:
                given["max_attempts"] = connection.max_attempts
            if connection.timeout_ms is not None:
                given["timeout"] = connection.timeout_ms / 1000
            self._clients[key] = threaded.client(**given) if self._sync else AsyncClient(**given)
        return self._clients[key]

    def _send(self, message: v1.FromAdapter) -> None:
        data = bytes(message)
        self._output.write(struct.pack(">I", len(data)) + data)
        self._output.flush()


def _sdk_error(error: VexfsError) -> v1.SdkError:
    return v1.SdkError(
        code=error.code,
        reason=error.reason,
        message=error.message,
        metadata=dict(error.metadata),
        request_id=error.request_id,
        retryable=error.retryable,
        attempts=error.attempts,
        kinds=[name for name, kind in KINDS.items() if isinstance(error, kind)],
    )


def _frame(source: BinaryIO) -> bytes | None:
    head = source.read(4)
    return source.read(struct.unpack(">I", head)[0]) if len(head) == 4 else None


async def serve(source: BinaryIO, output: BinaryIO, *, sync: bool) -> None:
    """Answer calls until the input ends, and finish what was begun."""
    adapter = Adapter(output, sync=sync)
    adapter.hello()
    tasks: set[asyncio.Task[None]] = set()
    while (frame := await asyncio.to_thread(_frame, source)) is not None:
        task = asyncio.create_task(adapter.answer(v1.Call.parse(frame)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    await adapter.close()


def main() -> None:
    """Keep standard output for frames: what else is printed goes to standard error."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asyncio.run(serve(sys.stdin.buffer, output, sync="--sync" in sys.argv[1:]))


if __name__ == "__main__":
    main()
