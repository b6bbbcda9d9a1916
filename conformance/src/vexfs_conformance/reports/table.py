"""The table at the end of a run, and each failure, for a terminal. Makes texts; prints nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vexfs_conformance.reports import grouping
from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.results import CaseResult, Verdict

TRANSPORTS = ("grpc", "rest", "connect", "mount")
SHOWN_MAX = 40
"""Failed cases that a terminal shows."""
LINE_MAX = 200
"""Characters of a value that a terminal shows."""


@dataclass(frozen=True)
class Tally:
    """How one lane did."""

    passed: int
    failed: int
    known: int
    not_applicable: int

    @property
    def applied(self) -> int:
        return self.passed + self.failed + self.known

    def __str__(self) -> str:
        if not self.applied:
            return "–"
        more = f" ✗{self.failed}" if self.failed else ""
        return f"{self.passed}/{self.applied}{more}" + (f"  {self.known} known" if self.known else "")


def tally(results: Sequence[CaseResult]) -> Tally:
    """Count the results of one lane."""
    count = {verdict: sum(result.verdict is verdict for result in results) for verdict in Verdict}
    return Tally(
        passed=count[Verdict.PASS],
        failed=count[Verdict.FAIL] + count[Verdict.UNEXPECTED_PASS],
        known=count[Verdict.KNOWN],
        not_applicable=count[Verdict.NOT_APPLICABLE],
    )


def rows(report: Report) -> list[tuple[str, dict[str, Tally]]]:
    """For each SDK, and for the surfaces themselves: its name with version, and a tally for each transport it has."""
    names: dict[str, str] = {}
    for lane in report.header.lanes:
        names[lane["sdk"]] = f"{lane['sdk']} {lane['version']}".strip() if lane["sdk"] != "raw" else "raw"
    found = []
    for sdk, title in names.items():
        own = [result for result in report.results if result.sdk == sdk]
        tallies = {name: tally([each for each in own if each.transport == name]) for name in TRANSPORTS}
        found.append((title, {name: each for name, each in tallies.items() if each.applied or each.not_applicable}))
    return found


def table(report: Report) -> str:
    """Who passes what."""
    header = report.header
    used = [name for name in TRANSPORTS if any(name in tallies for _, tallies in rows(report))]
    server = f"target {header.target} (server {header.server_version})"
    lines = [f"VexFS conformance {header.suite_version} · {server} · profile {header.profile}"]
    width = max([8, *(len(title) for title, _ in rows(report))]) + 2
    lines.append((" " * width + "".join(f"{name:<20}" for name in used)).rstrip())
    for title, tallies in rows(report):
        cells = [str(tallies[name]) if name in tallies else "–" for name in used]
        lines.append(f"{title:<{width}}" + "".join(f"{cell:<20}" for cell in cells).rstrip())
    return "\n".join(lines)


def failures(report: Report) -> Iterator[str]:
    """Each case that failed: what was wanted and what came on the first of its lanes, who is wrong, and how to run it again."""
    found = grouping.groups(report)
    for group in found[:SHOWN_MAX]:
        first, others = group.results[0], [each.lane for each in group.results[1:]]
        lines = [f"{'PASS' if group.passes else 'FAIL'} {_lane(first)} · {group.case}   {_step(first)}".rstrip()]
        for difference in first.differences[:8]:
            lines.append(f"   want {difference['place']} {_cut(difference['want'])}")
            lines.append(f"    got {difference['place']} {_cut(difference['got'])}")
        if others:
            lines.append(f"   also on {', '.join(others)}")
        lines.append(f"   {group.says}")
        lines.append(f"  rerun: {grouping.rerun(report, first)}")
        yield "\n".join(lines)
    if len(found) > SHOWN_MAX:
        yield f"… and {len(found) - SHOWN_MAX} more cases that failed; the page has them all"


def _lane(result: CaseResult) -> str:
    return f"{result.sdk} · {result.transport}"


def _step(result: CaseResult) -> str:
    return f"step {result.step}" if result.step else ""


def _cut(text: str) -> str:
    return text if len(text) <= LINE_MAX else f"{text[: LINE_MAX - 1]}…"
