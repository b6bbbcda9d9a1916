"""The lane mount, on a real server and a real mount: what it shows, what it says it cannot be asked, and that it has teeth."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from mount_mutants import MUTANTS, SEARCH_MUTANTS, SERVER_MUTANTS

from vexfs_conformance import cli, contract, mounting, suites
from vexfs_conformance.judging import judge
from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.lanes.raw_mount import CALLS, RawMount
from vexfs_conformance.outcomes import Answered, CallSpec, Endpoint, Failed, Fault, Lane, Outcome, Unsupported
from vexfs_conformance.reports import jsonl
from vexfs_conformance.results import CaseResult, Verdict
from vexfs_conformance.server import OwnServer, Target, look
from vexfs_conformance.session import Choice, Session

#: The lane is about the tree of files: so many cases it can be asked, and no fewer.
APPLICABLE_MIN = 175


@pytest.fixture(scope="module")
def mounted() -> Iterator[OwnServer]:
    if os.environ.get("VEXFS_NO_FUSE") == "1":
        pytest.skip("VEXFS_NO_FUSE=1: tests on a real mount are off")
    if why := mounting.obstacle():
        pytest.fail(f"the mount cannot be tested here: {why}. Set VEXFS_NO_FUSE=1 to leave these tests out")
    server = OwnServer(mount=True)
    yield server
    server.close()


@pytest.fixture(scope="module")
def mounted_target(mounted: OwnServer) -> Target:
    return look(mounted.endpoint)


@pytest.fixture
def lane(mounted: OwnServer, mounted_target: Target) -> RawMount:
    assert mounted.mountpoint is not None
    return RawMount(mounted.mountpoint, mounted_target.endpoint)


def run(target: Target, lanes: Sequence[Lane], *patterns: str) -> list[CaseResult]:
    return Session(target, suites.load(), Choice(patterns)).run(lanes)


def ask(lane: RawMount, target: Target, method: str, *requests: dict[str, Any], **more: Any) -> Outcome:
    return lane.call(CallSpec(method, requests, target.endpoint, **more))


# -- what it shows ---------------------------------------------------------------------------------


def test_the_cases_pass_on_a_mount_and_leave_nothing_behind(mounted: OwnServer, mounted_target: Target, lane: RawMount) -> None:
    assert mounted.mountpoint is not None
    before = sorted(mounted.mountpoint.iterdir())
    results = run(mounted_target, [lane])
    count = Counter(result.verdict for result in results)
    assert not [result for result in results if result.bad]
    assert count[Verdict.PASS] >= APPLICABLE_MIN
    assert all(result.why for result in results if result.verdict is Verdict.NOT_APPLICABLE)
    deadline = time.monotonic() + 30
    while sorted(mounted.mountpoint.iterdir()) != before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    shown = {name.partition(" ")[0] for result in results if result.verdict is Verdict.PASS for name in result.covers}
    assert shown == set(CALLS), "a method that no case shows on a mount"


def test_search_ranks_on_a_mount_as_over_grpc(mounted_target: Target, lane: RawMount) -> None:
    results = run(mounted_target, [lane, RawGrpc()], "Search/everywhere-*")
    assert {(result.transport, result.verdict) for result in results} == {("grpc", Verdict.PASS), ("mount", Verdict.PASS)}
    assert len(results) >= 6


# -- that it has teeth -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_mount_is_caught(mounted_target: Target, lane: RawMount, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    MUTANTS[name].plant(monkeypatch)
    results = run(mounted_target, [lane], *MUTANTS[name].cases)
    assert {result.case: result.verdict for result in results} == dict.fromkeys(MUTANTS[name].cases, Verdict.FAIL)
    assert "a fault" not in str([result.differences for result in results]), "the lane itself broke"


@pytest.mark.parametrize("name", SEARCH_MUTANTS)
def test_links_of_search_that_are_wrong_are_caught(
    mounted_target: Target, lane: RawMount, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    SEARCH_MUTANTS[name].plant(monkeypatch)
    (result,) = run(mounted_target, [lane], *SEARCH_MUTANTS[name].cases)
    assert result.verdict is Verdict.FAIL
    assert "Contradiction" in result.differences[0]["got"]


@pytest.mark.parametrize("name", SERVER_MUTANTS)
def test_a_broken_line_of_the_mount_is_caught(mounted: OwnServer, tmp_path: Path, name: str) -> None:
    """A real server whose mount is wrong. `mounted` says that one can mount here."""
    mutant = SERVER_MUTANTS[name]
    mutant.plant(tmp_path)
    server = OwnServer(["/usr/bin/env", f"PYTHONPATH={tmp_path}", sys.executable, "-m", "vexfs.cli.main"], mount=True)
    try:
        assert server.mountpoint is not None
        target = look(server.endpoint)
        results = run(target, [RawMount(server.mountpoint, target.endpoint), RawGrpc()], *mutant.cases)
    finally:
        server.close()
    verdicts = {(result.case, result.transport): result.verdict for result in results}
    wanted = {
        (case, lane): Verdict.FAIL if lane == "mount" else Verdict.PASS for case in mutant.cases for lane in ("grpc", "mount")
    }
    assert verdicts == wanted, f"{mutant.place}: {mutant.wrong}"


class RanksOtherwise(RawMount):
    """A mount that finds the same files, with its best two the other way round, or with scores of its own."""

    swapped = False
    added = 0.0

    def once(self, spec: CallSpec, method: contract.Method) -> Outcome:
        outcome = super().once(spec, method)
        assert isinstance(outcome, Answered)
        first, second, *others = outcome.messages[0]["hits"]
        hits = [second, first, *others] if self.swapped else [first, second, *others]
        return Answered([{**outcome.messages[0], "hits": [{**hit, "score": hit["score"] + self.added} for hit in hits]}])


@pytest.mark.parametrize(("swapped", "added"), [(True, 0.0), (False, 0.001)], ids=["another order", "another score"])
def test_a_mount_that_ranks_otherwise_than_grpc_is_caught(
    mounted: OwnServer, mounted_target: Target, *, swapped: bool, added: float
) -> None:
    """Right by itself: it is only seen beside the other lane, whichever of them is named first."""
    assert mounted.mountpoint is not None
    other = RanksOtherwise(mounted.mountpoint, mounted_target.endpoint)
    other.swapped, other.added = swapped, added
    results = run(mounted_target, [other, RawGrpc()], "Search/everywhere-equal-texts")
    assert {result.transport: result.verdict for result in results} == {"grpc": Verdict.PASS, "mount": Verdict.FAIL}


def test_results_that_contradict_their_links_are_a_fault(tmp_path: Path) -> None:
    """A folder that looks like `.search`, whose one link leads to another file than its line tells."""
    question = tmp_path / ".search" / "q"
    question.mkdir(parents=True)
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    (question / ".status").write_text(json.dumps({"state": "answered", "hits": 1}))

    link = question / "001_0.500_a"
    link.symlink_to("../../a")
    os.utime(link, (2**33, 2**33), follow_symlinks=False)  # found after whatever is asked now

    def answer(name: str) -> Outcome:
        file = {"id": str((tmp_path / name).stat().st_ino), "path": f"/{name}"}
        line = {"rank": 1, "name": "001_0.500_a", "path": f"/{name}", "file": file, "score": 0.5}
        (question / ".results.jsonl").write_text(json.dumps(line))
        endpoint = Endpoint()
        return RawMount(tmp_path, endpoint).call(CallSpec("Search", [{"text": "q", "limit": 20}], endpoint))

    right, wrong = answer("a"), answer("b")
    assert isinstance(right, Answered)
    assert right.messages[0]["hits"][0]["file"]["path"] == "/a"
    assert isinstance(wrong, Fault)
    assert "Contradiction" in wrong.trace


def test_an_errno_is_compared_with_that_of_the_expected_reason() -> None:
    def found(wanted: dict[str, Any], number: int) -> list[str]:
        raw = {"name": "a", "why": "It must be so.", "steps": [{"call": "RemoveFile", "expect_error": wanted}]}
        step = suites._case(raw, "A", [], frozenset(), Path("a.yaml")).steps[0]
        differences, _ = judge(step, Failed("", errno=number), {}, frozenset())
        return [f"{each.place} {each.want} {each.got}" for each in differences]

    not_found = {"code": "NOT_FOUND", "reason": "FILE_NOT_FOUND"}
    assert found(not_found, errno.ENOENT) == []
    (said,) = found(not_found, errno.EIO)
    assert said.startswith("error.errno ENOENT, the errno of FILE_NOT_FOUND EIO")
    several = {"code": "FAILED_PRECONDITION", "any_reason": ["DIRECTORY_NOT_EMPTY", "NOT_A_DIRECTORY"]}
    assert found(several, errno.ENOTDIR) == []
    assert found(several, errno.EISDIR)
    assert found({"code": "NOT_FOUND"}, errno.ENODATA) == [], "without a reason, any with that code"
    assert found({"code": "NOT_FOUND"}, errno.EEXIST)


# -- what it cannot be asked -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "request_", "more", "why"),
    [
        ("StatFile", {"file": {"id": 1}}, {}, "not by its id"),
        ("StatFile", {}, {}, "always names its file"),
        ("StatFile", {"file": {"path": "a"}}, {}, "begins at its folder"),
        ("StatFile", {"file": {"path": "/a/../b"}}, {}, "the kernel itself resolves"),
        ("StatFile", {"file": {"path": "/a\0b"}}, {}, "ends at NUL"),
        ("StatFile", {"file": {"path": "/"}, "at_revision": 7}, {}, "no earlier revision"),
        ("StatFile", {"file": {"path": "/"}}, {"timeout_ms": 1000}, "no deadline"),
        ("ListFiles", {"directory": {"path": "/"}}, {"one_page": True}, "without pages"),
        ("Search", {"text": "q", "limit": 20}, {"hits_page_size": 5}, "without pages"),
        ("MakeDirectory", {"directory": {"path": "/x"}, "request_id": "1"}, {}, "no request id"),
        ("MakeDirectory", {"directory": {"path": "/x"}, "mode": 4096}, {}, "12 bits"),
        ("MoveFile", {"source": {"path": "/"}, "destination": {"path": "/x"}}, {}, "the directory that it is mounted in"),
        ("GetMetadata", {"file": {"path": "/"}}, {}, "no metadata"),
        ("CopyFile", {"source": {"path": "/a"}, "destination": {"path": "/b"}}, {}, "no system call copies"),
        ("GetPoints", {"collection": {"path": "/"}, "ids": ["a"]}, {}, "without its vectors"),
        ("Search", {"text": "q", "limit": 20, "scope": {"path": "/"}}, {}, "no scope"),
        ("Search", {"text": "q", "limit": 10}, {}, "20 hits"),
        ("Search", {"text": "a/b", "limit": 20}, {}, "one name"),
        ("Search", {"text": "q", "limit": 20, "mode": "SEARCH_MODE_DENSE"}, {}, "always hybrid"),
    ],
)
def test_what_no_system_call_can_say_is_unsupported(
    mounted_target: Target, lane: RawMount, method: str, request_: dict[str, Any], more: dict[str, Any], why: str
) -> None:
    outcome = ask(lane, mounted_target, method, request_, **more)
    assert isinstance(outcome, Unsupported)
    assert why in outcome.why


def test_a_connection_that_is_set_up_otherwise_is_unsupported(lane: RawMount) -> None:
    outcome = lane.call(CallSpec("StatFile", [{"file": {"path": "/"}}], Endpoint(token="wrong")))
    assert isinstance(outcome, Unsupported)


def test_a_symbolic_link_that_leads_out_of_the_mount_is_not_followed(mounted_target: Target, lane: RawMount) -> None:
    link = {"path": "/leads-out"}
    assert isinstance(ask(lane, mounted_target, "CreateSymlink", {"link": link, "target": "/etc"}), Answered)
    try:
        outcome = ask(lane, mounted_target, "ListFiles", {"directory": {**link, "follow": True}})
        assert isinstance(outcome, Unsupported)
        assert "out of the mount" in outcome.why
    finally:
        ask(lane, mounted_target, "RemoveFile", {"file": link})


def test_the_root_is_never_removed(mounted_target: Target, lane: RawMount) -> None:
    """The folder's own files are what a wrong path here would cost."""
    kept = {"file": {"path": "/kept"}}
    assert isinstance(ask(lane, mounted_target, "PutContent", kept), Answered)
    outcome = ask(lane, mounted_target, "RemoveFile", {"file": {"path": "/"}, "recursive": True})
    assert isinstance(outcome, Unsupported)
    assert isinstance(ask(lane, mounted_target, "RemoveFile", kept), Answered)


