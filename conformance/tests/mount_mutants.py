"""Mounts that are wrong in one way each: what the mount lane has to notice.

`MUTANTS` and `SEARCH_MUTANTS` change one system call that a module of the lane makes, as if the file system behind it did that
wrong. `SERVER_MUTANTS` break one line of the mount's own process.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from planting import ServerMutant

from vexfs_conformance.lanes import mount_files, mount_places, mount_search, system_calls


class WrongMount:
    """`call` is what a module calls, a function of `os` or of `system_calls`; `cases` must catch what it does instead."""

    def __init__(self, module: ModuleType, call: str, instead: Callable[..., Any], *cases: str) -> None:
        self.module, self.call, self.instead, self.cases = module, call, instead, cases

    def plant(self, patch: pytest.MonkeyPatch) -> None:
        """Let the system call go wrong until the test ends."""
        if self.module is system_calls:
            patch.setattr(system_calls, self.call, self.instead)
        else:
            patch.setattr(self.module, "os", _WrongOs(self.call, self.instead))


class _WrongOs:
    """The module `os`, with one function that goes wrong."""

    def __init__(self, call: str, instead: Callable[..., Any]) -> None:
        assert hasattr(os, call)
        self.__dict__[call] = instead

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


# -- what goes wrong -------------------------------------------------------------------------------


def _open_without(flag: int) -> Callable[..., int]:
    return lambda path, flags, mode=0: os.open(path, flags & ~flag, mode)


def _stale_stat() -> Callable[..., os.stat_result]:
    """What it was the first time."""
    seen: dict[object, os.stat_result] = {}

    def stat(path: bytes, *, follow_symlinks: bool = True) -> os.stat_result:
        if (path, follow_symlinks) not in seen:
            seen[path, follow_symlinks] = os.stat(path, follow_symlinks=follow_symlinks)
        return seen[path, follow_symlinks]

    return stat


def _stat_with(**changes: Callable[[int], int]) -> Callable[..., Any]:
    def stat(path: bytes, *, follow_symlinks: bool = True) -> Any:
        found = os.stat(path, follow_symlinks=follow_symlinks)
        told = {name: getattr(found, name) for name in dir(found) if name.startswith("st_")}
        return SimpleNamespace(**{**told, **{name: change(told[name]) for name, change in changes.items()}})

    return stat


def _stat_with_eio(path: bytes, *, follow_symlinks: bool = True) -> os.stat_result:
    try:
        return os.stat(path, follow_symlinks=follow_symlinks)
    except OSError:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path) from None


def _scandir(change: Callable[[list[Any]], list[Any]]) -> Callable[..., Any]:
    @contextmanager
    def scandir(descriptor: int) -> Iterator[list[Any]]:
        with os.scandir(descriptor) as entries:
            yield change(list(entries))

    return scandir


def _pread_from_the_start(file: int, length: int, offset: int) -> bytes:
    return os.pread(file, length, 0) if offset < os.fstat(file).st_size else b""


def _pread_without_the_last_byte(file: int, length: int, offset: int) -> bytes:
    return os.pread(file, min(length, max(0, os.fstat(file).st_size - 1 - offset)), offset)


def _mkdir_twice(path: bytes, mode: int) -> None:
    if not os.path.isdir(path):
        os.mkdir(path, mode)


def _rename_without_flags(source: bytes, destination: bytes, _flags: int) -> None:
    os.rename(source, destination)


def _set_whole_seconds(path: bytes, _atime_ns: int | None, mtime_ns: int | None, *, follow: bool) -> None:
    seconds = (mtime_ns or 0) // 10**9
    os.utime(path, (seconds, seconds), follow_symlinks=follow)


# -- mounts that do it -----------------------------------------------------------------------------

MUTANTS = {
    "ignores-O_EXCL": WrongMount(
        mount_files, "open", _open_without(os.O_EXCL), "Content/only-a-new-file", "Content/only-a-new-file-as-a-stream"
    ),
    "ignores-O_TRUNC": WrongMount(mount_files, "open", _open_without(os.O_TRUNC), "Content/replaced-as-a-whole"),
    "ignores-the-mode-of-a-file": WrongMount(
        mount_files, "open", lambda path, flags, mode=0: os.open(path, flags, 0o644), "Content/the-mode-of-a-new-file"
    ),
    "reads-from-the-start": WrongMount(
        mount_files, "pread", _pread_from_the_start, "Content/a-range", "Content/a-range-to-the-end"
    ),
    "loses-the-last-byte": WrongMount(
        mount_files, "pread", _pread_without_the_last_byte, "Content/round-trip", "Content/large-whole"
    ),
    "writes-at-the-start": WrongMount(
        mount_files, "pwrite", lambda file, data, _: os.pwrite(file, data, 0), "Content/written-over-in-the-middle"
    ),
    "does-not-cut": WrongMount(mount_files, "ftruncate", lambda _, __: None, "Attributes/cut-off", "Attributes/filled-up"),
    "tells-a-stale-stat": WrongMount(mount_places, "stat", _stale_stat(), "Stat/after-a-change"),
    "tells-another-inode": WrongMount(mount_places, "stat", _stat_with(st_ino=lambda ino: ino + 1), "Stat/the-root"),
    "counts-no-links": WrongMount(mount_places, "stat", _stat_with(st_nlink=lambda _: 1), "Links/a-hard-link"),
    "follows-a-link-that-is-meant-itself": WrongMount(
        mount_places, "stat", lambda path, **_: os.stat(path), "Stat/a-symbolic-link-itself", "Links/a-symbolic-link"
    ),
    "answers-EIO-for-what-is-not-there": WrongMount(mount_places, "stat", _stat_with_eio, "NotFound/stat-file"),
    "lists-in-another-order": WrongMount(
        mount_files, "scandir", _scandir(lambda entries: entries[::-1]), "ListFiles/byte-order"
    ),
    "lists-all-but-one": WrongMount(mount_files, "scandir", _scandir(lambda entries: entries[:-1]), "ListFiles/every-kind"),
    "ignores-the-mode-of-a-directory": WrongMount(
        mount_files, "mkdir", lambda path, _: os.mkdir(path, 0o755), "MakeDirectory/with-mode-zero"
    ),
    "makes-a-directory-twice": WrongMount(
        mount_files, "mkdir", _mkdir_twice, "MakeDirectory/that-exists", "MakeDirectory/the-root"
    ),
    "ignores-the-flags-of-rename": WrongMount(
        system_calls, "rename", _rename_without_flags, "MoveFile/nothing-is-replaced-if-asked", "MoveFile/exchanged"
    ),
    "removes-nothing": WrongMount(mount_files, "unlink", lambda _: None, "RemoveFile/a-file", "RemoveFile/an-empty-directory"),
    "copies-instead-of-linking": WrongMount(
        mount_files,
        "link",
        lambda source, link, **_: shutil.copy(source, link),
        "Links/a-hard-link",
        "Links/writing-through-a-hard-link",
    ),
    "changes-a-target": WrongMount(
        mount_files,
        "symlink",
        lambda target, path: os.symlink(os.path.normpath(target), path),
        "Links/a-symbolic-link-to-anything",
    ),
    "ignores-the-flags-of-setxattr": WrongMount(
        mount_files,
        "setxattr",
        lambda path, name, value, _, **more: os.setxattr(path, name, value, **more),
        "Attributes/extended-create-only",
        "Attributes/extended-replace-only",
    ),
    "lists-attributes-in-another-order": WrongMount(
        mount_files, "listxattr", lambda path, **more: os.listxattr(path, **more)[::-1], "Attributes/extended-listed"
    ),
    "keeps-whole-seconds": WrongMount(system_calls, "set_times", _set_whole_seconds, "Attributes/microseconds"),
}
SEARCH_MUTANTS = {
    "a-link-leads-elsewhere": WrongMount(
        mount_search, "stat", lambda path: os.stat(os.path.dirname(path)), "Search/everywhere-a-question"
    ),
    "a-link-is-missing": WrongMount(
        mount_search, "listdir", lambda path: sorted(os.listdir(path))[:-1], "Search/everywhere-by-a-rare-word"
    ),
}


def _in(file: str, guard: str, instead: str, wrong: str, *cases: str) -> ServerMutant:
    return ServerMutant(f"mount/{file}", guard, instead, wrong, cases, ("mount",))


SERVER_MUTANTS = {
    "exchange-is-ignored": _in(
        "operations/namespace.py",
        "exchange=bool(flags & wire.RENAME_EXCHANGE),",
        "exchange=False,",
        "a rename that shall exchange two files replaces one",
        "MoveFile/exchanged",
    ),
    "the-mode-is-ignored": _in(
        "operations/namespace.py",
        "node = files.make_directory(txn, Ino(nodeid), name, mode=mode, uid=uid, gid=gid, umask=umask)",
        "node = files.make_directory(txn, Ino(nodeid), name, mode=0o755, uid=uid, gid=gid, umask=umask)",
        "every directory is made with one mode",
        "MakeDirectory/with-mode-zero",
    ),
    "the-flags-of-setxattr-are-ignored": _in(
        "operations/xattrs.py",
        "create, replace = bool(flags & _XATTR_CREATE), bool(flags & _XATTR_REPLACE)",
        "create, replace = False, False",
        "an attribute is set whether it is there or not",
        "Attributes/extended-create-only",
        "Attributes/extended-replace-only",
    ),
    "times-are-whole-seconds": _in(
        "operations/attributes.py",
        "return replies.join_time(seconds, nanoseconds) if valid & given else None",
        "return replies.join_time(seconds, 0) if valid & given else None",
        "the fraction of a second is lost",
        "Attributes/microseconds",
    ),
    "truncating-at-open-is-forgotten": _in(
        "operations/content.py",
        "node = content.truncate(txn, Ino(file.ino), 0)",
        "node = files.stat(txn, Ino(file.ino))",
        "what is written anew keeps the end of what was there",
        "Content/replaced-as-a-whole",
    ),
    "the-offset-of-a-write-is-ignored": _in(
        "operations/content.py",
        "taken = self._writeback.write(file, offset, bytes(self._view[_WRITE_BODY : _WRITE_BODY + size]))",
        "taken = self._writeback.write(file, 0, bytes(self._view[_WRITE_BODY : _WRITE_BODY + size]))",
        "bytes go to the start of the file, and the kernel's pages hide it",
        "Content/written-over-in-the-middle",
        "Content/a-stream-over-the-middle",
    ),
    "the-offset-of-a-large-read-is-ignored": _in(
        "operations/content.py",
        "parts = (self._blob_map.learn if committed else content.blob_parts)(view, node, offset, length)",
        "parts = (self._blob_map.learn if committed else content.blob_parts)(view, node, 0, length)",
        "large content is read from its start wherever one reads",
        "Content/large-in-pieces",
    ),
    "entries-come-backwards": _in(
        "operations/directories.py",
        "parts += listing.read(self._engine.writer, max(offset - _DOTS, 0), room, pack, self._engine.version())",
        "parts += reversed(listing.read(self._engine.writer, max(offset - _DOTS, 0), room, pack, self._engine.version()))",
        "a directory is not listed in the order of its names",
        "ListFiles/byte-order",
    ),
    "every-error-is-EIO": _in(
        "loop.py",
        "answer = -error.errno",
        "answer = -errno.EIO",
        "nobody can tell what went wrong",
        "RemoveFile/a-directory-with-entries",
        "Attributes/extended-removed-twice",
    ),
    "links-of-search-lead-to-each-other's-files": _in(
        "search_results.py",
        "self.targets = [up + hit.path for hit in found.hits]",
        "self.targets = [up + hit.path for hit in reversed(found.hits)]",
        "the best name leads to the worst answer",
        "Search/everywhere-a-question",
    ),
    "search-asks-something-else": _in(
        "search_questions.py",
        'request = {"text": name, "limit": LIMIT}',
        'request = {"text": name, "limit": LIMIT, "mode": 2}',
        "it looks by meaning only, so scores and ranks are others than the API's",
        "Search/everywhere-a-question",
        "Search/everywhere-by-a-rare-word",
    ),
}
