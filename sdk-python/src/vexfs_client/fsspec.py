"""VexFS as an fsspec file system: `fsspec.open("vexfs://docs/a.md")`, pandas, pyarrow and all that speak fsspec.

Registered as the protocol `vexfs`; needs the extra `vexfs-client[fsspec]`. The storage options are the arguments of `Client`.
Errors are those of the operating system where there is one that fits (FileNotFoundError …), otherwise VexfsError.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from fsspec.spec import AbstractFileSystem

from vexfs_client._errors import AlreadyExistsError, NotFoundError, PermissionDeniedError, UnauthenticatedError, VexfsError
from vexfs_client._reasons import Reason
from vexfs_client._sync.client import Client
from vexfs_client._types import File, FileKind, FileRef

_KINDS = {FileKind.DIRECTORY: "directory", FileKind.REGULAR: "file", FileKind.SYMLINK: "link"}
_BY_REASON: dict[str, Callable[[str, str], OSError]] = {
    Reason.IS_A_DIRECTORY: lambda text, path: IsADirectoryError(errno.EISDIR, text, path),
    Reason.NOT_A_DIRECTORY: lambda text, path: NotADirectoryError(errno.ENOTDIR, text, path),
    Reason.DIRECTORY_NOT_EMPTY: lambda text, path: OSError(errno.ENOTEMPTY, text, path),
    Reason.VOLUME_FULL: lambda text, path: OSError(errno.ENOSPC, text, path),
    Reason.QUOTA_EXCEEDED: lambda text, path: OSError(errno.EDQUOT, text, path),
}


class VexfsFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The tree of one server. Paths are absolute; `vexfs://docs/a.md` and `vexfs:///docs/a.md` both mean `/docs/a.md`."""

    protocol = "vexfs"
    root_marker = "/"

    def __init__(self, **options: Any) -> None:
        """Take the arguments of `Client`, and those of fsspec itself, which every file system takes."""
        own = ("use_listings_cache", "listings_expiry_time", "max_paths", "skip_instance_cache", "asynchronous", "loop")
        super().__init__(**options)
        self.client = Client(**{name: value for name, value in options.items() if name not in own})

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:  # a list for a list, as fsspec calls it
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = str(path).removeprefix("vexfs://")
        return "/" + text.strip("/")

    def unstrip_protocol(self, name: str) -> str:
        """The path as a URL."""
        return f"vexfs://{self._strip_protocol(name).lstrip('/')}"

    @classmethod
    def _parent(cls, path: str) -> str:
        return str(cls._strip_protocol(path)).rpartition("/")[0] or "/"

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """The entries of a directory, or the one file that `path` names."""
        path = self._strip_protocol(path)
        with _os_errors(path):
            file = self.client.files.stat(FileRef(path, follow=True))
            entries = self.client.files.list(FileRef(path, follow=True)) if file.is_directory else [file]
            infos = [_info(entry, path if entry is file else None) for entry in entries]
        return infos if detail else sorted(info["name"] for info in infos)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """What a file is; of a symbolic link, what it leads to."""
        path = self._strip_protocol(path)
        with _os_errors(path):
            return _info(self.client.files.stat(FileRef(path, follow=True)), path)

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Make a directory; FileExistsError if it is there."""
        path = self._strip_protocol(path)
        with _os_errors(path):
            parent = self._parent(path)
            if create_parents and parent != "/":
                self.client.files.make_directory(parent, make_parents=True)
            self.client.files.make_directory(path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a directory and those above it."""
        path = self._strip_protocol(path)
        with _os_errors(path):
            if path == "/" or (not exist_ok and self.exists(path)):
                if not exist_ok:
                    raise FileExistsError(errno.EEXIST, "the directory is there", path)
                return
            self.client.files.make_directory(path, make_parents=True)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        path = self._strip_protocol(path)
        if not self.isdir(path):
            self.info(path)
            raise NotADirectoryError(errno.ENOTDIR, "no directory", path)
        with _os_errors(path):
            self.client.files.remove(path)

    def rm_file(self, path: str) -> None:
        """Remove a file."""
        path = self._strip_protocol(path)
        with _os_errors(path):
            self.client.files.remove(path)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files; with `recursive` directories and all below them."""
        if maxdepth is not None:
            super().rm(path, recursive=recursive, maxdepth=maxdepth)
            return
        for one in self.expand_path(path):
            with _os_errors(one):
                self.client.files.remove(one, recursive=recursive)

    def mv(self, path1: str, path2: str, recursive: bool = False, maxdepth: int | None = None, **_: Any) -> None:
        """Move a file or a directory, in one step."""
        del recursive, maxdepth
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        with _os_errors(source):
            self.client.files.move(source, target)

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy a file, on the server; of a directory, make the target, as fsspec's `copy` expects."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if self.isdir(source):
            self.makedirs(target, exist_ok=True)
            return
        with _os_errors(source):
            self.client.files.copy(FileRef(source, follow=True), target)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """The content, or the bytes from `start` up to `end`; negative ones count from the end."""
        path = self._strip_protocol(path)
        with _os_errors(path):
            if start is None and end is None:
                return self.client.files.read(FileRef(path, follow=True))
            with self.client.files.open(FileRef(path, follow=True)) as file:
                first, last, _step = slice(start, end).indices(file.file.size_bytes)
                file.seek(first)
                return file.read(max(0, last - first))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Write content; with the mode `create` only if there is no such file."""
        path = self._strip_protocol(path)
        with _os_errors(path):
            condition = 0 if mode == "create" else None
            self.client.files.write(path, value, make_parents=True, if_content_revision=condition)

    def created(self, path: str) -> datetime:
        """When the file was made."""
        return self.info(path)["created"]  # type: ignore[no-any-return]

    def modified(self, path: str) -> datetime:
        """When the content last changed."""
        return self.info(path)["mtime"]  # type: ignore[no-any-return]

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **_: Any,
    ) -> Any:  # a file object, though not of the class that fsspec names
        del block_size, cache_options  # a reader fetches a mebibyte at a time
        if not autocommit:
            raise NotImplementedError("VexFS writes each file as a whole; it has no transactions over several")
        path = self._strip_protocol(path)
        with _os_errors(path):
            match mode:
                case "rb":
                    return self.client.files.open(FileRef(path, follow=True))
                case "wb" | "xb":
                    return self.client.files.open(path, mode, make_parents=True)
        raise NotImplementedError(f"files are opened with rb, wb or xb, not {mode}")


def _info(file: File, path: str | None) -> dict[str, Any]:
    return {
        "name": path or file.path,
        "size": file.size_bytes,
        "type": _KINDS.get(file.kind, "other"),
        "created": file.btime,
        "mtime": file.mtime,
        "mode": file.mode,
        "uid": file.uid,
        "gid": file.gid,
        "nlink": file.nlink,
        "ino": file.id,
        "content_revision": file.content_revision,
        "islink": file.kind is FileKind.SYMLINK,
    }


@contextlib.contextmanager
def _os_errors(path: str) -> Iterator[None]:
    """Raise what the operating system would, where it has a word for it."""
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, error.message, path) from error
    except AlreadyExistsError as error:
        raise FileExistsError(errno.EEXIST, error.message, path) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise PermissionError(errno.EACCES, error.message, path) from error
    except VexfsError as error:
        make = _BY_REASON.get(error.reason)
        if make is None:
            raise
        raise make(error.message, path) from error
