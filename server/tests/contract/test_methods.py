"""Every method of the contract says everything about itself: comment, route, idempotency, permission, rules, error reasons."""

import subprocess
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from protovalidate import Validator

from vexfs.contract.descriptors import CONTRACT, ContractFault, Method, describe, methods, reasons
from vexfs.contract.v1 import common_pb2, errors_pb2, options_pb2
from vexfs.contract.v1.third_party.buf.validate import validate_pb2

REPOSITORY = Path(__file__).parents[3]
METHODS = list(methods())
WRITES = [method for method in METHODS if method.permission == "write"]
READS = [method for method in METHODS if method.permission == "read"]


def named(method: Method) -> str:
    return method.name


@pytest.fixture(scope="module")
def sources() -> dict[str, descriptor_pb2.FileDescriptorProto]:
    """The contract as buf compiles it, with its comments."""
    buf = REPOSITORY / "node_modules" / ".bin" / "buf"
    assert buf.exists(), "run `make contract-tools`"
    image = subprocess.run([buf, "build", "proto", "-o", "-#format=binpb"], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    compiled = descriptor_pb2.FileDescriptorSet.FromString(image.stdout)
    return {file.name: file for file in compiled.file}


def test_the_contract_has_its_services() -> None:
    services = {method.service.removeprefix("vexfs.v1.") for method in METHODS}
    assert services == {"FilesService", "CollectionsService", "PointsService", "SearchService", "ServerService"}


def test_no_file_with_a_service_is_left_out(sources: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    with_services = {name for name, file in sources.items() if name.startswith("vexfs/v1/") and file.service}
    assert with_services == {file.name for file in CONTRACT}


def test_every_method_has_a_comment(sources: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    commented = 0
    for file in CONTRACT:
        comments = {tuple(each.path): each.leading_comments for each in sources[file.name].source_code_info.location}
        for service_index, service in enumerate(sources[file.name].service):
            for index, method in enumerate(service.method):
                comment = comments.get((6, service_index, 2, index), "")
                assert comment.strip().endswith("."), f"{service.name}.{method.name} has no comment"
                commented += 1
    assert commented == len(METHODS)


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_reads_have_no_side_effects_and_writes_can_be_repeated(method: Method) -> None:
    assert method.idempotency == ("idempotent" if method.permission == "write" else "no side effects")


def test_no_two_methods_share_a_route() -> None:
    routes = [(binding.verb, binding.template) for method in METHODS for binding in method.bindings]
    assert len(routes) == len(set(routes)) >= len(METHODS)
    assert all(template.startswith("/v1/") for _, template in routes)


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_a_route_can_carry_its_request(method: Method) -> None:
    """A route with a body takes all of the request there; one without has only fields that a query can hold."""
    for binding in method.bindings:
        assert (binding.body == "*") == (binding.verb in {"POST", "PUT", "PATCH"})
        if not binding.body:
            for field in method.descriptor.input_type.fields:
                is_reference = field.message_type is not None and field.message_type.full_name == "vexfs.v1.FileRef"
                assert not field.is_repeated
                assert field.message_type is None or is_reference, f"{method.name}.{field.name} does not fit into a query"


@pytest.mark.parametrize("method", WRITES, ids=named)
def test_writes_carry_a_request_id(method: Method) -> None:
    assert method.descriptor.input_type.fields_by_name["request_id"].type == FieldDescriptor.TYPE_STRING
    assert "REQUEST_ID_REUSED" in method.reasons


@pytest.mark.parametrize("method", READS, ids=named)
def test_reads_carry_a_minimum_revision(method: Method) -> None:
    assert method.descriptor.input_type.fields_by_name["min_revision"].type == FieldDescriptor.TYPE_INT64
    assert "request_id" not in method.descriptor.input_type.fields_by_name


@pytest.mark.parametrize("method", [each for each in READS if each.service == "vexfs.v1.FilesService"], ids=named)
def test_reads_of_files_can_look_back(method: Method) -> None:
    assert method.descriptor.input_type.fields_by_name["at_revision"].type == FieldDescriptor.TYPE_INT64
    assert "REVISION_NOT_AVAILABLE" in method.reasons


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_responses_carry_the_revision_first(method: Method) -> None:
    field = method.descriptor.output_type.fields_by_name["revision"]
    assert (field.number, field.type) == (1, FieldDescriptor.TYPE_INT64)


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_reasons_are_those_named_and_those_of_the_scopes(method: Method) -> None:
    option = method.descriptor.GetOptions().Extensions[options_pb2.method]
    assert len(option.reasons) == len(set(option.reasons)), "a reason is named twice"
    for number in option.reasons:
        name = errors_pb2.ErrorReason.Name(number).removeprefix("ERROR_REASON_")
        assert name in method.reasons
        assert reasons()[name].scope == errors_pb2.ERROR_SCOPE_UNSPECIFIED, f"{name} goes without saying"
    assert {"INVALID_ARGUMENT", "UNAUTHENTICATED", "INTERNAL"} <= method.reasons
    assert ("VOLUME_READ_ONLY" in method.reasons) == (method.permission == "write")


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_every_request_has_a_rule_that_compiles(method: Method) -> None:
    request = method.descriptor.input_type
    ruled = [field for field in request.fields if field.GetOptions().HasExtension(validate_pb2.field)]
    assert ruled, f"{request.name} has no protovalidate rule"
    Validator().collect_violations(method.request_class())


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_a_request_that_breaks_its_rules_is_named(method: Method) -> None:
    request = method.request_class()
    if "request_id" in method.descriptor.input_type.fields_by_name:
        request.request_id = "x" * 129  # type: ignore[attr-defined]
        broken = "request_id"
    else:
        request.min_revision = -1  # type: ignore[attr-defined]
        broken = "min_revision"
    fields = [violation.proto.field for violation in Validator().collect_violations(request)]
    assert broken in {field.elements[0].field_name for field in fields if field is not None}


def test_a_file_is_named_in_exactly_one_way() -> None:
    validator = Validator()
    assert validator.collect_violations(common_pb2.FileRef())
    for name in (common_pb2.FileRef(path="/"), common_pb2.FileRef(id=1), common_pb2.FileRef(path_bytes=b"/\xff")):
        assert not validator.collect_violations(name)
    assert validator.collect_violations(common_pb2.FileRef(id=-1))


def test_a_method_that_says_too_little_is_refused() -> None:
    """On a service that only this test knows: one option after the other is added, and only the last is accepted."""
    for count in range(3):
        with pytest.raises(ContractFault, match="TestOnly"):
            describe(_method_with(count))
    found = describe(_method_with(3))
    assert [(each.verb, each.template, each.body) for each in found.bindings] == [
        ("GET", "/v1/test/{path}", ""),
        ("PURGE", "/v1/test", "path"),
    ]
    assert (found.permission, found.idempotency, found.server_streaming) == ("write", "idempotent", True)
    assert "MOVE_INTO_ITSELF" in found.reasons and "FILE_NOT_FOUND" not in found.reasons


def _method_with(count: int):  # type: ignore[no-untyped-def]
    """A method with the first `count` of what every method says."""
    from google.api import annotations_pb2

    name = f"vexfs/test/contract{count}.proto"
    file = descriptor_pb2.FileDescriptorProto(name=name, package=f"vexfs.test{count}", syntax="proto3")
    file.dependency.extend(["google/api/annotations.proto", "vexfs/v1/options.proto"])
    message = file.message_type.add(name="TestOnly")
    message.field.add(name="path", number=1, type=FieldDescriptor.TYPE_STRING, label=FieldDescriptor.LABEL_OPTIONAL)
    method = file.service.add(name="TestService").method.add(
        name="TestOnly", input_type="TestOnly", output_type="TestOnly", server_streaming=True
    )
    if count > 0:
        rule = method.options.Extensions[annotations_pb2.http]
        rule.get = "/v1/test/{path}"
        binding = rule.additional_bindings.add(body="path")
        binding.custom.kind, binding.custom.path = "PURGE", "/v1/test"
    if count > 1:
        method.options.idempotency_level = descriptor_pb2.MethodOptions.IDEMPOTENT
    if count > 2:
        option = method.options.Extensions[options_pb2.method]
        option.permission = options_pb2.PERMISSION_WRITE
        option.reasons.append(errors_pb2.ERROR_REASON_MOVE_INTO_ITSELF)
    pool = descriptor_pool.Default()
    pool.Add(file)
    message_factory.GetMessageClass(pool.FindMessageTypeByName(f"vexfs.test{count}.TestOnly"))
    return pool.FindMethodByName(f"vexfs.test{count}.TestService.TestOnly")
