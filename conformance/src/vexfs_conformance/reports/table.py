"""The table at the end of a run, and each failure, for a terminal. Makes texts; prints nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.results import CaseResult, Verdict

TRANSPORTS = ("grpc", "rest", "connect", "mount")


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
    lines.append(" " * width + "".join(f"{name:<20}" for name in used))
    for title, tallies in rows(report):
        cells = [str(tallies[name]) if name in tallies else "–" for name in used]
        lines.append(f"{title:<{width}}" + "".join(f"{cell:<20}" for cell in cells).rstrip())
    return "\n".join(lines)


def failures(results: Sequence[CaseResult]) -> Iterator[str]:
    """Each failure with what was wanted and what came, and how to run it again."""
    for result in results:
        if not result.bad:
            continue
        if result.verdict is Verdict.UNEXPECTED_PASS:
            yield f"PASS {result.sdk} · {result.transport} · {result.case} is listed as known to fail: {result.why}"
            continue
        lines = [f"FAIL {result.sdk} · {result.transport} · {result.case}   step {result.step}"]
        for difference in result.differences[:8]:
            lines.append(f"   want {difference['place']} {difference['want']}")
            lines.append(f"    got {difference['place']} {difference['got']}")
        choice = f"--lane {result.transport}" if result.sdk == "raw" else f"--sdk {result.sdk} --transport {result.transport}"
        lines.append(f"  rerun: vexfs-conformance run {choice} --case '{result.case}'")
        yield "\n".join(lines)
