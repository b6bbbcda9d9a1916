"""Filters: which files a search may answer. What does a tree of conditions on metadata and attributes mean?

Built by the surfaces from the contract's messages, evaluated by `vexfs.core.search`. `compile` checks a tree and makes a
predicate of it; `matching` applies one to files, reading their rows in batches. Stateless; any thread.

A metadata key is a path of object keys joined by dots. An array passes if one of its elements does, wherever it stands on the
path. A file without the value fails every test but `Exists(False)`. Numbers compare as numbers (1 equals 1.0); booleans are no
numbers.
"""

import fnmatch
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from vexfs.core.errors import InvalidFilter
from vexfs.core.types import Ino, Node
from vexfs.store import nodes
from vexfs.store.reader import Reader

DEPTH_MAX = 8
NODES_MAX = 256
KEY_MAX_BYTES = 1024
CHOICES_MAX = 1024
_BATCH_FILES = 500

Scalar: TypeAlias = str | float | int | bool | None


class Equals(NamedTuple):
    value: Scalar


class OneOf(NamedTuple):
    values: tuple[Scalar, ...]


class Range(NamedTuple):
    """Numbers; a bound that is None is open."""

    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


class Prefix(NamedTuple):
    text: str


class Exists(NamedTuple):
    wanted: bool


class Metadata(NamedTuple):
    """A test of the value at a key of the file's metadata."""

    key: str
    test: Equals | OneOf | Range | Prefix | Exists


class SizeBytes(NamedTuple):
    range: Range


class ModifiedTime(NamedTuple):
    """From this time on, and before that one; nanoseconds since 1970, None is open."""

    from_ns: int | None = None
    until_ns: int | None = None


class CreatedTime(NamedTuple):
    from_ns: int | None = None
    until_ns: int | None = None


class Name(NamedTuple):
    """One of the file's names matches this shell pattern: `*`, `?`, `[…]`; upper and lower case differ."""

    pattern: str


class Owner(NamedTuple):
    uid: int


class Group(NamedTuple):
    gid: int


class Kind(NamedTuple):
    """The file type bits of the mode, such as `stat.S_IFREG`."""

    file_type: int


class All(NamedTuple):
    filters: tuple["Filter", ...]


class AnyOf(NamedTuple):
    filters: tuple["Filter", ...]


class Not(NamedTuple):
    filter: "Filter"


Filter: TypeAlias = Metadata | SizeBytes | ModifiedTime | CreatedTime | Name | Owner | Group | Kind | All | AnyOf | Not


class Facts(NamedTuple):
    """What a predicate looks at. Parts that no condition asks for are empty."""

    node: Node
    metadata: Any
    names: tuple[str, ...]


Predicate: TypeAlias = Callable[[Facts], bool]


class Compiled(NamedTuple):
    """A checked filter, ready to be applied."""

    source: Filter
    predicate: Predicate
    needs_metadata: bool
    needs_names: bool


def compile(source: Filter) -> Compiled:
    """Check a filter and make a predicate of it. Raises InvalidFilter when it is too deep, too large or cannot be compared."""
    leaves = list(_leaves(source, 1))
    if len(leaves) > NODES_MAX:
        raise InvalidFilter(f"the filter has more than {NODES_MAX} nodes", limit=str(NODES_MAX))
    return Compiled(
        source,
        _predicate(source),
        any(isinstance(leaf, Metadata) for leaf in leaves),
        any(isinstance(leaf, Name) for leaf in leaves),
    )


def matching(view: Reader, inos: Sequence[Ino], compiled: Compiled) -> set[Ino]:
    """Which of the files pass; files that are gone do not. Reads rows in batches; for very many files, page the call."""
    found: set[Ino] = set()
    for start in range(0, len(inos), _BATCH_FILES):
        batch = inos[start : start + _BATCH_FILES]
        found.update(facts.node.ino for facts in read(view, batch, compiled) if compiled.predicate(facts))
    return found


# -- checking ------------------------------------------------------------------------------------------


def _leaves(node: Filter, depth: int) -> Iterator[Filter]:
    """Every node of the tree; raises InvalidFilter for one that is wrong."""
    if depth > DEPTH_MAX:
        raise InvalidFilter(f"the filter is nested more than {DEPTH_MAX} levels deep", limit=str(DEPTH_MAX))
    yield node
    if isinstance(node, (All, AnyOf)):
        if not node.filters:
            raise InvalidFilter("`all` and `any` need at least one filter")
        for child in node.filters:
            yield from _leaves(child, depth + 1)
    elif isinstance(node, Not):
        yield from _leaves(node.filter, depth + 1)
    elif isinstance(node, Metadata):
        _check_metadata(node)
    elif isinstance(node, SizeBytes):
        _check_range(node.range)
    elif isinstance(node, Name) and not node.pattern:
        raise InvalidFilter("the pattern of a name is empty")


def _check_metadata(condition: Metadata) -> None:
    if not condition.key or len(condition.key.encode("utf-8", "surrogatepass")) > KEY_MAX_BYTES:
        raise InvalidFilter(f"a metadata key has 1 to {KEY_MAX_BYTES} bytes")
    if not all(condition.key.split(".")):
        raise InvalidFilter(f"the metadata key {condition.key!r} has an empty part", key=condition.key)
    test = condition.test
    if isinstance(test, Range):
        _check_range(test)
    values = test.values if isinstance(test, OneOf) else (test.value,) if isinstance(test, Equals) else ()
    if len(values) > CHOICES_MAX:
        raise InvalidFilter(f"`one_of` takes at most {CHOICES_MAX} values", limit=str(CHOICES_MAX))
    for value in values:
        if not isinstance(value, (str, int, float, bool, type(None))):
            raise InvalidFilter("metadata compares with a string, a number, a bool or null; not with objects or arrays")
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidFilter("metadata holds no NaN and no infinity, so nothing can equal them")


