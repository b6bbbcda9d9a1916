"""What a replica answers itself follows from the contract; nothing that writes or depends on another process is among it."""

from vexfs.api.methods import HANDLERS
from vexfs.api.registry import build
from vexfs.api.replica import ANSWERED_SERVICES, answers
from vexfs.contract import descriptors

METHODS = build(HANDLERS)


def test_the_services_whose_reads_are_answered_are_those_of_the_contract() -> None:
    assert {method.service for method in descriptors.methods()} > ANSWERED_SERVICES


def test_what_has_side_effects_is_never_answered_by_a_replica() -> None:
    answered = {method.name for method in METHODS.values() if answers(method)}
    writing = {method.name for method in METHODS.values() if method.has_request_id or method.contract.permission == "write"}
    assert writing
    assert not answered & writing
    assert {"StatFile", "ReadFile", "GetPoints", "QueryPoints", "BatchQueryPoints", "GetCollection"} <= answered


def test_what_depends_on_the_first_process_is_not_answered_by_a_replica() -> None:
    elsewhere = {method.name for method in METHODS.values() if not answers(method)}
    assert {"GetServerInfo", "Search", "BatchSearch", "WaitForViews", "ListSkippedFiles"} <= elsewhere
