"""Bad input, the same over gRPC and REST: each a clear error with its reason, nothing changed, the server alive."""

import base64
import struct
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import grpc
import pytest
from google.protobuf import json_format
from running import Server, assert_error_shape, status_of

from vexfs.contract import descriptors

METHODS = {method.name: method for method in descriptors.methods()}
NAN, INF = float("nan"), float("inf")


def vector(*values: float) -> dict[str, str]:
    return {"values": base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()}


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A JSON object as the parameters of an address."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(inner).lower() if isinstance(inner, bool) else inner


def over_rest(server: Server, name: str, request: dict[str, Any]) -> tuple[str, str]:
    """Status name and reason of a call that has to fail over REST."""
    binding = METHODS[name].bindings[0]
    if binding.body:
        answer = server.http(binding.verb, binding.template, request)
    else:
        answer = server.http(binding.verb, f"{binding.template}?{urlencode(list(flat(request)), quote_via=quote)}")
    assert answer.status >= 400, answer.body
    reason = assert_error_shape(answer)["reason"]
    assert descriptors.reasons()[reason].http_status == answer.status
    return answer.json["error"]["status"], reason


def over_grpc(server: Server, name: str, request: dict[str, Any]) -> tuple[str, str]:
    """Status name and reason of a call that has to fail over gRPC."""
    method = METHODS[name]
    message = json_format.ParseDict(request, method.request_class())
    with server.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(method.path)(message.SerializeToString(), metadata=server.metadata, timeout=10)
    return caught.value.code().name, status_of(caught.value)[1].reason  # type: ignore[attr-defined]


@pytest.fixture(scope="module", autouse=True)
def collection(server: Server) -> None:
    """A collection of three dimensions at /bad/points, and a file at /bad/file."""
    server.http("PUT", "/v1/content/bad/file?make_parents=true", b"untouched")
    schema = {"vectors": [{"name": "v", "dimension": 3}]}
    assert server.http("POST", "/v1/collections", {"collection": {"path": "/bad/points"}, "schema": schema}).status == 200


def stat(path: str) -> tuple[str, dict[str, Any]]:
    return "StatFile", {"file": {"path": path}}


def mkdir(path: str) -> tuple[str, dict[str, Any]]:
    return "MakeDirectory", {"directory": {"path": path}}


def upsert(**point: Any) -> tuple[str, dict[str, Any]]:
    return "UpsertPoints", {"collection": {"path": "/bad/points"}, "points": [{"id": "p", **point}]}


DEEP: Any = "x"
for _ in range(60):
    DEEP = {"k": DEEP}

