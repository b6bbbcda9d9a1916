"""A Filter message as the core's tree of conditions. The core judges it; this only translates."""

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from vexfs.api.methods import messages
from vexfs.contract.v1 import filter_pb2 as pb
from vexfs.core import filters
from vexfs.core.errors import InvalidFilter


def filter_of(message: pb.Filter, depth: int = 1) -> filters.Filter:
    """The core's filter. Raises InvalidFilter when it nests too deep."""
    if depth > filters.DEPTH_MAX:
        raise InvalidFilter(f"the filter nests deeper than {filters.DEPTH_MAX} levels", limit=str(filters.DEPTH_MAX))
    match message.WhichOneof("node"):
        case "all":
            return filters.All(_all(message.all.filters, depth))
        case "any":
            return filters.AnyOf(_all(message.any.filters, depth))
        case "negated":
            return filters.Not(filter_of(message.negated, depth + 1))
        case "metadata":
            return filters.Metadata(message.metadata.key, _test(message.metadata))
        case "attribute":
            return _attribute(message.attribute)
    raise InvalidFilter("a node of the filter says nothing")


def _all(nodes: Sequence[pb.Filter], depth: int) -> tuple[filters.Filter, ...]:
    return tuple(filter_of(node, depth + 1) for node in nodes)


def _test(condition: pb.MetadataCondition) -> Any:
    match condition.WhichOneof("test"):
        case "equals":
            return filters.Equals(_scalar(messages.plain_value(condition.equals)))
        case "one_of":
            return filters.OneOf(tuple(_scalar(value) for value in messages.plain_values(condition.one_of.values)))
        case "range":
            return _range(condition.range)
        case "prefix":
            return filters.Prefix(condition.prefix)
        case "exists":
            return filters.Exists(condition.exists)
    raise InvalidFilter(f"the condition on {condition.key[:100]!r} has no test")


def _scalar(value: Any) -> filters.Scalar:
    if isinstance(value, (dict, list)):
        raise InvalidFilter("a filter compares with a string, number, bool or null, not with a list or an object")
    scalar: filters.Scalar = value
    return scalar


def _range(numbers: pb.NumberRange) -> filters.Range:
    def bound(name: str) -> float | None:
        return getattr(numbers, name) if numbers.HasField(name) else None  # type: ignore[arg-type]

    return filters.Range(gt=bound("gt"), gte=bound("gte"), lt=bound("lt"), lte=bound("lte"))


def _attribute(condition: pb.AttributeCondition) -> filters.Filter:
    match condition.WhichOneof("test"):
        case "size_bytes":
            return filters.SizeBytes(_range(condition.size_bytes))
        case "mtime":
            return _span(filters.ModifiedTime, condition.mtime)
        case "btime":
            return _span(filters.CreatedTime, condition.btime)
        case "name":
            return filters.Name(condition.name)
        case "uid":
            return filters.Owner(condition.uid)
        case "gid":
            return filters.Group(condition.gid)
    raise InvalidFilter("a condition on attributes has no test")


def _span(kind: Callable[[int | None, int | None], filters.Filter], span: pb.TimeRange) -> filters.Filter:
    # `from` is a word of Python; the field has to be asked for by its name.
    start: Timestamp = getattr(span, "from")
    return kind(
        messages.nanoseconds(start) if span.HasField("from") else None,
        messages.nanoseconds(span.until) if span.HasField("until") else None,
    )
