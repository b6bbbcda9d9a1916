"""The generated gRPC stubs call the methods that the descriptors name, over a real channel."""

import pickle
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest

from vexfs.contract.descriptors import methods
from vexfs.contract.v1 import common_pb2, content_pb2, files_pb2, files_pb2_grpc


class Files(files_pb2_grpc.FilesServiceServicer):
    """Answers what it was asked."""

    def StatFile(self, request: files_pb2.StatFileRequest, context: grpc.ServicerContext) -> files_pb2.StatFileResponse:
        del context
        return files_pb2.StatFileResponse(revision=7, file=common_pb2.File(path=request.file.path))

    def ReadFile(
        self, request: content_pb2.ReadFileRequest, context: grpc.ServicerContext
    ) -> Iterator[content_pb2.ReadFileResponse]:
        del context
        for offset in range(request.offset, request.offset + 3):
            yield content_pb2.ReadFileResponse(revision=7, offset=offset)

    def WriteFile(
        self, request_iterator: Iterator[content_pb2.WriteFileRequest], context: grpc.ServicerContext
    ) -> content_pb2.WriteFileResponse:
        del context
        header, *rest = request_iterator
        size = sum(len(part.data) for part in rest)
        return content_pb2.WriteFileResponse(file=common_pb2.File(path=header.header.file.path, size_bytes=size))


@pytest.fixture
def stub() -> Iterator[files_pb2_grpc.FilesServiceStub]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    files_pb2_grpc.add_FilesServiceServicer_to_server(Files(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield files_pb2_grpc.FilesServiceStub(channel)
    server.stop(None).wait()


def test_a_call_and_both_streams(stub: files_pb2_grpc.FilesServiceStub) -> None:
    answer = stub.StatFile(files_pb2.StatFileRequest(file=common_pb2.FileRef(path="/a")), timeout=10)
    assert (answer.revision, answer.file.path) == (7, "/a")
    request = content_pb2.ReadFileRequest(file=common_pb2.FileRef(path="/a"), offset=40)
    assert [part.offset for part in stub.ReadFile(request, timeout=10)] == [40, 41, 42]
    header = content_pb2.WriteFileHeader(file=common_pb2.FileRef(path="/b"))
    parts = [content_pb2.WriteFileRequest(header=header), *(content_pb2.WriteFileRequest(data=b"12") for _ in range(3))]
    written = stub.WriteFile(iter(parts), timeout=10)
    assert (written.file.path, written.file.size_bytes) == ("/b", 6)


def test_a_method_nobody_implements_says_so(stub: files_pb2_grpc.FilesServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as error:
        stub.MoveFile(files_pb2.MoveFileRequest(), timeout=10)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_stub_has_every_method_of_the_service() -> None:
    with grpc.insecure_channel("127.0.0.1:1") as channel:
        stub = files_pb2_grpc.FilesServiceStub(channel)
        for method in methods([files_pb2.DESCRIPTOR]):
            assert callable(getattr(stub, method.name))


def test_messages_know_the_module_they_live_in() -> None:
    request = files_pb2.StatFileRequest(file=common_pb2.FileRef(path="/a"))
    assert type(request).__module__ == "vexfs.contract.v1.files_pb2"
    assert pickle.loads(pickle.dumps(request)) == request


def test_what_is_not_set_can_be_told_from_zero() -> None:
    from vexfs.contract.v1 import attributes_pb2

    request = attributes_pb2.SetAttributesRequest(mode=0)
    present = [name for name in ("mode", "uid", "gid", "size_bytes", "atime", "mtime") if request.HasField(name)]
    assert present == ["mode"]
