"""A protoc plugin that writes the contract's Python code: messages, their type stubs, and gRPC client stubs.

Run by `buf generate` (see buf.gen.yaml), with the interpreter that has grpcio-tools and mypy-protobuf. buf refuses to run the
gRPC generator that is built into protoc, so this plugin writes the request back as a descriptor set, runs grpc_tools.protoc on
it, and hands back what came out with two changes:

- the import paths of the contract (`vexfs.v1`) become those of the package it lives in (`vexfs.contract.v1`);
- `buf.validate`, which no installed package provides for this runtime, is generated along and lives in
  `vexfs.contract.v1.third_party`. `google.api` comes from googleapis-common-protos.

Reads a CodeGeneratorRequest on stdin, writes a CodeGeneratorResponse to stdout, keeps nothing.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

VALIDATE = "buf/validate/validate.proto"
#: From the folder protoc writes to, to the folder below server/src/vexfs/contract that the file belongs in.
FOLDERS = {"vexfs/v1/": "v1/", "buf/validate/": "v1/third_party/buf/validate/"}
#: From the module path protoc writes, to the one the module has here.
MODULES = {
    re.compile(r"\bvexfs\.v1\b(?=[ .])"): "vexfs.contract.v1",
    re.compile(r"\bbuf\.validate\b(?=[ .])"): "vexfs.contract.v1.third_party.buf.validate",
}
#: The lines that hold module paths: imports, and the call that tells the message classes which module they are of.
IMPORT = re.compile(r"^(?:from |import |_builder\.BuildTop).*$", re.MULTILINE)


def main() -> None:
    request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    response = plugin_pb2.CodeGeneratorResponse(supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    names = [name for name in request.file_to_generate if name.startswith("vexfs/")]
    with tempfile.TemporaryDirectory(prefix="vexfs-generate-") as folder:
        out = Path(folder)
        descriptors = out / "request.binpb"
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        generate(descriptors, out, [*names, VALIDATE])
        for path in sorted(out.rglob("*_pb2*.py*")):
            response.file.add(name=destination(path.relative_to(out).as_posix()), content=rewrite(path.read_text()))
    sys.stdout.buffer.write(response.SerializeToString())


def generate(descriptors: Path, out: Path, names: list[str]) -> None:
    """Run protoc with the generators for messages, stubs and gRPC on `names`; services exist in ours only."""
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={descriptors}"]
    subprocess.run([*protoc, f"--python_out={out}", f"--mypy_out=quiet:{out}", *names], check=True, stdout=sys.stderr)
    services = [name for name in names if has_service(descriptors, name)]
    if services:
        subprocess.run(
            [*protoc, f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}", *services], check=True, stdout=sys.stderr
        )


def has_service(descriptors: Path, name: str) -> bool:
    """Whether the file declares a service; without one the gRPC generator writes a file of imports only."""
    files = FileDescriptorSet.FromString(descriptors.read_bytes()).file
    return any(file.name == name and len(file.service) > 0 for file in files)


def destination(path: str) -> str:
    """Where a generated file belongs, below server/src/vexfs/contract."""
    for source, target in FOLDERS.items():
        if path.startswith(source):
            return target + path.removeprefix(source)
    raise SystemExit(f"no place is known for the generated file {path}")


def rewrite(text: str) -> str:
    """`text` with the module paths of its imports changed; nothing but those lines is touched."""

    def line(match: re.Match[str]) -> str:
        result = match.group(0)
        for pattern, module in MODULES.items():
            result = pattern.sub(module, result)
        return result

    return IMPORT.sub(line, text)


if __name__ == "__main__":
    main()