def _check_range(bounds: Range) -> None:
    given = [bound for bound in bounds if bound is not None]
    if not given:
        raise InvalidFilter("a range needs at least one bound")
    if not all(math.isfinite(bound) for bound in given):
        raise InvalidFilter("the bounds of a range are finite numbers")


# -- predicates ----------------------------------------------------------------------------------------


def _predicate(node: Filter) -> Predicate:  # one branch a kind of node
    if isinstance(node, All):
        parts = [_predicate(child) for child in node.filters]
        return lambda facts: all(part(facts) for part in parts)
    if isinstance(node, AnyOf):
        parts = [_predicate(child) for child in node.filters]
        return lambda facts: any(part(facts) for part in parts)
    if isinstance(node, Not):
        negated = _predicate(node.filter)
        return lambda facts: not negated(facts)
    if isinstance(node, Metadata):
        return _metadata_predicate(node)
    return _attribute_predicate(node)


def _attribute_predicate(
    node: SizeBytes | ModifiedTime | CreatedTime | Name | Owner | Group | Kind,
) -> Predicate:
    if isinstance(node, SizeBytes):
        inside = _range_test(node.range)
        return lambda facts: inside(facts.node.size_bytes)
    if isinstance(node, (ModifiedTime, CreatedTime)):
        low = -math.inf if node.from_ns is None else node.from_ns
        high = math.inf if node.until_ns is None else node.until_ns
        if isinstance(node, ModifiedTime):
            return lambda facts: low <= facts.node.mtime_ns < high
        return lambda facts: low <= facts.node.btime_ns < high
    if isinstance(node, Name):
        matches = name_test(node.pattern)
        return lambda facts: any(map(matches, facts.names))
    if isinstance(node, Owner):
        return lambda facts: facts.node.uid == node.uid
    if isinstance(node, Group):
        return lambda facts: facts.node.gid == node.gid
    return lambda facts: facts.node.mode & 0o170000 == node.file_type


def _metadata_predicate(node: Metadata) -> Predicate:
    keys = node.key.split(".")
    test = node.test
    if isinstance(test, Exists):
        return lambda facts: test.wanted is any(True for _ in values_at(facts.metadata, keys))
    passes = _value_test(test)
    if len(keys) == 1:
        return lambda facts: any(map(passes, elements(facts.metadata.get(keys[0], _ABSENT))))
    return lambda facts: any(passes(value) for found in values_at(facts.metadata, keys) for value in elements(found))


def _value_test(test: Equals | OneOf | Range | Prefix) -> Callable[[Any], bool]:
    if isinstance(test, Range):
        inside = _range_test(test)
        return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and inside(value)
    if isinstance(test, Prefix):
        return lambda value: isinstance(value, str) and value.startswith(test.text)
    wanted = {comparable(value) for value in (test.values if isinstance(test, OneOf) else (test.value,))}
    return lambda value: not isinstance(value, (dict, list)) and comparable(value) in wanted


def _range_test(bounds: Range) -> Callable[[float], bool]:
    gt, gte, lt, lte = bounds
    return lambda value: (
        (gt is None or value > gt)
        and (gte is None or value >= gte)
        and (lt is None or value < lt)
        and (lte is None or value <= lte)
    )


def name_test(pattern: str) -> Callable[[str], bool]:
    """Whether a name matches a shell pattern."""
    matches = re.compile(fnmatch.translate(pattern)).match
    return lambda name: matches(name) is not None


_ABSENT = object()


def comparable(value: Any) -> Any:
    """Python holds True equal to 1; metadata does not."""
    return (bool, value) if isinstance(value, bool) else value


def elements(value: Any) -> Iterator[Any]:
    """The value, or the elements of an array; nothing for what is absent."""
    if isinstance(value, list):
        for element in value:
            yield from elements(element)
    elif value is not _ABSENT:
        yield value


def values_at(value: Any, keys: Sequence[str]) -> Iterator[Any]:
    """Every value that the keys lead to; arrays on the way are looked through."""
    if not keys:
        yield value
    elif isinstance(value, dict):
        if keys[0] in value:
            yield from values_at(value[keys[0]], keys[1:])
    elif isinstance(value, list):
        for element in value:
            yield from values_at(element, keys)


# -- reading -------------------------------------------------------------------------------------------

_NODE_SQL = f"SELECT {nodes.COLUMNS}, {{metadata}} FROM node WHERE ino IN (SELECT value FROM json_each(?))"
_METADATA_SQL = "(SELECT json FROM metadata WHERE metadata.ino = node.ino ORDER BY born DESC LIMIT 1)"
_decode = msgspec.json.Decoder().decode


def read(view: Reader, inos: Sequence[Ino], compiled: Compiled) -> Iterator[Facts]:
    """What the filter looks at, of those of the files that exist; in no particular order."""
    asked = msgspec.json.encode([int(ino) for ino in inos]).decode()
    names = _names(view, asked) if compiled.needs_names else {}
    sql = _NODE_SQL.format(metadata=_METADATA_SQL if compiled.needs_metadata else "NULL")
    for *fields, json in view.execute(sql, (asked,)):
        node = Node._make(fields)
        yield Facts(node, {} if json is None else _decode(json), tuple(names.get(node.ino, ())))


def _names(view: Reader, asked: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for ino, name in view.execute("SELECT ino, name FROM dentry WHERE ino IN (SELECT value FROM json_each(?))", (asked,)):
        found.setdefault(ino, []).append(bytes(name).decode("utf-8", "surrogateescape"))
    return found
