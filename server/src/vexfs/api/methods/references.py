"""What a FileRef means: the file it names, or the place where a name is or shall be.

Used by every method that takes a FileRef; all functions take any Reader, so they work inside a transaction too.
"""

from typing import NamedTuple

from vexfs.contract.v1.common_pb2 import FileRef
from vexfs.core import files, paths, symlinks
from vexfs.core.errors import AlreadyExists, InvalidRequest, NotFound, RootImmutable
from vexfs.core.types import ROOT_INO, Ino, Node
from vexfs.store import dentries
from vexfs.store.reader import Reader


class Found(NamedTuple):
    """A file and the path it was reached by, or one of its paths."""

    node: Node
    path: bytes | None


class Place(NamedTuple):
    """A name in a directory, whether something has it or not."""

    parent: Ino
    name: bytes
    path: bytes | None


def components_of(ref: FileRef) -> tuple[bytes, ...]:
    """The components of a reference by path. Raises InvalidPath, InvalidName, NameTooLong; InvalidRequest for an id."""
    match ref.WhichOneof("name"):
        case "path":
            return paths.parse(ref.path)
        case "path_bytes":
            return paths.parse(ref.path_bytes)
    raise InvalidRequest("name it by its path")


def find(view: Reader, ref: FileRef) -> Found:
    """The file a reference names. Raises NotFound, NotADirectory, InvalidPath."""
    if ref.WhichOneof("name") != "id":
        components = components_of(ref)
        if ref.follow:
            node, components = symlinks.follow(view, components)
            return Found(node, join(components))
        return Found(paths.resolve(view, components), join(components))
    node = files.stat(view, ref.id)
    if node.nlink == 0:
        raise NotFound(f"there is no file with id {ref.id}", file_id=str(ref.id))
    path = paths.path_of(view, node.ino)
    if ref.follow and node.is_symlink and path is not None:
        node, components = symlinks.follow(view, paths.parse(path))
        return Found(node, join(components))
    return Found(node, path)


def place(view: Reader, ref: FileRef) -> Place:
    """The place a path names; the directory above has to be there. Raises RootImmutable for the root."""
    components = components_of(ref)
    if not components:
        raise RootImmutable("the root is always there: it cannot be made, moved or replaced")
    parent, name = paths.resolve_parent(view, components)
    return Place(parent.ino, name, join(components))


def new_place(view: Reader, ref: FileRef) -> Place:
    """As `place`, for something that shall be made: the root is there already. Raises AlreadyExists."""
    if not components_of(ref):
        raise AlreadyExists("the root is there already")
    return place(view, ref)


def entry(view: Reader, ref: FileRef) -> tuple[Place, Node]:
    """The place of an existing file, by path or id, and the file. Of several names of an id the first by directory and
    name counts.

    `follow` has no meaning here: names are moved and removed, not what they lead to. Raises NotFound, RootImmutable.
    """
    if ref.WhichOneof("name") != "id":
        found = place(view, ref)
        return found, files.lookup(view, found.parent, found.name)
    if ref.id == ROOT_INO:
        raise RootImmutable("the root cannot be moved, copied over or removed")
    node = files.stat(view, ref.id)
    names = dentries.names_of(view, node.ino)
    if not names:
        raise NotFound(f"there is no file with id {ref.id}", file_id=str(ref.id))
    parent, name = min(names)
    return Place(parent, name, paths.path_of(view, node.ino)), node


def join(components: tuple[bytes, ...]) -> bytes:
    """The path of components."""
    return b"/" + b"/".join(components)


def child_path(directory: bytes | None, name: bytes) -> bytes | None:
    """The path of a name in a directory."""
    if directory is None:
        return None
    return directory + name if directory == b"/" else directory + b"/" + name
