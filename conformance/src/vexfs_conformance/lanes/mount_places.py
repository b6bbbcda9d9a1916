"""How does a system call name the file of a request, and how is what it tells a `File` of the contract?

Called by the mount lane. `NotAsked` is raised for what no path on this machine can say, `Contradiction` for answers that
cannot both be true. Immutable values: safe from any thread.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vexfs_conformance import contract

ROOT = b"/"
KINDS = {
    stat.S_IFREG: "FILE_KIND_REGULAR",
    stat.S_IFDIR: "FILE_KIND_DIRECTORY",
    stat.S_IFLNK: "FILE_KIND_SYMLINK",
    stat.S_IFIFO: "FILE_KIND_FIFO",
    stat.S_IFSOCK: "FILE_KIND_SOCKET",
    stat.S_IFCHR: "FILE_KIND_CHARACTER_DEVICE",
    stat.S_IFBLK: "FILE_KIND_BLOCK_DEVICE",
}


class NotAsked(Exception):
    """A mount cannot be asked this; the text says why, in a few words."""


class Contradiction(Exception):
    """The mount tells one thing in two ways, and they are not the same."""


@dataclass(frozen=True)
class Place:
    """A file that a request names."""

    told: bytes
    """Its path in the volume, without links where they are followed."""
    path: bytes
    """Its path on this machine, as a system call is given it."""
    follow: bool

    @property
    def no_follow_flag(self) -> int:
        """For open(2)."""
        return 0 if self.follow else os.O_NOFOLLOW

    def stat(self) -> os.stat_result:
        return os.stat(self.path, follow_symlinks=self.follow)

    def file(self) -> Any:
        """What stat(2) tells, as a message."""
        return as_file(self.told, self.stat())


class Places:
    """The paths below the folder of a mount."""

    def __init__(self, folder: Path) -> None:
        self.folder = os.fsencode(folder.resolve())

    def place(self, ref: Any) -> Place:
        """The place of a `FileRef`. Raises NotAsked."""
        path = self._path(ref)
        real = self.folder + path
        if ref.follow:
            return Place(self._followed(real), real, follow=True)
        return Place(path.removesuffix(b"/") or ROOT, real, follow=False)

    def entry(self, ref: Any) -> Place:
        """The place of a name that is made, moved or removed: no system call follows a link there. Raises NotAsked."""
        if ref.follow:
            raise NotAsked("a system call that changes a name never follows a link")
        return self.place(ref)

    def removable(self, ref: Any) -> Place:
        """The place of a name that is taken away. Raises NotAsked for the root, whose name lies outside of the mount."""
        place = self.entry(ref)
        if place.told == ROOT:
            raise NotAsked("the name of a mount's root belongs to the directory that it is mounted in")
        return place

    def _path(self, ref: Any) -> bytes:
        kind = ref.WhichOneof("name")
        if kind is None:
            raise NotAsked("a system call always names its file")
        if kind == "id":
            raise NotAsked("a system call names a file by its path, not by its id")
        path: bytes = ref.path_bytes if kind == "path_bytes" else ref.path.encode()
        if b"\0" in path:
            raise NotAsked("a path of a system call ends at NUL")
        if not path.startswith(ROOT):
            raise NotAsked("a path in a mount begins at its folder")
        if path != ROOT and {b"", b".", b".."} & set(path[1:].removesuffix(b"/").split(b"/")):
            raise NotAsked("the kernel itself resolves `.`, `..` and empty components")
        return path

    def _followed(self, path: bytes) -> bytes:
        found = os.path.realpath(path)
        if found != self.folder and not found.startswith(self.folder + b"/"):
            raise NotAsked("an absolute symbolic link leads out of the mount")
        return found[len(self.folder) :] or ROOT


def as_file(told: bytes, found: os.stat_result) -> Any:
    """What stat(2) tells of the file at this path in the volume."""
    file: Any = contract.message_class("vexfs.v1.File")(
        id=found.st_ino,
        kind=KINDS[stat.S_IFMT(found.st_mode)],
        mode=stat.S_IMODE(found.st_mode),
        nlink=found.st_nlink,
        uid=found.st_uid,
        gid=found.st_gid,
        rdev=found.st_rdev,
        size_bytes=found.st_size,
    )
    try:
        file.path = told.decode()
    except UnicodeDecodeError:
        file.path_bytes = told
    file.atime.FromNanoseconds(found.st_atime_ns)
    file.mtime.FromNanoseconds(found.st_mtime_ns)
    file.ctime.FromNanoseconds(found.st_ctime_ns)
    return file
