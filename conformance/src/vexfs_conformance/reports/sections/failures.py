"""What failed, case by case: what was wanted and what came, who is wrong, and the command that runs it again.

And what is known to fail, with the reason and the link.
"""

from collections.abc import Mapping
from html import escape

from vexfs_conformance.reports import grouping
from vexfs_conformance.reports.grouping import Group
from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.reports.sections.parts import counted, lane_name, plain_table, prose, table
from vexfs_conformance.results import CaseResult, Verdict

_OPEN_MAX = 5
"""So many failed cases are shown open; of more, one opens what one wants to see."""


def section(report: Report) -> str:
    """Every case that makes the run fail; empty if there is none."""
    found = grouping.groups(report)
    is_open = len(found) <= _OPEN_MAX
    entries = "".join(_group(report, group, is_open=is_open) for group in found)
    return (
        entries if is_open else f'<p><button type="button" id="open-all" hidden>Open all {len(found):,}</button></p>{entries}'
    )


def anchor(case: str) -> str:
    """The id of a failed case on the page."""
    return f"failed-{case.replace('/', '-')}"


def _group(report: Report, group: Group, *, is_open: bool) -> str:
    lanes = ", ".join(lane_name(result) for result in group.results)
    why = "" if group.passes or not group.why else f'<p class="why">{prose(group.why)}</p>'
    first, *others = group.results
    more = f"<h4>And on {counted(len(others), 'other lane')}</h4>" if others else ""
    for result in others:
        more += f"<details><summary>{_where(result)}</summary>{_result(report, result)}</details>"
    return (
        f'<details class="failure" id="{escape(anchor(group.case))}"{" open" if is_open else ""}>'
        f"<summary><h3>{escape(group.case)}</h3><span>{escape(lanes)}</span>{_gist(first)}</summary>"
        f'{why}<p class="blame">{escape(group.says)}</p><h4>{_where(first)}</h4>{_result(report, first)}{more}</details>'
    )


def _gist(result: CaseResult) -> str:
    """What is seen of a failure that is not open."""
    if not result.differences:
        return ""
    first = result.differences[0]
    text = f"{first['place']}: want {first['want']}, got {first['got']}"
    return f'<p class="gist">{escape(text[:300])}</p>'


def _where(result: CaseResult) -> str:
    return escape(f"{lane_name(result)}, step {result.step}" if result.step else lane_name(result))


def _result(report: Report, result: CaseResult) -> str:
    diff = ""
    if result.differences:
        lines = "".join(map(_difference, result.differences))
        diff = table("diff", "What was wanted and what came", ("where", "want", "got"), f"<tbody>{lines}</tbody>")
    command = escape(grouping.rerun(report, result))
    again = (
        f'<div class="again"><span>run it again</span><code>{command}</code><button type="button" hidden>Copy</button></div>'
    )
    return f"{diff}{again}{_trace(result)}"


def _difference(each: Mapping[str, str]) -> str:
    place, want, got = escape(each["place"]), escape(each["want"]), escape(each["got"])
    values = f'<td class="want" data-label="want">{want}</td><td class="got" data-label="got">{got}</td>'
    return f'<tr><th scope="row">{place}</th>{values}</tr>'


def _trace(result: CaseResult) -> str:
    if not result.trace:
        return ""
    lines = "".join(f"<li><code>{escape(line)}</code></li>" for line in result.trace)
    calls = counted(sum(line.startswith("→") for line in result.trace), "call")
    return f'<details class="trace"><summary>what was sent and what came: {calls}</summary><ol>{lines}</ol></details>'


def known(report: Report) -> str:
    """The failures that are known; empty if there are none."""
    found: dict[tuple[str, str], list[CaseResult]] = {}
    for result in report.results:
        if result.verdict is Verdict.KNOWN:
            found.setdefault((result.case, result.why), []).append(result)
    if not found:
        return ""
    rows = [(case, ", ".join(map(lane_name, results)), why) for (case, why), results in found.items()]
    return (
        "<p>They run all the same; one that passes makes the run fail until its entry is taken away.</p>"
        f"{plain_table('Known failures', ('case', 'lanes', 'why'), rows)}"
    )
