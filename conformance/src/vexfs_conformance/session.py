"""What does a whole run do? Chooses cases and lanes, puts what suites share, runs each lane in a thread, cleans up always.

The directory of a run is `/vexfs-conformance-<time>-<random>`; everything is below it, and it is removed at the end
whatever happens. `collect` removes what runs left behind that were killed.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from vexfs_conformance.lanes.raw import RawLane
from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.lanes.raw_rest import RawRest
from vexfs_conformance.outcomes import Answered, CallSpec, Failed, HarnessError, Json, Lane
from vexfs_conformance.proxy import FaultProxy
from vexfs_conformance.results import CaseResult, Verdict
from vexfs_conformance.running import Answers, CaseRunner
from vexfs_conformance.server import Target
from vexfs_conformance.suites import Case, Suite, all_cases
from vexfs_conformance.values import fill_in, place

PREFIX = "vexfs-conformance-"
MOUNT = "mount"
_LOOK_UP_S = 0.1
_ALWAYS = frozenset({"faults"})
"""What every lane over the wire has; whether faults may be made is the target's question."""
_TINY_QUOTA_BYTES = range(1 << 19, (1 << 20) + 1)
"""Such a quota is one for tests: the cases that go beyond it are in nobody's way. What they may fill, side by side, is far less
than the least of these.
"""
_LACKS = {
    "sdk": "about SDKs only",
    "retry": "it tries everything once",
    "cancel": "it cannot cancel a call",
    "tiny_quota": "the server has no quota between 512 KiB and 1 MiB, as one for tests may have",
}
"""How a lane is told that lacks what a case needs."""


@dataclass(frozen=True)
class Choice:
    """What of the suite is to be run."""

    patterns: Sequence[str] = ()
    read_only: bool = False

    def takes(self, case: Case) -> bool:
        """Whether a case is chosen."""
        if self.read_only and not case.read_only:
            return False
        return not self.patterns or any(fnmatchcase(case.full_name, pattern) for pattern in self.patterns)


class Control:
    """The suite's own calls, which prepare and clean up: over gRPC if that answers, else over REST."""

    def __init__(self, target: Target) -> None:
        self._lane: RawLane = RawGrpc() if "grpc" in target.surfaces else RawRest()
        self._endpoint = target.endpoint
        self._lock = threading.Lock()

    def ask(self, method: str, request: Json, timeout_ms: int = 60_000) -> Json:
        """One call that has to succeed. Raises HarnessError."""
        with self._lock:
            outcome = self._lane.call(CallSpec(method, [request], self._endpoint, timeout_ms=timeout_ms))
        if not isinstance(outcome, Answered):
            raise HarnessError(f"{method} {request}: {outcome}")
        return dict(outcome.messages[0])

    def remove(self, path: str) -> bool:
        """Remove a tree; False if there is none."""
        with self._lock:
            request = {"file": {"path": path}, "recursive": True}
            outcome = self._lane.call(CallSpec("RemoveFile", [request], self._endpoint, timeout_ms=120_000))
        if isinstance(outcome, Failed) and outcome.reason == "FILE_NOT_FOUND":
            return False
        if not isinstance(outcome, Answered):
            raise HarnessError(f"{path} could not be removed, `vexfs-conformance gc` tries again: {outcome}")
        return True

    def close(self) -> None:
        """Give up the connection."""
        self._lane.close()


