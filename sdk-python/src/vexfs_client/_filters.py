"""Which files a search or a query may answer: conditions on metadata and attributes, and their combinations. Pure."""

from collections.abc import Sequence
from datetime import datetime
from types import EllipsisType
from typing import Any

from vexfs_client._convert import times
from vexfs_client._generated.vexfs import v1
from vexfs_client._values import check_32_bits, to_value


class Filter:
    """A condition on files. Combine with `&`, `|` and `~`; at most 8 levels deep and 256 conditions in all.

        Filter.metadata("lang", equals="en") & ~Filter.name("*.bak")

    What is wrong with a filter as a whole the server says: InvalidArgumentError with the reason INVALID_FILTER.
    """

    __slots__ = ("_message",)

    def __init__(self, message: v1.Filter) -> None:
        self._message = message

    @staticmethod
    def all(*filters: "Filter") -> "Filter":
        """Every one of these holds."""
        return Filter(v1.Filter(all=v1.FilterList(filters=[item._message for item in filters])))

    @staticmethod
    def any(*filters: "Filter") -> "Filter":
        """At least one of these holds."""
        return Filter(v1.Filter(any=v1.FilterList(filters=[item._message for item in filters])))

    def __and__(self, other: "Filter") -> "Filter":
        return Filter.all(self, other)

    def __or__(self, other: "Filter") -> "Filter":
        return Filter.any(self, other)

    def __invert__(self) -> "Filter":
        return Filter(v1.Filter(negated=self._message))

    def __repr__(self) -> str:
        return f"Filter({self._message.to_dict()})"

    @staticmethod
    def metadata(
        key: str,
        *,
        equals: str | float | bool | EllipsisType | None = ...,
        one_of: Sequence[str | float | bool | None] | None = None,
        gt: float | None = None,
        gte: float | None = None,
        lt: float | None = None,
        lte: float | None = None,
        prefix: str | None = None,
        exists: bool | None = None,
    ) -> "Filter":
        """A test of one value in the metadata; exactly one test, where `gt`, `gte`, `lt` and `lte` together are one.

        `key` is keys joined by dots, such as `author.name`; an array passes if one of its elements does. A file without the
        value passes `exists=False` only. `equals=None` means null. Raises ValueError for none or several tests.
        """
        condition = v1.MetadataCondition(key=key)
        tests = 0
        if equals is not ...:
            condition.equals, tests = to_value(equals), tests + 1
        if one_of is not None:
            condition.one_of, tests = v1.ValueList(values=[to_value(value) for value in one_of]), tests + 1
        if any_given(gt, gte, lt, lte):
            condition.range, tests = v1.NumberRange(gt=gt, gte=gte, lt=lt, lte=lte), tests + 1
        if prefix is not None:
            condition.prefix, tests = prefix, tests + 1
        if exists is not None:
            condition.exists, tests = exists, tests + 1
        if tests != 1:
            raise ValueError(f"a condition on metadata has one test, not {tests}: combine several with & and |")
        return Filter(v1.Filter(metadata=condition))

    @staticmethod
    def size_bytes(
        *, gt: float | None = None, gte: float | None = None, lt: float | None = None, lte: float | None = None
    ) -> "Filter":
        """The length of the content in bytes is in this range."""
        return _attribute(size_bytes=v1.NumberRange(gt=gt, gte=gte, lt=lt, lte=lte))

    @staticmethod
    def mtime(*, since: datetime | None = None, until: datetime | None = None) -> "Filter":
        """The content was last changed at `since` or later, and before `until`; both with a time zone."""
        return _attribute(mtime=_span(since, until))

    @staticmethod
    def btime(*, since: datetime | None = None, until: datetime | None = None) -> "Filter":
        """The file was made at `since` or later, and before `until`; both with a time zone."""
        return _attribute(btime=_span(since, until))

    @staticmethod
    def name(pattern: str) -> "Filter":
        """The file's name matches this shell pattern: `*`, `?` and `[…]`."""
        return _attribute(name=pattern)

    @staticmethod
    def uid(uid: int) -> "Filter":
        """The owner is this."""
        check_32_bits(uid=uid)
        return _attribute(uid=uid)

    @staticmethod
    def gid(gid: int) -> "Filter":
        """The owning group is this."""
        check_32_bits(gid=gid)
        return _attribute(gid=gid)


def any_given(*bounds: float | None) -> bool:
    """One of them is not None."""
    return any(bound is not None for bound in bounds)


def to_message(filter: Filter | None) -> v1.Filter | None:
    """The message of a filter, for the groups."""
    return None if filter is None else filter._message


def _attribute(**test: Any) -> Filter:
    return Filter(v1.Filter(attribute=v1.AttributeCondition(**test)))


def _span(since: datetime | None, until: datetime | None) -> v1.TimeRange:
    return v1.TimeRange(from_=times(since, "since"), until=times(until, "until"))
