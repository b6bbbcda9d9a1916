"""The page of a benchmark says what was measured, by which command, in which run."""

from typing import Any

from bench.mount import BENCHMARK
from bench.runner import machine, record, report
from bench.runner.record import Key, Record, Target, ratio_of_systems


def document() -> dict[str, Any]:
    found = Record(configuration={"rounds": 2, "vexfs": {"command": "vexfs serve --data DATA"}}, notes=["a note"])
    for number, (ours, theirs) in enumerate([(9000.0, 10000.0), (12000.0, 10000.0)]):
        found.add(Key("create", "vexfs", "free", "ops/s"), number, ours)
        found.add(Key("create", "fuser_memory", "free", "ops/s"), number, theirs)
    found.ratios = [ratio_of_systems("create", "free", "ops/s", "vexfs", "fuser_memory")]
    found.targets = [Target(found.ratios[0], "median", ">=", 1.5), Target(found.ratios[0], "max", ">=", 1.2)]
    return record.document(BENCHMARK, found, machine.header("make bench NAME=mount"))


def test_the_page_shows_command_run_and_commit() -> None:
    content = document()
    page = report.page(BENCHMARK, content)
    assert "`make bench NAME=mount`" in page
    assert content["run_id"] in page
    assert content["commit"] in page


def test_the_page_shows_rows_ratios_targets_and_notes() -> None:
    page = report.page(BENCHMARK, document())
    assert "| create | vexfs | free | ops/s | 2 | 9,000 | 10,500 | 12,000 |" in page
    assert "| create: vexfs / fuser_memory, free | 2 | 0.90 | 1.05 | 1.20 |" in page
    assert "| 1.5 | 1.05 | MISSED |" in page
    assert "| 1.2 | 1.2 | met |" in page
    assert "- a note" in page


def test_the_page_of_the_mount_shows_the_systems_beside_each_other() -> None:
    page = report.page(BENCHMARK, document())
    assert "## Medians, free\n\n| workload | unit | vexfs | fuser_memory |" in page
    assert "| create | ops/s | 10,500 | 10,000 |" in page
    assert "## Medians, one core" not in page


def test_a_workload_without_a_number_has_a_dash_in_its_column() -> None:
    content = document()
    lone = {"workload": "git", "system": "vexfs", "pinning": "free", "unit": "s", "n": 1, "min": 1.5, "median": 1.5, "max": 1.5}
    content["rows"].append(lone)
    assert "| git | s | 1.5 | – |" in report.side_by_side(content, "free")


def test_ratios_targets_and_notes_come_last_in_the_printed_tables() -> None:
    tables = report.tables(document())
    assert tables.index("workload") < tables.index("ratio") < tables.index("target") < tables.index("a note")
