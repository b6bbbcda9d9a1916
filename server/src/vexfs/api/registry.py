"""The methods this server has: what the contract says of each, with the handler that answers it.

Built once at the start from the handlers of `vexfs.api.methods`; the surfaces read it and route by it. It holds no
behaviour, and it refuses a handler that the contract does not know, so that nothing is served outside the contract.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from vexfs.contract import descriptors

Handler: TypeAlias = Callable[..., Any]
"""`async (context, request) -> response`.

An async generator for a server stream; for a client stream the request is an AsyncIterator of requests.
"""
AtOnce: TypeAlias = Callable[..., Any]
"""`(context, request) -> awaitable of a response or None, or None`: answers on the event loop what takes some 0.1 ms there."""


class TwoWays(NamedTuple):
    """How a unary method is answered of which some calls are so brief that a visit to a thread would cost them dear."""

    at_once: AtOnce
    """Asked first, unless the call waits for something."""
    handler: Handler


class Kind(enum.Enum):
    """How many messages go each way."""

    UNARY = "unary"
    SERVER_STREAM = "server stream"
    CLIENT_STREAM = "client stream"


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One method with its handler."""

    full_name: str
    """`vexfs.v1.FilesService.StatFile`: the key of its handler."""
    contract: descriptors.Method
    kind: Kind
    request_class: type[Message]
    has_min_revision: bool
    has_request_id: bool
    handler: Handler
    at_once: AtOnce | None = None
    """None when every call is for the handler."""

    @property
    def name(self) -> str:
        """`StatFile`: how metrics and logs call it."""
        return self.contract.name


def build(handlers: Mapping[str, Handler | TwoWays]) -> dict[str, Method]:
    """The methods by full name.

    Raises LookupError for a handler without a method in the contract, and for a method that streams both ways: no
    surface carries it. Raises ContractFault for a method that leaves out what every method says.
    """
    pool = descriptor_pool.Default()
    methods = {}
    for full_name, handler in handlers.items():
        try:
            descriptor = pool.FindMethodByName(full_name)
        except KeyError:
            raise LookupError(f"the contract has no method {full_name}") from None
        methods[full_name] = _with_handler(full_name, descriptor, handler)
    return methods


def _with_handler(full_name: str, descriptor: MethodDescriptor, handler: Handler | TwoWays) -> Method:
    contract = descriptors.describe(descriptor)
    at_once, patient = handler if isinstance(handler, TwoWays) else (None, handler)
    return Method(
        full_name=full_name,
        contract=contract,
        kind=_kind(contract),
        request_class=contract.request_class,
        has_min_revision=_has_field(contract, "min_revision", FieldDescriptor.TYPE_INT64),
        has_request_id=_has_field(contract, "request_id", FieldDescriptor.TYPE_STRING),
        handler=patient,
        at_once=at_once,
    )


def _kind(contract: descriptors.Method) -> Kind:
    if contract.client_streaming and contract.server_streaming:
        raise LookupError(f"{contract.path} streams both ways")
    if contract.client_streaming:
        return Kind.CLIENT_STREAM
    return Kind.SERVER_STREAM if contract.server_streaming else Kind.UNARY


def _has_field(contract: descriptors.Method, name: str, kind: int) -> bool:
    field = contract.descriptor.input_type.fields_by_name.get(name)
    return field is not None and field.type == kind
