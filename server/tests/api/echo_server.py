"""A real API process that serves the tests' own contract: `python echo_server.py --data DIR …`, the options of `vexfs.api`.

The surfaces have no line of code for these methods: what they do here they do for any method of the contract.
"""

import asyncio
import builtins
import sys
import tempfile
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

from vexfs.api.__main__ import settings_from
from vexfs.api.context import CallContext
from vexfs.api.server import run
from vexfs.contract import descriptors
from vexfs.core import errors, files
from vexfs.core.types import ROOT_INO
from vexfs.observability import logs

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
SERVICE = "vexfs.test.v1.EchoService"


def load_contract() -> None:
    """Compile echo.proto and make its messages known to this process, beside the real contract, which it imports."""
    assert descriptors.CONTRACT
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "echo.binpb"
        includes = [HERE / "protos", REPOSITORY / "third_party", REPOSITORY / "proto", resources.files("grpc_tools") / "_proto"]
        options = [f"-I{include}" for include in includes]
        code = protoc.main(["protoc", *options, "--include_imports", f"--descriptor_set_out={out}", "vexfs/test/v1/echo.proto"])
        if code != 0:
            raise RuntimeError("echo.proto does not compile")
        compiled = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.Default()
    for file in compiled.file:
        try:
            pool.FindFileByName(file.name)
        except KeyError:
            pool.Add(file)


def message(name: str) -> Any:
    """A message class of the tests' contract."""
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(f"vexfs.test.v1.{name}"))


async def echo(context: CallContext, request: Any) -> Any:
    del context
    return message("EchoResponse")(request=request)


async def count(context: CallContext, request: Any) -> AsyncIterator[Any]:
    del context
    for number in range(request.upto):
        if number == request.fail_after:
            raise errors.NotFound("there are no more numbers")
        yield message("CountResponse")(number=number)


async def add_up(context: CallContext, requests: AsyncIterator[Any]) -> Any:
    del context
    return message("SumResponse")(sum=sum([request.number async for request in requests]))


async def make_directory(context: CallContext, request: Any) -> Any:
    def run(txn: Any) -> Any:
        node = files.make_directory(txn, ROOT_INO, request.name.encode(), mode=0o755, uid=0, gid=0)
        return message("MakeDirectoryResponse")(id=node.ino, revision=txn.revision)

    return await context.write(message("MakeDirectoryResponse"), run)


async def fail(context: CallContext, request: Any) -> Any:
    del context
    kind = getattr(errors, request.error, None) or getattr(builtins, request.error)
    raise kind("it fails as asked; the secret is 12345")


async def sleep(context: CallContext, request: Any) -> Any:
    del context
    await asyncio.sleep(request.seconds)
    return message("SleepResponse")()


HANDLERS = {
    f"{SERVICE}.Echo": echo,
    f"{SERVICE}.Count": count,
    f"{SERVICE}.Sum": add_up,
    f"{SERVICE}.MakeDirectory": make_directory,
    f"{SERVICE}.Fail": fail,
    f"{SERVICE}.Sleep": sleep,
}

if __name__ == "__main__":
    logs.configure("echo")
    load_contract()
    run(settings_from(sys.argv[1:]), HANDLERS)
