"""What the contract says about its methods. Which route, permission, idempotency and errors has a method?

Called by the surfaces when they start, and by tests. Pure reading of descriptors: thread-safe. Works on any file descriptors,
so that a service of a test is seen exactly as one of the contract. Never judges a request.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from google.api import annotations_pb2  # type: ignore[import-untyped]
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from vexfs.contract.v1 import collections_pb2, errors_pb2, files_pb2, options_pb2, points_pb2, search_pb2, server_pb2

CONTRACT: tuple[FileDescriptor, ...] = (
    files_pb2.DESCRIPTOR,
    collections_pb2.DESCRIPTOR,
    points_pb2.DESCRIPTOR,
    search_pb2.DESCRIPTOR,
    server_pb2.DESCRIPTOR,
)
"""The files of the contract that declare services."""

REASON_PREFIX = "ERROR_REASON_"
FILE_REF = "vexfs.v1.FileRef"

Permission = Literal["read", "write"]
Idempotency = Literal["no side effects", "idempotent"]


class ContractFault(Exception):
    """A method leaves out something that every method says; the message names both."""


@dataclass(frozen=True, slots=True)
class HttpBinding:
    """One `google.api.http` rule: the verb in capitals, the path template, and which fields the bodies are."""

    verb: str
    template: str
    body: str
    """"" for none, "*" for the whole request, else a field's name."""
    response_body: str
    """"" for the whole response, else a field's name."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the contract."""

    service: str
    """Full name, such as `vexfs.v1.FilesService`."""
    name: str
    """Such as `StatFile`."""
    path: str
    """gRPC's name for it, such as `/vexfs.v1.FilesService/StatFile`."""
    descriptor: MethodDescriptor
    request_class: type[Message]
    response_class: type[Message]
    bindings: tuple[HttpBinding, ...]
    """The rule of the annotation first, then its additional bindings."""
    idempotency: Idempotency
    permission: Permission
    reasons: frozenset[str]
    """Every reason it can fail with, without the prefix: those it names and those of its scopes."""
    client_streaming: bool
    server_streaming: bool


def methods(files: Iterable[FileDescriptor] = CONTRACT) -> Iterator[Method]:
    """The methods of all services in `files`, in the order of the files. Raises ContractFault."""
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                yield describe(method)


def describe(method: MethodDescriptor) -> Method:
    """One method. Raises ContractFault if it has no route, idempotency level or permission."""
    options = method.GetOptions()
    permission = permission_of(method, options)
    return Method(
        service=method.containing_service.full_name,
        name=method.name,
        path=f"/{method.containing_service.full_name}/{method.name}",
        descriptor=method,
        request_class=message_factory.GetMessageClass(method.input_type),
        response_class=message_factory.GetMessageClass(method.output_type),
        bindings=bindings_of(method, options),
        idempotency=idempotency_of(method, options),
        permission=permission,
        reasons=reasons_of(method, options, permission),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
    )


def bindings_of(method: MethodDescriptor, options: MethodOptions) -> tuple[HttpBinding, ...]:
    """The HTTP rules of a method. Raises ContractFault if there is none."""
    if not options.HasExtension(annotations_pb2.http):
        raise ContractFault(f"{method.full_name} has no google.api.http route")
    rule = options.Extensions[annotations_pb2.http]
    return tuple(_binding(each) for each in (rule, *rule.additional_bindings))


def _binding(rule: Any) -> HttpBinding:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        raise ContractFault("a google.api.http rule has no path")
    verb, template = (rule.custom.kind, rule.custom.path) if kind == "custom" else (kind, getattr(rule, kind))
    return HttpBinding(verb.upper(), template, rule.body, rule.response_body)


def idempotency_of(method: MethodDescriptor, options: MethodOptions) -> Idempotency:
    """The idempotency level of a method. Raises ContractFault if it says none."""
    if options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS:
        return "no side effects"
    if options.idempotency_level == MethodOptions.IDEMPOTENT:
        return "idempotent"
    raise ContractFault(f"{method.full_name} has no idempotency_level")


def permission_of(method: MethodDescriptor, options: MethodOptions) -> Permission:
    """The permission a method needs. Raises ContractFault if it says none."""
    permission = options.Extensions[options_pb2.method].permission
    if permission == options_pb2.PERMISSION_READ:
        return "read"
    if permission == options_pb2.PERMISSION_WRITE:
        return "write"
    raise ContractFault(f"{method.full_name} has no permission")


def reasons_of(method: MethodDescriptor, options: MethodOptions, permission: Permission) -> frozenset[str]:
    """The reasons a method names, and those of its scopes (`vexfs.v1.ErrorScope`)."""
    scopes = reasons_by_scope()
    reasons = {reason_name(number) for number in options.Extensions[options_pb2.method].reasons}
    reasons |= scopes[errors_pb2.ERROR_SCOPE_ANY]
    if names_a_file(method.input_type):
        reasons |= scopes[errors_pb2.ERROR_SCOPE_FILE]
    if permission == "write":
        reasons |= scopes[errors_pb2.ERROR_SCOPE_WRITE]
    return frozenset(reasons)


def names_a_file(message: Descriptor) -> bool:
    """Whether a request has a `FileRef`, itself or one message further in (the header of a stream)."""
    inner = [field.message_type for field in message.fields if field.message_type is not None]
    deeper = [field.message_type for each in inner for field in each.fields if field.message_type is not None]
    return any(each.full_name == FILE_REF for each in (*inner, *deeper))


@dataclass(frozen=True, slots=True)
class Reason:
    """One error reason as the contract describes it to programs."""

    name: str
    """Without the prefix, as in `ErrorInfo.reason`."""
    code: str
    http_status: int
    retryable: bool
    scope: int
    """A value of `vexfs.v1.ErrorScope`."""
    errno: str
    """The name of what a system call on a mount fails with."""


@cache
def reasons() -> dict[str, Reason]:
    """All reasons by name; the unspecified one is none."""
    found = {}
    for value in errors_pb2.ErrorReason.DESCRIPTOR.values:
        if value.number:
            info = value.GetOptions().Extensions[errors_pb2.error]
            name = reason_name(value.number)
            found[name] = Reason(name, info.code, info.http_status, info.retryable, info.scope, info.errno)
    return found


@cache
def reasons_by_scope() -> dict[int, frozenset[str]]:
    """The names of the reasons of each scope."""
    return {
        scope: frozenset(reason.name for reason in reasons().values() if reason.scope == scope)
        for scope in map(int, errors_pb2.ErrorScope.values())
    }


def reason_name(number: int) -> str:
    """The name of a reason without its prefix, such as `FILE_NOT_FOUND`."""
    return errors_pb2.ErrorReason.DESCRIPTOR.values_by_number[number].name.removeprefix(REASON_PREFIX)
