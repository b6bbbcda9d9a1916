"""Which expectations can be asked of an SDK that does not give back every field? Pure functions."""

from collections.abc import Collection
from typing import Any

from vexfs_conformance import contract


def prune(expect: Any, message_name: str, unreported: Collection[str]) -> tuple[Any, int]:
    """The expectation without the fields that are not reported (as `Message.field`), and how many those were."""
    if not unreported:
        return expect, 0
    descriptor = contract.message_class(message_name).DESCRIPTOR
    counted = [0]
    return _prune(expect, descriptor, unreported, counted), counted[0]


def _prune(expect: Any, descriptor: Any, unreported: Collection[str], counted: list[int]) -> Any:
    if isinstance(expect, list):
        return [_prune(each, descriptor, unreported, counted) for each in expect]
    if not isinstance(expect, dict) or descriptor is None:
        return expect
    kept = {}
    for key, value in expect.items():
        field = descriptor.fields_by_name.get(key)
        if field is None:  # a matcher, or the key of a map
            kept[key] = _prune(value, descriptor, unreported, counted)
        elif f"{descriptor.name}.{key}" in unreported:
            counted[0] += 1
        else:
            kept[key] = _prune(value, field.message_type, unreported, counted)
    return kept


def is_reported(place: str, message_name: str, unreported: Collection[str]) -> bool:
    """Whether a lane that leaves out these fields can give the value at a place such as `files.0.id`."""
    descriptor: Any = contract.message_class(message_name).DESCRIPTOR
    for part in place.split("."):
        if part.isdigit() or descriptor is None:
            continue
        if f"{descriptor.name}.{part}" in unreported:
            return False
        field = descriptor.fields_by_name.get(part)
        descriptor = field.message_type if field is not None else None
    return True
