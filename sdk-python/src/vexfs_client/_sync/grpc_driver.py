"""The synchronous driver of gRPC: makes the attempts of a call over a grpc channel. Its twin is `_async/grpc_driver.py`.

May be used by many threads at the same time. Decides nothing: `_call.py` does.
"""

import threading
import time
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Any, Self

import grpc
from betterproto2 import Message

from vexfs_client import _channel
from vexfs_client._call import Call
from vexfs_client._errors import CancelledError
from vexfs_client._methods import Method, ResponseT
from vexfs_client._reading import Resumable
from vexfs_client._settings import Settings

from .transport import Transport, Upload


class GrpcDriver(Transport):
    """A channel and the stubs of the methods called so far."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stubs: dict[str, Any] = {}
        self._closed = False
        options = _channel.options()
        if settings.pem is None:
            self._channel = grpc.insecure_channel(settings.address, options)
        else:
            self._channel = grpc.secure_channel(settings.address, _channel.credentials(settings.pem), options)

    def close(self) -> None:
        self._closed = True
        self._channel.close()

    def unary(self, method: Method[ResponseT], request: Message, *, timeout: float | None, request_id: str = "") -> ResponseT:
        stub, data = self._stub(method, "unary_unary"), bytes(request)
        with Call(self._settings, method, timeout=timeout, request_id=request_id) as call:
            while True:
                try:
                    response: ResponseT = stub(data, timeout=call.begin(), metadata=call.headers)
                    return response
                except grpc.RpcError as error:
                    pause = call.failed(_channel.failure(error), error)
                except ValueError:  # what a closed channel raises
                    if self._closed:
                        raise CancelledError("the client was closed") from None
                    raise
                time.sleep(pause)

    def stream(self, method: Method[ResponseT], source: Resumable[ResponseT], *, timeout: float | None) -> Generator[ResponseT]:
        stub = self._stub(method, "unary_stream")
        with Call(self._settings, method, timeout=timeout, request_id="") as call:
            while True:
                rpc = stub(bytes(source.request()), timeout=call.begin(), metadata=call.headers)
                try:
                    for response in rpc:
                        source.received(response)
                        yield response
                    return
                except grpc.RpcError as error:
                    if source.complete:
                        return
                    pause = call.failed(_channel.failure(error), error)
                finally:
                    rpc.cancel()
                time.sleep(pause)

    def upload(self, method: Method[ResponseT], *, timeout: float | None, request_id: str) -> "Upload[ResponseT]":
        stub = self._stub(method, "stream_unary")
        call = Call(self._settings, method, timeout=timeout, request_id=request_id, once=True)
        slot = _Slot()
        rpc = stub.future(iter(slot), timeout=call.begin(), metadata=call.headers)
        rpc.add_done_callback(lambda _: slot.end())
        return _Upload(call, rpc, slot)

    def _stub(self, method: Method[Any], kind: str) -> Any:
        if self._closed:
            raise CancelledError("the client is closed")
        stub = self._stubs.get(method.path)
        if stub is None:
            make = getattr(self._channel, kind)
            stub = make(method.path, request_serializer=None, response_deserializer=method.response.parse)
            self._stubs[method.path] = stub
        return stub


class _Upload(Upload[ResponseT]):
    """A stream of requests on its call."""

    def __init__(self, call: Call, rpc: Any, slot: "_Slot") -> None:
        self._call = call
        self._rpc = rpc
        self._slot = slot

    def send(self, message: Message) -> None:
        if not self._slot.put(bytes(message)):
            self.finish()  # raises what the call ended with

    def finish(self) -> ResponseT:
        self._slot.end()
        try:
            response: ResponseT = self._rpc.result()
            return response
        except grpc.RpcError as error:
            self._call.failed(_channel.failure(error), error)  # raises: there is one attempt
            raise
        except grpc.FutureCancelledError:
            raise CancelledError("the call was cancelled") from None

    def __enter__(self) -> Self:
        self._call.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._rpc.cancel()  # does nothing once it has ended
        self._slot.end()
        self._call.__exit__(kind, error, trace)


class _Slot:
    """One message on its way from the caller's thread to gRPC's, which takes them from an iterator."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._message: bytes | None = None
        self._ended = False

    def put(self, message: bytes) -> bool:
        """Hand over a message once the one before was taken; False if nobody takes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._message is None or self._ended)
            if self._ended:
                return False
            self._message = message
            self._changed.notify_all()
            return True

    def end(self) -> None:
        """No more messages; the last one is still taken if the call goes on."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._message is not None or self._ended)
                message, self._message = self._message, None
                self._changed.notify_all()
            if message is None:
                return
            yield message
