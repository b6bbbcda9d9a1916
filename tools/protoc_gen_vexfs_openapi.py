"""A protoc plugin that writes the contract's OpenAPI 3 document, as JSON.

Run by `buf generate` (see buf.gen.yaml). The document is gnostic's protoc-gen-openapi's, which lies in .cache/bin; this plugin
tells it a Go package (it refuses files without one, and ours belong to no single language), turns its YAML into JSON, and adds
what gnostic cannot know from the annotations:

- how a caller authenticates, and the one shape of every error;
- that a stream is a JSON object a line (`application/x-ndjson`).

Reads a CodeGeneratorRequest on stdin, writes a CodeGeneratorResponse to stdout, keeps nothing.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.compiler import plugin_pb2

GENERATOR = Path(__file__).resolve().parents[1] / ".cache" / "bin" / "protoc-gen-openapi"
OPTIONS = ("naming=json", "enum_type=string", "default_response=false", "title=VexFS", "version=v1")
DESCRIPTION = """A file system you can search by meaning.

Every method also answers over gRPC. A request names a file by path or id: `file.path` or `file.id`. Content is served as raw
bytes too: `GET`, `HEAD` and `PUT` of `/v1/content/{path}` and `/v1/files/{id}/content`, with Range and ETag. 64-bit numbers
are text, bytes are base64, times are RFC 3339."""
ERROR_SCHEMA = {
    "type": "object",
    "description": "Why a call failed. Match `reason`, never `message`.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "status", "message", "details"],
            "properties": {
                "code": {"type": "integer", "format": "int32", "description": "The HTTP status."},
                "status": {"type": "string", "description": "The gRPC status code by name, such as NOT_FOUND."},
                "message": {"type": "string", "description": "What happened and what to do, for people."},
                "details": {
                    "type": "array",
                    "description": "The first is a google.rpc.ErrorInfo: its `reason` is a name of ErrorReason.",
                    "items": {
                        "type": "object",
                        "properties": {
                            "reason": {"type": "string", "description": "Such as FILE_NOT_FOUND."},
                            "domain": {"type": "string", "description": "vexfs.v1"},
                            "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
                        },
                        "additionalProperties": True,
                    },
                },
            },
        }
    },
}


def main() -> None:
    request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    document = generate(request)
    complete(document, streams(request))
    response = plugin_pb2.CodeGeneratorResponse(supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    response.file.add(name="openapi.json", content=json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.buffer.write(response.SerializeToString())


def generate(request: plugin_pb2.CodeGeneratorRequest) -> dict[str, Any]:
    """gnostic's document for the request."""
    asked = plugin_pb2.CodeGeneratorRequest()
    asked.CopyFrom(request)
    packages = (f"M{name}=vexfs.invalid/contract;contract" for name in request.file_to_generate)
    asked.parameter = ",".join((*OPTIONS, *packages))
    if not GENERATOR.exists():
        raise SystemExit(f"{GENERATOR} is missing: run `make {GENERATOR.relative_to(GENERATOR.parents[2])}`")
    done = subprocess.run([GENERATOR], input=asked.SerializeToString(), stdout=subprocess.PIPE, check=True)
    answer = plugin_pb2.CodeGeneratorResponse.FromString(done.stdout)
    if answer.error:
        raise SystemExit(answer.error)
    document: dict[str, Any] = yaml.safe_load(answer.file[0].content)
    return document


def streams(request: plugin_pb2.CodeGeneratorRequest) -> dict[str, tuple[bool, bool]]:
    """By operation id: whether the request, and whether the response is a stream."""
    return {
        f"{service.name}_{method.name}": (method.client_streaming, method.server_streaming)
        for file in request.proto_file
        for service in file.service
        for method in service.method
    }


def complete(document: dict[str, Any], streaming: dict[str, tuple[bool, bool]]) -> None:
    """Add to the document what the annotations do not say."""
    document["info"]["description"] = DESCRIPTION
    components = document["components"]
    components["schemas"]["Error"] = ERROR_SCHEMA
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    failure = {
        "description": "The call failed.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for path in document["paths"].values():
        for operation in path.values():
            request_streams, response_streams = streaming[operation["operationId"]]
            if request_streams:
                as_lines(operation["requestBody"])
            if response_streams:
                as_lines(operation["responses"]["200"])
            operation["responses"]["default"] = failure


def as_lines(body: dict[str, Any]) -> None:
    """Say that a body is one JSON object a line."""
    body["content"] = {"application/x-ndjson": body["content"].pop("application/json")}


if __name__ == "__main__":
    main()
