"""The contract and what is served are the same: every method has a handler, every route is answered."""

import json

import pytest
from running import Server

from vexfs.api.methods import HANDLERS
from vexfs.api.registry import build
from vexfs.api.routes import Router
from vexfs.contract import descriptors
from vexfs.core.errors import VexfsError

METHODS = list(descriptors.methods())


def test_every_method_of_the_contract_has_a_handler_and_no_other() -> None:
    assert set(HANDLERS) == {method.descriptor.full_name for method in METHODS}


def test_the_description_is_served_and_counts_as_many_operations_as_the_contract_has_routes(server: Server) -> None:
    answer = server.http("GET", "/openapi.json", token=None)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    description = json.loads(answer.body)
    assert description["openapi"].startswith("3.")
    described = {(verb.upper(), path) for path, verbs in description["paths"].items() for verb in verbs}
    served = {(binding.verb, binding.template) for method in METHODS for binding in method.bindings}
    assert served <= described


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_route_leads_to_its_method(method: descriptors.Method) -> None:
    router = Router(build(HANDLERS).values())
    for binding in method.bindings:
        route, _ = router.find(binding.verb, binding.template)
        assert route.method.contract.name == method.name


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_asks_for_the_token_over_rest(server: Server, method: descriptors.Method) -> None:
    for binding in method.bindings:
        assert server.http(binding.verb, binding.template, token=None).reason == "UNAUTHENTICATED"


def subclasses(kind: type[VexfsError]) -> set[type[VexfsError]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_error_of_the_surfaces_has_a_reason_of_the_contract() -> None:
    assert {kind.reason for kind in subclasses(VexfsError)} <= set(descriptors.reasons())
