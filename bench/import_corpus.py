"""Importing a corpus: how fast do files go in, when are there first hits, when is everything embedded?"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.runner import client, corpus, processes
from bench.runner.mounted import settle
from bench.runner.record import Benchmark, Key, Options, Record
from bench.runner.systems import VEXFS, Server, VexfsServe, vexfs_command

ABOUT = """
`vexfs import` of the Python standard library's own sources without its tests into a fresh `vexfs serve` with its
defaults, all cores free. *files* ends when the command does: everything is stored and durable. *first hits* is the
first answer with a hit to a search that is asked ten times a second from the start of the import on. *all embedded*
ends when the server says that everything stored can be found. Times count from the start of the command.
"""

QUESTION = "parse command line arguments"
FILES, FIRST_HITS, EMBEDDED = "import: files", "import: first hits", "import: all embedded"
TIMEOUT_S = 3600.0


def run(options: Options, record: Record) -> None:
    rounds, limit = options.rounds_or(5, quick=1), options.size(0, 60, 3)
    system = VexfsServe(mount=False)
    with tempfile.TemporaryDirectory(prefix="vexfs-bench-corpus-") as folder:
        count = corpus.copy_to(Path(folder), limit)
        size_bytes = sum(file.stat().st_size for file in Path(folder).rglob("*.py"))
        record.configuration |= {"rounds": rounds, "files": count, "corpus_bytes": size_bytes, VEXFS: system.configuration}
        for number in range(rounds):
            sys.stderr.write(f"round {number + 1}/{rounds}\n")
            with system.start(processes.FREE) as server:
                settle(server, record, options, VEXFS)
                _measure(server, Path(folder), count, number, record)


def _measure(server: Server, folder: Path, count: int, number: int, record: Record) -> None:
    with client.connected(server) as connection:
        began = time.perf_counter()
        first_hits: list[float] = []
        watcher = threading.Thread(target=_watch_for_hits, args=(connection, began, first_hits), daemon=True)
        watcher.start()
        import_folder(server, folder)
        stored_s = time.perf_counter() - began
        connection.wait_for_views(TIMEOUT_S)
        embedded_s = time.perf_counter() - began
        watcher.join(timeout=10.0)
        passages = connection.info().text.passages
    record.add(Key(FILES, VEXFS, "", "files/s"), number, count / stored_s)
    record.add(Key(FIRST_HITS, VEXFS, "", "s"), number, first_hits[0])
    record.add(Key(EMBEDDED, VEXFS, "", "s"), number, embedded_s)
    record.add(Key(EMBEDDED, VEXFS, "", "passages/s"), number, passages / embedded_s)
    record.configuration["passages"] = passages


def import_folder(server: Server, folder: Path) -> None:
    """`vexfs import FOLDER --into /stdlib`, as a person would."""
    command = [str(vexfs_command()), "import", str(folder), "--into", "/stdlib"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=processes.environment(**server.environment()))


def _watch_for_hits(connection: client.Client, began: float, first_hits: list[float]) -> None:
    deadline = began + TIMEOUT_S
    while time.perf_counter() < deadline:
        if connection.search(QUESTION).hits:
            first_hits.append(time.perf_counter() - began)
            return
        time.sleep(0.1)


BENCHMARK = Benchmark("import", "Importing a corpus", ABOUT, run)
