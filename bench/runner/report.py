"""How a finished run is shown: plain tables on stdout, a page of Markdown in docs/performance.

Works on the JSON document alone, so a page can always be written again from the kept results: `python -m bench NAME --page`.
"""

from __future__ import annotations

from typing import Any

from bench.runner.record import Benchmark

_HEADINGS = ["workload", "system", "pinning", "unit", "n", "min", "median", "max"]


def tables(document: dict[str, Any]) -> str:
    """The rows, then ratios, then targets, as aligned text; what the run notes comes last."""
    parts = [_aligned(_HEADINGS, _row_cells(document))]
    if document["ratios"]:
        parts.append(_aligned(["ratio", "n", "min", "median", "max"], _ratio_cells(document)))
    if document["targets"]:
        parts.append(_aligned(["target", "", "bound", "measured", ""], _target_cells(document)))
    if document["notes"]:
        parts.append("\n".join(f"- {note}" for note in document["notes"]))
    return "\n\n".join(parts) + "\n"


def page(benchmark: Benchmark, document: dict[str, Any]) -> str:
    """The page of one benchmark. Written by the runner, never by hand."""
    machine = document["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    virtual = "virtual machine, " if machine["virtual_machine"] else ""
    parts = [
        f"# {benchmark.title}",
        benchmark.about.strip(),
        f"Measured by `{document['command']}`; run `{document['run_id']}`, {document['date']}, commit `{document['commit']}`. "
        f"This page is written by that command from `bench/results/{benchmark.name}.json`.",
        f"Machine: {virtual}{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB; "
        f"Linux {machine['kernel']}; Python {machine['python']}; {packages}.",
    ]
    if benchmark.summary is not None:
        parts.append(benchmark.summary(document))
    if document["ratios"]:
        parts += ["## Ratios", "Computed round by round; the median is what counts."]
        parts.append(markdown(["ratio", "n", "min", "median", "max"], _ratio_cells(document)))
    if document["targets"]:
        parts += ["## Targets", markdown(["target", "", "bound", "measured", ""], _target_cells(document))]
    parts += ["## Rows", markdown(_HEADINGS, _row_cells(document))]
    parts += ["## Configuration", markdown(["setting", "value"], _setting_cells(document["configuration"]))]
    if document["notes"]:
        parts += ["## Notes", "\n".join(f"- {note}" for note in document["notes"])]
    return "\n\n".join(parts) + "\n"


def side_by_side(document: dict[str, Any], pinning: str, *, leave_out: frozenset[str] = frozenset()) -> str:
    """A table of medians: a row for each workload, a column for each system; "–" where there is no number."""
    rows = [row for row in document["rows"] if row["pinning"] == pinning and row["unit"] not in leave_out]
    medians = {(row["workload"], row["unit"], row["system"]): _number(row["median"]) for row in rows}
    systems = list(dict.fromkeys(row["system"] for row in rows))
    lines = list(dict.fromkeys((row["workload"], row["unit"]) for row in rows))
    cells = [[*line, *(medians.get((*line, system), "–") for system in systems)] for line in lines]
    return markdown(["workload", "unit", *systems], cells)


def _row_cells(document: dict[str, Any]) -> list[list[str]]:
    rows = sorted(document["rows"], key=lambda row: (row["pinning"], _first_seen(document, row["workload"])))
    return [[row[name] if isinstance(row[name], str) else _number(row[name]) for name in _HEADINGS] for row in rows]


def _first_seen(document: dict[str, Any], workload: str) -> int:
    return [row["workload"] for row in document["rows"]].index(workload)


def _ratio_cells(document: dict[str, Any]) -> list[list[str]]:
    return [
        [name, str(row["n"]), f"{row['min']:.2f}", f"{row['median']:.2f}", f"{row['max']:.2f}"]
        for name, row in document["ratios"].items()
    ]


def _target_cells(document: dict[str, Any]) -> list[list[str]]:
    return [_target_cell(row) for row in document["targets"]]


def _target_cell(row: dict[str, Any]) -> list[str]:
    sign = "≥" if row["relation"] == ">=" else "≤"
    return [row["name"], sign, _number(row["bound"]), _number(row["value"]), "met" if row["met"] else "MISSED"]


def _setting_cells(configuration: dict[str, Any]) -> list[list[str]]:
    cells = []
    for name, value in configuration.items():
        if isinstance(value, dict):
            cells += [[f"{name}: {inner}", f"`{setting}`"] for inner, setting in value.items()]
        else:
            cells.append([name, f"`{value}`"])
    return cells


def _number(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _aligned(headings: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    numeric = [all(_is_number(row[i]) for row in rows) for i in range(len(headings))]

    def line(cells: list[str]) -> str:
        columns = zip(cells, widths, numeric, strict=True)
        return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in columns).rstrip()

    return "\n".join([line(headings), line(["-" * width for width in widths]), *(line(row) for row in rows)])


def markdown(headings: list[str], rows: list[list[str]]) -> str:
    """A table."""
    numeric = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(headings))]
    rule = ["---:" if right else "---" for right in numeric]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [headings, rule, *rows])


def _is_number(cell: str) -> bool:
    return cell == "–" or cell.replace(",", "").replace(".", "").replace("e", "").replace("+", "").replace("-", "").isdigit()
