"""Writes a volume of the present format into a folder of its number, with what a reader has to find in it. See README.md."""

import json
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from vexfs.core import acls, attributes, collections, content, files, points, ranges
from vexfs.core.types import ROOT_INO, CollectionSchema, Ino, VectorSpec
from vexfs.store import schema
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .reading import read_volume

ACL = acls.pack(
    [
        acls.Entry(tag, permissions, name)
        for tag, permissions, name in (
            (acls.USER_OBJ, 7, 0xFFFFFFFF),
            (acls.USER, 6, 1000),
            (acls.GROUP_OBJ, 5, 0xFFFFFFFF),
            (acls.MASK, 7, 0xFFFFFFFF),
            (acls.OTHER, 0, 0xFFFFFFFF),
        )
    ]
)
LARGE = b"a large file lies in a blob; " * 12_000


def fill(volume: Volume) -> None:
    """One of everything, and some of it twice, so that there is a past."""

    def run(function: "object") -> "object":
        return volume.queue.submit("make", function).result().value  # type: ignore[arg-type]

    def tree(txn: Transaction) -> None:
        directory = files.make_directory(txn, ROOT_INO, b"directory", mode=0o2750, uid=1000, gid=100)
        small = files.create(txn, directory.ino, b"small", mode=0o640, uid=1000, gid=100)
        content.write(txn, small.ino, content.Prepared((), ((0, b"small content"),), 13))
        files.link(txn, small.ino, ROOT_INO, "ünïcode".encode())
        files.make_symlink(txn, ROOT_INO, b"link", target=b"directory/small", uid=1000, gid=100)
        files.create(txn, ROOT_INO, b"\xff not UTF-8", mode=0o10600, uid=0, gid=0)
        attributes.set_xattr(txn, small.ino, b"user.colour", b"blue")
        attributes.set_metadata(txn, small.ino, b'{"title": "Small"}')

    run(tree)
    large = content.prepare(volume.blobs, [(0, LARGE)], whole=True)

    def put_large(txn: Transaction) -> Ino:
        node = files.create(txn, ROOT_INO, b"large", mode=0o644, uid=0, gid=0)
        return content.replace(txn, node.ino, large).ino

    ino: Ino = run(put_large)  # type: ignore[assignment]
    run(lambda txn: content.write(txn, ino, content.Prepared((), ((100_000, b"overwritten"),), 100_011)))
    run(lambda txn: content.truncate(txn, ino, 300_000))
    run(lambda txn: ranges.zero(txn, ino, 65_536, 65_536))

    def put_rewritten(txn: Transaction) -> Ino:
        return files.create(txn, ROOT_INO, b"rewritten", mode=0o644, uid=0, gid=0).ino

    rewritten: Ino = run(put_rewritten)  # type: ignore[assignment]
    for text in (b"written once; ", b"and once more; "):  # an extent over another
        whole = content.prepare(volume.blobs, [(0, text * 30_000)], whole=True)
        run(partial(content.replace, ino=rewritten, prepared=whole))

    for place in (200_000, 200_005):  # patches over a blob
        changed = content.Prepared((), ((place, b"changed"), (place + 20_000, b"changed, too")), place + 20_012)
        run(partial(content.write, ino=ino, prepared=changed))

    def put_sparse(txn: Transaction) -> None:
        node = files.create(txn, ROOT_INO, b"sparse", mode=0o644, uid=0, gid=0)
        content.write(txn, node.ino, content.Prepared((), ((2_000_000, b"far behind"),), 2_000_010))

    run(put_sparse)

    def put_acls(txn: Transaction) -> None:
        directory = files.make_directory(txn, ROOT_INO, b"shared", mode=0o755, uid=0, gid=0)
        attributes.set_acl(txn, directory.ino, acls.DEFAULT, ACL)
        files.create(txn, directory.ino, b"inherits", mode=0o664, uid=0, gid=0)

    run(put_acls)

    def collect(txn: Transaction) -> None:
        directory = files.make_directory(txn, ROOT_INO, b"points", mode=0o755, uid=0, gid=0)
        declared = CollectionSchema((VectorSpec("v", 3, "cosine"), VectorSpec("w", 2, "dot")), embed_text=True)
        found = collections.create(txn, directory.ino, declared)
        vectors = {"v": np.array([1, 2, 3], "<f4").tobytes(), "w": np.array([4, 5], "<f4").tobytes()}
        points.upsert(txn, found, points.validate(found, [points.PointInput("p1", vectors, b'{"n": 1}')]))

    run(collect)
    run(lambda txn: files.rename(txn, ROOT_INO, b"link", ROOT_INO, b"renamed"))
    run(lambda txn: files.remove(txn, ROOT_INO, b"\xff not UTF-8"))


def main(target: Path) -> None:
    if target.exists():
        sys.exit(f"{target} exists: old formats are never made again")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "volume"
        with Volume.open(folder, "api", create=True) as volume:
            fill(volume)
            expected = read_volume(volume)
            blobs = [volume.blobs.path(digest) for digest in volume.blobs.all_hashes()]
        target.mkdir()
        shutil.copy(folder / "vexfs.db", target)
        for path in blobs:
            copied = target / path.relative_to(folder)
            copied.parent.mkdir(parents=True)
            shutil.copy(path, copied)
    (target / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(__file__).parent / str(schema.FORMAT))
