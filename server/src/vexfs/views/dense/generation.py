"""A generation on disk: one index frozen at one position, with a searcher. Is it whole, and what is it of?

    generations/ID/manifest.json     what it is, and size and BLAKE3 of every other file; carries its own digest
    generations/ID/keys.npy          the rows' keys, ascending
    generations/ID/vectors.npy       the rows, prepared for the metric, float32; written by `rowfiles.py`
    generations/ID/scann/            the searcher; empty when there is none
    generations/.building-…          being written, or left by a builder that died

The builder calls `write`; the API lists, opens and deletes. A generation appears by one rename after every file and folder was
synced, so what has a manifest is complete, unless it was damaged: `open_generation` reads everything into memory and checks it
against the manifest, and `Generation.intact` notices later that somebody removed or touched its files. A generation is never
changed. Memory is 4 bytes × dimension × rows, once, or 2 or 1 where rows are compact (see `compact`): a mapped file that is cut
short would kill the process.
"""

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import blake3
import msgspec

from vexfs.core.errors import DataLoss
from vexfs.views.dense import engine, quantization, rowfiles
from vexfs.views.dense.calibration import Effort
from vexfs.views.dense.compact import CompactMatrix, CompactRows, open_compact
from vexfs.views.dense.index import IndexSpec
from vexfs.views.dense.rows import Rows

FORMAT = 3
"""A generation of another format is not opened: it is built again, and removed by the builder that does so."""
FOLDER = "generations"
_MANIFEST = "manifest.json"
_BUILDING = ".building-"
_SEARCHER = "scann"


class StoredFile(msgspec.Struct, frozen=True):
    size_bytes: int
    blake3: str


class Manifest(msgspec.Struct, frozen=True):
    """What a generation is. `source` and `position` say which rows it has: those of the source's log up to the position."""

    format: int
    id: str
    collection: int
    vector: str
    dimension: int
    metric: str
    storage: str
    """How who opens it keeps the rows in memory; on the disk they are float32."""
    source: str
    position: int
    rows: int
    kind: str
    leaves: int
    dimensions_per_block: int
    near: Effort
    far: Effort
    measured_recall: float
    measured_far_recall: float
    created_ns: int
    files: dict[str, StoredFile]
    digest: str = ""

    @property
    def spec(self) -> IndexSpec:
        return IndexSpec(self.collection, self.vector, self.dimension, self.metric, self.storage)

    @property
    def settings(self) -> engine.Settings:
        return engine.Settings(*(getattr(self, name) for name in engine.Settings._fields))


class Generation(NamedTuple):
    """An opened generation: checked, and in memory; of compact rows, the exact vectors are read from its file."""

    manifest: Manifest
    folder: Path
    rows: Rows | CompactRows
    searcher: engine.ScannSearcher | None
    """None when the rows are to be compared exactly: no searcher over them reached the recall."""
    fingerprint: tuple[tuple[int, int, int], ...]

    def intact(self) -> bool:
        """Whether the files are still those that were opened (by inode, size and time; contents are not read)."""
        return _fingerprint(self.folder, self.manifest) == self.fingerprint


