"""What does the contract say? Methods with their routes and reasons, reasons with their codes, and the message classes.

Everything is read from `_generated/contract.binpb`, the descriptors of `proto/`, in a pool of its own: the suite never
shares a message class with a server or an SDK that lives in the same process. Read once, never changed: safe from any
thread.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

PACKAGE = "vexfs.v1"
_PREFIX = "ERROR_REASON_"
_NO_SIDE_EFFECTS, _IDEMPOTENT = 1, 2
_SCOPE_ANY, _SCOPE_FILE, _SCOPE_WRITE = 1, 2, 3
_PERMISSION_WRITE = 2


@dataclass(frozen=True)
class Reason:
    """One error reason: its name without prefix, its gRPC code's name, whether trying again can help, which methods can end
    with it, the name of the errno on a mount.
    """

    name: str
    code: str
    http_status: int
    retryable: bool
    scope: int
    errno: str


@dataclass(frozen=True)
class Method:
    """One method: `name` is `StatFile`, `full_name` is `vexfs.v1.FilesService/StatFile`."""

    name: str
    service: str
    request_name: str
    response_name: str
    client_streaming: bool
    server_streaming: bool
    verb: str
    route: str
    has_body: bool
    writes: bool
    safe_to_repeat: bool
    reasons: frozenset[str]
    """Every reason it may end with, those of its scopes too."""
    named_reasons: frozenset[str]
    """The reasons that the method itself names."""
    pages: bool
    lists: bool
    """Whether its pages are the parts of a list, which is asked for as a whole; those of a search are answers by themselves."""

    @property
    def full_name(self) -> str:
        return f"{PACKAGE}.{self.service}/{self.name}"

    @property
    def item_field(self) -> str:
        """Of a method that lists: the field of its response that holds the items."""
        return next(field.name for field in message_class(self.response_name).DESCRIPTOR.fields if field.is_repeated)

    def new_request(self) -> Message:
        return message_class(self.request_name)()

    def new_response(self) -> Message:
        return message_class(self.response_name)()


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    data = resources.files("vexfs_conformance").joinpath("_generated/contract.binpb").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.Add(file)
    return pool


@cache
def message_class(full_name: str) -> type[Message]:
    """The class of a message of the contract, of the suite or of `google.protobuf`."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(full_name))


def _options(kind: str, raw: Any) -> Any:
    """Options read again with the pool's own classes, which know the contract's extensions."""
    return message_class(f"google.protobuf.{kind}").FromString(raw.SerializeToString())


def _extension(name: str) -> Any:
    return _pool().FindExtensionByName(name)


@cache
def reasons() -> dict[str, Reason]:
    """All reasons of the contract by name."""
    found = {}
    for value in _pool().FindEnumTypeByName(f"{PACKAGE}.ErrorReason").values:
        if value.number == 0:
            continue
        contract = _options("EnumValueOptions", value.GetOptions()).Extensions[_extension(f"{PACKAGE}.error")]
        name = value.name.removeprefix(_PREFIX)
        found[name] = Reason(name, contract.code, contract.http_status, contract.retryable, contract.scope, contract.errno)
    return found


@cache
def methods() -> dict[str, Method]:
    """All methods of the contract by name."""
    found: dict[str, Method] = {}
    for file in ("files", "collections", "points", "search", "server"):
        for service in _pool().FindFileByName(f"vexfs/v1/{file}.proto").services_by_name.values():
            for descriptor in service.methods:
                found[descriptor.name] = _method(service.name, descriptor)
    return found


def _method(service: str, descriptor: Any) -> Method:
    options = _options("MethodOptions", descriptor.GetOptions())
    http = options.Extensions[_extension("google.api.http")]
    own = options.Extensions[_extension(f"{PACKAGE}.method")]
    verb = http.WhichOneof("pattern")
    enum = _pool().FindEnumTypeByName(f"{PACKAGE}.ErrorReason")
    named = frozenset(enum.values_by_number[number].name.removeprefix(_PREFIX) for number in own.reasons)
    names = set(descriptor.input_type.fields_by_name)
    writes = own.permission == _PERMISSION_WRITE
    scopes = {_SCOPE_ANY}
    if _names_a_file(descriptor.input_type):
        scopes.add(_SCOPE_FILE)
    if writes:
        scopes.add(_SCOPE_WRITE)
    return Method(
        name=descriptor.name,
        service=service,
        request_name=descriptor.input_type.full_name,
        response_name=descriptor.output_type.full_name,
        client_streaming=descriptor.client_streaming,
        server_streaming=descriptor.server_streaming,
        verb=verb.upper(),
        route=getattr(http, verb),
        has_body=http.body == "*",
        writes=writes,
        safe_to_repeat=options.idempotency_level in (_NO_SIDE_EFFECTS, _IDEMPOTENT),
        reasons=named | {reason.name for reason in reasons().values() if reason.scope in scopes},
        named_reasons=named,
        pages="page_token" in names,
        lists="page_size" in names,
    )


def _names_a_file(message: Any, depth: int = 3) -> bool:
    """Whether a request has a `FileRef` in it, itself or in a part such as the header of WriteFile."""
    if message.full_name == f"{PACKAGE}.FileRef":
        return True
    return depth > 0 and any(_names_a_file(field.message_type, depth - 1) for field in message.fields if field.message_type)


def file_scope_reasons() -> frozenset[str]:
    """The reasons of every method whose request names a file."""
    return frozenset(reason.name for reason in reasons().values() if reason.scope == _SCOPE_FILE)


def same_code(code: str, reason: str) -> bool:
    """Whether an error with this reason has to have this code."""
    return reason not in reasons() or reasons()[reason].code == code
