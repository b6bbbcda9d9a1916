"""The token of a data folder: a 0600 file made once, and the check of what a caller presents.

The server calls `load_or_create` at its start; the local command line reads the same file with `read`. The dispatcher
of `vexfs.api` checks every call with a TokenGuard, in constant time. The token appears in no log and no error.
"""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from vexfs.core.errors import PermissionDenied, Unauthenticated

if TYPE_CHECKING:
    from vexfs.contract.descriptors import Permission

TOKEN_MIN_CHARS = 16
TOKEN_MAX_BYTES = 4096
ALL_PERMISSIONS: "frozenset[Permission]" = frozenset({"read", "write"})
_SCHEME = "bearer"


def read(path: Path) -> str:
    """The token in `path`.

    Raises FileNotFoundError, and PermissionDenied when everybody may read the file or it holds no token.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        raw = file.read(TOKEN_MAX_BYTES + 1)
    if mode & 0o007:
        raise PermissionDenied(
            f"the token file {path} is open to every user of this machine; run: chmod 600 {path}", path=str(path)
        )
    token = raw.decode("latin-1").strip()
    if not TOKEN_MIN_CHARS <= len(token) <= TOKEN_MAX_BYTES or not (token.isascii() and token.isprintable()) or " " in token:
        raise PermissionDenied(
            f"the token file {path} must hold one line of {TOKEN_MIN_CHARS} or more printable ASCII characters without spaces; "
            "remove it and the server makes a new one",
            path=str(path),
        )
    return token


def load_or_create(path: Path) -> str:
    """The token in `path`, made first if the file is absent, and so is its folder.

    The file appears whole or not at all, with mode 0600, and is durable when this returns: it is written beside `path`, synced
    and linked to its name, so of two processes that start at once one wins and both return the same token.
    """
    try:
        return read(path)
    except FileNotFoundError:
        _create(path)
        return read(path)


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_urlsafe(32).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)


class TokenGuard:
    """Checks the Authorization value of a call against the one token of this server."""

    def __init__(self, token: str) -> None:
        self._digest = _digest(token)

    def permissions_of(self, authorization: str | None) -> "frozenset[Permission]":
        """What the bearer of `authorization` ("Bearer TOKEN") may do: everything. Raises Unauthenticated for any other
        token."""
        if not authorization:
            raise Unauthenticated(
                "this server needs a token: send Authorization: Bearer TOKEN (the data folder keeps it in its file token)"
            )
        scheme, _, presented = authorization.partition(" ")
        if scheme.lower() != _SCHEME or not hmac.compare_digest(_digest(presented.strip()), self._digest):
            raise Unauthenticated("the token is not the one of this server's data folder")
        return ALL_PERMISSIONS


def _digest(token: str) -> bytes:
    # Digests have one length, so the comparison tells nothing about the token's.
    return hashlib.blake2b(token.encode("utf-8", "surrogateescape")).digest()
