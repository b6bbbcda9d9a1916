"""report.html: one file that says at a glance who passes what; light and dark, nothing is loaded from elsewhere.

Its parts: the verdict, a card for each lane, what failed with wants and gots, the contract method by method, and every
case on every lane.
"""

from collections.abc import Sequence
from html import escape
from importlib import resources

from vexfs_conformance.cells import Cell, cells
from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.reports.table import Tally, rows
from vexfs_conformance.results import CaseResult, Verdict

_MARKS = {
    Verdict.PASS: ("pass", "✓"),
    Verdict.FAIL: ("fail", "✗"),
    Verdict.UNEXPECTED_PASS: ("fail", "!"),
    Verdict.KNOWN: ("known", "~"),
    Verdict.NOT_APPLICABLE: ("na", "·"),
}


def page(report: Report) -> str:
    """The whole page."""
    style = resources.files("vexfs_conformance.reports").joinpath("page.css").read_text()
    script = resources.files("vexfs_conformance.reports").joinpath("page.js").read_text()
    body = "\n".join([_top(report), _cards(report), _failures(report.results), _contract(report), _cases(report.results)])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>VexFS conformance</title><style>{style}</style></head><body><main>{body}</main>"
        f"<script>{script}</script></body></html>\n"
    )


def _top(report: Report) -> str:
    header, footer = report.header, report.footer
    kind, word = ("pass", "Conformant") if footer.conformant else ("fail", "Not conformant")
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in footer.problems)
    return (
        f'<header><p class="eyebrow">VexFS conformance {escape(header.suite_version)}</p><h1 class="{kind}">{word}</h1>'
        f"<p>{header.cases} cases on {len(header.lanes)} lanes in {footer.seconds:.0f} s · server "
        f"{escape(header.server_version)} at <code>{escape(header.target)}</code> · profile {escape(header.profile)} · "
        f"{escape(header.started)}</p>{f'<ul class=problems>{problems}</ul>' if problems else ''}</header>"
    )


def _cards(report: Report) -> str:
    cards = []
    for title, tallies in rows(report):
        for transport, tally in tallies.items():
            cards.append(_card("surface" if title == "raw" else title, transport, tally))
    return f'<section class="cards">{"".join(cards)}</section>'


def _card(title: str, transport: str, tally: Tally) -> str:
    total = max(1, tally.applied)
    parts = (("pass", tally.passed), ("known", tally.known), ("fail", tally.failed))
    bar = "".join(f'<i class="{kind}" style="width:{100 * count / total:.2f}%"></i>' for kind, count in parts)
    more = [f"{tally.failed} failed"] if tally.failed else []
    more += [f"{tally.known} known"] if tally.known else []
    more += [f"{tally.not_applicable} not applicable"] if tally.not_applicable else []
    state = "fail" if tally.failed else "pass" if tally.applied else "na"
    return (
        f'<article class="card {state}"><h2>{escape(transport)}</h2><p class="who">{escape(title)}</p>'
        f'<p class="count"><b>{tally.passed}</b> of {tally.applied}</p><div class="bar">{bar}</div>'
        f'<p class="more">{escape(", ".join(more)) or "all that apply"}</p></article>'
    )


def _failures(results: Sequence[CaseResult]) -> str:
    bad = [result for result in results if result.bad]
    if not bad:
        return ""
    entries = []
    for result in bad:
        lines = "".join(
            f"<tr><th>{escape(each['place'])}</th><td>{escape(each['want'])}</td><td>{escape(each['got'])}</td></tr>"
            for each in result.differences
        )
        trace = escape("\n".join(result.trace))
        entries.append(
            f"<details><summary><b>{escape(result.case)}</b> on {escape(result.lane)}, step {escape(result.step)}</summary>"
            f"<table class=diff><tr><th></th><th>want</th><th>got</th></tr>{lines}</table><pre>{trace}</pre></details>"
        )
    return f"<section><h2>What failed</h2>{''.join(entries)}</section>"


def _contract(report: Report) -> str:
    by_method: dict[str, list[Cell]] = {}
    for cell in cells(report.results):
        by_method.setdefault(cell.method, []).append(cell)
    lines = "".join(
        f"<tr><th><code>{escape(method)}</code></th><td>{''.join(_chip(cell) for cell in own)}</td></tr>"
        for method, own in by_method.items()
    )
    return (
        "<section><h2>The contract, method by method</h2><p>Each chip is a behaviour that the contract promises, with how many "
        f"lanes showed it.</p><table class=contract>{lines}</table></section>"
    )


def _chip(cell: Cell) -> str:
    kind = "pass" if cell.lanes else "na" if cell.excused else "fail"
    title = ", ".join(sorted(cell.lanes)) or cell.excused or "no case shows this"
    label = cell.aspect.lower().replace("_", " ")
    return f'<span class="chip {kind}" title="{escape(title)}">{escape(label)} <b>{len(cell.lanes) or "–"}</b></span>'


def _cases(results: Sequence[CaseResult]) -> str:
    lanes = list(dict.fromkeys(result.lane for result in results))
    by_case: dict[str, dict[str, CaseResult]] = {}
    for result in results:
        by_case.setdefault(result.case, {})[result.lane] = result
    head = "".join(f"<th><span>{escape(lane)}</span></th>" for lane in lanes)
    lines = []
    for case, own in by_case.items():
        worst = "bad" if any(result.bad for result in own.values()) else "good"
        marks = "".join(_mark(own.get(lane)) for lane in lanes)
        lines.append(f'<tr class="{worst}" data-name="{escape(case.lower())}"><th>{escape(case)}</th>{marks}</tr>')
    return (
        '<section><h2>Every case</h2><p class="tools"><input id="filter" type="search" placeholder="filter, such as paging" '
        'aria-label="filter cases"><label><input id="bad" type="checkbox"> only what failed</label></p>'
        f'<div class="wide"><table class="cases"><thead><tr><th>case</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody>'
        "</table></div></section>"
    )


def _mark(result: CaseResult | None) -> str:
    if result is None:
        return "<td></td>"
    kind, sign = _MARKS[result.verdict]
    title = f"{result.verdict} {result.why}".strip()
    return f'<td class="{kind}" title="{escape(title)}">{sign}</td>'
