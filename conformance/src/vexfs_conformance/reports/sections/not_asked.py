"""What was not asked, and why? Lanes that were left out, cases that do not apply, fields that an SDK does not give back."""

from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.reports.sections.parts import counted, lane_name, plain_table
from vexfs_conformance.results import Verdict


def section(report: Report) -> str:
    """The reasons with how many cases they are about; empty if everything was asked of everybody."""
    rows = [(text.partition(": ")[2] or text, text.partition(": ")[0], "every case") for text in report.header.left_out]
    reasons: dict[str, dict[str, int]] = {}
    unreported: dict[str, int] = {}
    for result in report.results:
        if result.verdict is Verdict.NOT_APPLICABLE:
            lanes = reasons.setdefault(result.why, {})
            lanes[lane_name(result)] = lanes.get(lane_name(result), 0) + 1
        if result.not_asked:
            unreported[lane_name(result)] = unreported.get(lane_name(result), 0) + result.not_asked
    for why, lanes in sorted(reasons.items(), key=lambda each: -sum(each[1].values())):
        rows += [(why, ", ".join(names), counted(count, "case")) for count, names in _alike(lanes).items()]
    rows += [
        ("the SDK does not give the field back", ", ".join(names), counted(count, "expectation"))
        for count, names in _alike(unreported).items()
    ]
    if not rows:
        return ""
    return plain_table("What was not asked", ("why", "lanes", "how much"), rows)


def _alike(counts: dict[str, int]) -> dict[int, list[str]]:
    """The names that have the same count, by it."""
    found: dict[int, list[str]] = {}
    for name, count in counts.items():
        found.setdefault(count, []).append(name)
    return found
