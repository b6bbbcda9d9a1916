"""The matrix of methods and lanes as Markdown."""

from collections.abc import Sequence

from vexfs_conformance.cells import Cell, cells
from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.reports.table import rows


def matrix(report: Report) -> str:
    """Who passes what, then each method with how many of its cells each lane shows."""
    lanes = list(dict.fromkeys(result.lane for result in report.results))
    lines = [
        f"# VexFS conformance {report.header.suite_version}",
        "",
        f"Server {report.header.server_version}, profile {report.header.profile}, {report.header.cases} cases.",
        "",
        "| | passed | failed | known | not applicable |",
        "|---|---|---|---|---|",
    ]
    for title, tallies in rows(report):
        for transport, tally in tallies.items():
            lines.append(
                f"| {title} · {transport} | {tally.passed} | {tally.failed} | {tally.known} | {tally.not_applicable} |"
            )
    lines += ["", f"| method | behaviours | {' | '.join(lanes)} |", f"|---|---|{'---|' * len(lanes)}"]
    by_method: dict[str, list[Cell]] = {}
    for cell in cells(report.results):
        by_method.setdefault(cell.method, []).append(cell)
    for method, own in by_method.items():
        counts = " | ".join(str(sum(lane in cell.lanes for cell in own)) for lane in lanes)
        lines.append(f"| `{method}` | {len(own)}{_empty(own)} | {counts} |")
    return "\n".join(lines) + "\n"


def _empty(own: Sequence[Cell]) -> str:
    empty = [cell.aspect for cell in own if not cell.lanes]
    return f" (not shown: {', '.join(empty)})" if empty else ""
