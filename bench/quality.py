"""Search quality: how high do the files stand that answer a question, by words, by meaning, by both?"""

from __future__ import annotations

import math
import statistics
import sys

from bench.runner import client, labelled, processes
from bench.runner.labelled import LabelledSet, Question
from bench.runner.record import Benchmark, Key, Options, Ratio, Record, Target
from bench.runner.systems import VEXFS, VexfsServe
from bench.search import MODES, WAIT_S

ABOUT = """
A labelled set is stored in a `vexfs serve` with its defaults, every question is asked once in each mode through gRPC when all
is indexed, and the first ten hits are compared with the labels. By default: 2,000 functions of Python's standard library
without their docstrings, each asked for by the first sentence of its docstring; the code keeps its names, so words can find
it, too. The questions are split into two halves, and whoever tunes something looks at the first only: the smaller number of
each row is one half's, the larger the other's. `--corpus FOLDER` takes any set in BEIR's format instead.
"""

DEPTH = 10
FUNCTIONS = 2000
FIGURES = ("nDCG@10", "recall@10", "MRR@10")


def run(options: Options, record: Record) -> None:
    limit = options.size(FUNCTIONS, 200, 6)
    chosen = labelled.docstrings(limit) if options.corpus is None else labelled.beir(options.corpus)
    system = VexfsServe(mount=False)
    record.configuration |= {"set": chosen.name, "documents": len(chosen.documents), "questions": len(chosen.questions)}
    record.configuration[VEXFS] = system.configuration
    with system.start(processes.FREE) as server, client.connected(server) as connection:
        paths = _store(connection, chosen)
        for mode in MODES:
            sys.stderr.write(f"asking {len(chosen.questions)} questions, {mode}\n")
            for half in (0, 1):
                _ask(connection, mode, chosen.questions[half::2], half, paths, record)
    for other in ("dense", "lexical"):
        ratio = Ratio(f"nDCG@10: hybrid / {other}", _key("hybrid", FIGURES[0]), _key(other, FIGURES[0]))
        record.ratios.append(ratio)
        record.targets.append(Target(ratio, "median", ">=", 1.0))


def _store(connection: client.Client, chosen: LabelledSet) -> dict[str, str]:
    """Puts the documents, waits until all can be found; their names by path."""
    sys.stderr.write(f"storing and indexing {len(chosen.documents)} documents\n")
    paths = {f"/set/{number}{_suffix(name)}": name for number, name in enumerate(chosen.documents)}
    connection.make_directory("/set")
    for path, name in paths.items():
        connection.put(path, chosen.documents[name].encode("utf-8"))
    connection.wait_for_views(WAIT_S)
    return paths


def _suffix(name: str) -> str:
    return ".py" if name.endswith(".py") else ".txt"


def _ask(
    connection: client.Client, mode: str, questions: list[Question], half: int, paths: dict[str, str], record: Record
) -> None:
    scores = []
    for question in questions:
        response = connection.search(question.text, mode=MODES[mode])
        if response.partial or response.pending:
            record.note(f"At least one {mode} answer was partial or had changes pending.")
        scores.append(_score([paths[hit.file.path] for hit in response.hits[:DEPTH]], question.relevant))
    for figure, values in zip(FIGURES, zip(*scores, strict=True), strict=True):
        record.add(_key(mode, figure), half, statistics.fmean(values))


def _score(found: list[str], relevant: dict[str, int]) -> tuple[float, float, float]:
    """nDCG, recall and reciprocal rank of one answer."""
    gained = sum((2 ** relevant.get(name, 0) - 1) / math.log2(place + 2) for place, name in enumerate(found))
    best = sorted(relevant.values(), reverse=True)[:DEPTH]
    ideal = sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(best))
    places = [place for place, name in enumerate(found, 1) if name in relevant]
    return gained / ideal, len(places) / len(relevant), 1 / places[0] if places else 0.0


def _key(mode: str, figure: str) -> Key:
    return Key(f"search, {mode}", VEXFS, "", figure)


BENCHMARK = Benchmark("quality", "Search quality", ABOUT, run)
