"""The cases themselves, and how wrong cases are found."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vexfs_conformance import contract, suites
from vexfs_conformance.lanes.raw import to_message
from vexfs_conformance.matching import MATCHERS
from vexfs_conformance.outcomes import HarnessError
from vexfs_conformance.values import HELPERS

CASES = list(suites.all_cases(suites.load()))


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 250


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.full_name)
def test_a_case_is_well_formed(case: suites.Case) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", case.name)
    assert case.why.endswith((".", "?"))
    assert any(step.expect is not None or step.expect_error is not None for step in case.steps), "it expects nothing"
    for step in case.all_steps:
        used = {key for key in keys([step.requests, step.expect]) if key.startswith("$") and not key.startswith("${")}
        assert used <= MATCHERS | set(HELPERS)


def test_every_method_is_called_by_a_case() -> None:
    assert {step.call for case in CASES for step in case.steps} == set(contract.methods())


def write(folder: Path, text: str) -> Path:
    (folder / "a.yaml").write_text(text)
    return folder


GOOD = """
name: A
cases:
  - name: one
    why: It must be so.
    steps:
      - {call: StatFile, request: {file: {path: /}}, expect: {file: {id: 1}}}
"""


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (suite,) = suites.load(write(tmp_path, GOOD))
    assert [case.full_name for case in suite.cases] == ["A/one"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("StatFile", "StatFiles", "no such method"),
        ("why: It must be so.", "", "does not say why"),
        ("expect: {file: {id: 1}}", "expect_error: {code: NOT_FOUND, reason: NO_FILE}", "no reason NO_FILE"),
        ("expect: {file: {id: 1}}", "expect_error: {code: NOT_FOUND, reason: POINT_NOT_FOUND}", "does not say that StatFile"),
        ("expect: {file: {id: 1}}", "expect_error: {code: INTERNAL, reason: FILE_NOT_FOUND}", "another code"),
        ("expect: {file: {id: 1}}", "expects: {}", "expects"),
        ("expect: {file", "expect_error: {code: INTERNAL}, expect: {file", "not both"),
        ("steps:", "step:", "step"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(HarnessError, match=said):
        suites.load(write(tmp_path, GOOD.replace(old, new)))


def test_a_request_that_is_no_message_is_refused() -> None:
    with pytest.raises(HarnessError, match="pth"):
        to_message({"file": {"pth": "/"}}, "vexfs.v1.StatFileRequest")
