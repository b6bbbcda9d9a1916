"""Who passes what? A row for each SDK and for the server without one, a column for each transport."""

from html import escape

from vexfs_conformance.reports.grouping import NAMES
from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.reports.sections.parts import scrolling, table, unseen
from vexfs_conformance.reports.table import TRANSPORTS, Tally, rows


def section(report: Report) -> str:
    """The table of tallies."""
    found = rows(report)
    used = [name for name in TRANSPORTS if any(name in tallies for _, tallies in found)]
    heads = ["", *(escape(NAMES[name].removeprefix("the ")) for name in used)]
    lines = []
    for title, tallies in found:
        name = "The server itself<small>without an SDK</small>" if title == "raw" else _named(title)
        cells = "".join(_cell(tallies[transport]) if transport in tallies else _none() for transport in used)
        lines.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    made = table("matrix", "Cases that pass, by SDK and transport", heads, f"<tbody>{''.join(lines)}</tbody>")
    return f'<section aria-label="Who passes what">{scrolling("Who passes what", made)}</section>'


def _named(title: str) -> str:
    name, _, version = title.partition(" ")
    return f"{escape(name)}<small>{escape(version)}</small>"


def _none() -> str:
    return f'<td class="none"><span aria-hidden="true">–</span>{unseen("not run")}</td>'


def _cell(tally: Tally) -> str:
    if not tally.applied:
        return f'<td class="none">{tally.not_applicable} not applicable</td>'
    state, sign = ("fail", "✗") if tally.failed else ("pass", "✓")
    parts = (("pass", tally.passed), ("known", tally.known), ("fail", tally.failed))
    # Never so narrow that one failure among hundreds cannot be seen.
    bar = "".join(
        f'<i class="{kind}" style="flex:{count} 0 {8 if kind != "pass" else 0}px"></i>' for kind, count in parts if count
    )
    more = [f"{tally.failed} failed"] if tally.failed else []
    more += [f"{tally.known} known"] if tally.known else []
    more += [f"{tally.not_applicable} not applicable"] if tally.not_applicable else []
    count = f'<span class="sign" aria-hidden="true">{sign}</span><b>{tally.passed}</b> of {tally.applied}{unseen(" pass")}'
    said = ", ".join(more) or "all that apply"
    return f'<td class="{state}"><p>{count}</p><div class="bar" aria-hidden="true">{bar}</div><small>{said}</small></td>'
