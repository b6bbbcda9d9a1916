"""What a volume shows at each revision, as plain JSON: what the formats' tests compare."""

import hashlib
from typing import Any

from vexfs.core import attributes, collections, content, files
from vexfs.core.errors import CollectionNotFound
from vexfs.core.types import ROOT_INO, Ino, Node
from vexfs.store import versioned
from vexfs.store.reader import Reader
from vexfs.store.volume import Volume


def read_volume(volume: Volume) -> dict[str, Any]:
    """By revision and path."""
    revisions = {}
    for at_revision in range(volume.head() + 1):
        with volume.snapshot(at_revision) as view:
            revisions[str(at_revision)] = _read_directory(view, ROOT_INO, "")
    return revisions


def _read_directory(view: Reader, ino: Ino, above: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for entry in files.list_directory(view, ino):
        path = f"{above}/{entry.name.decode('utf-8', 'backslashreplace')}"
        shown[path] = _read_file(view, entry.node)
        if entry.node.is_directory:
            shown |= _read_directory(view, entry.node.ino, path)
    return shown


def _read_file(view: Reader, node: Node) -> dict[str, Any]:
    facts: dict[str, Any] = node._asdict()
    facts["metadata"] = attributes.get_metadata(view, node.ino).decode()
    facts["xattrs"] = {
        n.decode(): attributes.get_xattr(view, node.ino, n).hex() for n in attributes.list_xattrs(view, node.ino)
    }
    facts["vectors"] = {row.name: bytes(row.data or b"").hex() for row in versioned.get_vectors(view, node.ino)}
    if node.is_regular:
        facts["content_sha256"] = hashlib.sha256(content.read(view, node.ino, 0, 1 << 40)).hexdigest()
    if node.is_symlink:
        facts["target"] = files.read_symlink(view, node.ino).decode()
    if node.is_directory:
        try:
            schema = collections.get(view, node.ino).schema
            facts["schema"] = [[list(spec) for spec in schema.vectors], schema.embed_text]
        except CollectionNotFound:
            facts["schema"] = None
    return facts
