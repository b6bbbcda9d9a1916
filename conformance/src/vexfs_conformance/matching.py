"""Is a response what the case expects? Compares protojson with an expectation and names every difference. Pure functions.

What is not named in an expectation is not looked at. Numbers and their texts are equal (protojson writes int64 as text), a
field that is left out is equal to its default. Lists have to have the same length and order. Matchers are objects with a
key that begins with `$`.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MISSING = object()
_DEFAULTS = (0, 0.0, "", False, None)


@dataclass(frozen=True)
class Difference:
    """One place where the response is not what was wanted."""

    place: str
    want: str
    got: str


def _show(value: Any) -> str:
    if value is MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:180]}… ({len(text)} characters)"


def differences(want: Any, got: Any, place: str = "") -> list[Difference]:
    """Every difference; none if it matches."""
    if isinstance(want, dict):
        matcher = next((key for key in want if key.startswith("$")), None)
        if matcher is not None:
            return _matched(matcher, want, got, place)
        if got is MISSING and not want:
            return []
        if got is MISSING:
            got = {}
        if not isinstance(got, Mapping):
            return [Difference(place, _show(want), _show(got))]
        return [
            each
            for key, inner in want.items()
            for each in differences(inner, got.get(key, MISSING), f"{place}.{key}" if place else key)
        ]
    if isinstance(want, list):
        return _lists(want, got, place)
    return [] if _equal(want, got) else [Difference(place, _show(want), _show(got))]


def _lists(want: list[Any], got: Any, place: str) -> list[Difference]:
    items = [] if got is MISSING else got
    if not isinstance(items, list):
        return [Difference(place, _show(want), _show(got))]
    found = [
        each for index, inner in enumerate(want[: len(items)]) for each in differences(inner, items[index], f"{place}[{index}]")
    ]
    if len(want) != len(items):
        found.append(Difference(place, f"{len(want)} items", f"{len(items)} items: {_show(items)}"))
    return found


def _equal(want: Any, got: Any) -> bool:
    if got is MISSING:
        return want in _DEFAULTS if not isinstance(want, (list, dict)) else not want
    if isinstance(want, bool) or isinstance(got, bool):
        return want is got
    if isinstance(want, (int, float)) or isinstance(got, (int, float)):
        numbers = _number(want), _number(got)
        return None not in numbers and numbers[0] == numbers[1]
    return bool(want == got)


def _number(value: Any) -> float | int | None:
    if isinstance(value, (int, float)):
        return value
    try:
        return int(value)
    except (TypeError, ValueError):
        try:
            return float(value)
        except (TypeError, ValueError):
            return None


def _matched(matcher: str, want: Mapping[str, Any], got: Any, place: str) -> list[Difference]:
    argument = want[matcher]
    if matcher == "$approx":
        within = float(want.get("within", 1e-6))
        number = 0.0 if got is MISSING else _number(got)
        right = number is not None and math.isclose(number, float(argument), rel_tol=0, abs_tol=within)
        return [] if right else [Difference(place, f"{argument} ± {within}", _show(got))]
    if matcher == "$unordered":
        return _unordered(argument, got, place)
    if matcher == "$contains":
        return _contains(argument, got, place)
    return [] if TESTS[matcher](argument, got) else [Difference(place, f"{matcher} {_show(argument)}", _show(got))]


def _unordered(want: list[Any], got: Any, place: str) -> list[Difference]:
    left = list(got) if isinstance(got, list) else []
    missing = []
    for each in want:
        index = next((index for index, item in enumerate(left) if not differences(each, item)), None)
        if index is None:
            missing.append(each)
        else:
            del left[index]
    found = [Difference(place, f"one that is {_show(each)}", "none such") for each in missing]
    if left:
        found.append(Difference(place, f"{len(want)} items in any order", f"also {_show(left)}"))
    return found


def _contains(want: list[Any], got: Any, place: str) -> list[Difference]:
    items = got if isinstance(got, list) else []
    return [
        Difference(place, f"one that is {_show(each)}", f"{len(items)} others: {_show(items)}")
        for each in want
        if all(differences(each, item) for item in items)
    ]


def _above(limit: Any, got: Any) -> bool:
    number = _number(0 if got is MISSING else got)
    return number is not None and number > float(limit)


TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$any": lambda _, __: True,
    "$present": lambda want, got: (got is not MISSING and got not in _DEFAULTS) is want,
    "$absent": lambda want, got: (got is MISSING) is want,
    "$above": _above,
    "$below": lambda limit, got: (number := _number(0 if got is MISSING else got)) is not None and number < float(limit),
    "$length": lambda want, got: (0 if got is MISSING else len(got)) == want,
    "$ends": lambda want, got: isinstance(got, str) and got.endswith(want),
    "$starts": lambda want, got: isinstance(got, str) and got.startswith(want),
    "$not": lambda want, got: bool(differences(want, got)),
    "$one_of": lambda want, got: any(not differences(each, got) for each in want),
}
MATCHERS = frozenset({*TESTS, "$approx", "$unordered", "$contains", "within"})


def without(message: Any, fields: Iterable[str]) -> Any:
    """A copy of a message without some fields, wherever they stand; for comparing what lanes answered."""
    left_out = frozenset(fields)
    if isinstance(message, dict):
        return {key: without(value, left_out) for key, value in message.items() if key not in left_out}
    if isinstance(message, list):
        return [without(each, left_out) for each in message]
    return message
