"""Which behaviours of which method were shown? A cell for each method and each thing it promises. Pure functions.

The cells of a method: `success`, each reason it names itself, `paging` if it pages, `deadline`, `cancel` and `retry`. A
cell that nothing shows on any lane is a problem of the suite, unless it stands in `UNPROVOKED` with the reason why it
cannot be provoked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vexfs_conformance import contract
from vexfs_conformance.results import CaseResult, Verdict

UNPROVOKED: Mapping[str, str] = {
    "CORRUPT_CONTENT": "needs damage to the server's files",
    "TOO_MANY_LINKS": "needs 65,000 links",
    "VIEW_UNAVAILABLE": "needs a server whose views are broken",
    "QUEUE_FULL": "needs a server that is overrun",
}
"""Reasons that no client can bring about without harm to the server."""
NOT_RETRIED = "a stream of requests is not sent again by itself"
ONLY_OF_SDKS = "a raw lane tries everything once"


@dataclass(frozen=True)
class Cell:
    """One behaviour of one method; `lanes` are those that showed it."""

    method: str
    aspect: str
    lanes: frozenset[str]
    excused: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.aspect}"

    @property
    def empty(self) -> bool:
        return not self.lanes and not self.excused


def cells(results: Sequence[CaseResult]) -> list[Cell]:
    """All cells with the lanes that showed them."""
    shown: dict[str, set[str]] = {}
    known: dict[str, str] = {}
    for result in results:
        if result.verdict is Verdict.KNOWN:
            known |= dict.fromkeys(result.covers, result.why)
        if result.verdict in (Verdict.PASS, Verdict.UNEXPECTED_PASS):
            for name in result.covers:
                shown.setdefault(name, set()).add(result.lane)
    with_sdk = any(result.sdk != "raw" for result in results)
    found = []
    for method in contract.methods().values():
        for aspect in _aspects(method):
            lanes = frozenset(shown.get(f"{method.name} {aspect}", ()))
            excuse = UNPROVOKED.get(aspect) or known.get(f"{method.name} {aspect}", "")
            if aspect == "retry":
                excuse = NOT_RETRIED if method.client_streaming else "" if with_sdk else ONLY_OF_SDKS
            found.append(Cell(method.name, aspect, lanes, "" if lanes else excuse))
    return found


def _aspects(method: contract.Method) -> list[str]:
    return ["success", *(["paging"] if method.pages else []), *sorted(method.named_reasons), "deadline", "cancel", "retry"]
