"""What does a run leave? Every report but report.jsonl, which the others are made of, and what a terminal shows."""

from pathlib import Path

from vexfs_conformance.reports import badge, html, jsonl, junit, markdown, table


def write(report: jsonl.Report, folder: Path) -> None:
    """Write the reports into a folder that is there."""
    junit.write(folder / "junit.xml", report)
    (folder / "report.html").write_text(html.page(report))
    (folder / "matrix.md").write_text(markdown.matrix(report))
    (folder / "badge.svg").write_text(badge.badge(report))


def told(report: jsonl.Report, folder: Path) -> str:
    """What a person sees at the end of a run."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(report.footer.counts.items()))
    lines = [
        table.table(report),
        *table.failures(report),
        *(f"LEFT OUT {text}" for text in report.header.left_out),
        *(f"PROBLEM {problem}" for problem in report.footer.problems),
        f"{report.header.cases} cases in {report.footer.seconds:.0f} s: {counts} · {folder / 'report.html'}",
    ]
    return "".join(f"{line}\n" for line in lines)
