"""A badge as SVG: how many cases passed."""

from vexfs_conformance.reports.jsonl import Report
from vexfs_conformance.results import Verdict

_GREEN, _RED = "#1a7f4b", "#c0392b"
_CHARACTER_PX = 6.6


def badge(report: Report) -> str:
    """The badge; green if the run was conformant."""
    counts = report.footer.counts
    ran = sum(count for verdict, count in counts.items() if verdict != Verdict.NOT_APPLICABLE)
    right = f"{counts.get(Verdict.PASS, 0)}/{ran}" if ran else "nothing ran"
    left = "VexFS conformance"
    first, second = (round(len(text) * _CHARACTER_PX + 14) for text in (left, right))
    colour = _GREEN if report.footer.conformant else _RED
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{first + second}" height="20" role="img" aria-label="{left}: {right}">'
        f'<rect width="{first + second}" height="20" rx="4" fill="#444"/>'
        f'<path d="M{first} 0h{second - 4}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-{second - 4}z" fill="{colour}"/>'
        f'<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{first / 2}" y="14">{left}</text><text x="{first + second / 2}" y="14">{right}</text></g></svg>\n'
    )
