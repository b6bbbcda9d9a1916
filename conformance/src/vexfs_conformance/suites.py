"""What are the cases? Reads the YAML files, holds them to the form of `Suite`, and to the contract.

A case that names a method, field or reason which the contract does not have is an error of the suite (`HarnessError`),
found before anything runs. Plain values once loaded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format

from vexfs_conformance import contract
from vexfs_conformance.outcomes import HarnessError, Json


@dataclass(frozen=True)
class ExpectedError:
    """The error a step has to end with: one of these codes, one of these reasons. `reasons` empty: whatever it is."""

    codes: Sequence[str]
    reasons: Sequence[str]
    attempts: int


@dataclass(frozen=True)
class FaultPlan:
    """What goes wrong between client and server; see `Fault` in suite.proto."""

    fail_first: int = 0
    status: str = "UNAVAILABLE"
    reason: str = ""
    lose_first: int = 0
    delay_ms: int = 0
    retry_after_ms: int = 0
    reset_after_bytes: int = 0


@dataclass(frozen=True)
class Step:
    """One call and what must come of it; see `Step` in suite.proto."""

    call: str
    requests: Sequence[Json]
    expect: Json | None
    expect_error: ExpectedError | None
    capture: Mapping[str, str]
    one_page: bool
    timeout_ms: int | None
    cancel_after_ms: int | None
    take: int | None
    connection: Mapping[str, Any]
    fault: FaultPlan | None
    expect_seen: Mapping[str, Any]
    same: bool
    hits_page_size: int | None

    @property
    def needs(self) -> set[str]:
        """What the lane must be able to do for this step."""
        found = set()
        if self.cancel_after_ms is not None:
            found.add("cancel")
        if self.fault is not None or self.expect_seen:
            found.add("faults")
        return found


@dataclass(frozen=True)
class Case:
    """One behaviour; see `Case` in suite.proto."""

    suite: str
    name: str
    why: str
    needs: frozenset[str]
    read_only: bool
    transports: Sequence[str]
    covers: Sequence[str]
    raw_only: bool
    steps: Sequence[Step]
    before: Sequence[Step]
    source: str

    @property
    def full_name(self) -> str:
        return f"{self.suite}/{self.name}"

    @property
    def all_steps(self) -> Sequence[Step]:
        return [*self.before, *self.steps]


@dataclass(frozen=True)
class Suite:
    """One file of cases; see `Suite` in suite.proto."""

    name: str
    about: str
    once: Sequence[Step]
    cases: Sequence[Case] = field(default_factory=list)


def cases_folder() -> Path:
    """Where the cases that come with the suite are: in the package, or beside its source."""
    packaged = Path(str(resources.files("vexfs_conformance"))) / "cases"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "cases"


def load(folder: Path | None = None) -> list[Suite]:
    """All suites below a folder, in the order of their files' names. Raises HarnessError for a case that is no case."""
    found = [_load_file(path) for path in sorted((folder or cases_folder()).rglob("*.yaml"))]
    names = [suite.name for suite in found]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise HarnessError(f"two suites have the name {', '.join(doubled)}")
    return found


def _load_file(path: Path) -> Suite:
    try:
        # The C loader reads what the other reads, ten times as fast.
        raw = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        message = contract.message_class("vexfs.conformance.v1.Suite")()
        json_format.ParseDict(raw, message)
    except (yaml.YAMLError, json_format.ParseError, AttributeError, TypeError) as error:
        raise HarnessError(f"{path}: {error}") from error
    before = [_step(each, path) for each in raw.get("before", ())]
    needs = frozenset(raw.get("needs", ()))
    cases = [_case(each, raw["name"], before, needs, path) for each in raw["cases"]]
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        raise HarnessError(f"{path}: two cases have the same name: {sorted({name for name in names if names.count(name) > 1})}")
    return Suite(raw["name"], raw.get("about", ""), [_step(each, path) for each in raw.get("once", ())], cases)


def _case(raw: Json, suite: str, before: Sequence[Step], needs: frozenset[str], path: Path) -> Case:
    if not raw.get("why"):
        raise HarnessError(f"{path}: {raw.get('name')} does not say why")
    return Case(
        suite=suite,
        name=raw["name"],
        why=raw["why"],
        needs=needs | frozenset(raw.get("needs", ())),
        read_only=raw.get("read_only", False),
        transports=raw.get("transports", ()),
        covers=raw.get("covers", ()),
        raw_only=raw.get("raw_only", False),
        steps=[_step(each, path) for each in raw["steps"]],
        before=before,
        source=str(path.name),
    )


def _step(raw: Json, path: Path) -> Step:
    where = f"{path}: {raw.get('call')}"
    method = contract.methods().get(raw.get("call", ""))
    if method is None:
        raise HarnessError(f"{where}: the contract has no such method")
    error = _expected_error(raw.get("expect_error"), method, where)
    if error is not None and "expect" in raw:
        raise HarnessError(f"{where}: a step expects an answer or an error, not both")
    connection = raw.get("connection", {})
    return Step(
        call=method.name,
        requests=raw.get("requests") or [raw.get("request") or {}],
        expect=raw.get("expect"),
        expect_error=error,
        capture=raw.get("capture", {}),
        one_page=raw.get("paging") == "PAGING_ONE_PAGE",
        timeout_ms=raw.get("timeout_ms"),
        cancel_after_ms=raw.get("cancel_after_ms"),
        take=raw.get("take"),
        connection=connection,
        fault=FaultPlan(**raw["fault"]) if "fault" in raw else None,
        expect_seen=raw.get("expect_seen", {}),
        same=raw.get("same", False),
        hits_page_size=raw.get("hits_page_size"),
    )


def _expected_error(raw: Json | None, method: contract.Method, where: str) -> ExpectedError | None:
    if raw is None:
        return None
    codes = raw.get("any_code") or [raw["code"]]
    names = raw.get("any_reason") or ([raw["reason"]] if raw.get("reason") else [])
    for name in names:
        if name not in contract.reasons():
            raise HarnessError(f"{where}: the contract has no reason {name}")
        if name not in method.reasons:
            raise HarnessError(f"{where}: the contract does not say that {method.name} can end with {name}")
        if not all(contract.same_code(code, name) for code in codes):
            raise HarnessError(f"{where}: the contract gives {name} another code than {' or '.join(codes)}")
    return ExpectedError(codes, names, raw.get("attempts", 0))


def all_cases(suites: Sequence[Suite]) -> Iterator[Case]:
    """The cases of all suites."""
    for suite in suites:
        yield from suite.cases
