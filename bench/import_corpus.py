"""Importing a corpus: how fast do files go in, when are there first hits, when is everything embedded, how near the limit?"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.runner import client, corpus, processes
from bench.runner.mounted import settle
from bench.runner.record import Benchmark, Key, Options, Record, Target, ratio_of_systems
from bench.runner.systems import VEXFS, Server, VexfsServe, vexfs_command
from vexfs import runtime
from vexfs.views.derived import DerivedReader, derived_folder
from vexfs.views.embedding.model import Embedder
from vexfs.views.indexing.embedding_workers import thread_count

ABOUT = """
`vexfs import` of 400 of the Python standard library's own sources, spread over it, into a fresh `vexfs serve` with its
defaults, all cores free. *files* ends when the command does: everything is stored and durable. *first hits* is the
first answer with a hit to a search that is asked ten times a second from the start of the import on. *all embedded*
ends when the server says that everything stored can be found. Times count from the start of the command. Texts are
counted once, however many passages have them. *model alone*, right after, are the same texts in memory, sorted by length,
given to the same model by as many threads as the indexer has: nothing is read, split, stored or indexed.
"""

QUESTION = "parse command line arguments"
FILES, FIRST_HITS, EMBEDDED = "import: files", "import: first hits", "import: all embedded"
TEXTS = "import: texts embedded"
MODEL_ALONE = "model alone"
FILES_MAX = 400
LEAST_SHARE_OF_THE_MODEL = 0.9
TIMEOUT_S = 3600.0


def run(options: Options, record: Record) -> None:
    rounds, limit = options.rounds_or(5, quick=1), options.size(FILES_MAX, 60, 3)
    system = VexfsServe(mount=False)
    with tempfile.TemporaryDirectory(prefix="vexfs-bench-corpus-") as folder:
        count = corpus.copy_to(Path(folder), limit)
        size_bytes = sum(file.stat().st_size for file in Path(folder).rglob("*.py"))
        record.configuration |= {"rounds": rounds, "files": count, "corpus_bytes": size_bytes, VEXFS: system.configuration}
        for number in range(rounds):
            sys.stderr.write(f"round {number + 1}/{rounds}\n")
            with system.start(processes.FREE) as server:
                settle(server, record, options, VEXFS)
                embedded_s = _measure(server, Path(folder), count, number, record)
                texts = sorted(set(_texts_of(server)), key=len)
            record.configuration["texts"] = len(texts)
            record.add(Key(TEXTS, VEXFS, "", "texts/s"), number, len(texts) / embedded_s)
            record.add(Key(TEXTS, MODEL_ALONE, "", "texts/s"), number, len(texts) / _embed(texts))
    ratio = ratio_of_systems(TEXTS, "", "texts/s", VEXFS, MODEL_ALONE)
    record.ratios.append(ratio)
    record.targets.append(Target(ratio, "median", ">=", LEAST_SHARE_OF_THE_MODEL))


def _measure(server: Server, folder: Path, count: int, number: int, record: Record) -> float:
    """Seconds until everything is embedded."""
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
    return embedded_s


def _texts_of(server: Server) -> Iterator[str]:
    """The text of every passage."""
    reader = DerivedReader(derived_folder(runtime.DataFolder(server.data).volume))
    try:
        for page in reader.all_vectors(reader.model()):
            yield from (text for _, text in reader.passages_at([(found.ino, found.ordinal) for found in page]).values())
    finally:
        reader.close()


def _embed(texts: list[str]) -> float:
    """Seconds that the model alone takes."""
    embedder = Embedder.load()
    with ThreadPoolExecutor(thread_count()) as threads:
        began = time.perf_counter()
        for _ in threads.map(lambda text: embedder.embed([text]), texts):
            pass
        return time.perf_counter() - began


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
