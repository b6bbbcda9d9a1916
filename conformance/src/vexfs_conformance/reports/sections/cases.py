"""Every case on every lane, suite by suite; the script of the page filters it."""

from collections.abc import Mapping
from html import escape

from vexfs_conformance.reports.grouping import NAMES
from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.reports.sections.failures import anchor
from vexfs_conformance.reports.sections.parts import counted, scrolling, table
from vexfs_conformance.results import CaseResult, Verdict

_MARKS = {
    Verdict.PASS: ("pass", "✓"),
    Verdict.FAIL: ("fail", "✗"),
    Verdict.UNEXPECTED_PASS: ("fail", "!"),
    Verdict.KNOWN: ("known", "~"),
    Verdict.NOT_APPLICABLE: ("none", "·"),
}
_TOOLS = (
    '<form class="tools" hidden><label>Filter <input type="search" name="filter" placeholder="such as paging"></label>'
    '<label>Show <select name="show"><option value="">every case</option><option value="fail">what failed</option>'
    '<option value="known">what is known to fail</option><option value="none">what does not apply somewhere</option></select>'
    '</label><output name="count"></output></form>'
)


def section(report: Report) -> str:
    """The table, with its legend."""
    lanes: dict[str, CaseResult] = {}
    suites: dict[str, dict[str, dict[str, CaseResult]]] = {}
    for result in report.results:
        lanes.setdefault(result.lane, result)
        suites.setdefault(result.case.partition("/")[0], {}).setdefault(result.case, {})[result.lane] = result
    bodies = "".join(_suite(name, own, list(lanes)) for name, own in suites.items())
    made = table("cases", "Every case on every lane", ["case", *map(_head, lanes.values())], bodies)
    legend = " ".join(f'<span class="{kind}">{sign}</span> {verdict}' for verdict, (kind, sign) in _MARKS.items())
    return f'{_TOOLS}<p class="legend" aria-hidden="true">{legend}</p>{scrolling("Every case on every lane", made)}'


def _head(result: CaseResult) -> str:
    transport = NAMES.get(result.transport, result.transport).removeprefix("the ")
    return escape(transport) if result.sdk == "raw" else f"{escape(result.sdk)} <small>{escape(transport)}</small>"


def _suite(name: str, cases: Mapping[str, Mapping[str, CaseResult]], lanes: list[str]) -> str:
    lines = "".join(_line(case, own, lanes) for case, own in cases.items())
    head = f'<th scope="rowgroup" colspan="{len(lanes) + 1}">{escape(name)} <small>{counted(len(cases), "case")}</small></th>'
    return f'<tbody><tr class="suite">{head}</tr>{lines}</tbody>'


def _line(case: str, own: Mapping[str, CaseResult], lanes: list[str]) -> str:
    kinds = " ".join(sorted({_MARKS[result.verdict][0] for result in own.values()}))
    marks = "".join(_mark(own.get(lane)) for lane in lanes)
    name = f'<th scope="row">{escape(case.partition("/")[2])}</th>'
    return f'<tr data-name="{escape(case.lower())}" data-has="{kinds}">{name}{marks}</tr>'


def _mark(result: CaseResult | None) -> str:
    if result is None:
        return "<td></td>"
    kind, sign = _MARKS[result.verdict]
    if result.bad:
        sign = f'<a href="#{escape(anchor(result.case))}" aria-label="{result.verdict}: what failed">{sign}</a>'
        return f'<td class="{kind}">{sign}</td>'
    return f'<td class="{kind}" aria-label="{result.verdict}">{sign}</td>'
