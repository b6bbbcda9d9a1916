"""The contract's rules on requests (protovalidate), as domain errors.

Called by the dispatcher for every request before the core sees it. Thread-safe; a rule compiles when its message first comes.
"""

from google.protobuf.message import Message
from protovalidate import Validator, Violation

from vexfs.api.errors import InvalidFields

_validator = Validator()


def validate(request: Message) -> None:
    """Raise InvalidFields, with every violation, unless `request` keeps the rules of the contract."""
    violations = _validator.collect_violations(request)
    if violations:
        raise InvalidFields([(_field_path(violation), violation.proto.message) for violation in violations])


def _field_path(violation: Violation) -> str:
    path = violation.proto.field
    return ".".join(element.field_name for element in path.elements) if path is not None else ""