CASES = [
    pytest.param(*stat("bad/file"), "INVALID_PATH", id="path not absolute"),
    pytest.param(*stat(""), "INVALID_PATH", id="path empty"),
    pytest.param(*stat("/bad/../bad/file"), "INVALID_PATH", id="path with .."),
    pytest.param(*stat("/bad/./file"), "INVALID_PATH", id="path with ."),
    pytest.param(*stat("/bad//file"), "INVALID_PATH", id="path with an empty part"),
    pytest.param(*stat("/bad/fi\0le"), "INVALID_NAME", id="path with NUL"),
    pytest.param(*stat("/bad/" + "n" * 256), "NAME_TOO_LONG", id="name of 256 bytes"),
    pytest.param(*stat("/bad/" + "ä" * 128), "NAME_TOO_LONG", id="name of 128 characters in 256 bytes"),
    pytest.param(*stat("/n" * 2049), "NAME_TOO_LONG", id="path of 4,098 bytes"),
    pytest.param(*stat("/bad/none"), "FILE_NOT_FOUND", id="no such file"),
    pytest.param(*stat("/bad/file/x"), "NOT_A_DIRECTORY", id="a file as a directory"),
    pytest.param("StatFile", {}, "INVALID_ARGUMENT", id="no file named"),
    pytest.param("StatFile", {"file": {"follow": True}}, "INVALID_ARGUMENT", id="a reference without a name"),
    pytest.param("StatFile", {"file": {"id": "0"}}, "INVALID_ARGUMENT", id="id 0"),
    pytest.param("StatFile", {"file": {"id": "-1"}}, "INVALID_ARGUMENT", id="negative id"),
    pytest.param("StatFile", {"file": {"id": str(2**63 - 1)}}, "FILE_NOT_FOUND", id="the largest id"),
    pytest.param("StatFile", {"file": {"path": "/"}, "atRevision": "-1"}, "INVALID_ARGUMENT", id="negative revision"),
    pytest.param(
        "StatFile", {"file": {"path": "/"}, "atRevision": str(2**62)}, "REVISION_NOT_AVAILABLE", id="revision of the future"
    ),
    pytest.param(
        "StatFile", {"file": {"pathBytes": base64.b64encode(b"/\xff\0").decode()}}, "INVALID_NAME", id="bytes with NUL"
    ),
    pytest.param("ListFiles", {"directory": {"path": "/bad/file"}}, "NOT_A_DIRECTORY", id="listing a file"),
    pytest.param("ListFiles", {"directory": {"path": "/"}, "pageSize": 10_001}, "INVALID_ARGUMENT", id="page too large"),
    pytest.param("ListFiles", {"directory": {"path": "/"}, "pageToken": "!"}, "INVALID_ARGUMENT", id="no page token"),
    pytest.param(*mkdir("/bad/file"), "FILE_EXISTS", id="a name that is taken"),
    pytest.param(*mkdir("/bad/none/x"), "FILE_NOT_FOUND", id="no parent"),
    pytest.param(*mkdir("/"), "FILE_EXISTS", id="making the root"),
    pytest.param("MakeDirectory", {"directory": {"id": "1"}}, "INVALID_ARGUMENT", id="a new name by id"),
    pytest.param("MakeDirectory", {"directory": {"path": "/bad/x"}, "mode": 0o10000}, "INVALID_ARGUMENT", id="mode too large"),
    pytest.param("RemoveFile", {"file": {"path": "/bad"}}, "DIRECTORY_NOT_EMPTY", id="removing what is not empty"),
    pytest.param("RemoveFile", {"file": {"id": "1"}}, "ROOT_IMMUTABLE", id="removing the root by id"),
    pytest.param(
        "PutContent", {"file": {"path": "/bad/file"}, "requestId": "x" * 129}, "INVALID_ARGUMENT", id="request id too long"
    ),
    pytest.param(
        "PutContent",
        {"file": {"path": "/bad/file"}, "data": base64.b64encode(bytes(5_000_000)).decode()},
        "TOO_LARGE",
        id="content too large for a message",
    ),
    pytest.param("CreateSymlink", {"link": {"path": "/bad/l"}}, "INVALID_ARGUMENT", id="link without a target"),
    pytest.param("CreateSymlink", {"link": {"path": "/bad/l"}, "target": "a\0b"}, "INVALID_ARGUMENT", id="target with NUL"),
    pytest.param("SetXattr", {"file": {"path": "/bad/file"}, "name": "a\0b"}, "INVALID_NAME", id="xattr name with NUL"),
    pytest.param(
        "SetXattr",
        {"file": {"path": "/bad/file"}, "name": "a", "createOnly": True, "replaceOnly": True},
        "INVALID_ARGUMENT",
        id="contradiction",
    ),
    pytest.param(
        "SetMetadata", {"file": {"path": "/bad/file"}, "metadata": {"x": "y" * 70_000}}, "INVALID_METADATA", id="large metadata"
    ),
    pytest.param("SetMetadata", {"file": {"path": "/bad/file"}}, "INVALID_ARGUMENT", id="no metadata"),
    pytest.param(*upsert(vectors={"v": vector(1, 2)}), "DIMENSION_MISMATCH", id="wrong dimension"),
    pytest.param(*upsert(vectors={"v": vector(1, NAN, 2)}), "INVALID_VECTOR", id="NaN"),
    pytest.param(*upsert(vectors={"v": vector(1, -INF, 2)}), "INVALID_VECTOR", id="infinity"),
    pytest.param(*upsert(vectors={"v": vector(0, 0, 0)}), "INVALID_VECTOR", id="no direction"),
    pytest.param(*upsert(vectors={"v": {"values": "AAAAAAA="}}), "INVALID_VECTOR", id="half a float"),
    pytest.param(*upsert(vectors={"w": vector(1, 2, 3)}), "INVALID_ARGUMENT", id="unknown vector"),
    pytest.param(*upsert(id="a/b"), "INVALID_NAME", id="point id with /"),
    pytest.param(
        "UpsertPoints", {"collection": {"path": "/bad"}, "points": [{"id": "p"}]}, "COLLECTION_NOT_FOUND", id="no collection"
    ),
    pytest.param("UpsertPoints", {"collection": {"path": "/bad/points"}}, "INVALID_ARGUMENT", id="no points"),
    pytest.param(
        "UpsertPoints", {"collection": {"path": "/bad/points"}, "points": [{"id": "p"}] * 2}, "INVALID_ARGUMENT", id="id twice"
    ),
    pytest.param(
        "UpsertPoints",
        {"collection": {"path": "/bad/points"}, "points": [{"id": "p"}] * 10_001},
        "INVALID_ARGUMENT",
        id="too many points",
    ),
    pytest.param("ListPoints", {"collection": {"path": "/bad/none"}}, "FILE_NOT_FOUND", id="points of nothing"),
    pytest.param("GetCollection", {"collection": {"path": "/bad/file"}}, "COLLECTION_NOT_FOUND", id="a file as a collection"),
]


@pytest.mark.parametrize(("name", "request_json", "reason"), CASES)
def test_bad_input_has_one_reason_on_every_surface(
    server: Server, name: str, request_json: dict[str, Any], reason: str
) -> None:
    before = server.http("GET", "/v1/server").json.get("revision")
    rest, grpc_ = over_rest(server, name, request_json), over_grpc(server, name, request_json)
    assert rest == grpc_ == (descriptors.reasons()[reason].code, reason)
    assert reason in METHODS[name].reasons, "the contract names the reasons of a method"
    assert server.alive()
    assert server.http("GET", "/v1/server").json.get("revision") == before, "nothing was changed"


def test_metadata_of_any_legal_depth_is_kept_and_deeper_refused(server: Server) -> None:
    request = {"file": {"path": "/bad/file"}, "metadata": DEEP}
    answer = server.http("PUT", "/v1/files:setMetadata", request)
    assert answer.status in (200, 400)
    deeper = {"file": {"path": "/bad/file"}, "metadata": {"k": DEEP | {"l": DEEP}}}
    for _ in range(50):
        deeper["metadata"] = {"k": deeper["metadata"]}
    assert server.http("PUT", "/v1/files:setMetadata", deeper).status == 400
    assert server.alive()