def test_a_mount_that_does_not_answer_is_a_fault(mounted: OwnServer, mounted_target: Target) -> None:
    assert mounted.mountpoint is not None
    hasty = RawMount(mounted.mountpoint, mounted_target.endpoint, patience_s=1)
    (process,) = [
        pid for pid in _processes() if b"vexfs.mount" in _command_of(pid) and str(mounted.folder).encode() in _command_of(pid)
    ]
    os.kill(process, signal.SIGSTOP)
    try:
        outcome = ask(hasty, mounted_target, "StatFile", {"file": {"path": f"/never-looked-up-{time.time_ns()}"}})
    finally:
        os.kill(process, signal.SIGCONT)
    assert isinstance(outcome, Fault)
    assert "did not answer StatFile in 1 s" in outcome.trace


# -- runs ------------------------------------------------------------------------------------------


def command(server: OwnServer, folder: Path, *arguments: str) -> int:
    endpoint = server.endpoint
    where = ["--target", str(endpoint.url), "--grpc", str(endpoint.address), "--token", str(endpoint.token)]
    return cli.main(["run", *where, "--report", str(folder), *arguments])


def test_a_mount_of_another_deployment(mounted: OwnServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = ["--mount", str(mounted.mountpoint), "--case", "Stat/*"]
    assert command(mounted, tmp_path, *some) == cli.CONFORMANT
    report = jsonl.read(tmp_path / "report.jsonl")
    assert [each["transport"] for each in report.header.lanes] == ["grpc", "rest", "connect", "mount"]
    assert command(mounted, tmp_path, "--lane", "mount", *some, "--profile", "read-only") == cli.CONFORMANT
    assert "mount" in capsys.readouterr().out


def test_a_folder_that_is_not_the_target_is_refused(
    mounted: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mounting, "_SEEN_S", 0.2)
    assert command(mounted, tmp_path, "--mount", str(tmp_path)) == cli.HARNESS
    assert "does not show the target" in capsys.readouterr().err


def test_wrong_usage(mounted: OwnServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(mounted, tmp_path, "--lane", "mount") == cli.USAGE
    assert "--mount FOLDER" in capsys.readouterr().err
    assert cli.main(["run", "--serve", "--mount", str(tmp_path)]) == cli.USAGE
    assert "--serve mounts its server by itself" in capsys.readouterr().err


def test_without_a_device_the_lane_is_left_out_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mounting, "DEVICE", tmp_path / "none")
    assert cli.main(["run", "--serve", "--report", str(tmp_path), "--case", "Stat/the-root"]) == cli.CONFORMANT
    assert f"LEFT OUT mount: there is no {tmp_path / 'none'}" in capsys.readouterr().out
    report = jsonl.read(tmp_path / "report.jsonl")
    assert list(report.header.left_out) == [f"mount: there is no {tmp_path / 'none'}"]
    assert "mount" not in {each["transport"] for each in report.header.lanes}
    assert cli.main(["run", "--serve", "--lane", "mount"]) == cli.HARNESS
    assert "cannot run here" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_cleans_up(mounted: OwnServer, tmp_path: Path, number: int) -> None:
    """Ctrl-C in the middle of the cases: the server ends, the mount comes off, the folder goes. `mounted` says that one can
    mount here."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    arguments = ["run", "--serve", "--lane", "mount", "--report", str(tmp_path / "report")]
    run_ = subprocess.Popen(
        [sys.executable, "-m", "vexfs_conformance", *arguments], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        _until(
            lambda: any(
                (folder / "mnt").exists() and _cases_run(folder / "mnt") for folder in tmp_path.glob("vexfs-conformance-*")
            )
        )
        server = [pid for pid in _processes() if str(tmp_path).encode() in _command_of(pid) and pid != run_.pid]
        assert len(server) >= 4
        run_.send_signal(number)
        said = run_.communicate(timeout=60)[1]
    finally:
        run_.kill()
        run_.wait()
    assert run_.returncode == cli.INTERRUPTED, said
    assert "interrupted" in said
    assert list(tmp_path.glob("vexfs-conformance-*")) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    _until(lambda: not [pid for pid in server if str(tmp_path).encode() in _command_of(pid)])


def _cases_run(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(folder.glob("vexfs-conformance-*/mount-*"))
    return False


def _until(condition: Any, within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
