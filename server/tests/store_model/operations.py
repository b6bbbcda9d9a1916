"""Choosing the next operation: mostly one that succeeds, often one that must be refused.

Called by the state machine (hypothesis chooses) and by the power-cut and kill tests (a seeded generator chooses), through the
same small `Chooser`.
"""

import random
import stat
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from vexfs.core.types import BLOCK_BYTES, INLINE_MAX_BYTES

from .model import Data, Item, Model, Path

T = TypeVar("T")

NAMES = ("a", "b", "c", "d", "n" * 255, "\udcff bytes", "ünïcode")
XATTRS = ("user.one", "user.two")
VECTORS = (("v", 3), ("w", 2))
_SIZES = (
    0,
    1,
    100,
    4096,
    BLOCK_BYTES - 1,
    BLOCK_BYTES,
    BLOCK_BYTES + 1,
    3 * BLOCK_BYTES,
    INLINE_MAX_BYTES,
    INLINE_MAX_BYTES + 1,
)
_LARGE = (6 * BLOCK_BYTES, 7 * BLOCK_BYTES + 123)
_OFFSETS = (0, 1, 500, BLOCK_BYTES - 10, BLOCK_BYTES, 2 * BLOCK_BYTES + 7, 5 * BLOCK_BYTES)


class Chooser(Protocol):
    def pick(self, options: Sequence[T]) -> T: ...

    def number(self, low: int, high: int) -> int: ...


class RandomChooser:
    """Chooses by a seeded generator."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def pick(self, options: Sequence[T]) -> T:
        return self._rng.choice(options)

    def number(self, low: int, high: int) -> int:
        return self._rng.randint(low, high)


def choose(chooser: Chooser, model: Model, kinds: Sequence[str]) -> tuple[Any, ...]:
    """One operation of one of `kinds` on the model's present state."""
    kind = chooser.pick(kinds)
    return (kind.removesuffix("_large"), *_CHOICES[kind](Places(chooser, model)))


class Places:
    """The paths there are, by what lies there."""

    def __init__(self, chooser: Chooser, model: Model) -> None:
        self.chooser = chooser
        self.pick = chooser.pick
        self.all: list[Path] = []
        self.folders: list[Path] = []
        self.files: list[Path] = []
        self.collections: list[Path] = []
        for path, number in model.paths().items():
            inode = model.inodes[number]
            self.all.append(path)
            if stat.S_ISDIR(inode.mode):
                self.folders.append(path)
            if stat.S_ISREG(inode.mode):
                self.files.append(path)
            if inode.schema is not None:
                self.collections.append(path)

    def new(self) -> Path:
        """Mostly free; sometimes taken, or below a file."""
        folders = [path for path in self.folders if len(path) < 3] if self.chooser.number(0, 9) else self.all
        return (*self.pick(folders), self.pick(NAMES))

    def there(self, options: Sequence[Path]) -> Path:
        """Mostly one of `options`; sometimes anything, or nothing."""
        if options and self.chooser.number(0, 7):
            return self.pick(options)
        return self.pick(self.all) if self.chooser.number(0, 1) else self.new()

    def below_root(self, options: Sequence[Path]) -> Path:
        path = self.there(options)
        return path or self.new()

    def data(self, sizes: Sequence[int]) -> Data:
        return Data(self.chooser.number(0, 3), self.pick(sizes))

    def items(self) -> tuple[Item, ...]:
        ids = sorted({self.pick(NAMES[:4]) for _ in range(self.chooser.number(1, 3))})
        return tuple((point, self._vectors(), self.pick((None, '{"k":1}', "{}"))) for point in ids)

    def _vectors(self) -> tuple[tuple[str, tuple[float, ...]], ...]:
        chosen = self.pick((VECTORS[:1], VECTORS, VECTORS[1:], (("v", 2),) if self.chooser.number(0, 3) == 0 else VECTORS))
        return tuple((name, tuple(float(self.chooser.number(0, 9)) for _ in range(size))) for name, size in chosen)


_MODES = (stat.S_IFREG | 0o644, stat.S_IFREG | 0o600, stat.S_IFIFO | 0o640)
_CHOICES: dict[str, Any] = {
    "create": lambda at: (at.new(), at.pick(_MODES)),
    "mkdir": lambda at: (at.new(), at.pick((0o755, 0o700))),
    "symlink": lambda at: (at.new(), at.pick(("a", "../b", "\udcfe"))),
    "link": lambda at: (at.there(at.files), at.new()),
    "remove": lambda at: (at.below_root(at.files),),
    "rmdir": lambda at: (at.below_root(at.folders),),
    "rename": lambda at: (
        at.below_root(at.all),
        at.below_root(at.all) if at.chooser.number(0, 1) else at.new(),
        at.pick(("", "", "no_replace", "exchange")),
    ),
    "write": lambda at: (at.there(at.files), at.pick(_OFFSETS), at.data(_SIZES)),
    "write_large": lambda at: (at.there(at.files), at.pick(_OFFSETS), at.data(_LARGE)),
    "truncate": lambda at: (at.there(at.files), at.pick((*_OFFSETS, *_SIZES, *_LARGE))),
    "zero": lambda at: (
        at.there(at.files),
        at.pick(_OFFSETS),
        at.pick((1, BLOCK_BYTES, 4 * BLOCK_BYTES)),
        at.chooser.number(0, 1) == 1,
    ),
    "copy_range": lambda at: (
        at.there(at.files),
        at.pick(_OFFSETS),
        at.there(at.files),
        at.pick(_OFFSETS),
        at.pick((100, 3 * BLOCK_BYTES)),
    ),
    "replace": lambda at: (at.there(at.files), at.data((*_SIZES, *_LARGE))),
    "attributes": lambda at: (
        at.there(at.all),
        at.pick((0o600, 0o755, 0o1777)),
        at.pick((0, 1000)),
        7,
        at.chooser.number(0, 10**18),
    ),
    "set_xattr": lambda at: (
        at.there(at.all),
        at.pick(XATTRS),
        at.pick((b"", b"x", b"y" * 900)),
        at.pick(("", "create", "replace")),
    ),
    "remove_xattr": lambda at: (at.there(at.all), at.pick(XATTRS)),
    "metadata": lambda at: (at.there(at.all), at.pick(("{}", '{"a":[1,2]}', '{"b":"' + "z" * 600 + '"}'))),
    "declare": lambda at: (at.there(at.folders), VECTORS),
    "undeclare": lambda at: (at.there(at.collections),),
    "upsert": lambda at: (at.there(at.collections), at.items()),
    "delete_points": lambda at: (at.there(at.collections), tuple(sorted({at.pick(NAMES[:4]) for _ in range(2)}))),
}
KINDS = tuple(_CHOICES)
MOUNT_KINDS = tuple(kind for kind in KINDS if kind not in ("metadata", "declare", "undeclare", "upsert", "delete_points"))
"""What comes through a mount."""
