"""Points put by a stream: as they come, in order, once, and no faster than the store takes them."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from connecting import post
from running import Client, Server, eventually, refused

from vexfs.contract.v1.collections_pb2 import CollectionSchema, VectorSpec
from vexfs.contract.v1.common_pb2 import FileRef, Vector
from vexfs.contract.v1.points_pb2 import PointInput, UpsertPointsStreamRequest

DIMENSION = 2
WAIT_SECONDS = 20.0
MESSAGES, ON_ITS_WAY = 150, 40
"""Of a MiB each: so many are sent, and so many may be between the sender and the store."""


def points(*numbers: int, values: bytes = b"\0\0\x80\x3f" * DIMENSION) -> list[PointInput]:
    return [PointInput(id=f"{number:06}", vectors={"v": Vector(values=values)}) for number in numbers]


def message(*numbers: int, **fields: Any) -> UpsertPointsStreamRequest:
    return UpsertPointsStreamRequest(points=points(*numbers), **fields)


def put(api: Client, *messages: UpsertPointsStreamRequest) -> Any:
    return api.begin_stream("upsert_points_stream", iter(messages)).result()


def ids(api: Client, collection: FileRef) -> list[str]:
    return [point.id for point in api.list_points(collection=collection, page_size=10_000).points]


@pytest.fixture
def collection(api: Client, home: str) -> FileRef:
    ref = FileRef(path=f"{home}/points")
    api.create_collection(collection=ref, schema=CollectionSchema(vectors=[VectorSpec(name="v", dimension=DIMENSION)]))
    return ref


def test_the_points_of_all_messages_are_put(api: Client, collection: FileRef) -> None:
    answer = put(api, message(*range(600), collection=collection), message(), message(*range(600, 1100)))
    assert answer.upserted == 1100
    assert ids(api, collection) == [f"{number:06}" for number in range(1100)]
    assert answer.revision == api.get_points(collection=collection, ids=["000000"]).revision


def test_a_later_message_replaces_a_point_of_an_earlier_one(api: Client, collection: FileRef) -> None:
    later = points(1, values=b"\0\0\0\x40" * DIMENSION)
    answer = put(api, message(1, collection=collection), UpsertPointsStreamRequest(points=later))
    assert answer.upserted == 2
    (found,) = api.get_points(collection=collection, ids=["000001"], with_vectors=True).points
    assert found.vectors["v"].values == later[0].vectors["v"].values


def test_an_id_may_come_again_in_a_message_too(api: Client, collection: FileRef) -> None:
    one = PointInput(id="twice")
    one.metadata.update({"k": 1})
    two = PointInput(id="twice", content=b"hello")
    answer = put(api, UpsertPointsStreamRequest(collection=collection, points=[one, two, PointInput(id="once"), one]))
    assert answer.upserted == 4
    (found,) = api.get_points(collection=collection, ids=["twice"]).points
    assert found.metadata["k"] == 1
    assert api.get_content(file=FileRef(path=f"{collection.path}/twice")).data == b"hello"


def test_points_are_there_before_the_stream_ends(api: Client, collection: FileRef) -> None:
    seen = threading.Event()

    def messages() -> Iterator[UpsertPointsStreamRequest]:
        yield message(1, 2, collection=collection)
        assert seen.wait(WAIT_SECONDS)
        yield message(3)

    call = api.begin_stream("upsert_points_stream", messages())
    eventually(lambda: ids(api, collection) == ["000001", "000002"])
    seen.set()
    assert call.result().upserted == 3


def test_a_message_with_a_point_that_is_refused_leaves_those_before_it(api: Client, collection: FileRef) -> None:
    bad = UpsertPointsStreamRequest(points=[*points(600), *points(601, values=bytes(4))])
    with refused("DIMENSION_MISMATCH") as info:
        put(api, message(*range(600), collection=collection), bad, message(700))
    assert info.metadata["upserted"] == "600"
    assert ids(api, collection) == [f"{number:06}" for number in range(600)]


def test_a_collection_that_goes_away_ends_the_stream(api: Client, collection: FileRef) -> None:
    gone = threading.Event()

    def messages() -> Iterator[UpsertPointsStreamRequest]:
        yield message(1, collection=collection)
        assert gone.wait(WAIT_SECONDS)
        yield message(2)

    call = api.begin_stream("upsert_points_stream", messages())
    eventually(lambda: ids(api, collection) == ["000001"])
    api.move_file(source=collection, destination=FileRef(path=f"{collection.path}-elsewhere"))
    gone.set()
    with refused("FILE_NOT_FOUND") as info:
        call.result()
    assert info.metadata["upserted"] == "1"


@pytest.mark.parametrize("shape", ["nothing", "no collection", "two collections", "late request id"])
def test_a_stream_out_of_order_is_refused(api: Client, collection: FileRef, shape: str) -> None:
    messages = {
        "nothing": [],
        "no collection": [message(1)],
        "two collections": [message(collection=collection), message(1, collection=collection)],
        "late request id": [message(collection=collection), message(1, request_id="late")],
    }[shape]
    with refused("INVALID_ARGUMENT"):
        put(api, *messages)
    assert ids(api, collection) == []


def test_a_stream_without_points_still_needs_the_collection(api: Client, collection: FileRef, home: str) -> None:
    assert put(api, message(collection=collection)).upserted == 0
    with refused("COLLECTION_NOT_FOUND"):
        put(api, message(collection=FileRef(path=home)))


def test_a_stream_that_is_sent_again_takes_effect_once(api: Client, collection: FileRef) -> None:
    messages = [message(1, 2, collection=collection, request_id="again"), message(3)]
    first = put(api, *messages)
    api.delete_points(collection=collection, ids=["000001", "000002", "000003"])
    assert put(api, *messages) == first
    assert ids(api, collection) == []
    with refused("REQUEST_ID_REUSED"):
        put(api, messages[0], message(4))
    with refused("REQUEST_ID_REUSED"):
        put(api, message(1, collection=collection, request_id="again"), message(3))
    assert ids(api, collection) == []


def test_a_stream_that_broke_can_be_sent_again(api: Client, collection: FileRef) -> None:
    first, second = message(1, 2, collection=collection, request_id="broken"), message(3)

    def broken() -> Iterator[UpsertPointsStreamRequest]:
        yield first
        raise RuntimeError("the client dies")

    with pytest.raises(grpc.RpcError):
        api.begin_stream("upsert_points_stream", broken()).result()
    assert put(api, first, second).upserted == 3
    assert len(ids(api, collection)) == 3


def test_who_sends_faster_than_the_store_takes_it_waits(api: Client, collection: FileRef) -> None:
    """What is on its way is a message at the server and what the connection holds, whatever is still to come."""
    content = bytes(1 << 20)
    sent, release = 0, threading.Event()

    def messages() -> Iterator[UpsertPointsStreamRequest]:
        nonlocal sent
        yield message(collection=collection)
        while sent < MESSAGES:
            point = PointInput(id=f"{sent:06}", content=content[: -1 - sent])
            yield UpsertPointsStreamRequest(points=[point])
            sent += 1
            if sent == MESSAGES:
                release.set()

    call = api.begin_stream("upsert_points_stream", messages(), timeout=60)
    while not release.wait(0.05):
        assert sent - len(ids(api, collection)) < ON_ITS_WAY
    assert call.result().upserted == MESSAGES


def test_a_line_of_json_is_a_message(server: Server, api: Client, collection: FileRef) -> None:
    values = "AACAPwAAgD8="
    lines = [
        {"collection": {"path": collection.path}, "points": [{"id": "a", "vectors": {"v": {"values": values}}}]},
        {"points": [{"id": "b"}, {"id": "c", "metadata": {"k": 1}}]},
    ]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    answer = post(server, "/v1/points:upsertStream", body, "application/x-ndjson")
    assert (answer.status, int(answer.json["upserted"])) == (200, 3)
    assert ids(api, collection) == ["a", "b", "c"]
