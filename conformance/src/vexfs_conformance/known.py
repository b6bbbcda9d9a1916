"""Which failures are known? A YAML list; each entry has a `reason` and a `link`, and its case still runs.

An entry that matches nothing, or whose case passes, makes the run fail: the list never grows stale.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from vexfs_conformance.outcomes import HarnessError
from vexfs_conformance.results import CaseResult, Verdict


@dataclass(frozen=True)
class KnownFailure:
    """One entry: patterns of case, SDK and transport, why, and where it is being dealt with."""

    case: str
    sdk: str
    transport: str
    reason: str
    link: str

    def matches(self, result: CaseResult) -> bool:
        """Whether the entry is about this result."""
        pairs = ((self.case, result.case), (self.sdk, result.sdk), (self.transport, result.transport))
        return all(fnmatchcase(name, pattern) for pattern, name in pairs)

    @property
    def text(self) -> str:
        return f"{self.reason} ({self.link})"


def load(path: Path | None) -> list[KnownFailure]:
    """The entries of a file; none without a file. Raises HarnessError for an entry without reason or link."""
    if path is None:
        return []
    try:
        entries = yaml.safe_load(path.read_text()) or []
    except (OSError, yaml.YAMLError) as error:
        raise HarnessError(f"{path}: {error}") from error
    found = []
    for entry in entries:
        for key in ("case", "reason", "link"):
            if not entry.get(key):
                raise HarnessError(f"{path}: an entry without `{key}`: {entry}")
        found.append(
            KnownFailure(entry["case"], entry.get("sdk", "*"), entry.get("transport", "*"), entry["reason"], entry["link"])
        )
    return found


def apply(known: Sequence[KnownFailure], results: Sequence[CaseResult]) -> tuple[list[CaseResult], list[str]]:
    """The results with known failures marked, and what is wrong with the list itself."""
    used = set()
    judged = []
    for result in results:
        entry = next((each for each in known if each.matches(result)), None)
        if entry is not None and result.verdict is not Verdict.NOT_APPLICABLE:
            used.add(entry)
            verdict = Verdict.KNOWN if result.verdict is Verdict.FAIL else Verdict.UNEXPECTED_PASS
            judged.append(replace(result, verdict=verdict, why=entry.text))
        else:
            judged.append(result)
    stale = [f"the known failure {each.case} matches nothing that ran" for each in known if each not in used]
    return judged, stale
