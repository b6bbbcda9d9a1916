"""The builder process: freezes one index into a generation. `python -m vexfs.views.dense.builder --volume FOLDER …`

Started by the API's view (`launcher.py`), at nice 19, one at a time per volume (a lock in the generations' folder). It reads
the volume and derived.db, writes only below `derived/generations`, and prints the manifest's id. What it builds reaches the
recall of `calibration.py`, verified, or is searched exactly. Killed at any point it leaves nothing but a folder that the next
builder removes, or the view when it starts. It ends with the process that started it.

Exit status: 0 built, 75 another builder is at work, 69 the source cannot be read now, 65 there is nothing to build.
"""

import argparse
import contextlib
import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from vexfs import runtime
from vexfs.core.errors import ViewUnavailable
from vexfs.store.volume import Volume
from vexfs.views.dense import generation, quantization
from vexfs.views.dense.index import IndexSpec
from vexfs.views.dense.rows import Rows
from vexfs.views.dense.sources import RowSource, make_source
from vexfs.views.derived import DerivedReader, derived_folder

LOCK_NAME = ".lock"
EXIT_NOTHING, EXIT_UNAVAILABLE, EXIT_BUSY = os.EX_DATAERR, os.EX_UNAVAILABLE, os.EX_TEMPFAIL

logger = logging.getLogger(__name__)


def generations_folder(volume_folder: Path) -> Path:
    return derived_folder(volume_folder) / generation.FOLDER


def build(volume: Volume, spec: IndexSpec) -> generation.Manifest | None:
    """Read all rows of the index and store them as a generation; None when there are none.

    A generation is on the disk only once everything it was read from is. Raises ViewUnavailable, DataLoss.
    """
    reader = DerivedReader(derived_folder(volume.folder))
    try:
        source = make_source(volume, reader, spec.collection)
        identity, position = source.identity(), source.position()
        pages = _durable_pages(source, spec, identity)
        return generation.write(generations_folder(volume.folder), spec, pages, source=identity, position=position)
    finally:
        reader.close()


def _durable_pages(source: RowSource, spec: IndexSpec, identity: str) -> Iterator[Rows]:
    """All rows of the index; after the last page, everything that was read is on the disk.

    A reader sees commits that no sync covers yet. Without this, a power cut could leave a generation ahead of its source, whose
    next writes take the same revisions (or numbers of changes) again: its rows would then pass for theirs.
    """
    yield from source.pages(spec)
    source.sync()
    if source.identity() != identity:
        raise ViewUnavailable("the source was replaced while it was read")


def take_lock(root: Path) -> int | None:
    """The right to build in this folder, as a descriptor; None when another process has it."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(root / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _be_ended_first() -> None:
    """When memory runs out, the kernel ends this process rather than one that serves."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vexfs.views.dense.builder", description=__doc__.splitlines()[0])
    parser.add_argument("--volume", type=Path, required=True, help="the volume's folder")
    parser.add_argument("--collection", type=int, required=True, help="file id of the collection; 0 is the text of files")
    parser.add_argument("--vector", required=True, help="name of the vector")
    parser.add_argument("--dimension", type=int, required=True)
    parser.add_argument("--metric", choices=("cosine", "dot", "euclidean"), required=True)
    parser.add_argument("--storage", choices=(quantization.FLOAT32, *quantization.COMPACT), default=quantization.FLOAT32)
    parser.add_argument("--parent", type=int, help="end when this process, which started the builder, ends")
    options = parser.parse_args(arguments)
    if options.parent is not None and not runtime.tie_to(options.parent):
        return EXIT_UNAVAILABLE
    os.nice(19)
    _be_ended_first()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s builder: %(message)s")
    root = generations_folder(options.volume)
    if take_lock(root) is None:
        return EXIT_BUSY
    generation.sweep(root)
    spec = IndexSpec(options.collection, options.vector, options.dimension, options.metric, options.storage)
    try:
        with Volume.open(options.volume, "builder") as volume:
            manifest = build(volume, spec)
    except ViewUnavailable as error:
        logger.warning("not built: %s", error)
        return EXIT_UNAVAILABLE
    if manifest is None:
        return EXIT_NOTHING
    sys.stdout.write(manifest.id + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
