"""`python -m bench.peers.vectors.worker ENGINE`: one engine in a process of its own, told what to do by lines of JSON.

Each line on standard input is a command with its arguments, each answer one line on standard output: {"result": …} or
{"error": …}. Rows and queries are read from files; ids go into a file. Clients are threads of this process, because an embedded
engine is called that way: they share the interpreter with whatever of the engine is Python.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from bench.peers.vectors.engine import Condition, Engine, K, Place, Rows, Vectors
from bench.peers.vectors.engines import open_engine
from bench.peers.vectors.trickle import BATCH_ROWS, Trickle, batch_count

INSERT_BATCH = 1000


class Answer(NamedTuple):
    """One search: which of the questions, how long, what was found."""

    place: int
    seconds: float
    ids: list[int]


class Source(NamedTuple):
    """Files that rows and questions are read from, mapped only while that is done."""

    vectors: Path
    queries: Path
    numbers: dict[str, Path]
    dimension: int

    def rows(self, start: int, count: int) -> Rows:
        vectors = np.array(self._mapped(self.vectors)[start : start + count])
        numbers = {name: np.load(file, mmap_mode="r")[start : start + count].copy() for name, file in self.numbers.items()}
        return Rows(start, vectors, numbers)

    def questions(self, places: Sequence[int]) -> Vectors:
        return np.array(self._mapped(self.queries)[places])

    def _mapped(self, file: Path) -> Vectors:
        return np.memmap(file, dtype="<f4", mode="r").reshape(-1, self.dimension)


class Worker:
    """The commands, one method each."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._engine: Engine | None = None
        self._source: Source | None = None

    @property
    def engine(self) -> Engine:
        assert self._engine is not None, "open comes first"
        return self._engine

    @property
    def source(self) -> Source:
        assert self._source is not None, "open comes first"
        return self._source

    def open(self, folder: str, vectors: str, queries: str, numbers: dict[str, str], dimension: int, rows_max: int) -> Any:
        files = {name: Path(file) for name, file in numbers.items()}
        self._source = Source(Path(vectors), Path(queries), files, dimension)
        self._engine = open_engine(self._name, Place(Path(folder), dimension, list(files), rows_max))
        engine = self.engine
        return {
            "about": engine.about,
            "efforts": list(engine.efforts),
            "recommended": engine.recommended,
            "writes_beside_searches": engine.writes_beside_searches,
        }

    def insert(self, start: int, count: int) -> Any:
        """Seconds that the engine took, reading the rows not counted."""
        seconds = 0.0
        for first in range(start, start + count, INSERT_BATCH):
            rows = self.source.rows(first, min(INSERT_BATCH, start + count - first))
            began = time.perf_counter()
            self.engine.insert(rows)
            seconds += time.perf_counter() - began
        return {"seconds": seconds}

    def build(self) -> Any:
        began = time.perf_counter()
        self.engine.build()
        return {"seconds": time.perf_counter() - began}

    def effort(self, value: int) -> Any:
        self.engine.set_effort(value)

    def search(self, places: str, clients: int, seconds: float, answers: str, condition: str = "", values: int = 1) -> Any:
        """Ask the queries at the places that the file names, until all are asked or the time is over."""
        wanted = np.load(places)
        return self._summary(self._run(self._prepared(wanted, condition, values), clients, seconds), wanted, answers)

    def search_and_write(
        self,
        places: str,
        clients: int,
        seconds: float,
        answers: str,
        start: int,
        rate: int,
        condition: str = "",
        values: int = 1,
    ) -> Any:
        """The same while new rows come in from `start` on, `rate` a second as far as the engine can."""
        wanted = np.load(places)
        questions = self._prepared(wanted, condition, values)
        batches = [self.source.rows(start + n * BATCH_ROWS, BATCH_ROWS) for n in range(batch_count(seconds, rate))]
        writer = Trickle(self.engine.insert, batches, rate)
        writer.start()
        found = self._run(itertools.cycle(questions), clients, seconds)
        writer.finish()
        return self._summary(found, wanted, answers) | {"rows_written": writer.rows, "write_seconds": writer.seconds}

    def find_rows(self, start: int, count: int) -> Any:
        """How many of these rows are found by their own vectors."""
        rows = self.source.rows(start, count)
        found = sum(
            number in self.engine.search(self.engine.prepare(vector, None))
            for number, vector in zip(rows.ids, rows.vectors, strict=True)
        )
        return {"found": found}

    def processes(self) -> Any:
        return {"pids": self.engine.processes()}

    def close(self) -> Any:
        """End the engine; once is enough, and nothing is left to end without one."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _prepared(self, places: NDArray[np.int64], condition: str, values: int) -> list[tuple[int, Any]]:
        vectors = self.source.questions(places.tolist())
        conditions = [Condition(condition, int(place) % values) if condition else None for place in places]
        prepare = self.engine.prepare
        return [(n, prepare(vector, chosen)) for n, (vector, chosen) in enumerate(zip(vectors, conditions, strict=True))]

    def _run(self, questions: Sequence[tuple[int, Any]] | Iterator[tuple[int, Any]], clients: int, seconds: float) -> Any:
        waiting = iter(questions)
        lock, search = threading.Lock(), self.engine.search
        answers: list[list[Answer]] = [[] for _ in range(clients)]
        failures: list[BaseException] = []
        before = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        deadline = began + seconds

        def client(mine: list[Answer]) -> None:
            try:
                while True:
                    with lock:
                        place, question = next(waiting, (-1, None))
                    sent = time.perf_counter()
                    if place < 0 or sent >= deadline:
                        return
                    ids = search(question)
                    mine.append(Answer(place, time.perf_counter() - sent, ids))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=client, args=(mine,)) for mine in answers[1:]]
        for thread in threads:
            thread.start()
        client(answers[0])
        for thread in threads:
            thread.join()
        taken = time.perf_counter() - began
        if failures:
            raise failures[0]
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime
        return [answer for mine in answers for answer in mine], taken, cpu

    def _summary(self, run: tuple[list[Answer], float, float], places: NDArray[np.int64], file: str) -> dict[str, Any]:
        answers, taken, cpu = run
        ids = np.full((len(answers), K), -1, np.int64)
        for row, answer in enumerate(answers):
            ids[row, : len(answer.ids)] = answer.ids[:K]
        np.savez(file, places=places[[answer.place for answer in answers]], ids=ids)
        ordered = sorted(answer.seconds for answer in answers)
        return {
            "operations": len(ordered),
            "seconds": taken,
            "p50_ms": ordered[len(ordered) // 2] * 1000,
            "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
            "cpu_seconds": cpu,
        }


def main() -> int:
    out = _own_output()
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"result": getattr(worker, command.pop("do"))(**command)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()
    worker.close()  # whoever told it what to do is gone: a server that the engine has started must not stay
    return 0


def _own_output() -> TextIO:
    """Standard output for answers alone; what libraries print goes to standard error."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


if __name__ == "__main__":
    sys.exit(main())
