"""Whole runs against a real server: every raw lane passes, nothing is left behind, and exit codes say what happened."""

import signal
import threading
import time
from pathlib import Path

import pytest
from conftest import RunCases
from installing import Installed

from vexfs_conformance import cli, contract, suites
from vexfs_conformance.lanes.raw import RawLane
from vexfs_conformance.lanes.raw_connect import RawConnect
from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.lanes.raw_rest import RawRest
from vexfs_conformance.outcomes import Answered, CallSpec, Outcome
from vexfs_conformance.reports import jsonl
from vexfs_conformance.results import Verdict
from vexfs_conformance.server import OwnServer, Target
from vexfs_conformance.session import PREFIX, Control, collect


def names_at_the_top(target: Target) -> list[str]:
    control = Control(target)
    try:
        return [entry["path"] for entry in control.ask("ListFiles", {"directory": {"path": "/"}}).get("files", [])]
    finally:
        control.close()


@pytest.mark.parametrize("kind", [RawGrpc, RawRest, RawConnect])
def test_a_raw_lane_passes_and_nothing_is_left_behind(target: Target, run_cases: RunCases, kind: type[RawLane]) -> None:
    before = names_at_the_top(target)
    lane = kind()
    results = run_cases([lane], "ListFiles/*", "Content/*", "NotFound/*")
    lane.close()
    assert {result.verdict for result in results} <= {Verdict.PASS, Verdict.NOT_APPLICABLE}
    assert sum(result.verdict is Verdict.PASS for result in results) > 60
    assert names_at_the_top(target) == before


def test_the_read_only_profile_writes_nothing(target: Target, run_cases: RunCases) -> None:
    def revision() -> str:
        lane = RawGrpc()
        outcome = lane.call(CallSpec("GetServerInfo", [{}], target.endpoint))
        lane.close()
        assert isinstance(outcome, Answered)
        return str(outcome.messages[0]["store"]["revision"])

    before = revision()
    lane = RawGrpc()
    results = run_cases([lane], read_only=True)
    lane.close()
    assert len(results) > 40
    assert revision() == before


class Interrupted(RawGrpc):
    """A lane in whose first call an interrupt comes, given to the lane's thread and not to the one that waits for it."""

    calls = 0

    def call(self, spec: CallSpec) -> Outcome:
        self.calls += 1
        if self.calls == 1:
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            time.sleep(1)
        return super().call(spec)


def test_an_interrupt_that_another_thread_gets_ends_the_run(target: Target, run_cases: RunCases) -> None:
    before = names_at_the_top(target)
    lane = Interrupted()
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have had it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            run_cases([lane], "Stat/*")
    finally:
        signal.signal(signal.SIGINT, handler)
        lane.close()
    assert lane.calls < 5, "the case that was under way is the last"
    assert names_at_the_top(target) == before


def test_gc_removes_what_a_killed_run_left(target: Target) -> None:
    control = Control(target)
    control.ask("MakeDirectory", {"directory": {"path": f"/{PREFIX}1000000000-dead/x"}, "make_parents": True})
    control.ask("MakeDirectory", {"directory": {"path": f"/{PREFIX}mine"}, "make_parents": True})
    try:
        assert collect(target, older_than_s=3600) == [f"/{PREFIX}1000000000-dead"]
        assert collect(target, older_than_s=3600) == []
        assert f"/{PREFIX}mine" in names_at_the_top(target), "a name of somebody else's is left alone"
    finally:
        control.remove(f"/{PREFIX}mine")
        control.close()


def command(server: OwnServer, folder: Path, *arguments: str) -> int:
    endpoint = server.endpoint
    where = ["--target", str(endpoint.url), "--grpc", str(endpoint.address), "--token", str(endpoint.token)]
    return cli.main(["run", *where, "--report", str(folder), *arguments])


def test_exit_codes(server: OwnServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(server, tmp_path, "--case", "Stat/*") == cli.CONFORMANT
    assert jsonl.read(tmp_path / "report.jsonl").footer.conformant
    known = tmp_path / "known.yaml"
    known.write_text("- {case: Stat/the-root, reason: r, link: l}")
    assert command(server, tmp_path, "--case", "Stat/*", "--known", str(known)) == cli.NOT_CONFORMANT
    assert command(server, tmp_path, "--case", "Nothing/*") == cli.USAGE
    assert cli.main(["run", "--target", "http://127.0.0.1:9", "--grpc", "127.0.0.1:9"]) == cli.HARNESS
    for name in ("junit.xml", "report.html", "matrix.md", "badge.svg"):
        assert (tmp_path / name).stat().st_size > 100
    capsys.readouterr()


def test_an_adapter_that_prints_is_told(server: OwnServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(server, tmp_path, "--adapter", "chatty=echo hello there", "--case", "Stat/*") == cli.HARNESS
    assert "chatty" in capsys.readouterr().err


def test_an_adapter_in_a_language_without_an_sdk(server: OwnServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Perl, in under 150 lines."""
    adapter = Path(__file__).parents[1] / "adapters" / "perl" / "adapter"
    assert len(adapter.read_text().splitlines()) < 150
    some = ["--case", "Content/*", "--case", "ListFiles/*", "--case", "NotFound/*"]
    assert command(server, tmp_path, "--lane", "none", "--adapter", f"perl={adapter}", *some) == cli.CONFORMANT
    report = jsonl.read(tmp_path / "report.jsonl")
    assert sum(result.verdict is Verdict.PASS for result in report.results) > 60
    capsys.readouterr()


def test_the_list_names_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(list(suites.all_cases(suites.load()))) + 1


def test_it_installs_alone(installed: Installed) -> None:
    """The wheel has the cases, the contract and the parts of the page."""
    done = installed.run("list")
    assert done.returncode == cli.CONFORMANT, done.stderr
    assert len(done.stdout.splitlines()) > 250
    page = (installed.packages / "vexfs_conformance/reports/page.css").read_text()
    assert "prefers-color-scheme" in page


def test_method_names_are_unique() -> None:
    names = [method.name for method in contract.methods().values()]
    assert len(names) == len(set(names)) == 36
