"""Requests in protojson to the arguments of the SDK. Raises Unsupported for what its signatures cannot express."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from vexfs_client import FileRef, Filter, Metric, PointInput, SearchMode, Vector, VectorSpec, VectorStorage


class Unsupported(Exception):
    """The SDK's API cannot express the request; the text says why."""


def file_name(value: Mapping[str, Any]) -> Any:
    """What names the file: a path, an id, bytes, or those with `follow`."""
    names = [name for name in ("path", "id", "path_bytes") if name in value]
    if len(names) != 1:
        raise Unsupported(f"a file is named in one way, not in {len(names)}")
    given = value[names[0]]
    name: str | int | bytes = given
    if names == ["id"]:
        name = int(given)
    elif names == ["path_bytes"]:
        name = base64.b64decode(given)
    return FileRef(name, follow=True) if value.get("follow") else name


def vector(value: Mapping[str, Any]) -> Vector:
    """The packed floats as an array."""
    data = base64.b64decode(value.get("values", ""))
    if len(data) % 4:
        raise Unsupported("a vector is an array of floats: it has no stray bytes")
    return np.frombuffer(data, "<f4").astype(np.float32)


def examples(values: list[Mapping[str, Any]]) -> list[Any]:
    """Examples of a query: ids of points and vectors."""
    return [value["point_id"] if "point_id" in value else vector(value["vector"]) for value in values]


def time(value: str) -> datetime:
    """An RFC 3339 time."""
    return datetime.fromisoformat(value)


def enum_name(kind: type[SearchMode] | type[Metric] | type[VectorStorage], prefix: str, value: str | int) -> str:
    """The SDK's name of a value of the contract, given by name or number."""
    members = list(kind)
    if isinstance(value, int):
        if not 0 <= value < len(members):
            raise Unsupported(f"{value} is no {kind.__name__}")
        return members[value].value
    name = value.removeprefix(prefix)
    if name not in kind.__members__:
        raise Unsupported(f"{value} is no {kind.__name__}")
    return kind[name].value


def mode(value: str | int) -> str:
    """A search mode."""
    return enum_name(SearchMode, "SEARCH_MODE_", value)


def vector_specs(values: list[Mapping[str, Any]]) -> list[VectorSpec]:
    """The vectors of a schema."""
    specs = []
    for value in values:
        given: dict[str, Any] = {"name": value.get("name", ""), "dimension": int(value.get("dimension", 0))}
        if "metric" in value:
            given["metric"] = enum_name(Metric, "METRIC_", value["metric"])
        if "storage" in value:
            given["storage"] = enum_name(VectorStorage, "VECTOR_STORAGE_", value["storage"])
        specs.append(VectorSpec(**given))
    return specs


def point(value: Mapping[str, Any]) -> PointInput:
    """A point to put."""
    given: dict[str, Any] = {"id": value.get("id", "")}
    if "vectors" in value:
        given["vectors"] = {name: vector(packed) for name, packed in value["vectors"].items()}
    if "metadata" in value:
        given["metadata"] = value["metadata"]
    if "content" in value:
        given["content"] = base64.b64decode(value["content"])
    return PointInput(**given)


def filter_of(value: Mapping[str, Any]) -> Filter:
    """A filter, from its leaves up."""
    if len(value) != 1:
        raise Unsupported(f"a filter is one condition, not {len(value)}")
    (kind, inside), *_ = value.items()
    match kind:
        case "all":
            return Filter.all(*(filter_of(one) for one in inside.get("filters", [])))
        case "any":
            return Filter.any(*(filter_of(one) for one in inside.get("filters", [])))
        case "negated":
            return ~filter_of(inside)
        case "metadata":
            return _metadata(inside)
        case "attribute":
            return _attribute(inside)
    raise Unsupported(f"no filter is called {kind}")


def _metadata(value: Mapping[str, Any]) -> Filter:
    tests = {name: test for name, test in value.items() if name != "key"}
    key = value.get("key", "")
    if len(tests) != 1:
        raise Unsupported(f"a condition has one test, not {len(tests)}")
    (kind, test), *_ = tests.items()
    match kind:
        case "range":
            if not test:
                raise Unsupported("a range without bounds is no test")
            return Filter.metadata(key, **_range(test))
        case "one_of":
            return Filter.metadata(key, one_of=test.get("values", []))
        case "equals" | "prefix" | "exists":
            return Filter.metadata(key, **{kind: test})
    raise Unsupported(f"no test is called {kind}")


def _attribute(value: Mapping[str, Any]) -> Filter:
    if len(value) != 1:
        raise Unsupported(f"a condition has one test, not {len(value)}")
    (kind, test), *_ = value.items()
    match kind:
        case "size_bytes":
            return Filter.size_bytes(**_range(test))
        case "mtime" | "btime":
            span = {{"from": "since"}.get(bound, bound): time(at) for bound, at in test.items()}
            return getattr(Filter, kind)(**span)  # type: ignore[no-any-return]
        case "name":
            return Filter.name(test)
        case "uid" | "gid":
            return getattr(Filter, kind)(int(test))  # type: ignore[no-any-return]
    raise Unsupported(f"no test is called {kind}")


def _range(value: Mapping[str, Any]) -> dict[str, Any]:
    return {bound: float(number) for bound, number in value.items()}
