"""Following symbolic links inside a volume, as the kernel does: which file does this path lead to in the end?

Called by the surfaces for requests that ask for it. A link's target is read as a path of this volume: absolute ones
start at its root, `..` never leaves it. Stateless.
"""

from vexfs.core.errors import NotADirectory, NotFound, PreconditionFailed
from vexfs.core.paths import resolve, show
from vexfs.core.types import Node
from vexfs.store import dentries, nodes
from vexfs.store.reader import Reader

HOPS_MAX = 40
"""Links followed on the way, as in Linux."""


def follow(view: Reader, components: tuple[bytes, ...]) -> tuple[Node, tuple[bytes, ...]]:
    """The file a path leads to with every link followed, and its path without links.

    Raises NotFound (a dangling link, too), NotADirectory, and PreconditionFailed for links that lead in a circle.
    """
    trail: list[tuple[bytes, Node]] = []
    root = resolve(view, ())
    todo = list(reversed(components))
    hops = 0
    while todo:
        component = todo.pop()
        current = trail[-1][1] if trail else root
        if not current.is_directory:
            where = show(b"/" + b"/".join(name for name, _ in trail))
            raise NotADirectory(f"{where} is not a directory", path=where)
        if component in (b"", b"."):
            continue
        if component == b"..":
            if trail:
                trail.pop()
            continue
        node = _child(view, current, component, components)
        if not node.is_symlink:
            trail.append((component, node))
            continue
        hops += 1
        if hops > HOPS_MAX:
            raise PreconditionFailed(f"{show(b'/' + b'/'.join(components))} leads through more than {HOPS_MAX} links")
        target = nodes.symlink_target(view, node.ino) or b""
        if target.startswith(b"/"):
            trail.clear()
        todo.extend(reversed(target.split(b"/")))
    return (trail[-1][1] if trail else root), tuple(name for name, _ in trail)


def _child(view: Reader, directory: Node, name: bytes, components: tuple[bytes, ...]) -> Node:
    ino = dentries.get(view, directory.ino, name)
    node = None if ino is None else nodes.get(view, ino)
    if node is None:
        path = show(b"/" + b"/".join(components))
        raise NotFound(f"{path} leads to nothing: there is no {show(name)!r}", path=path)
    return node
