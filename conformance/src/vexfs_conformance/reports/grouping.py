"""What failed, case by case: on which lanes, who is to blame, and which command runs it again. Pure functions."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.results import CaseResult, Verdict

NAMES = {"grpc": "gRPC", "rest": "REST", "connect": "Connect", "mount": "the mount"}
"""How people call the transports."""


@dataclass(frozen=True)
class Group:
    """A case that failed, or was known to fail and passes, with its results on the lanes where that is so."""

    case: str
    results: Sequence[CaseResult]
    says: str
    """Who is wrong, in a sentence."""

    @property
    def passes(self) -> bool:
        """Whether it passes although it is listed as known to fail."""
        return all(result.verdict is Verdict.UNEXPECTED_PASS for result in self.results)

    @property
    def why(self) -> str:
        """Why it must be as the case has it, with the contract's words."""
        return self.results[0].why


def groups(report: Report) -> list[Group]:
    """The cases that make the run fail, in their order."""
    bad: dict[str, list[CaseResult]] = {}
    raw: dict[str, list[CaseResult]] = {}
    for result in report.results:
        if result.bad:
            bad.setdefault(result.case, []).append(result)
        if result.sdk == "raw":
            raw.setdefault(result.case, []).append(result)
    return [Group(case, results, _blame(results, raw.get(case, []))) for case, results in bad.items()]


def rerun(report: Report, result: CaseResult) -> str:
    """The command that runs this case on this lane again."""
    if result.sdk == "raw":
        choose = f"--lane {result.transport}"
    else:
        given = next((lane["adapter"] for lane in report.header.lanes if lane["sdk"] == result.sdk and "adapter" in lane), None)
        which = f"--adapter {shlex.quote(given)}" if given else f"--sdk {result.sdk}"
        choose = f"--lane none {which} --transport {result.transport}"
    words = ["vexfs-conformance run", report.header.again, choose, f"--case {shlex.quote(result.case)}"]
    return " ".join(word for word in words if word)


def _blame(bad: Sequence[CaseResult], raw: Sequence[CaseResult]) -> str:
    """If a surface itself fails the server is wrong; if it passes and an SDK over it fails, the SDK is."""
    if all(result.verdict is Verdict.UNEXPECTED_PASS for result in bad):
        return f"It passes, and is listed as known to fail: {bad[0].why}. Take the entry away."
    wrong = [result for result in bad if result.sdk == "raw"]
    right = [result for result in raw if result.verdict is Verdict.PASS]
    sdks = sorted({result.sdk for result in bad} - {"raw"})
    if wrong and not right:
        return "It fails without an SDK, too: the server is wrong."
    if wrong:
        return (
            f"It fails on {_names(wrong)} and passes on {_names(right)}, without an SDK: that surface of the server is wrong."
        )
    if right:
        return f"It passes without an SDK: {_and(sdks)} {'is' if len(sdks) == 1 else 'are'} wrong."
    return "It was not asked without an SDK: run it with --lane grpc, too, to see whether the server or the SDK is wrong."


def _names(results: Sequence[CaseResult]) -> str:
    return _and([NAMES.get(result.transport, result.transport) for result in results])


def _and(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
