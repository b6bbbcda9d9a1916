"""Which system calls is a call of the contract? The tree, content, links, attributes and extended attributes.

Called by the mount lane: `CALLS` names for each method the function that answers it. A function takes the mount's `Places`
and the request's messages, makes the system calls that a program would, and answers the response, or a list of them. It
repairs nothing: what the kernel answers is what is told. Raises OSError as the kernel does, `NotAsked` where no system call
says what the request says, and `Contradiction` if the kernel's pages are not what the file system has. Stateless.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vexfs_conformance import contract
from vexfs_conformance.lanes import system_calls
from vexfs_conformance.lanes.mount_places import Contradiction, NotAsked, Place, Places, as_file

Call = Callable[..., Any]

PIECE_BYTES = 1 << 20
MODE_MAX = 0o7777
FILE_MODE, DIRECTORY_MODE = 0o644, 0o755
ATTRIBUTE_NAME_MAX_BYTES = 255
TARGET_MAX_BYTES = 4095


def _answer(method: str, **fields: Any) -> Any:
    return contract.message_class(contract.methods()[method].response_name)(**fields)


@contextmanager
def _opened(place: Place, flags: int, mode: int = 0) -> Iterator[int]:
    descriptor = os.open(place.path, flags | place.no_follow_flag | os.O_CLOEXEC, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


# -- looking ---------------------------------------------------------------------------------------


def stat_file(places: Places, request: Any) -> Any:
    """stat(2), or lstat(2)."""
    return _answer("StatFile", file=places.place(request.file).file())


def list_files(places: Places, request: Any) -> Any:
    """getdents(2), and fstatat(2) for each name, in the order in which the kernel gives them."""
    directory = places.place(request.directory)
    files = []
    with _opened(directory, os.O_RDONLY | os.O_DIRECTORY) as descriptor, os.scandir(descriptor) as entries:
        for entry in entries:
            told = directory.told.removesuffix(b"/") + b"/" + os.fsencode(entry.name)
            files.append(as_file(told, entry.stat(follow_symlinks=False)))
    return _answer("ListFiles", files=files)


# -- content ---------------------------------------------------------------------------------------


def read_file(places: Places, request: Any) -> list[Any]:
    """open(2), and pread(2) for each piece: from the kernel's pages if it has them, then once more without."""
    place = places.place(request.file)
    if request.length < 0:
        raise NotAsked("pread(2) cannot be given a negative length")
    with _opened(place, os.O_RDONLY) as descriptor:
        file = as_file(place.told, os.fstat(descriptor))
        pieces = list(_pieces(descriptor, request.offset, request.length))
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if pieces != list(_pieces(descriptor, request.offset, request.length)):
            raise Contradiction("the kernel has other bytes of the file in its pages than the mount answers")
    return [
        _answer("ReadFile", data=data, offset=offset, file=file if offset == request.offset else None)
        for offset, data in pieces
    ]


def _pieces(descriptor: int, offset: int, length: int) -> Iterator[tuple[int, bytes]]:
    """Where each piece stands, and its bytes; at least one, perhaps empty. A length of 0 is to the end."""
    start, end = offset, offset + length
    while True:
        data = os.pread(descriptor, min(PIECE_BYTES, end - offset) if length else PIECE_BYTES, offset)
        if data or offset == start:
            yield offset, data
        offset += len(data)
        if not data or (length and offset == end):
            return


def get_content(places: Places, request: Any) -> Any:
    """As `read_file`, all at once."""
    pieces = read_file(places, request)
    return _answer("GetContent", data=b"".join(piece.data for piece in pieces), file=pieces[0].file)


def write_file(places: Places, *requests: Any) -> Any:
    """As `put_content`, a pwrite(2) for each message."""
    first, *others = requests
    if first.WhichOneof("part") != "header" or any(each.WhichOneof("part") == "header" for each in others):
        raise NotAsked("a file is opened before it is written, and once")
    return _write("WriteFile", places, first.header.file, first.header.options, [each.data for each in others])


