"""The methods this server has: read from the contract's descriptors, each with the handler that answers it.

Built once at the start from the handlers of `vexfs.api.methods`; the surfaces read it and route by it. It holds no
behaviour, and it refuses a handler that the contract does not know, so that nothing is served outside the contract.
"""

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.api import annotations_pb2, http_pb2  # type: ignore[import-untyped]
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

UnaryHandler: TypeAlias = Callable[..., Awaitable[Message]]
StreamHandler: TypeAlias = Callable[..., AsyncIterator[Message]]
Handler: TypeAlias = Callable[..., Any]
"""`async (context, request) -> response`; an async generator for a server stream; the request is an AsyncIterator for a
client stream."""


class Kind(enum.Enum):
    """How many messages go each way."""

    UNARY = "unary"
    SERVER_STREAM = "server stream"
    CLIENT_STREAM = "client stream"


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One RPC as the contract describes it."""

    full_name: str
    """`vexfs.v1.FilesService.StatFile`: the key of its handler."""
    path: str
    """`/vexfs.v1.FilesService/StatFile`: gRPC's name for it."""
    kind: Kind
    request_class: type[Message]
    response_class: type[Message]
    descriptor: MethodDescriptor
    rules: tuple[http_pb2.HttpRule, ...]
    """Its HTTP routes: the annotation and its additional bindings."""
    has_min_revision: bool
    has_request_id: bool
    handler: Handler


def build(handlers: Mapping[str, Handler]) -> dict[str, Method]:
    """The methods by full name. Raises LookupError for a handler without a method in the contract."""
    pool = descriptor_pool.Default()
    methods = {}
    for full_name, handler in handlers.items():
        try:
            descriptor = pool.FindMethodByName(full_name)
        except KeyError:
            raise LookupError(f"the contract has no method {full_name}") from None
        methods[full_name] = describe(descriptor, handler)
    return methods


def describe(descriptor: MethodDescriptor, handler: Handler) -> Method:
    """What the surfaces need to know of one method. Raises LookupError for one that streams both ways: no surface
    carries it."""
    request = descriptor.input_type
    return Method(
        full_name=descriptor.full_name,
        path=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
        kind=_kind(descriptor),
        request_class=message_factory.GetMessageClass(request),
        response_class=message_factory.GetMessageClass(descriptor.output_type),
        descriptor=descriptor,
        rules=tuple(http_rules(descriptor)),
        has_min_revision=_has_field(request, "min_revision", (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64)),
        has_request_id=_has_field(request, "request_id", (FieldDescriptor.TYPE_STRING,)),
        handler=handler,
    )


def http_rules(descriptor: MethodDescriptor) -> Iterable[http_pb2.HttpRule]:
    """The HTTP routes the contract gives a method."""
    options = descriptor.GetOptions()
    if options.HasExtension(annotations_pb2.http):
        rule = options.Extensions[annotations_pb2.http]
        yield rule
        yield from rule.additional_bindings


def _kind(descriptor: MethodDescriptor) -> Kind:
    if descriptor.client_streaming and descriptor.server_streaming:
        raise LookupError(f"{descriptor.full_name} streams both ways")
    if descriptor.client_streaming:
        return Kind.CLIENT_STREAM
    return Kind.SERVER_STREAM if descriptor.server_streaming else Kind.UNARY


def _has_field(message: Descriptor, name: str, types: tuple[int, ...]) -> bool:
    field = message.fields_by_name.get(name)
    return field is not None and field.type in types
