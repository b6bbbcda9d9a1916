"""One size of the vector benchmark: every system gets the same rows and the same queries, and they take turns.

Opened once a size; the systems stay open beside each other and are asked one at a time. What a system cannot do, or fails at,
is said in the record, and the others go on. Starts and ends the systems; single-threaded but for a look at memory.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.runner import build, nearest, peers, points, processes, vectors_data
from bench.runner.mounted import settle
from bench.runner.nearest import Condition, Truth
from bench.runner.peers import Files, Measured, Traits
from bench.runner.points import SERVERS, VEXFS_GRPC
from bench.runner.record import Key, Options, Record
from bench.runner.systems import Running
from bench.runner.vectors_data import VectorSet

T = TypeVar("T")

RATE, P99, RECALL, SECONDS, ROWS, MEMORY, DISK = "queries/s", "p99 ms", "recall@10", "s", "rows/s", "MiB", "MiB on disk"
RECALL_WANTED = 0.98
WRITE_RATE = 500
RECOMMENDED = ", as recommended"
PYTHON_CLIENT = ", client in Python"
_CALIBRATION_QUERIES = 500
_CALIBRATION_S = 20.0
_WARM_UP_QUERIES, _WARM_UP_S = 64, 2.0
_LOOK_S = 0.5
_FRESH_ROWS = 50


class System(Protocol):
    """What `peers.Worker` and `points.VexfsPoints` have in common."""

    name: str
    traits: Traits
    data: Path

    @property
    def pid(self) -> int: ...
    def pids(self) -> list[int]: ...
    def insert(self, start: int, count: int) -> float: ...
    def build(self) -> float: ...
    def set_effort(self, effort: int) -> None: ...
    def search(
        self, places: NDArray[np.int64], clients: int, seconds: float, condition: Condition | None = None
    ) -> Measured: ...
    def search_and_write(
        self,
        places: NDArray[np.int64],
        clients: int,
        seconds: float,
        start: int,
        rate: int,
        condition: Condition | None = None,
    ) -> Measured: ...
    def find_rows(self, start: int, count: int) -> int: ...


class Plan(NamedTuple):
    """How long a size is measured. Times are of one measurement."""

    size: int
    rounds: int
    ingest_rounds: int
    seconds: float
    write_seconds: float
    queries: int
    tiny: bool

    @property
    def write_rows(self) -> int:
        """How many rows one measurement may write."""
        return max(vectors_data.GROUPS["g2"] * 100, int(self.write_seconds * WRITE_RATE) + WRITE_RATE)

    @property
    def rows(self) -> int:
        """Those at the start, and those written by two measurements a round."""
        return self.size + 2 * self.rounds * self.write_rows


class Contestant:
    """A loaded system, where it stands in the queries, and how fast it was lately."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.effort = 0
        """The least that finds RECALL_WANTED."""
        self.cursor = 0
        self.rates: dict[tuple[int, str], float] = {}

    @property
    def name(self) -> str:
        return self.system.name


