"""What a benchmark run is made of: samples by round, rows, ratios, targets, and the JSON file they are kept in.

Called by the benchmarks (to record) and by `report` (to show). A ratio is computed round by round and then summarised, because
the speed of a machine drifts between rounds. Holds no clock and starts no process.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Relation = Literal[">=", "<="]
Statistic = Literal["min", "median", "max"]


@dataclass(frozen=True)
class Key:
    """What one number is about. `pinning` is "free", "one core" or "" where it does not apply."""

    workload: str
    system: str
    pinning: str
    unit: str


@dataclass(frozen=True)
class Summary:
    """n rounds in three numbers."""

    n: int
    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: list[float]) -> Summary:
        return cls(len(values), _short(min(values)), _short(statistics.median(values)), _short(max(values)))


@dataclass(frozen=True)
class Ratio:
    """`above / below`, round by round."""

    name: str
    above: Key
    below: Key


def ratio_of_systems(workload: str, pinning: str, unit: str, above: str, below: str) -> Ratio:
    """Two systems in the same workload and pinning."""
    where = f", {pinning}" if pinning else ""
    name = f"{workload}: {above} / {below}{where}"
    return Ratio(name, Key(workload, above, pinning, unit), Key(workload, below, pinning, unit))


@dataclass(frozen=True)
class Target:
    """A bound that one statistic of a row or a ratio has to keep."""

    of: Key | Ratio
    statistic: Statistic
    relation: Relation
    bound: float

    @property
    def name(self) -> str:
        if isinstance(self.of, Ratio):
            return f"{self.of.name} ({self.statistic})"
        where = f", {self.of.pinning}" if self.of.pinning else ""
        return f"{self.of.workload}: {self.of.system}{where} ({self.statistic}, {self.of.unit})"

    def met_by(self, value: float) -> bool:
        return value >= self.bound if self.relation == ">=" else value <= self.bound


@dataclass
class Record:
    """The samples of a run. A round may lack a sample (a system that is not built); it never has two of one key."""

    configuration: dict[str, Any] = field(default_factory=dict)
    samples: dict[Key, dict[int, float]] = field(default_factory=dict)
    ratios: list[Ratio] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, key: Key, round_number: int, value: float) -> None:
        """Keeps one sample. Raises ValueError when this round already has one."""
        rounds = self.samples.setdefault(key, {})
        if round_number in rounds:
            raise ValueError(f"{key} has two samples in round {round_number}")
        rounds[round_number] = value

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def ratio_values(self, ratio: Ratio) -> list[float]:
        """The ratio in every round that has both numbers."""
        above, below = self.samples.get(ratio.above, {}), self.samples.get(ratio.below, {})
        return [above[number] / below[number] for number in sorted(above.keys() & below.keys()) if below[number]]

    def rows(self) -> list[dict[str, Any]]:
        return [asdict(key) | asdict(Summary.of(list(rounds.values()))) for key, rounds in self.samples.items()]

    def ratio_rows(self) -> dict[str, dict[str, Any]]:
        values = {ratio.name: self.ratio_values(ratio) for ratio in self.ratios}
        return {name: asdict(Summary.of(found)) for name, found in values.items() if found}

    def target_rows(self) -> list[dict[str, Any]]:
        """Targets whose number was measured in this run."""
        rows = []
        for target in self.targets:
            if values := self._values(target.of):
                value = getattr(Summary.of(values), target.statistic)
                facts = {"name": target.name, "relation": target.relation, "bound": target.bound}
                rows.append({**facts, "value": value, "met": target.met_by(value)})
        return rows

    def _values(self, of: Key | Ratio) -> list[float]:
        return self.ratio_values(of) if isinstance(of, Ratio) else list(self.samples.get(of, {}).values())


@dataclass(frozen=True)
class Options:
    """What the command line asked for. `rounds` is 0 when the benchmark's own default holds."""

    quick: bool = False
    rounds: int = 0
    only: frozenset[str] = frozenset()
    tiny: bool = False
    corpus: Path | None = None
    """A labelled set for the benchmark of search quality."""
    sizes: tuple[int, ...] = ()
    """How many vectors, instead of the vector benchmark's own numbers."""

    def rounds_or(self, full: int, quick: int = 2) -> int:
        if self.tiny:
            return 1
        return self.rounds or (quick if self.quick else full)

    def size(self, full: int, quick: int, tiny: int) -> int:
        if self.tiny:
            return tiny
        return quick if self.quick else full

    def wants(self, system: str) -> bool:
        return not self.only or system in self.only


@dataclass(frozen=True)
class Benchmark:
    """A named benchmark: `about` is the prose of its page, `run` fills the record."""

    name: str
    title: str
    about: str
    run: Callable[[Options, Record], None]
    summary: Callable[[dict[str, Any]], str] | None = None
    """Markdown that stands before everything else: what a reader of a long page wants first."""


def document(benchmark: Benchmark, record: Record, header: dict[str, Any]) -> dict[str, Any]:
    """The JSON document of a finished run: header (run id, commit, date, command, machine), then what was measured."""
    return {
        "benchmark": benchmark.name,
        **header,
        "configuration": record.configuration,
        "rows": record.rows(),
        "ratios": record.ratio_rows(),
        "targets": record.target_rows(),
        "notes": record.notes,
    }


def write_document(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _short(value: float) -> float:
    """Four significant digits and a little more: the noise of any round is larger."""
    if value == 0:
        return 0.0
    return float(f"{value:.5g}")
