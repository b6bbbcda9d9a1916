"""The real side of the comparison: the model's operations done by `vexfs.core`, and a volume's whole state as plain data.

Called by the state machine, the power-cut and the kill tests. `perform` runs inside a transaction, `prepare` before it and
outside the writer's turn, as the surfaces do it.
"""

import os
import struct
from collections.abc import Callable
from typing import Any

from vexfs.core import attributes, collections, content, copying, files, paths, points, ranges
from vexfs.core.types import CollectionSchema, DirectoryEntry, Ino, Node, VectorSpec
from vexfs.store.reader import Reader
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

from .model import Dump, Inode, Item, Path, Schema, describe

Operation = tuple[Any, ...]


def components(path: Path) -> tuple[bytes, ...]:
    return tuple(os.fsencode(name) for name in path)


def prepare(volume: Volume, operation: Operation) -> Callable[[Transaction], None]:
    """Do what happens outside the turn; what is returned does the rest inside it, any number of times."""
    name, path, *arguments = operation
    if name in ("write", "replace"):
        offset, data = arguments if name == "write" else (0, arguments[0])
        segments = [(offset, data.make())] if data.size_bytes else []
        arguments = [content.prepare(volume.blobs, segments, whole=name == "replace")]
    action = _ACTIONS[name]
    return lambda txn: action(txn, components(path), *arguments)


def _ino(txn: Transaction, path: tuple[bytes, ...]) -> Ino:
    return paths.resolve(txn, path).ino


def _parent(txn: Transaction, path: tuple[bytes, ...]) -> tuple[Ino, bytes]:
    node, name = paths.resolve_parent(txn, path)
    return node.ino, name


def _create(txn: Transaction, path: tuple[bytes, ...], mode: int) -> None:
    parent, name = _parent(txn, path)
    files.create(txn, parent, name, mode=mode, uid=os.getuid(), gid=os.getgid())


def _mkdir(txn: Transaction, path: tuple[bytes, ...], mode: int) -> None:
    parent, name = _parent(txn, path)
    files.make_directory(txn, parent, name, mode=mode, uid=os.getuid(), gid=os.getgid())


def _symlink(txn: Transaction, path: tuple[bytes, ...], target: str) -> None:
    parent, name = _parent(txn, path)
    files.make_symlink(txn, parent, name, target=os.fsencode(target), uid=os.getuid(), gid=os.getgid())


def _link(txn: Transaction, path: tuple[bytes, ...], new_path: Path) -> None:
    files.link(txn, _ino(txn, path), *_parent(txn, components(new_path)))


def _rename(txn: Transaction, path: tuple[bytes, ...], new_path: Path, flag: str) -> None:
    source, target = _parent(txn, path), _parent(txn, components(new_path))
    files.rename(txn, *source, *target, no_replace=flag == "no_replace", exchange=flag == "exchange")


def _copy_range(txn: Transaction, path: tuple[bytes, ...], offset: int, target: Path, target_offset: int, length: int) -> None:
    copying.copy_range(txn, _ino(txn, path), offset, _ino(txn, components(target)), target_offset, length)


def _attributes(txn: Transaction, path: tuple[bytes, ...], mode: int, uid: int, gid: int, mtime_ns: int) -> None:
    files.set_attributes(txn, _ino(txn, path), mode=mode, uid=uid, gid=gid, mtime_ns=mtime_ns)


def _set_xattr(txn: Transaction, path: tuple[bytes, ...], name: str, value: bytes, flag: str) -> None:
    attributes.set_xattr(txn, _ino(txn, path), name.encode(), value, create=flag == "create", replace=flag == "replace")


def _declare(txn: Transaction, path: tuple[bytes, ...], schema: Schema) -> None:
    specs = tuple(VectorSpec(name, dimension, "dot") for name, dimension in schema)
    collections.create(txn, _ino(txn, path), CollectionSchema(specs, embed_text=False))


def _upsert(txn: Transaction, path: tuple[bytes, ...], items: tuple[Item, ...]) -> None:
    collection = collections.resolve(txn, path)
    inputs = [
        points.PointInput(
            point,
            {name: struct.pack(f"<{len(values)}f", *values) for name, values in vectors},
            None if metadata is None else metadata.encode(),
        )
        for point, vectors, metadata in items
    ]
    points.upsert(txn, collection, points.validate(collection, inputs))


