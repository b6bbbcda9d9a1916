"""Rows, ratios and targets of a benchmark run say what was measured."""

import pytest
from bench.runner.record import Key, Record, Target, ratio_of_systems

RATE = "ops/s"


def key(system: str) -> Key:
    return Key("create", system, "free", RATE)


def record_of(rounds: dict[str, list[float]]) -> Record:
    record = Record(ratios=[ratio_of_systems("create", "free", RATE, "ours", "theirs")])
    for system, values in rounds.items():
        for number, value in enumerate(values):
            record.add(key(system), number, value)
    return record


def test_a_ratio_is_computed_round_by_round_and_then_summarised() -> None:
    record = record_of({"ours": [10.0, 100.0, 30.0], "theirs": [20.0, 25.0, 30.0]})
    ratio = record.ratio_rows()["create: ours / theirs, free"]
    assert ratio == {"n": 3, "min": 0.5, "median": 1.0, "max": 4.0}


def test_a_round_that_lacks_one_of_the_two_numbers_gives_no_ratio() -> None:
    record = record_of({"ours": [10.0, 100.0], "theirs": [20.0]})
    assert record.ratio_rows()["create: ours / theirs, free"]["n"] == 1


def test_a_ratio_of_a_system_that_did_not_run_is_absent() -> None:
    assert record_of({"ours": [10.0]}).ratio_rows() == {}


def test_rows_carry_count_and_spread() -> None:
    (row,) = record_of({"ours": [3.0, 1.0, 2.0]}).rows()
    assert row == {"workload": "create", "system": "ours", "pinning": "free", "unit": RATE} | {
        "n": 3,
        "min": 1,
        "median": 2,
        "max": 3,
    }


def test_two_samples_of_one_round_are_refused() -> None:
    record = record_of({"ours": [1.0]})
    with pytest.raises(ValueError, match="two samples"):
        record.add(key("ours"), 0, 2.0)


def test_targets_say_whether_they_are_met() -> None:
    record = record_of({"ours": [10.0, 30.0], "theirs": [20.0, 20.0]})
    record.targets = [
        Target(ratio_of_systems("create", "free", RATE, "ours", "theirs"), "median", ">=", 1.01),
        Target(key("ours"), "max", ">=", 30.0),
        Target(key("ours"), "median", "<=", 19.0),
        Target(key("nobody"), "median", "<=", 1.0),
    ]
    assert [(row["value"], row["met"]) for row in record.target_rows()] == [(1.0, False), (30.0, True), (20.0, False)]
