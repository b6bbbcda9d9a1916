"""What a run leaves behind: whole, readable by machines, and right about who passed."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from vexfs_conformance import cells, known
from vexfs_conformance.outcomes import HarnessError
from vexfs_conformance.reports import badge, grouping, jsonl, junit, markdown, table
from vexfs_conformance.results import CaseResult, RunFooter, RunHeader, Verdict


def result(
    case: str = "A/one", verdict: Verdict = Verdict.PASS, *, sdk: str = "go", transport: str = "grpc", **more: object
) -> CaseResult:
    return CaseResult(case, sdk, transport, verdict, 0.25, **more)  # type: ignore[arg-type]


FAILED = result(
    "A/<two>",
    Verdict.FAIL,
    step="3 Search",
    differences=[{"place": "hits[1].file", "want": '"/b.md"', "got": '"/c.md" \x00'}],
)


def report(*results: CaseResult, problems: tuple[str, ...] = (), **lane: str) -> jsonl.Report:
    """A report of these results; `lane` is what the header tells of each lane beside its names."""
    counts = {str(verdict): sum(each.verdict is verdict for each in results) for verdict in Verdict}
    names = dict.fromkeys((each.sdk, each.transport) for each in results)
    lanes = [{"sdk": sdk, "version": "0.1.0", "transport": transport, **lane} for sdk, transport in names]
    header = RunHeader("0.1.0", "127.0.0.1:1", "0.1.0", "core", lanes, len(results), "2026-01-01T00:00:00+00:00", "--serve")
    return jsonl.Report(header, results, RunFooter(1.5, counts, problems))


def test_jsonl_comes_back_as_it_was(tmp_path: Path) -> None:
    whole = report(result(covers=["StatFile success"]), FAILED)
    jsonl.write(tmp_path / "r", whole)
    back = jsonl.read(tmp_path / "r")
    assert back.header == whole.header
    assert [(each.case, each.verdict, list(each.covers)) for each in back.results] == [
        ("A/one", Verdict.PASS, ["StatFile success"]),
        ("A/<two>", Verdict.FAIL, []),
    ]
    assert not back.footer.conformant


def test_a_report_without_its_footer_is_none(tmp_path: Path) -> None:
    path = tmp_path / "r"
    jsonl.write(path, report(result()))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(HarnessError, match="not a whole report"):
        jsonl.read(path)


def test_the_table_says_who_passes_what() -> None:
    text = table.table(report(result(), FAILED))
    assert "go 0.1.0" in text
    assert "1/2 ✗1" in text


def test_a_failure_says_what_was_wanted_and_how_to_run_it_again() -> None:
    (text,) = table.failures(report(FAILED))
    assert 'want hits[1].file "/b.md"' in text
    assert text.endswith("rerun: vexfs-conformance run --serve --lane none --sdk go --transport grpc --case 'A/<two>'")


def test_a_case_that_fails_on_several_lanes_is_told_once() -> None:
    (text,) = table.failures(report(FAILED, replace(FAILED, transport="rest"), replace(FAILED, sdk="js")))
    assert "also on go·rest, js·grpc" in text


def test_a_terminal_shows_some_failures_and_says_how_many_there_are() -> None:
    texts = list(table.failures(report(*(replace(FAILED, case=f"A/{number}") for number in range(table.SHOWN_MAX + 3)))))
    assert len(texts) == table.SHOWN_MAX + 1
    assert "3 more" in texts[-1]


RAW = {"sdk": "raw", "transport": "grpc"}


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([replace(FAILED, **RAW)], "the server is wrong"),
        ([result(FAILED.case, **RAW)], "go is wrong"),
        ([replace(FAILED, **RAW), result(FAILED.case, sdk="raw", transport="rest")], "It fails on gRPC and passes on REST"),
        ([], "run it with --lane grpc"),
        ([result(FAILED.case, Verdict.NOT_APPLICABLE, **RAW)], "run it with --lane grpc"),
    ],
)
def test_a_failure_says_who_is_wrong(others: list[CaseResult], said: str) -> None:
    """If the surface fails itself it is the server, if it passes it is the SDK."""
    (group,) = grouping.groups(report(FAILED, *others))
    assert said in group.says


def test_an_adapter_is_run_again_by_its_command() -> None:
    command = grouping.rerun(report(FAILED, adapter="go=./go --slow"), FAILED)
    assert "--adapter 'go=./go --slow'" in command


def test_junit_is_xml_with_a_failure(tmp_path: Path) -> None:
    junit.write(tmp_path / "j", report(result(), FAILED, result("A/three", Verdict.NOT_APPLICABLE, why="no")))
    root = ET.parse(tmp_path / "j").getroot()
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")


def test_badge_and_matrix() -> None:
    assert ">1/2<" in badge.badge(report(result(), FAILED))
    text = markdown.matrix(report(result(covers=["StatFile success"]), FAILED))
    assert "| go 0.1.0 · grpc | 1 | 1 | 0 | 0 |" in text
    assert "| `StatFile` |" in text


def test_problems_make_a_run_not_conformant() -> None:
    assert report(result()).footer.conformant
    assert not report(result(), problems=("stale",)).footer.conformant


def test_a_cell_that_nothing_shows_is_empty() -> None:
    by_name = {cell.name: cell for cell in cells.cells([result(covers=["StatFile success"])])}
    assert not by_name["StatFile success"].empty
    assert by_name["ListFiles success"].empty
    assert by_name["ListFiles paging"].empty
    assert not by_name["ReadFile CORRUPT_CONTENT"].empty, "it is excused"


def write_known(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "known.yaml"
    path.write_text(text)
    return path


ENTRY = "- {case: 'A/<two>', sdk: go, reason: because, link: https://example.com/1}"


def test_a_known_failure_does_not_fail_the_run(tmp_path: Path) -> None:
    results, problems = known.apply(known.load(write_known(tmp_path, ENTRY)), [result(), FAILED])
    assert [each.verdict for each in results] == [Verdict.PASS, Verdict.KNOWN]
    assert problems == []


def test_a_known_failure_that_passes_fails_the_run(tmp_path: Path) -> None:
    results, _ = known.apply(known.load(write_known(tmp_path, ENTRY)), [result("A/<two>")])
    assert [each.verdict for each in results] == [Verdict.UNEXPECTED_PASS]
    assert results[0].bad


def test_a_known_failure_that_matches_nothing_is_a_problem(tmp_path: Path) -> None:
    _, problems = known.apply(known.load(write_known(tmp_path, ENTRY)), [result()])
    assert problems == ["the known failure A/<two> matches nothing that ran"]


@pytest.mark.parametrize("missing", ["reason: because, ", "link: https://example.com/1"])
def test_a_known_failure_without_reason_or_link_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(HarnessError):
        known.load(write_known(tmp_path, ENTRY.replace(missing, "")))


def test_the_results_are_json(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "r", report(result()))
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "r").read_text().splitlines()]
    assert kinds == ["header", "result", "footer"]
