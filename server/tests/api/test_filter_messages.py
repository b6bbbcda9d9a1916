"""Every condition that the contract's filters can state arrives in the core as what it says."""

import pytest
from google.protobuf import json_format

from vexfs.api.methods.filters import filter_of
from vexfs.contract.v1 import filter_pb2
from vexfs.core import filters
from vexfs.core.errors import InvalidFilter

KEY = {"key": "a.b"}


def parsed(message: dict[str, object]) -> filters.Filter:
    return filter_of(json_format.ParseDict(message, filter_pb2.Filter()))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"metadata": KEY | {"equals": "x"}}, filters.Metadata("a.b", filters.Equals("x"))),
        ({"metadata": KEY | {"equals": 1.5}}, filters.Metadata("a.b", filters.Equals(1.5))),
        ({"metadata": KEY | {"equals": True}}, filters.Metadata("a.b", filters.Equals(True))),
        ({"metadata": KEY | {"equals": None}}, filters.Metadata("a.b", filters.Equals(None))),
        ({"metadata": KEY | {"oneOf": {"values": ["x", 2, False]}}}, filters.Metadata("a.b", filters.OneOf(("x", 2, False)))),
        ({"metadata": KEY | {"range": {"gt": 1, "lte": 0}}}, filters.Metadata("a.b", filters.Range(gt=1, lte=0))),
        ({"metadata": KEY | {"prefix": "pre"}}, filters.Metadata("a.b", filters.Prefix("pre"))),
        ({"metadata": KEY | {"exists": False}}, filters.Metadata("a.b", filters.Exists(False))),
        ({"attribute": {"sizeBytes": {"gte": 10, "lt": 20}}}, filters.SizeBytes(filters.Range(gte=10, lt=20))),
        ({"attribute": {"mtime": {"from": "1970-01-01T00:00:01Z"}}}, filters.ModifiedTime(10**9, None)),
        (
            {"attribute": {"btime": {"from": "1970-01-01T00:00:00Z", "until": "1970-01-01T00:00:02.5Z"}}},
            filters.CreatedTime(0, 2_500_000_000),
        ),
        ({"attribute": {"name": "*.md"}}, filters.Name("*.md")),
        ({"attribute": {"uid": 0}}, filters.Owner(0)),
        ({"attribute": {"gid": 7}}, filters.Group(7)),
    ],
)
def test_a_condition_means_in_the_core_what_its_message_says(message: dict[str, object], expected: filters.Filter) -> None:
    assert parsed(message) == expected


def test_conditions_are_joined_and_negated() -> None:
    one, two = {"attribute": {"uid": 1}}, {"attribute": {"gid": 2}}
    both = (filters.Owner(1), filters.Group(2))
    assert parsed({"all": {"filters": [one, two]}}) == filters.All(both)
    assert parsed({"any": {"filters": [one, {"negated": two}]}}) == filters.AnyOf((both[0], filters.Not(both[1])))


@pytest.mark.parametrize(
    "message",
    [{}, {"metadata": KEY}, {"attribute": {}}, {"metadata": KEY | {"equals": [1]}}, {"metadata": KEY | {"equals": {"a": 1}}}],
)
def test_a_filter_that_says_nothing_or_compares_with_a_tree_is_refused(message: dict[str, object]) -> None:
    with pytest.raises(InvalidFilter):
        parsed(message)


def test_a_filter_that_nests_too_deep_is_refused_before_it_is_built() -> None:
    message: dict[str, object] = {"attribute": {"uid": 1}}
    for _ in range(filters.DEPTH_MAX - 1):
        message = {"negated": message}
    parsed(message)
    with pytest.raises(InvalidFilter, match="levels"):
        parsed({"negated": message})
