"""What an expectation takes, and what it does not."""

from typing import Any

import pytest

from vexfs_conformance.matching import differences

MATCHING: list[tuple[Any, Any]] = [
    ({}, {"a": 1}),
    ({"a": 1}, {"a": 1, "b": 2}),
    ({"a": 5}, {"a": "5"}),
    ({"a": "4611686018427387904"}, {"a": 4611686018427387904}),
    ({"a": 0}, {}),
    ({"a": ""}, {}),
    ({"a": False}, {}),
    ({"a": []}, {}),
    ({"a": {"b": 0}}, {}),
    ({"a": {"$any": True}}, {}),
    ({"a": {"$absent": True}}, {}),
    ({"a": {"$present": True}}, {"a": [1]}),
    ({"a": {"$approx": 0.5, "within": "1e-3"}}, {"a": 0.5004}),
    ({"a": {"$approx": 0}}, {}),
    ({"a": {"$unordered": [1, 2]}}, {"a": [2, 1]}),
    ({"a": {"$unordered": []}}, {}),
    ({"a": {"$contains": [{"x": 1}]}}, {"a": [{"x": 2}, {"x": 1, "y": 3}]}),
    ({"a": {"$above": 3}}, {"a": "4"}),
    ({"a": {"$below": 3}}, {"a": 2}),
    ({"a": {"$length": 2}}, {"a": "ab"}),
    ({"a": {"$length": 0}}, {}),
    ({"a": {"$ends": "/x"}}, {"a": "/y/x"}),
    ({"a": {"$starts": "/y"}}, {"a": "/y/x"}),
    ({"a": {"$not": 3}}, {"a": 4}),
    ({"a": {"$one_of": [3, 4]}}, {"a": 4}),
]
DIFFERENT: list[tuple[Any, Any]] = [
    ({"a": 1}, {}),
    ({"a": 1}, {"a": 2}),
    ({"a": 1}, {"a": True}),
    ({"a": True}, {"a": 1}),
    ({"a": "x"}, {"a": "y"}),
    ({"a": [1, 2]}, {"a": [2, 1]}),
    ({"a": [1]}, {"a": [1, 2]}),
    ({"a": [1, 2]}, {"a": [1]}),
    ({"a": [1]}, {}),
    ({"a": {"b": 1}}, {"a": "text"}),
    ({"a": {"$absent": True}}, {"a": 0}),
    ({"a": {"$present": True}}, {}),
    ({"a": {"$present": True}}, {"a": ""}),
    ({"a": {"$approx": 0.5, "within": "1e-3"}}, {"a": 0.502}),
    ({"a": {"$approx": 1}}, {}),
    ({"a": {"$approx": 1}}, {"a": "x"}),
    ({"a": {"$unordered": [1, 2]}}, {"a": [1, 1]}),
    ({"a": {"$unordered": [1]}}, {"a": [1, 2]}),
    ({"a": {"$contains": [{"x": 1}]}}, {"a": [{"x": 2}]}),
    ({"a": {"$contains": [1]}}, {}),
    ({"a": {"$above": 3}}, {"a": 3}),
    ({"a": {"$above": 0}}, {}),
    ({"a": {"$below": 3}}, {"a": 3}),
    ({"a": {"$length": 2}}, {"a": [1]}),
    ({"a": {"$ends": "/x"}}, {}),
    ({"a": {"$not": 3}}, {"a": "3"}),
    ({"a": {"$one_of": [3, 4]}}, {"a": 5}),
]


@pytest.mark.parametrize(("want", "got"), MATCHING)
def test_matching(want: Any, got: Any) -> None:
    assert differences(want, got) == []


@pytest.mark.parametrize(("want", "got"), DIFFERENT)
def test_different(want: Any, got: Any) -> None:
    assert differences(want, got)


def test_a_difference_names_its_place() -> None:
    found = differences(
        {"hits": [{"file": {"path": "/a"}}, {"file": {"path": "/b"}}]}, {"hits": [{"file": {"path": "/a"}}, {}]}
    )
    assert [(each.place, each.want, each.got) for each in found] == [("hits[1].file.path", '"/b"', "nothing")]


def test_an_unknown_matcher_is_an_error() -> None:
    with pytest.raises(KeyError):
        differences({"a": {"$nonsense": 1}}, {"a": 1})
