"""Small pieces that several sections of the page are made of. Makes HTML; escapes what it is given as text."""

import re
from collections.abc import Sequence
from html import escape

from vexfs_conformance.reports.grouping import NAMES
from vexfs_conformance.results import CaseResult


def counted(number: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def unseen(text: str) -> str:
    """A text for those who listen to the page."""
    return f'<span class="unseen">{escape(text)}</span>'


def prose(text: str) -> str:
    """A sentence; what stands in backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def lane_name(result: CaseResult) -> str:
    """A lane for people: `gRPC`, `python over REST`."""
    transport = NAMES.get(result.transport, result.transport)
    return transport if result.sdk == "raw" else f"{result.sdk} over {transport}"


def table(kind: str, about: str, heads: Sequence[str], bodies: str) -> str:
    """A table that says what it is about. `heads` are HTML, an empty one is a corner; `bodies` are whole `tbody`s."""
    cells = "".join(f'<th scope="col">{head}</th>' if head else "<td></td>" for head in heads)
    head = f"<thead><tr>{cells}</tr></thead>" if heads else ""
    return (
        f'<table class="{kind}" style="--columns:{max(1, len(heads) - 1)}"><caption class="unseen">{escape(about)}</caption>'
        f"{head}{bodies}</table>"
    )


def plain_table(about: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts; the first of each row is its header."""
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td>{escape(each)}</td>" for each in others)
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return table("plain", about, heads, f"<tbody>{''.join(lines)}</tbody>")


def scrolling(label: str, body: str) -> str:
    """A part that is wider than a small screen; the keyboard can scroll it."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">{body}</div>'
