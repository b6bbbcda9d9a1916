"""What a load generator speaks: VexFS over gRPC, REST and Connect, and the echo server over them. One object is one connection.

Every operation names a file by a number and raises when it fails, so that nothing failed is counted as done. asyncio.
"""

from __future__ import annotations

from typing import Any, Protocol

import aiohttp
import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]

from bench.clients.echo import METHOD as ECHO_METHOD
from vexfs.contract.v1 import common_pb2, content_pb2, files_pb2

CONTENT_BYTES = 1024
_SERVICE = "/vexfs.v1.FilesService/"
_OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


def content_of(index: int) -> bytes:
    """1 KiB of text that no other file has."""
    line = f"file {index} of a benchmark run, with words of its own: {index * 2654435761 % 2**32:x}\n".encode()
    return (line * (CONTENT_BYTES // len(line) + 1))[:CONTENT_BYTES]


def name_of(index: int) -> str:
    return f"f{index:07d}.txt"


class Connection(Protocol):
    async def put(self, index: int) -> None: ...
    async def get(self, index: int) -> None: ...
    async def stat(self, index: int) -> None: ...
    async def echo(self, index: int) -> None: ...
    async def close(self) -> None: ...


class GrpcConnection:
    """`address` is host:port; files are in the directory `folder` of the volume."""

    def __init__(self, address: str, token: str, folder: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=_OWN_CONNECTION)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._folder = folder
        self._put = self._method(_SERVICE + "PutContent", content_pb2.PutContentResponse.FromString)
        self._get = self._method(_SERVICE + "GetContent", content_pb2.GetContentResponse.FromString)
        self._stat = self._method(_SERVICE + "StatFile", files_pb2.StatFileResponse.FromString)
        self._echo = self._channel.unary_unary(ECHO_METHOD)

    def _method(self, path: str, parse: Any) -> Any:
        return self._channel.unary_unary(
            path, request_serializer=lambda message: message.SerializeToString(), response_deserializer=parse
        )

    def _file(self, index: int) -> common_pb2.FileRef:
        return common_pb2.FileRef(path=f"{self._folder}/{name_of(index)}")

    async def put(self, index: int) -> None:
        await self._put(content_pb2.PutContentRequest(file=self._file(index), data=content_of(index)), metadata=self._metadata)

    async def get(self, index: int) -> None:
        response = await self._get(content_pb2.GetContentRequest(file=self._file(index)), metadata=self._metadata)
        _check(response.data, index)

    async def stat(self, index: int) -> None:
        await self._stat(files_pb2.StatFileRequest(file=self._file(index)), metadata=self._metadata)

    async def echo(self, index: int) -> None:
        _check(await self._echo(content_of(index)), index)

    async def close(self) -> None:
        await self._channel.close()


class RestConnection:
    """`address` is http://host:port. Content travels as raw bytes."""

    def __init__(self, address: str, token: str, folder: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session = aiohttp.ClientSession(address, headers=headers, connector=aiohttp.TCPConnector(limit=1))
        self._folder = folder

    async def put(self, index: int) -> None:
        await self._send("PUT", f"/v1/content{self._folder}/{name_of(index)}", data=content_of(index))

    async def get(self, index: int) -> None:
        _check(await self._send("GET", f"/v1/content{self._folder}/{name_of(index)}"), index)

    async def stat(self, index: int) -> None:
        await self._send("GET", "/v1/files:stat", params={"file.path": f"{self._folder}/{name_of(index)}"})

    async def echo(self, index: int) -> None:
        _check(await self._send("PUT", "/echo", data=content_of(index)), index)

    async def _send(self, verb: str, path: str, **arguments: Any) -> bytes:
        async with self._session.request(verb, path, **arguments) as response:
            body = await response.read()
            if response.status >= 300:
                raise RuntimeError(f"{verb} {path}: {response.status} {body[:500]!r}")
            return body

    async def close(self) -> None:
        await self._session.close()


class ConnectConnection:
    """`address` is http://host:port. The same messages as over gRPC, in binary, as bodies of HTTP requests."""

    def __init__(self, address: str, token: str, folder: str) -> None:
        headers = {"Content-Type": "application/proto", "Connect-Protocol-Version": "1"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._session = aiohttp.ClientSession(address, headers=headers, connector=aiohttp.TCPConnector(limit=1))
        self._folder = folder

    def _file(self, index: int) -> common_pb2.FileRef:
        return common_pb2.FileRef(path=f"{self._folder}/{name_of(index)}")

    async def put(self, index: int) -> None:
        request = content_pb2.PutContentRequest(file=self._file(index), data=content_of(index))
        content_pb2.PutContentResponse.FromString(await self._call("PutContent", request.SerializeToString()))

    async def get(self, index: int) -> None:
        request = content_pb2.GetContentRequest(file=self._file(index))
        answer = await self._call("GetContent", request.SerializeToString())
        _check(content_pb2.GetContentResponse.FromString(answer).data, index)

    async def stat(self, index: int) -> None:
        request = files_pb2.StatFileRequest(file=self._file(index))
        files_pb2.StatFileResponse.FromString(await self._call("StatFile", request.SerializeToString()))

    async def echo(self, index: int) -> None:
        _check(await self._send("PUT", "/echo", content_of(index)), index)

    async def _call(self, method: str, body: bytes) -> bytes:
        return await self._send("POST", _SERVICE + method, body)

    async def _send(self, verb: str, path: str, body: bytes) -> bytes:
        async with self._session.request(verb, path, data=body) as response:
            answer = await response.read()
            if response.status != 200:
                raise RuntimeError(f"{path}: {response.status} {answer[:500]!r}")
            return answer

    async def close(self) -> None:
        await self._session.close()


def _check(content: bytes, index: int) -> None:
    if content != content_of(index):
        raise RuntimeError(f"file {index} came back with other bytes")