def put_content(places: Places, request: Any) -> Any:
    """open(2) with the flags that the options mean, pwrite(2), fsync(2): the contract's answer says that it is durable."""
    return _write("PutContent", places, request.file, request.options, [request.data])


def _write(method: str, places: Places, ref: Any, options: Any, pieces: list[bytes]) -> Any:
    place = places.place(ref)
    flags = os.O_WRONLY | os.O_CREAT
    if not options.HasField("offset"):
        flags |= os.O_TRUNC
    if options.if_content_revision:
        raise NotAsked("open(2) knows no revision to be the condition")
    if options.HasField("if_content_revision"):
        flags |= os.O_EXCL
    mode = _mode(options, FILE_MODE)
    if options.make_parents:
        _make_parents(place.path)
    is_new = not os.path.lexists(place.path)
    with _opened(place, flags, mode) as descriptor:
        if is_new and _kept_back(mode):
            os.fchmod(descriptor, mode)
        offset = options.offset
        for piece in pieces:
            offset += _write_all(descriptor, piece, offset)
        os.fsync(descriptor)
    return _answer(method, file=place.file())


def _write_all(descriptor: int, data: bytes, offset: int) -> int:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], offset + written)
    return written


def _mode(request: Any, default: int) -> int:
    mode: int = request.mode if request.HasField("mode") else default
    if mode > MODE_MAX:
        raise NotAsked("the kernel cuts a mode to its 12 bits")
    return mode


def _kept_back(mode: int) -> int:
    """The bits that open(2) and mkdir(2) do not set; chmod(2) does, as in `mkdir -m`."""
    status = Path("/proc/self/status").read_text()
    umask = int(status.partition("\nUmask:")[2].split()[0], 8)
    return mode & (umask | stat.S_ISUID | stat.S_ISGID)


# -- names -----------------------------------------------------------------------------------------


def make_directory(places: Places, request: Any) -> Any:
    """mkdir(2); with the directories above it as `mkdir -p` does."""
    place = places.entry(request.directory)
    mode = _mode(request, DIRECTORY_MODE)
    if request.make_parents:
        _make_parents(place.path)
    try:
        os.mkdir(place.path, mode)
    except FileExistsError:
        if not (request.make_parents and stat.S_ISDIR(place.stat().st_mode)):
            raise
    else:
        if _kept_back(mode):
            os.chmod(place.path, mode)
    return _answer("MakeDirectory", file=place.file())


def _make_parents(path: bytes) -> None:
    above = os.path.dirname(path.rstrip(b"/"))
    try:
        os.mkdir(above, DIRECTORY_MODE)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_parents(above)
        os.mkdir(above, DIRECTORY_MODE)


def move_file(places: Places, request: Any) -> Any:
    """rename(2), or renameat2(2) with its flags."""
    source, destination = places.removable(request.source), places.entry(request.destination)
    flags = system_calls.RENAME_NOREPLACE if request.no_replace else 0
    flags |= system_calls.RENAME_EXCHANGE if request.exchange else 0
    system_calls.rename(source.path, destination.path, flags)
    return _answer("MoveFile", file=destination.file())


def remove_file(places: Places, request: Any) -> Any:
    """remove(3): unlink(2), or rmdir(2) for a directory; a whole tree as `rm -r` does."""
    place = places.removable(request.file)
    return _answer("RemoveFile", removed=_remove(place.path, recursive=request.recursive))


def _remove(path: bytes, *, recursive: bool) -> int:
    """How many names went."""
    try:
        os.unlink(path)
        return 1
    except IsADirectoryError:
        removed = sum(_remove(path + b"/" + name, recursive=True) for name in os.listdir(path)) if recursive else 0
        os.rmdir(path)
        return removed + 1


# -- links -----------------------------------------------------------------------------------------


def create_symlink(places: Places, request: Any) -> Any:
    """symlink(2)."""
    place = places.entry(request.link)
    target = request.target_bytes or request.target.encode()
    if not 1 <= len(target) <= TARGET_MAX_BYTES:
        raise NotAsked("the kernel keeps the limits of a link's target itself")
    os.symlink(target, place.path)
    return _answer("CreateSymlink", file=place.file())


