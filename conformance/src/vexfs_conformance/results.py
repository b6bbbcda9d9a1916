"""What came of a case on a lane? Plain values that reports are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What a result says."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"
    KNOWN = "known"
    UNEXPECTED_PASS = "unexpected pass"


@dataclass(frozen=True)
class CaseResult:
    """One case on one lane."""

    case: str
    sdk: str
    """The SDK's name; `raw` for a surface without one."""
    transport: str
    verdict: Verdict
    seconds: float
    step: str = ""
    """Where it failed: `3 Search`."""
    differences: Sequence[Mapping[str, str]] = ()
    """What was wanted and what came: `place`, `want`, `got`."""
    why: str = ""
    """Why it is not applicable or known; of a failure, why it must be as the case has it."""
    covers: Sequence[str] = ()
    """What it shows, or would have shown had it not failed: `StatFile success`, `StatFile FILE_NOT_FOUND`."""
    not_asked: int = 0
    """Expectations that were not asked, because the SDK does not report the field."""
    trace: Sequence[str] = field(default_factory=list)
    """What was sent and what came, step by step; of failures only."""

    @property
    def lane(self) -> str:
        return f"{self.sdk}·{self.transport}"

    @property
    def bad(self) -> bool:
        return self.verdict in (Verdict.FAIL, Verdict.UNEXPECTED_PASS)


@dataclass(frozen=True)
class RunHeader:
    """What was run against what."""

    suite_version: str
    target: str
    server_version: str
    profile: str
    lanes: Sequence[Mapping[str, str]]
    """`sdk`, `version` and `transport` of each; of one that `--adapter` named, `adapter`: `NAME=COMMAND`."""
    cases: int
    started: str
    again: str = ""
    """The options that lead to the same server once more, such as `--serve`."""
    left_out: Sequence[str] = field(default_factory=list)
    """Lanes that could not be run here, each with the reason: `mount: there is no /dev/fuse`."""


@dataclass(frozen=True)
class RunFooter:
    """How it ended. A report without it is not a whole one."""

    seconds: float
    counts: Mapping[str, int]
    problems: Sequence[str]
    """What makes the run fail beside failed cases: a known failure that matches nothing, empty cells."""

    @property
    def conformant(self) -> bool:
        return not self.problems and not self.counts.get(Verdict.FAIL, 0) and not self.counts.get(Verdict.UNEXPECTED_PASS, 0)
