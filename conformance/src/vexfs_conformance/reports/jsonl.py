"""report.jsonl: a header, the results, a footer, one JSON object a line. Without a footer it is not a whole report.

The other reports can be made from it again.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vexfs_conformance.outcomes import HarnessError
from vexfs_conformance.results import CaseResult, RunFooter, RunHeader, Verdict

FORMAT = 1


@dataclass(frozen=True)
class Report:
    """A whole report."""

    header: RunHeader
    results: Sequence[CaseResult]
    footer: RunFooter


def write(path: Path, report: Report) -> None:
    """Write a report; the footer last."""
    with path.open("w") as file:
        file.write(json.dumps({"kind": "header", "format": FORMAT, **asdict(report.header)}) + "\n")
        for result in report.results:
            file.write(json.dumps({"kind": "result", **asdict(result)}) + "\n")
        file.write(json.dumps({"kind": "footer", "conformant": report.footer.conformant, **asdict(report.footer)}) + "\n")


def read(path: Path) -> Report:
    """Read a report. Raises HarnessError for one that is cut off or of another format."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kinds = [line.pop("kind") for line in lines]
    if not lines or kinds[0] != "header" or kinds[-1] != "footer" or kinds.count("footer") != 1:
        raise HarnessError(f"{path} is not a whole report")
    if lines[0].pop("format") != FORMAT:
        raise HarnessError(f"{path} has another format than {FORMAT}")
    lines[-1].pop("conformant")
    results = [CaseResult(**{**line, "verdict": Verdict(line["verdict"])}) for line in lines[1:-1]]
    return Report(RunHeader(**lines[0]), results, RunFooter(**lines[-1]))
