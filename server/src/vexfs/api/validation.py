"""The contract's rules on requests (protovalidate), as domain errors.

Called by the dispatcher for every request before the core sees it. Thread-safe; a rule compiles when its message first comes.
"""

from typing import Any

from google.protobuf.message import Message
from protovalidate import Validator, Violation

from vexfs.api.errors import InvalidFields

_validator = Validator()


def validate(request: Message) -> None:
    """Raise InvalidFields, with every violation, unless `request` keeps the rules of the contract.

    Of a list, `index` of the details is the element that the first violation is about.
    """
    violations = _validator.collect_violations(request)
    if violations:
        raise _refusal(violations)


def _refusal(violations: list[Violation]) -> InvalidFields:
    error = InvalidFields([(_field_path(violation), violation.proto.message) for violation in violations])
    if index := next(filter(None, map(_index, _elements(violations[0]))), ""):
        error.details["index"] = index
    return error


def _elements(violation: Violation) -> list[Any]:
    path = violation.proto.field
    return list(path.elements) if path is not None else []


def _field_path(violation: Violation) -> str:
    """Such as `points[3].id`. A key of a map is a text of the caller's, and stays out."""
    named = [(element.field_name, _index(element)) for element in _elements(violation)]
    return ".".join(f"{name}[{index}]" if index else name for name, index in named)


def _index(element: Any) -> str:
    subscript = element.subscript
    return str(subscript.value) if subscript is not None and subscript.field == "index" else ""
