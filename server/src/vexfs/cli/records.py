"""Files as commands name and show them: from an argument to a FileRef, from a File to a JSON object or a line.

Pure functions. A path on the command line may lack its first slash; a name that is not UTF-8 arrives from the shell as
surrogates and travels as bytes.
"""

import base64
import datetime
import os
import stat
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from vexfs.contract.v1 import common_pb2

_KINDS = {
    common_pb2.FILE_KIND_REGULAR: ("regular", stat.S_IFREG),
    common_pb2.FILE_KIND_DIRECTORY: ("directory", stat.S_IFDIR),
    common_pb2.FILE_KIND_SYMLINK: ("symlink", stat.S_IFLNK),
    common_pb2.FILE_KIND_FIFO: ("fifo", stat.S_IFIFO),
    common_pb2.FILE_KIND_SOCKET: ("socket", stat.S_IFSOCK),
    common_pb2.FILE_KIND_CHARACTER_DEVICE: ("character_device", stat.S_IFCHR),
    common_pb2.FILE_KIND_BLOCK_DEVICE: ("block_device", stat.S_IFBLK),
}


def absolute(argument: str) -> str:
    """A path argument as VexFS knows it: from the root, without doubled or trailing slashes. `..` is left to the server."""
    parts = [part for part in argument.split("/") if part not in ("", ".")]
    return "/" + "/".join(parts)


def reference(path: str, *, follow: bool = False) -> common_pb2.FileRef:
    """The FileRef of a path argument."""
    path = absolute(path)
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return common_pb2.FileRef(path_bytes=os.fsencode(path), follow=follow)
    return common_pb2.FileRef(path=path, follow=follow)


def path_of(file: common_pb2.File) -> str:
    """The path of a file as Python strings carry paths (bytes that are no UTF-8 as surrogates)."""
    return os.fsdecode(file.path_bytes) if file.path_bytes else file.path


def kind_of(file: common_pb2.File) -> str:
    """`regular`, `directory`, `symlink` …"""
    return _KINDS.get(file.kind, ("unknown", 0))[0]


def file_record(file: common_pb2.File) -> dict[str, Any]:
    """A file as --json shows it. Sizes in bytes, times in RFC 3339, mode in octal as chmod takes it."""
    record: dict[str, Any] = {
        "file": printable(path_of(file)),
        "kind": kind_of(file),
        "size_bytes": file.size_bytes,
        "id": file.id,
        "mode": f"{file.mode:04o}",
        "nlink": file.nlink,
        "uid": file.uid,
        "gid": file.gid,
        "mtime": rfc3339(file.mtime),
        "ctime": rfc3339(file.ctime),
        "btime": rfc3339(file.btime),
        "revision": file.revision,
        "content_revision": file.content_revision,
    }
    if file.path_bytes:
        record["path_base64"] = base64.b64encode(file.path_bytes).decode()
    return record


def printable(path: str) -> str:
    """A path that every terminal and every JSON reader can take: control characters and undecodable bytes as escapes."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def mode_text(file: common_pb2.File) -> str:
    """`drwxr-xr-x`, as `ls -l` shows it."""
    return stat.filemode(_KINDS.get(file.kind, ("", 0))[1] | file.mode)


def rfc3339(moment: Timestamp) -> str:
    """A time in UTC with as many digits as it needs."""
    return moment.ToJsonString()


def local_time(moment: Timestamp) -> str:
    """A time as people here read it."""
    return datetime.datetime.fromtimestamp(moment.seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def size_text(size_bytes: int) -> str:
    """`812 B`, `4.0 KiB`, `1.2 GiB`."""
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def timestamp(time_ns: int) -> Timestamp:
    """A Timestamp from nanoseconds since 1970."""
    return Timestamp(seconds=time_ns // 10**9, nanos=time_ns % 10**9)


def time_ns(moment: Timestamp) -> int:
    """Nanoseconds since 1970."""
    return int(moment.seconds) * 10**9 + int(moment.nanos)