class Contest:
    def __init__(self, plan: Plan, data: VectorSet, folder: Path, record: Record, options: Options) -> None:
        self._plan, self._data, self._folder = plan, data, folder
        self._record, self._options = record, options
        self._vectors = data.vectors[: plan.size]
        self._pool = plan.queries - min(_CALIBRATION_QUERIES, plan.queries // 4)
        numbers = vectors_data.groups(plan.rows)
        self.conditions = [Condition(name, count, numbers[name][: plan.size]) for name, count in vectors_data.GROUPS.items()]
        self._files = self._written(numbers)
        self._truths: dict[str, Truth] = {}
        self._stack = contextlib.ExitStack()
        self.contestants: list[Contestant] = []

    # -- life ------------------------------------------------------------------------------------------

    def __enter__(self) -> Contest:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _written(self, numbers: dict[str, NDArray[np.int64]]) -> Files:
        files = {}
        for name, values in numbers.items():
            files[name] = self._folder / f"{name}.npy"
            np.save(files[name], values)
        return Files(self._data.vectors_file, self._data.queries_file, files, self._plan.rows)

    def _say(self, text: str) -> None:
        sys.stderr.write(f"{self._plan.size:,} vectors: {text}\n")

    def _key(self, workload: str, system: str, unit: str) -> Key:
        return key_of(self._plan.size, workload, system, unit)

    def _absent(self, name: str, why: object) -> None:
        self._say(f"{name} is absent: {why}")
        self._record.note(f"{self._plan.size:,} vectors: {name} is absent: {' '.join(str(why).split())[:400]}")

    # -- loading ---------------------------------------------------------------------------------------

    def load(self, names: Sequence[str]) -> None:
        """Every system gets the rows, round by round on an empty folder; those of the last round stay."""
        absent: set[str] = set()
        for number in range(self._plan.ingest_rounds):
            for name in _turned(names, number):
                if name in absent:
                    continue
                try:
                    self._load_one(name, number)
                except (build.NotAvailable, RuntimeError, OSError) as error:
                    absent.add(name)
                    self._absent(name, error)
        self.contestants.sort(key=lambda contestant: names.index(contestant.name))

    def _load_one(self, name: str, number: int) -> None:
        self._say(f"loading {name}, round {number + 1}/{self._plan.ingest_rounds}")
        with contextlib.ExitStack() as stack:
            system = stack.enter_context(self._opened(name, number))
            with _Watch(system) as watch:
                inserted_s = system.insert(0, self._plan.size)
                built_s = system.build()
            add = self._record.add
            add(self._key("ingest, durable", name, ROWS), number, self._plan.size / inserted_s)
            add(self._key("ingest, durable", name, SECONDS), number, inserted_s)
            add(self._key("ingest and build", name, SECONDS), number, inserted_s + built_s)
            add(self._key("ingest and build, largest", name, MEMORY), number, watch.largest_bytes / 2**20)
            if number == self._plan.ingest_rounds - 1:
                contestant = Contestant(system)
                self._calibrate(contestant)
                add(self._key("serving", name, MEMORY), number, memory_bytes(system) / 2**20)
                add(self._key("at rest", name, DISK), number, disk_bytes(system.data) / 2**20)
                self.contestants.append(contestant)
                self._stack.push(stack.pop_all())

    @contextlib.contextmanager
    def _opened(self, name: str, number: int) -> Iterator[System]:
        if name in SERVERS:
            with points.opened(name, self._files) as system:
                yield system
            return
        install = not self._plan.tiny
        with peers.opened(name, self._folder / f"{name}-{number}", self._files, install=install) as worker:
            yield worker

    def _calibrate(self, contestant: Contestant) -> None:
        """Find the least effort that reaches the wanted recall; with no such setting, only warm up."""
        traits, tried = contestant.system.traits, {}
        places = np.arange(self._pool, self._plan.queries)
        for effort in traits.efforts or [0]:
            contestant.system.set_effort(effort)
            found = contestant.system.search(places, 1, _CALIBRATION_S)
            tried[effort] = self._recall(found, None)
            contestant.effort = effort
            if tried[effort] >= RECALL_WANTED:
                break
        else:
            self._record.note(
                f"{self._plan.size:,} vectors: {contestant.name} does not reach recall@10 {RECALL_WANTED} with any of its "
                f"settings ({max(tried.values()):.3f} at most)"
            )
        facts = {**traits.about}
        if traits.efforts:
            facts["effort as recommended"] = str(traits.recommended)
            facts[f"effort at {self._plan.size:,}"] = f"{contestant.effort} (recall {tried[contestant.effort]:.4f})"
        known = self._record.configuration.setdefault(contestant.name, {})
        known.update(facts)

    # -- measuring -------------------------------------------------------------------------------------

    def read(self, number: int) -> None:
        """One round of searches without writes."""
        for contestant in self._turn(number):
            with self._guarded(contestant):
                self._read_one(contestant, number)

    def _read_one(self, contestant: Contestant, number: int) -> None:
        traits = contestant.system.traits
        if traits.efforts and traits.recommended != contestant.effort:
            contestant.system.set_effort(traits.recommended)
            for clients in (1, 16):
                self._search(contestant, number, clients, label=RECOMMENDED)
        contestant.system.set_effort(contestant.effort)
        for clients in (1, 16):
            self._search(contestant, number, clients)
            if traits.efforts and traits.recommended == contestant.effort:
                self._copy(contestant.name, number, searches(clients))
        for condition in self.conditions:
            for clients in (1, 16) if condition.name in ("g100", "g10") else (1,):
                self._search(contestant, number, clients, condition)
        self._repeat(contestant, number)
        if contestant.name == VEXFS_GRPC and isinstance(contestant.system, points.VexfsPoints):
            for clients in (1, 16):
                found = contestant.system.python_clients(self._next(contestant, clients, ""), clients, self._plan.seconds)
                self._add(searches(clients), contestant.name + PYTHON_CLIENT, number, found)

    def _search(
        self, contestant: Contestant, number: int, clients: int, condition: Condition | None = None, label: str = ""
    ) -> None:
        found = self._ask(contestant, clients, self._plan.seconds, condition)
        workload = searches(clients, condition)
        self._add(workload, contestant.name + label, number, found)
        recall = self._recall(found, condition)
        self._record.add(self._key(workload, contestant.name + label, RECALL), number, recall)

    def _copy(self, name: str, number: int, workload: str) -> None:
        """The setting that finds enough is the recommended one: one measurement is both."""
        for unit in (RATE, P99, RECALL):
            value = self._record.samples[self._key(workload, name, unit)][number]
            self._record.add(self._key(workload, name + RECOMMENDED, unit), number, value)

    def _repeat(self, contestant: Contestant, number: int) -> None:
        """What a cache of results is worth: the same 16 queries over and over."""
        count = self._wanted(contestant, 16, "", self._plan.seconds)
        found = contestant.system.search(np.resize(np.arange(16), count), 16, self._plan.seconds)
        self._add("the same 16 queries, 16 clients", contestant.name, number, found)

    def write(self, number: int) -> None:
        """One round of searches while rows come in, each beside the same without."""
        for contestant in self._turn(number):
            if not contestant.system.traits.writes_beside_searches:
                self._record.note(f"{contestant.name} must not be written to while it is searched, so that was not measured.")
                continue
            with self._guarded(contestant):
                for place, condition in enumerate((None, self.condition("g100"))):
                    self._write_one(
                        contestant, number, self._plan.size + (2 * number + place) * self._plan.write_rows, condition
                    )

    def _write_one(self, contestant: Contestant, number: int, start: int, condition: Condition | None) -> None:
        seconds, name = self._plan.write_seconds, contestant.name
        self._warm_up(contestant, 16, condition)  # what was written before may have to be taken in first
        before = self._ask(contestant, 16, seconds / 2, condition)
        places = self._next(contestant, 16, condition.name if condition else "", seconds)
        found = contestant.system.search_and_write(places, 16, seconds, start, WRITE_RATE, condition)
        self._add(before_writing(condition), name, number, before)
        self._add(while_writing(condition), name, number, found)
        self._record.add(
            self._key(while_writing(condition), name, ROWS), number, found.rows_written / max(found.write_seconds, seconds)
        )
        looked = min(_FRESH_ROWS, found.rows_written)
        if looked:
            fresh = contestant.system.find_rows(start + found.rows_written - looked, looked) / looked
            self._record.add(self._key(while_writing(condition), name, "share of the new rows found"), number, fresh)

    # -- inside ----------------------------------------------------------------------------------------

    def _turn(self, number: int) -> Iterator[Contestant]:
        for contestant in _turned(list(self.contestants), number):
            if contestant in self.contestants:
                self._say(f"round {number + 1}/{self._plan.rounds}, {contestant.name}")
                if not self._options.quick:
                    settle(Running(self._folder, contestant.system.pid), self._record, self._options, contestant.name)
                yield contestant

    @contextlib.contextmanager
    def _guarded(self, contestant: Contestant) -> Iterator[None]:
        """A system that fails is out; what was measured of it stays."""
        try:
            yield
        except RuntimeError as error:
            self.contestants.remove(contestant)
            self._absent(contestant.name, f"it failed: {error}")

    def _ask(self, contestant: Contestant, clients: int, seconds: float, condition: Condition | None) -> Measured:
        name = condition.name if condition else ""
        if (clients, name) not in contestant.rates:
            self._warm_up(contestant, clients, condition)
        found = contestant.system.search(self._next(contestant, clients, name, seconds), clients, seconds, condition)
        self._remember(contestant, clients, name, found)
        return found

    def _warm_up(self, contestant: Contestant, clients: int, condition: Condition | None) -> None:
        found = contestant.system.search(self._places(contestant, _WARM_UP_QUERIES), clients, _WARM_UP_S, condition)
        self._remember(contestant, clients, condition.name if condition else "", found)

    def _remember(self, contestant: Contestant, clients: int, condition: str, found: Measured) -> None:
        contestant.rates[clients, condition] = found.rate
        contestant.cursor += found.operations

    def _next(self, contestant: Contestant, clients: int, condition: str, seconds: float = 0.0) -> NDArray[np.int64]:
        return self._places(contestant, self._wanted(contestant, clients, condition, seconds or self._plan.seconds))

    def _wanted(self, contestant: Contestant, clients: int, condition: str, seconds: float) -> int:
        """Some more queries than it will answer in the time, but never one twice."""
        return min(self._pool, max(_WARM_UP_QUERIES, int(1.5 * contestant.rates.get((clients, condition), 100.0) * seconds)))

    def _places(self, contestant: Contestant, count: int) -> NDArray[np.int64]:
        """The next queries: all others come before one comes again."""
        return (contestant.cursor + np.arange(min(count, self._pool))) % self._pool

    def condition(self, name: str) -> Condition:
        return next(condition for condition in self.conditions if condition.name == name)

    def _recall(self, found: Measured, condition: Condition | None) -> float:
        truth = self._truth(condition)
        return nearest.recall(self._vectors, self._data.queries, truth, condition, found.answers)

    def _truth(self, condition: Condition | None) -> Truth:
        name = condition.name if condition else "all"
        if name not in self._truths:
            self._say(f"comparing every query with every vector ({name})")
            self._truths[name] = nearest.exact(self._vectors, self._data.queries, condition, self._data.folder)
            self._record.configuration[f"exact neighbours of {self._plan.size:,}, {name}, sha256"] = self._truths[name].digest
        return self._truths[name]

    def _add(self, workload: str, system: str, number: int, found: Measured) -> None:
        self._record.add(self._key(workload, system, RATE), number, found.rate)
        self._record.add(self._key(workload, system, P99), number, found.p99_ms)


class _Watch:
    """Looks at the memory of a system now and then, in a thread of its own."""

    def __init__(self, system: System) -> None:
        self._pid = system.pid
        self._others = [pid for pid in system.pids() if pid not in processes.tree_of(system.pid)]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bench-memory")
        self.largest_bytes = 0

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            members = [pid for root in (self._pid, *self._others) for pid in processes.tree_of(root)]
            self.largest_bytes = max(self.largest_bytes, sum(map(processes.proportional_bytes, set(members))))
            if self._ended.wait(_LOOK_S):
                return


def key_of(size: int, workload: str, system: str, unit: str) -> Key:
    return Key(f"{size:,}: {workload}", system, "", unit)


def before_writing(condition: Condition | None = None) -> str:
    return f"{searches(16, condition)}, just before"


def while_writing(condition: Condition | None = None) -> str:
    return f"{searches(16, condition)}, {WRITE_RATE} rows/s written"


def searches(clients: int, condition: Condition | None = None) -> str:
    """The name of a workload."""
    where = f"{100 / condition.count:g} % pass" if condition else "search"
    return f"{where}, {clients} client{'s' if clients > 1 else ''}"


def memory_bytes(system: System) -> int:
    """Proportional share of memory of all its processes: what they share counts once."""
    return sum(map(processes.proportional_bytes, system.pids()))


def disk_bytes(folder: Path) -> int:
    """What the folder takes on the disk."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_blocks * 512
    return total


def _turned(names: Sequence[T], number: int) -> list[T]:
    """Whose turn is first changes with the round."""
    turn = number % max(1, len(names))
    return [*names[turn:], *names[:turn]]