def read_symlink(places: Places, request: Any) -> Any:
    """readlink(2)."""
    target = os.readlink(places.entry(request.file).path)
    try:
        return _answer("ReadSymlink", target=target.decode())
    except UnicodeDecodeError:
        return _answer("ReadSymlink", target_bytes=target)


def create_link(places: Places, request: Any) -> Any:
    """link(2)."""
    source, link = places.place(request.file), places.entry(request.link)
    os.link(os.path.realpath(source.path) if source.follow else source.path, link.path, follow_symlinks=False)
    return _answer("CreateLink", file=link.file())


# -- attributes ------------------------------------------------------------------------------------


def set_attributes(places: Places, request: Any) -> Any:
    """chown(2), chmod(2), ftruncate(2), utimensat(2): in this order, for each undoes a part of those behind it."""
    place = places.place(request.file)
    if request.HasField("uid") or request.HasField("gid"):
        if os.geteuid() != 0:
            raise NotAsked("only root may give a file to others")
        owner = [getattr(request, name) if request.HasField(name) else -1 for name in ("uid", "gid")]
        os.chown(place.path, *owner, follow_symlinks=place.follow)
    if request.HasField("mode"):
        if stat.S_ISLNK(place.stat().st_mode):
            raise NotAsked("chmod(2) always follows a symbolic link")
        os.chmod(place.path, _mode(request, FILE_MODE))
    if request.HasField("size_bytes"):
        with _opened(place, os.O_WRONLY) as descriptor:
            os.ftruncate(descriptor, request.size_bytes)
    times = [getattr(request, name).ToNanoseconds() if request.HasField(name) else None for name in ("atime", "mtime")]
    if times != [None, None]:
        system_calls.set_times(place.path, times[0], times[1], follow=place.follow)
    return _answer("SetAttributes", file=place.file())


# -- extended attributes ---------------------------------------------------------------------------


def _attribute(request: Any) -> bytes:
    name: bytes = request.name.encode()
    if not 1 <= len(name) <= ATTRIBUTE_NAME_MAX_BYTES:
        raise NotAsked("the kernel keeps the limits of an attribute's name itself")
    return name


def get_xattr(places: Places, request: Any) -> Any:
    """getxattr(2)."""
    place = places.place(request.file)
    return _answer("GetXattr", value=os.getxattr(place.path, _attribute(request), follow_symlinks=place.follow))


def set_xattr(places: Places, request: Any) -> Any:
    """setxattr(2) with its flags."""
    place = places.place(request.file)
    if request.create_only and request.replace_only:
        raise NotAsked("setxattr(2) has no rule against both of its flags")
    flags = os.XATTR_CREATE if request.create_only else os.XATTR_REPLACE if request.replace_only else 0
    os.setxattr(place.path, _attribute(request), request.value, flags, follow_symlinks=place.follow)
    return _answer("SetXattr")


def list_xattrs(places: Places, request: Any) -> Any:
    """listxattr(2), in the order in which the kernel gives the names."""
    place = places.place(request.file)
    return _answer("ListXattrs", names=os.listxattr(place.path, follow_symlinks=place.follow))


def remove_xattr(places: Places, request: Any) -> Any:
    """removexattr(2)."""
    place = places.place(request.file)
    os.removexattr(place.path, _attribute(request), follow_symlinks=place.follow)
    return _answer("RemoveXattr")


CALLS: Mapping[str, Call] = {
    "StatFile": stat_file,
    "ListFiles": list_files,
    "ReadFile": read_file,
    "GetContent": get_content,
    "WriteFile": write_file,
    "PutContent": put_content,
    "MakeDirectory": make_directory,
    "MoveFile": move_file,
    "RemoveFile": remove_file,
    "CreateSymlink": create_symlink,
    "ReadSymlink": read_symlink,
    "CreateLink": create_link,
    "SetAttributes": set_attributes,
    "GetXattr": get_xattr,
    "SetXattr": set_xattr,
    "ListXattrs": list_xattrs,
    "RemoveXattr": remove_xattr,
}
