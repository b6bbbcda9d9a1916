"""report.html: one file that says at a glance who passes what; light and dark, nothing is loaded from elsewhere.

Its sections are modules of their own. Whatever colour says is said in words, too; all of it can be reached by keyboard.
"""

from datetime import datetime
from html import escape
from importlib import resources

from vexfs_conformance.reports import grouping
from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.reports.sections import cases, contract, failures, matrix, not_asked
from vexfs_conformance.reports.sections.parts import counted
from vexfs_conformance.results import Verdict

_SECTIONS = (
    ("failures", "What failed", failures.section),
    ("known", "What is known to fail", failures.known),
    ("contract", "The contract", contract.section),
    ("cases", "Every case", cases.section),
    ("not-asked", "What was not asked", not_asked.section),
)


def page(report: Report) -> str:
    """The whole page."""
    style = resources.files("vexfs_conformance.reports").joinpath("page.css").read_text()
    script = resources.files("vexfs_conformance.reports").joinpath("page.js").read_text()
    made = [(anchor, title, make(report)) for anchor, title, make in _SECTIONS]
    there = [(anchor, title, body) for anchor, title, body in made if body]
    links = "".join(f'<li><a href="#{anchor}">{title}</a></li>' for anchor, title, _ in there)
    sections = "\n".join(
        f'<section id="{anchor}" aria-labelledby="{anchor}-title"><h2 id="{anchor}-title">{title}</h2>{body}</section>'
        for anchor, title, body in there
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{_word(report)} · VexFS conformance</title><style>{style}</style></head><body>"
        f'{_top(report)}<nav aria-label="On this page"><ul>{links}</ul></nav><main>{matrix.section(report)}\n{sections}</main>'
        f'<p id="said" class="unseen" role="status"></p><script>{script}</script></body></html>\n'
    )


def _word(report: Report) -> str:
    return "Conformant" if report.footer.conformant else "Not conformant"


def _top(report: Report) -> str:
    header, footer = report.header, report.footer
    kind, sign = ("pass", "✓") if footer.conformant else ("fail", "✗")
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in footer.problems)
    problems = problems and f'<ul class="problems">{problems}</ul>'
    facts = {
        "Server": f"{escape(header.server_version)} at <code>{escape(header.target)}</code>",
        "Profile": escape(header.profile),
        "Started": _time(header.started),
        "Took": f"{footer.seconds:.0f} s",
    }
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return (
        f'<header class="{kind}"><p class="eyebrow">VexFS conformance {escape(header.suite_version)}</p>'
        f'<h1><span class="sign" aria-hidden="true">{sign}</span>{_word(report)}</h1><p class="lead">{_lead(report)}</p>'
        f"{problems}<dl>{listed}</dl></header>"
    )


def _lead(report: Report) -> str:
    every, lanes = counted(report.header.cases, "case"), counted(len(report.header.lanes), "lane")
    bad, known = len(grouping.groups(report)), report.footer.counts.get(Verdict.KNOWN, 0)
    also = f" {counted(known, 'failure')} {'is' if known == 1 else 'are'} known." if known else ""
    if bad:
        return f"{bad:,} of {every} {'fails' if bad == 1 else 'fail'} on at least one of {lanes}.{also}"
    return f"{every} on {lanes}: nothing fails{' that is not known to' if known else ''}.{also}"


def _time(text: str) -> str:
    try:
        shown = f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M %Z}"
    except ValueError:
        shown = text
    return f'<time datetime="{escape(text)}">{escape(shown)}</time>'
