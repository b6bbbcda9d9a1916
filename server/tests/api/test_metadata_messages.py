"""Metadata on its way to a client: whatever JSON object was stored, the Struct says the same."""

from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from vexfs.api.methods import messages, points
from vexfs.contract.v1 import points_pb2 as pb
from vexfs.core.types import Ino, Point

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.sampled_from([0.5, -2.25, 1e300]), st.text()
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)), max_leaves=12
)
documents = st.dictionaries(st.text(), values, max_size=4)


@given(document=documents)
def test_a_struct_says_what_the_stored_object_says(document: dict[str, Any]) -> None:
    struct = messages.metadata_struct(msgspec.json.encode(document))
    assert struct == json_format.ParseDict(document, Struct())
    assert msgspec.json.decode(messages.metadata_json(struct)) == document


@pytest.mark.parametrize("metadata", [b"{}", b'{"a": {}, "b": []}', b'{"a": null}'])
def test_a_point_says_that_it_has_metadata_however_little(metadata: bytes) -> None:
    response = pb.ListPointsResponse()
    vectors = {"v": b"\0\0\x80?", "w": b""}
    points.fill(response.points.add(), Point(Ino(7), "p", metadata, vectors, 9))
    (point,) = pb.ListPointsResponse.FromString(response.SerializeToString()).points
    assert point.HasField("metadata")
    assert msgspec.json.decode(messages.metadata_json(point.metadata)) == msgspec.json.decode(metadata)
    assert {name: vector.values for name, vector in point.vectors.items()} == vectors
    assert (point.id, point.file_id, point.revision) == ("p", 7, 9)