class Session:
    """One run against one target."""

    def __init__(self, target: Target, suites: Sequence[Suite], choice: Choice, *, faults: bool = True) -> None:
        self._target = target
        self._suites = suites
        self._choice = choice
        self._faults = faults and target.local
        self.cases = [case for case in all_cases(suites) if choice.takes(case)]
        self.top = f"/{PREFIX}{int(time.time())}-{secrets.token_hex(4)}"
        self._ending = threading.Event()
        """Set when the run is given up: no lane begins another case."""

    def run(
        self, lanes: Sequence[Lane], *, jobs: int = 2, tell: Callable[[CaseResult], None] = lambda _: None
    ) -> list[CaseResult]:
        """Run every chosen case on every lane. Raises HarnessError when the suite itself cannot go on.

        The calling thread only waits: an interrupt inside a call of gRPC can leave a lock of it taken, and cleaning up needs
        gRPC. It looks up now and then: a signal that the system gives to another thread does not wake it, and Python runs the
        handler of a signal in this thread only.
        """
        with ThreadPoolExecutor(1) as pool, self._given_up():
            under_way = pool.submit(self._run, lanes, jobs, tell)
            while not wait([under_way], _LOOK_UP_S).done:
                pass
            return under_way.result()

    def _run(self, lanes: Sequence[Lane], jobs: int, tell: Callable[[CaseResult], None]) -> list[CaseResult]:
        control = Control(self._target)
        writes = not self._choice.read_only
        try:
            if writes:
                control.ask("MakeDirectory", {"directory": {"path": self.top}})
            variables = self._put_shared(control) if writes else {}
            answers = Answers()
            results: list[CaseResult] = []
            at_rest = {suite.name for suite in self._suites if suite.once}
            for together in (True, False):
                cases = [case for case in self.cases if (case.suite in at_rest) is together]
                # Who tells most answers first: the others are compared with it.
                ordered = sorted(lanes, key=lambda lane: len(lane.unreported)) if together else lanes
                with ThreadPoolExecutor(1 if together else jobs) as pool, self._given_up():
                    under_way = [
                        pool.submit(self._run_lane, lane, cases, answers, variables, control, tell) for lane in ordered
                    ]
                    results += [result for each in under_way for result in each.result()]
            return results
        finally:
            try:
                if writes:
                    control.remove(self.top)
            finally:
                control.close()

    @contextmanager
    def _given_up(self) -> Iterator[None]:
        """Have the lanes end after the case they are at when the body fails or is interrupted; the pool waits for them."""
        try:
            yield
        except BaseException:
            self._ending.set()
            raise

    def _put_shared(self, control: Control) -> dict[str, dict[str, Any]]:
        """The steps of suites that are done once; the variables of each such suite by its name."""
        found: dict[str, dict[str, Any]] = {}
        chosen = {case.suite for case in self.cases}
        for suite in self._suites:
            if not suite.once or suite.name not in chosen:
                continue
            variables: dict[str, Any] = {"shared": f"{self.top}/{suite.name.lower()}"}
            control.ask("MakeDirectory", {"directory": {"path": variables["shared"]}})
            for step in suite.once:
                if self._ending.is_set():
                    return found
                answer = control.ask(step.call, fill_in(step.requests[0], variables), step.timeout_ms or 60_000)
                variables |= {name: place(answer, where) for name, where in step.capture.items()}
            found[suite.name] = variables
        return found

    def _run_lane(
        self, lane: Lane, cases: Sequence[Case], answers: Answers, shared: dict[str, dict[str, Any]], control: Control,
        tell: Callable[[CaseResult], None],
    ) -> list[CaseResult]:  # fmt: skip
        endpoint = self._target.endpoint if lane.raw else replace(self._target.endpoint, transport=lane.transport)
        proxy = FaultProxy(self._target.endpoint) if self._faults else None
        runner = CaseRunner(lane, endpoint, answers, shared, proxy)
        results = []
        try:
            for index, case in enumerate(cases):
                if self._ending.is_set():
                    break
                result = self._run_case(runner, lane, case, f"{self.top}/{lane.name}-{lane.transport}-{index}", control)
                tell(result)
                results.append(result)
        finally:
            if proxy is not None:
                proxy.close()
        return results

    def _run_case(self, runner: CaseRunner, lane: Lane, case: Case, namespace: str, control: Control) -> CaseResult:
        obstacle = self._obstacle(lane, case)
        if obstacle:
            sdk = "raw" if lane.raw else lane.name
            return CaseResult(case.full_name, sdk, lane.transport, Verdict.NOT_APPLICABLE, 0.0, why=obstacle)
        if case.read_only or case.suite in runner.shared:
            return runner.run(case, "")
        control.ask("MakeDirectory", {"directory": {"path": namespace}, "make_parents": True})
        try:
            return runner.run(case, namespace)
        finally:
            control.remove(namespace)

    def _obstacle(self, lane: Lane, case: Case) -> str:
        """Why a case cannot be asked of a lane; empty if it can."""
        if case.transports and lane.transport not in case.transports:
            return f"about {', '.join(case.transports)} only"
        if case.raw_only and not lane.raw:
            return "about the surface itself: an SDK hides it"
        if lane.transport == MOUNT and any("faults" in step.needs for step in case.all_steps):
            return "a system call passes no proxy that could make faults"
        has = lane.features | frozenset(self._target.info.get("capabilities", ())) | _ALWAYS
        if self._target.endpoint.token:
            has |= {"token"}
        if int(self._target.info.get("store", {}).get("quota_bytes", 0)) in _TINY_QUOTA_BYTES:
            has |= {"tiny_quota"}
        needs = case.needs | {need for step in case.all_steps for need in step.needs}
        missing = sorted(needs - has)
        if missing:
            return " and ".join(_LACKS.get(need, f"it has no {need}") for need in missing)
        if not self._faults and any("faults" in step.needs for step in case.all_steps):
            return "faults are made on targets of this machine only"
        return ""


def collect(target: Target, *, older_than_s: float) -> list[str]:
    """Remove directories that earlier runs left behind; returns their paths."""
    control = Control(target)
    try:
        found = control.ask("ListFiles", {"directory": {"path": "/"}}).get("files", [])
        removed = []
        for entry in found:
            name = entry.get("path", "").removeprefix("/")
            stamp = name.removeprefix(PREFIX).partition("-")[0]
            if (
                name.startswith(PREFIX)
                and stamp.isdigit()
                and time.time() - int(stamp) >= older_than_s
                and control.remove(f"/{name}")
            ):
                removed.append(f"/{name}")
        return removed
    finally:
        control.close()
