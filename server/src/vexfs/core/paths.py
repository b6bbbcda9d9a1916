"""Paths and names: what is a valid one, where a path leads, and which path leads to a file.

Called by the surfaces and by `vexfs.core`. A path is `/`-rooted bytes without empty, `.` or `..` components; a name is 1 to 255
bytes without `/` and NUL, of any encoding. Stateless.
"""

from collections.abc import Mapping, Sequence

from vexfs.core.errors import InvalidName, InvalidPath, NameTooLong, NotADirectory, NotFound
from vexfs.core.types import NAME_MAX_BYTES, PATH_MAX_BYTES, ROOT_INO, Ino, Node
from vexfs.store import dentries, nodes
from vexfs.store.reader import Reader

_DEPTH_MAX = PATH_MAX_BYTES // 2


def show(path: bytes) -> str:
    """A path or name for people: UTF-8, other bytes escaped."""
    return path.decode("utf-8", "backslashreplace")


def check_name(name: bytes) -> None:
    """Raise InvalidName or NameTooLong unless `name` can name a file."""
    if not name or name in (b".", b".."):
        raise InvalidName(f"{show(name)!r} cannot name a file", name=show(name))
    if len(name) > NAME_MAX_BYTES:
        raise NameTooLong(f"the name has {len(name)} bytes; at most {NAME_MAX_BYTES} are possible", limit=str(NAME_MAX_BYTES))
    if b"/" in name or b"\0" in name:
        raise InvalidName(f"a name holds neither '/' nor NUL: {show(name)!r}", name=show(name))


def parse(path: str | bytes) -> tuple[bytes, ...]:
    """The components of a path; () for the root. Raises InvalidPath, InvalidName or NameTooLong."""
    raw = _encode(path) if isinstance(path, str) else path
    if not raw.startswith(b"/"):
        raise InvalidPath(f"a path starts with '/': {show(raw)!r}", path=show(raw))
    if len(raw) > PATH_MAX_BYTES:
        raise NameTooLong(f"the path has {len(raw)} bytes; at most {PATH_MAX_BYTES} are possible", limit=str(PATH_MAX_BYTES))
    if raw == b"/":
        return ()
    stripped = raw[1:].removesuffix(b"/")
    components = tuple(stripped.split(b"/"))
    for component in components:
        if component in (b"", b".", b".."):
            raise InvalidPath(f"a path has no empty, '.' or '..' component: {show(raw)!r}", path=show(raw))
        check_name(component)
    return components


def _encode(path: str) -> bytes:
    try:
        return path.encode()
    except UnicodeEncodeError:
        raise InvalidPath("the path is not valid Unicode: give the name as bytes instead") from None


def resolve(view: Reader, components: tuple[bytes, ...]) -> Node:
    """The node a path leads to. Symbolic links are not followed. Raises NotFound or NotADirectory."""
    node = nodes.get(view, ROOT_INO)
    if node is None:
        raise NotFound("the volume has no root: run `vexfs check`")
    for depth, component in enumerate(components):
        if not node.is_directory:
            raise NotADirectory(f"{_shown(components[:depth])} is not a directory", path=_shown(components[:depth]))
        child = dentries.get_node(view, node.ino, component)
        if child is None:
            raise NotFound(f"there is no {_shown(components[: depth + 1])}", path=_shown(components))
        node = child
    return node


def resolve_parent(view: Reader, components: tuple[bytes, ...]) -> tuple[Node, bytes]:
    """The directory a path lies in, and its last name. Raises InvalidPath for the root."""
    if not components:
        raise InvalidPath("the root has no name of its own", path="/")
    parent = resolve(view, components[:-1])
    if not parent.is_directory:
        raise NotADirectory(f"{_shown(components[:-1])} is not a directory", path=_shown(components[:-1]))
    return parent, components[-1]


def _shown(components: tuple[bytes, ...]) -> str:
    return show(b"/" + b"/".join(components))


def path_of(view: Reader, ino: int) -> bytes | None:
    """One path that leads to the file now, or None when none does. Of several links the first by directory and name."""
    return path_among(dentries.names_upward(view, [ino]), ino)


def path_among(names: Mapping[int, Sequence[tuple[Ino, bytes]]], ino: int) -> bytes | None:
    """As `path_of`, by names that were read before: of the file and of every directory above it."""
    parts: list[bytes] = []
    current = Ino(ino)
    for _ in range(_DEPTH_MAX):
        if current == ROOT_INO:
            return b"/" + b"/".join(reversed(parts))
        if current not in names:
            return None
        current, name = min(names[current])
        parts.append(name)
    return None
