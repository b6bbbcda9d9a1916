"""Which behaviours of the contract were shown? Method by method, a chip for each behaviour."""

from html import escape

from vexfs_conformance.cells import Cell, cells
from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.reports.sections.parts import counted, table, unseen


def section(report: Report) -> str:
    """The methods with their chips."""
    failed: dict[str, set[str]] = {}
    for result in report.results:
        if result.bad:
            for name in result.covers:
                failed.setdefault(name, set()).add(result.lane)
    by_method: dict[str, list[Cell]] = {}
    for cell in cells(report.results):
        by_method.setdefault(cell.method, []).append(cell)
    missing = {problem.removeprefix("no case shows ") for problem in report.footer.problems}
    lines = "".join(
        f'<tr><th scope="row"><code>{escape(method)}</code></th><td><ul class="chips">'
        f"{''.join(_chip(cell, failed.get(cell.name, set()), cell.name in missing) for cell in own)}</ul></td></tr>"
        for method, own in by_method.items()
    )
    every = [cell for own in by_method.values() for cell in own]
    shown = sum(bool(cell.lanes) for cell in every)
    about = (
        f"{shown} of {counted(len(every), 'behaviour')} that the contract promises were shown; the number is on how many lanes."
    )
    return f"<p>{about}</p>{table('contract', 'The behaviours of each method', (), f'<tbody>{lines}</tbody>')}"


def _chip(cell: Cell, failed: set[str], missing: bool) -> str:
    label = escape(cell.aspect.lower().replace("_", " "))
    if failed:
        kind, number, words = "fail", f"✗{len(failed)}", f" fails on {', '.join(sorted(failed))}"
    elif cell.lanes:
        kind, number, words = "pass", str(len(cell.lanes)), f" {'lane' if len(cell.lanes) == 1 else 'lanes'}"
    else:
        kind, number, words = "fail" if missing else "none", "", f" not shown: {cell.excused or 'no case that ran'}"
    seen = f" <b>{number}</b>" if number else ""
    title = f' title="{escape(words.strip())}"' if kind != "pass" else ""
    return f'<li class="{kind}"{title}>{label}{seen}{unseen(words)}</li>'
