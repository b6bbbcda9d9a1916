"""The vectors of the vector benchmark: texts of this machine, embedded with VexFS's own model, in the user's cache.

`nice -n 19 python -m bench.runner.vectors_data COUNT` embeds ahead of time; a run does the same for what is missing. The texts
are chosen once, so that what was embedded stays of use; embedding goes on where it was stopped. One process at a time works on
a cache folder; readers map its files.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.runner import texts
from vexfs.views.embedding import weights
from vexfs.views.embedding.model import Embedder

Vectors = NDArray[np.float32]

DIMENSION = 384
QUERIES_MAX = 30_000
"""So many of the texts are held out: they are asked for, never stored."""
GROUPS = {"g2000": 2000, "g100": 100, "g10": 10, "g2": 2}
"""Whole numbers that every vector carries, by name: drawn evenly from so many values, so that equality selects 1 in so many."""
FORMAT = 1
_BATCH = 64
_PROGRESS_S = 30.0
_SEED = 20_240
_AUGMENT_ROWS = 50_000
_OTHERS_SHARE = 0.3


class VectorSet(NamedTuple):
    """What a run stores and asks. `facts` says where it is from, for the page."""

    folder: Path
    vectors_file: Path
    queries_file: Path
    vectors: Vectors
    queries: Vectors
    mixtures: int
    """How many of the vectors, the last ones, are no text's: mixtures of two that are."""
    facts: dict[str, Any]


def prepare(count: int, queries: int, *, tiny: bool = False) -> VectorSet:
    """So many vectors and queries, embedding what the cache lacks. `tiny`: a few texts of the standard library alone.

    More vectors than there are texts are mixtures of real ones. Raises RuntimeError when this machine
    has too few texts for the queries, and ModelMissing without weights.
    """
    embedder = Embedder.load()
    folder = _folder(embedder.name, tiny)
    with _alone(folder):
        held_out, stored, facts = _chosen(folder, tiny)
        if len(held_out) < queries:
            raise RuntimeError(
                f"this machine has texts for {len(held_out):,} queries, not for {queries:,}: install manual pages"
            )
        real = min(count, len(stored))
        _embed(embedder, held_out[:queries], folder / "queries.f32")
        _embed(embedder, stored[:real], folder / "set.f32")
        file = folder / "set.f32"
        if real < count:
            file = _augmented(folder, real, count)
    asked = folder / "queries.f32"
    return VectorSet(
        folder, file, asked, _mapped(file, count), _mapped(asked, queries), count - real, facts | {"model": embedder.name}
    )


def groups(count: int) -> dict[str, NDArray[np.int64]]:
    """The numbers of the first `count` vectors, by name; those of a smaller set are the beginning of a larger one's."""
    return {
        name: np.random.default_rng((_SEED, values)).integers(0, values, size=max(count, 1 << 20))[:count].astype(np.int64)
        for name, values in GROUPS.items()
    }


def write_all(rows: Iterator[Vectors], file: Path) -> None:
    """Write rows as packed little-endian float32; the file has its name when it is whole."""
    unfinished = file.with_suffix(".unfinished")
    with unfinished.open("wb") as out:
        for part in rows:
            out.write(np.ascontiguousarray(part, "<f4").tobytes())
    unfinished.rename(file)


def _folder(model: str, tiny: bool) -> Path:
    """One a model: vectors of different models are not compared."""
    identity = hashlib.sha256(f"{FORMAT} {model}".encode()).hexdigest()[:12]
    folder = weights.cache_folder() / "bench" / f"vectors-{identity}{'-tiny' if tiny else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("another process is embedding into the same cache; waiting for it\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _chosen(folder: Path, tiny: bool) -> tuple[list[str], list[str], dict[str, Any]]:
    """(held-out texts, texts to store, facts); chosen at the first call and kept."""
    file = folder / "texts.json"
    if not file.exists():
        sys.stderr.write("collecting texts of this machine (about two minutes, once)\n")
        found, kinds = texts.collect(limit=400 if tiny else 0)
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"texts": found, "kinds": kinds}), encoding="utf-8")
        unfinished.rename(file)
    kept = json.loads(file.read_text(encoding="utf-8"))
    found, held = kept["texts"], min(QUERIES_MAX, len(kept["texts"]) // 4)
    digest = hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]
    facts = {
        "texts": len(found),
        "texts, sha256": digest,
        **{f"texts: {kind}": number for kind, number in kept["kinds"].items()},
    }
    return found[:held], found[held:], facts


def _embed(embedder: Embedder, wanted: Sequence[str], file: Path) -> None:
    """Bring the file to one vector a text. What is there was made from the beginning of the same list."""
    size_bytes = file.stat().st_size if file.exists() else 0
    done = size_bytes // (4 * DIMENSION)
    began, said, first = time.monotonic(), time.monotonic(), done
    with file.open("ab") as out:
        out.truncate(done * 4 * DIMENSION)
        while done < len(wanted):
            batch = wanted[done : done + _BATCH]
            out.write(embedder.embed(batch).astype("<f4").tobytes())
            done += len(batch)
            if time.monotonic() - said > _PROGRESS_S:
                said = time.monotonic()
                out.flush()
                rate = (done - first) / (said - began)
                left_min = (len(wanted) - done) / rate / 60
                sys.stderr.write(f"{file.stem}: {done:,} of {len(wanted):,} texts, {rate:.0f}/s, {left_min:.0f} min left\n")


def _augmented(folder: Path, real: int, count: int) -> Path:
    """`count` vectors: the real ones, then mixtures of two of them, mostly the first, as between two topics."""
    file = folder / f"set-{count}-of-{real}.f32"
    if not file.exists():
        vectors = _mapped(folder / "set.f32", real)

        def rows() -> Iterator[Vectors]:
            yield vectors
            random = np.random.default_rng(_SEED)
            for start in range(real, count, _AUGMENT_ROWS):
                size = min(_AUGMENT_ROWS, count - start)
                first, second = random.integers(0, real, size=(2, size))
                mixed = (1 - _OTHERS_SHARE) * vectors[first] + _OTHERS_SHARE * vectors[second]
                yield (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)

        write_all(rows(), file)
    return file


def _mapped(file: Path, count: int) -> Vectors:
    return np.memmap(file, dtype="<f4", mode="r").reshape(-1, DIMENSION)[:count]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.runner.vectors_data", description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, help="how many vectors to have, such as 200000")
    parser.add_argument("--queries", type=int, default=QUERIES_MAX)
    options = parser.parse_args()
    found = prepare(options.count, options.queries)
    sys.stdout.write(json.dumps(found.facts, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
