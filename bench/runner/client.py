"""A small synchronous gRPC client of VexFS for the benchmarks: set up, search, wait. One channel, any thread.

Its calls raise grpc.RpcError as they are; a benchmark ends at the first one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import grpc  # type: ignore[import-untyped]

from bench.runner.systems import Server
from vexfs.contract.v1 import common_pb2, content_pb2, files_pb2, search_pb2, server_pb2

_FILES, _SEARCH, _SERVER = "/vexfs.v1.FilesService/", "/vexfs.v1.SearchService/", "/vexfs.v1.ServerService/"
CALL_TIMEOUT_S = 30.0


class Client:
    """One connection to a running server."""

    def __init__(self, server: Server) -> None:
        self._channel = grpc.insecure_channel(server.grpc)
        self._metadata = (("authorization", f"Bearer {server.token}"),)
        self._make_directory = self._method(_FILES + "MakeDirectory", files_pb2.MakeDirectoryResponse)
        self._put = self._method(_FILES + "PutContent", content_pb2.PutContentResponse)
        self._get = self._method(_FILES + "GetContent", content_pb2.GetContentResponse)
        self._search = self._method(_SEARCH + "Search", search_pb2.SearchResponse)
        self._wait = self._method(_SEARCH + "WaitForViews", search_pb2.WaitForViewsResponse)
        self._info = self._method(_SERVER + "GetServerInfo", server_pb2.GetServerInfoResponse)

    def _method(self, path: str, response: Any) -> Any:
        method = self._channel.unary_unary(
            path, request_serializer=lambda message: message.SerializeToString(), response_deserializer=response.FromString
        )

        def call(request: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
            return method(request, metadata=self._metadata, timeout=timeout_s)

        return call

    def make_directory(self, path: str) -> None:
        self._make_directory(files_pb2.MakeDirectoryRequest(directory=_file(path), make_parents=True))

    def put(self, path: str, content: bytes) -> None:
        self._put(content_pb2.PutContentRequest(file=_file(path), data=content))

    def get(self, path: str) -> bytes:
        content: bytes = self._get(content_pb2.GetContentRequest(file=_file(path))).data
        return content

    def search(
        self, text: str, *, mode: search_pb2.SearchMode.ValueType = search_pb2.SEARCH_MODE_HYBRID
    ) -> search_pb2.SearchResponse:
        response: search_pb2.SearchResponse = self._search(search_pb2.SearchRequest(text=text, limit=10, mode=mode))
        return response

    def info(self) -> server_pb2.GetServerInfoResponse:
        response: server_pb2.GetServerInfoResponse = self._info(server_pb2.GetServerInfoRequest())
        return response

    def wait_for_views(self, timeout_s: float) -> None:
        """Returns when everything stored can be found; grpc.RpcError at the timeout."""
        self._wait(search_pb2.WaitForViewsRequest(), timeout_s)

    def close(self) -> None:
        self._channel.close()


@contextlib.contextmanager
def connected(server: Server) -> Iterator[Client]:
    client = Client(server)
    try:
        yield client
    finally:
        client.close()


def _file(path: str) -> common_pb2.FileRef:
    return common_pb2.FileRef(path=path)
