"""The reasons of the contract and the errors the server raises are the same list, and mean the same."""

import errno
from collections.abc import Iterator

import pytest

from vexfs.contract.descriptors import methods, reasons
from vexfs.contract.v1 import errors_pb2
from vexfs.core import errors


def subclasses(base: type[errors.VexfsError]) -> Iterator[type[errors.VexfsError]]:
    """Every error of vexfs.core.errors; those a surface adds inherit their reason."""
    for each in base.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
        yield from subclasses(each)


ERRORS = {each.__name__: each for each in (errors.VexfsError, *subclasses(errors.VexfsError))}


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_every_error_has_its_reason_in_the_contract(name: str) -> None:
    error = ERRORS[name]
    reason = reasons()[error.reason]
    assert (reason.code, reason.http_status, reason.retryable) == (error.code, error.http_status, error.retryable)
    assert getattr(errno, reason.errno) == error.errno


@pytest.mark.parametrize("name", sorted(reasons()))
def test_every_reason_is_raised_by_an_error(name: str) -> None:
    assert [error for error in ERRORS.values() if error.reason == name], f"no error has the reason {name}"


def test_no_two_errors_share_a_reason() -> None:
    with_own = [error for error in ERRORS.values() if "reason" in vars(error)]
    assert len({error.reason for error in with_own}) == len(with_own)
    assert len(with_own) == len(reasons())


def test_every_reason_can_be_met() -> None:
    """Each belongs to a method, apart from those that only stop a server from starting."""
    of_methods = frozenset().union(*(method.reasons for method in methods()))
    general = {"FAILED_PRECONDITION"}
    at_start = {"VOLUME_IN_USE", "FORMAT_TOO_NEW", "UNSAFE_SQLITE"}
    assert set(reasons()) - of_methods == general | at_start


def test_the_unspecified_reason_is_none() -> None:
    assert errors_pb2.ErrorReason.Name(0) == "ERROR_REASON_UNSPECIFIED"
    assert "UNSPECIFIED" not in reasons()