def write(root: Path, spec: IndexSpec, pages: Iterable[Rows], *, source: str, position: int) -> Manifest | None:
    """Store the rows of all pages durably below `root`, with a searcher trained over them; returns when they have their name.

    None when there are no rows. What the pages raise is raised, and leaves nothing.
    """
    identifier = f"{spec.collection}-{blake3.blake3(spec.vector.encode()).hexdigest(4)}-{time.time_ns():x}"
    building = root / f"{_BUILDING}{identifier}-{secrets.token_hex(4)}"
    (building / _SEARCHER).mkdir(parents=True)
    try:
        count = rowfiles.write(building, pages)
    except BaseException:
        shutil.rmtree(building)
        raise
    if not count:
        shutil.rmtree(building)
        return None
    with rowfiles.mapped(building) as matrix:
        searcher, settings = engine.build(matrix, spec.metric)
    if searcher is not None:
        engine.save(searcher, building / _SEARCHER)
    manifest = Manifest(
        format=FORMAT, id=identifier, source=source, position=position, rows=count, created_ns=time.time_ns(),
        files=_describe(building), **spec._asdict(), **settings._asdict(),
    )  # fmt: skip
    manifest = msgspec.structs.replace(manifest, digest=_digest(manifest))
    (building / _MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    _sync_tree(building)
    building.rename(root / identifier)
    for folder in (root, *list(root.parents)[:2]):  # up to the volume's: who made the folders between did not sync their names
        _sync(folder)
    return manifest


def manifests(root: Path) -> list[Manifest]:
    """Those of all generations that can be read, newest first. Damaged ones are left out; `sweep` removes them."""
    found = []
    for name in _names(root):
        if not name.startswith("."):
            try:
                found.append(read_manifest(root / name))
            except DataLoss:
                continue
    return sorted(found, key=lambda manifest: (manifest.created_ns, manifest.id), reverse=True)


def read_manifest(folder: Path) -> Manifest:
    """Raises DataLoss when it is missing, damaged, of another format or of another place."""
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataLoss(f"the generation {folder.name} has no readable manifest: {error}") from error
    if manifest.format != FORMAT or manifest.digest != _digest(manifest) or manifest.id != folder.name:
        raise DataLoss(f"the manifest of the generation {folder.name} is damaged or of another format")
    return manifest


def open_generation(folder: Path) -> Generation:
    """Read a generation into memory and check every byte. Raises DataLoss naming what is wrong."""
    manifest = read_manifest(folder)
    fingerprint = _fingerprint(folder, manifest)
    compact = manifest.storage in quantization.COMPACT
    for name, stored in manifest.files.items():
        if not (compact and name == rowfiles.VECTORS) and _stored_file(folder / name) != stored:
            raise DataLoss(f"the file {name} of the generation {manifest.id} is missing or damaged")
    rows: Rows | CompactRows
    try:
        rows = CompactRows(rowfiles.read_keys(folder), _compact_matrix(folder, manifest)) if compact else rowfiles.read(folder)
        exact = manifest.kind == engine.EXACT
        searcher = None if exact else engine.open_searcher(folder / _SEARCHER, manifest.settings, manifest.dimension)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataLoss(f"the generation {manifest.id} cannot be opened: {error}") from error
    coded = manifest.rows if searcher is None else searcher.row_count
    if not len(rows.keys) == len(rows.matrix) == manifest.rows == coded:
        raise DataLoss(f"the generation {manifest.id} contradicts its manifest")
    return Generation(manifest, folder, rows, searcher, fingerprint)


def _compact_matrix(folder: Path, manifest: Manifest) -> CompactMatrix:
    """The vectors checked and coded in one reading. Raises DataLoss, OSError."""
    matrix, size_bytes, digest = open_compact(
        folder / rowfiles.VECTORS, manifest.rows, manifest.dimension, manifest.metric, manifest.storage
    )
    if StoredFile(size_bytes, digest) != manifest.files.get(rowfiles.VECTORS):
        raise DataLoss(f"the file {rowfiles.VECTORS} of the generation {manifest.id} is damaged")
    return matrix


def delete(folder: Path) -> None:
    """Remove a generation; it loses its name first, so that nobody opens half of it. Does nothing when it is gone."""
    doomed = folder.with_name(f"{_BUILDING}deleted-{folder.name}-{secrets.token_hex(4)}")
    try:
        folder.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(root: Path) -> None:
    """Remove what builders left unfinished and what has no readable manifest. Only while no builder runs."""
    for name in _names(root):
        if name.startswith(_BUILDING):
            shutil.rmtree(root / name, ignore_errors=True)
        elif not name.startswith(".") and (root / name).is_dir():
            try:
                read_manifest(root / name)
            except DataLoss:
                delete(root / name)


def _names(root: Path) -> list[str]:
    try:
        return sorted(path.name for path in root.iterdir())
    except FileNotFoundError:
        return []


def _digest(manifest: Manifest) -> str:
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(manifest, digest=""))
    return blake3.blake3(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _describe(folder: Path) -> dict[str, StoredFile]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            stored = _stored_file(path)
            assert stored is not None
            found[str(path.relative_to(folder))] = stored
    return found


def _stored_file(path: Path) -> StoredFile | None:
    try:
        with path.open("rb") as file:
            hasher = blake3.blake3()
            size_bytes = 0
            while block := file.read(1 << 20):
                hasher.update(block)
                size_bytes += len(block)
    except OSError:
        return None
    return StoredFile(size_bytes, hasher.hexdigest())


def _fingerprint(folder: Path, manifest: Manifest) -> tuple[tuple[int, int, int], ...]:
    facts = []
    for name in (_MANIFEST, *sorted(manifest.files)):
        try:
            status = (folder / name).stat()
        except OSError:
            facts.append((0, 0, 0))
        else:
            facts.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(facts)


def _sync_tree(folder: Path) -> None:
    """Every file, then every folder from the inside out."""
    for path in sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