_ACTIONS: dict[str, Callable[..., Any]] = {
    "create": _create,
    "mkdir": _mkdir,
    "symlink": _symlink,
    "link": _link,
    "remove": lambda txn, path: files.remove(txn, *_parent(txn, path)),
    "rmdir": lambda txn, path: files.remove_directory(txn, *_parent(txn, path)),
    "rename": _rename,
    "write": lambda txn, path, prepared: content.write(txn, _ino(txn, path), prepared),
    "truncate": lambda txn, path, size_bytes: content.truncate(txn, _ino(txn, path), size_bytes),
    "zero": lambda txn, path, offset, length, keep_size: ranges.zero(txn, _ino(txn, path), offset, length, keep_size=keep_size),
    "copy_range": _copy_range,
    "replace": lambda txn, path, prepared: content.replace(txn, _ino(txn, path), prepared),
    "attributes": _attributes,
    "set_xattr": _set_xattr,
    "remove_xattr": lambda txn, path, name: attributes.remove_xattr(txn, _ino(txn, path), name.encode()),
    "metadata": lambda txn, path, json: attributes.set_metadata(txn, _ino(txn, path), json.encode()),
    "declare": _declare,
    "undeclare": lambda txn, path: collections.delete(txn, _ino(txn, path)),
    "upsert": _upsert,
    "delete_points": lambda txn, path, ids: points.delete(txn, collections.resolve(txn, path), ids),
}


def dump(view: Reader) -> Dump:
    """The whole tree as `Model.dump` gives it. Fails on what no tree may have: wrong sizes, counts or orders."""
    found: dict[Path, Node] = {(): files.stat(view, 1)}
    stack: list[Path] = [()]
    names: dict[Path, list[str]] = {}
    while stack:
        path = stack.pop()
        entries = _list(view, found[path].ino)
        names[path] = sorted(os.fsdecode(entry.name) for entry in entries)
        for entry in entries:
            child = (*path, os.fsdecode(entry.name))
            found[child] = entry.node
            if entry.node.is_directory:
                stack.append(child)
    first: dict[int, str] = {}
    links: dict[int, int] = {}
    for node in found.values():
        links[node.ino] = links.get(node.ino, 0) + 1
    result: Dump = {}
    for path in sorted(found):
        text = "/" + "/".join(path)
        node = found[path]
        assert files.stat(view, node.ino) == node, f"{text}: stat and listing differ"
        below = sum(found[*path, name].is_directory for name in names.get(path, ()))
        assert node.nlink == (2 + below if node.is_directory else links[node.ino]), f"{text}: link count {node.nlink}"
        result[text] = describe(_inode(view, node, names.get(path, [])), first.setdefault(node.ino, text), links[node.ino])
    return result


def _list(view: Reader, ino: Ino) -> list[DirectoryEntry]:
    entries: list[DirectoryEntry] = []
    while page := files.list_directory(view, ino, entries[-1].name if entries else b"", 7):
        entries += page
    assert [entry.name for entry in entries] == sorted({entry.name for entry in entries})
    return entries


def _inode(view: Reader, node: Node, names: list[str]) -> Inode:
    inode = Inode(node.mode)
    inode.uid, inode.gid, inode.mtime_ns = node.uid, node.gid, node.mtime_ns
    inode.xattrs = {
        name.decode(): attributes.get_xattr(view, node.ino, name) for name in attributes.list_xattrs(view, node.ino)
    }
    inode.metadata = attributes.get_metadata(view, node.ino).decode()
    vectors = points.from_node(view, node, "").vectors
    inode.vectors = {name: struct.unpack(f"<{len(data) // 4}f", data) for name, data in vectors.items()}
    if node.is_regular:
        inode.content = content.read(view, node.ino, 0, node.size_bytes + 1)
        assert len(inode.content) == node.size_bytes
    if node.is_symlink:
        inode.target = os.fsdecode(files.read_symlink(view, node.ino))
    if node.is_directory:
        inode.entries = dict.fromkeys(names, 0)
        declared = [collection for collection in collections.list_all(view) if collection.ino == node.ino]
        inode.schema = tuple((spec.name, spec.dimension) for spec in declared[0].schema.vectors) if declared else None
    return inode


def difference(model: Dump, real: Dump) -> str:
    """What differs, for people; "" when the model and the volume agree. Times count only where the model knows them."""
    lines = []
    for path in sorted(model.keys() | real.keys()):
        want, got = model.get(path), real.get(path)
        if want is None or got is None:
            lines.append(f"{path}: want {want}, got {got}")
            continue
        lines += [f"{path}: {key}: want {want[key]}, got {got.get(key)}" for key in want if want[key] != got.get(key)]
        lines += [f"{path}: {key}: got {got[key]}" for key in got.keys() - want.keys() - {"mtime_ns"}]
    return "\n".join(lines)
