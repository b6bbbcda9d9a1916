"""Saved queries: questions that the volume keeps. Which are there, and what does each ask?

A saved query is a directory in `/.search`; its metadata says what it asks, its name is the question unless the metadata has
another. So it is durable, has a revision, and is made, moved and removed as any directory is, over every surface. Called by the
mount. Nothing here searches. What the metadata of somebody else says is checked whenever it is read.
"""

from typing import Any, NamedTuple

import msgspec

from vexfs.core import attributes, files, paths, quotas
from vexfs.core.errors import InvalidName, InvalidRequest, NotADirectory, NotFound, TooManyLinks
from vexfs.core.types import ROOT_INO, DirectoryEntry, Ino, Removed
from vexfs.store import dentries
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

FOLDER = b".search"
"""In the root. The mount shows something else under this name."""
SAVED_MAX = 1000
TEXT_MAX_BYTES = 8192
LIMIT_MAX = 1000
LIMIT_DEFAULT = 20
MODES = ("hybrid", "dense", "lexical")
SETTINGS = ("query", "limit", "path", "filter", "mode", "live")
"""What a saved query can be told, and the keys of its metadata."""
_LIVE = {"yes": True, "no": False}


class SavedQuery(NamedTuple):
    """What is asked. `path` is where to look, "/" for everywhere; `filter` a Filter of the contract as JSON, or empty. Who
    shows a `live` one sees to it that the answer is the present one, and tells who watches it.
    """

    query: str
    limit: int = LIMIT_DEFAULT
    path: str = "/"
    filter: str = ""
    mode: str = MODES[0]
    live: bool = False


def listed(view: Reader) -> list[tuple[bytes, Ino]]:
    """The names of the saved queries, and their directories, in byte order."""
    folder = _folder(view)
    if folder is None:
        return []
    entries = dentries.list_page(view, folder, after=b"", limit=SAVED_MAX)
    return [(entry.name, entry.node.ino) for entry in entries if _is_saved(entry)]


def find(view: Reader, name: bytes) -> Ino | None:
    """The saved query of that name."""
    folder = _folder(view)
    node = None if folder is None else files.find(view, folder, name)
    return node.ino if node is not None and _is_saved(DirectoryEntry(name, node)) else None


def read(view: Reader, ino: Ino) -> SavedQuery:
    """What it asks. Raises NotFound when there is no such saved query, InvalidRequest for metadata that make no sense."""
    saved = SavedQuery(query=name_of(view, ino).decode("utf-8", "replace"))
    told = _metadata(view, ino)
    for setting in SETTINGS:
        if setting in told:
            saved = saved._replace(**{setting: _checked(setting, told[setting])})
    return saved


def name_of(view: Reader, ino: Ino) -> bytes:
    """Raises NotFound when there is no such saved query."""
    folder = _folder(view)
    name = next((name for parent, name in dentries.names_of(view, ino) if parent == folder), None)
    if name is None:
        raise NotFound("the saved query has been removed")
    return name


def make(txn: Transaction, name: bytes, *, uid: int, gid: int) -> Ino:
    """A new one that asks its name.

    Raises AlreadyExists, InvalidName, NameTooLong, NotADirectory, TooManyLinks, QuotaExceeded.
    """
    _check_name(name)
    folder = _folder(txn)
    if folder is None:
        if files.find(txn, ROOT_INO, FOLDER) is not None:
            raise NotADirectory("the volume has a file /.search where saved queries are kept: move it away over the API")
        quotas.check_new(txn, 2)
        folder = files.make_directory(txn, ROOT_INO, FOLDER, mode=0o700, uid=uid, gid=gid).ino
    if len(dentries.list_page(txn, folder, after=b"", limit=SAVED_MAX)) >= SAVED_MAX:
        raise TooManyLinks(f"a volume has at most {SAVED_MAX} saved queries: remove some", limit=str(SAVED_MAX))
    return files.make_directory(txn, folder, name, mode=0o700, uid=uid, gid=gid).ino


def remove(txn: Transaction, name: bytes) -> Removed:
    """Raises NotFound, DirectoryNotEmpty (somebody has put files there)."""
    return files.remove_directory(txn, _needed(txn), name)


def rename(txn: Transaction, name: bytes, new_name: bytes, *, no_replace: bool = False) -> None:
    """Give it another name, which replaces the saved query that has it unless `no_replace`. Raises as `files.rename`."""
    _check_name(new_name)
    folder = _needed(txn)
    files.rename(txn, folder, name, folder, new_name, no_replace=no_replace)


def change(txn: Transaction, ino: Ino, setting: str, text: str) -> None:
    """Set one of SETTINGS as `parse` reads it. Raises InvalidRequest, NotFound."""
    value = parse(setting, text)
    if setting == "path" and value is not None and not paths.resolve(txn, paths.parse(str(value))).is_directory:
        raise NotADirectory(f"{value} is not a directory")
    told = _metadata(txn, ino)
    told.pop(setting, None)
    if value is not None:
        told[setting] = value
    attributes.set_metadata(txn, ino, msgspec.json.encode(told))


def parse(setting: str, text: str) -> Any:
    """A setting as a person writes it: the value for the metadata, None for the default (nothing but white space).

    Raises InvalidRequest, which says what the setting takes.
    """
    text = text.strip()
    if not text:
        return None
    value: Any = text
    if setting == "limit":
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    elif setting == "live":
        value = _LIVE.get(text, text)
    elif setting == "filter":
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InvalidRequest(f"filter takes a Filter of the contract as JSON, and this is no JSON: {error}") from None
    _checked(setting, value)
    return value


def show(saved: SavedQuery, setting: str) -> str:
    """A setting as a person reads it, and could write it."""
    value = getattr(saved, setting)
    return f"{('no', 'yes')[value] if setting == 'live' else value}\n"


def _checked(setting: str, value: Any) -> Any:
    """The value as `SavedQuery` has it. Raises InvalidRequest."""
    if setting == "limit":
        if isinstance(value, float) and value.is_integer():  # the API's numbers are
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LIMIT_MAX:
            raise InvalidRequest(f"limit takes a whole number from 1 to {LIMIT_MAX}, not {value!r}")
    elif setting == "filter":
        if not isinstance(value, dict):
            raise InvalidRequest("filter takes a Filter of the contract: a JSON object")
        return msgspec.json.encode(value).decode()
    elif setting == "live":
        if not isinstance(value, bool):
            raise InvalidRequest(f"live takes yes or no, not {value!r}")
    elif not isinstance(value, str):
        raise InvalidRequest(f"{setting} takes text, not {value!r}")
    elif setting == "mode" and value not in MODES:
        raise InvalidRequest(f"mode takes one of {', '.join(MODES)}, not {value!r}")
    elif setting == "path":
        paths.parse(value)
    elif setting == "query" and (not value.strip() or len(value.encode("utf-8", "surrogatepass")) > TEXT_MAX_BYTES):
        raise InvalidRequest(f"query takes text of at most {TEXT_MAX_BYTES} bytes")
    return value


def _metadata(view: Reader, ino: Ino) -> dict[str, Any]:
    told = msgspec.json.decode(attributes.get_metadata(view, ino))
    return told if isinstance(told, dict) else {}


def _folder(view: Reader) -> Ino | None:
    node = files.find(view, ROOT_INO, FOLDER)
    return node.ino if node is not None and node.is_directory else None


def _needed(view: Reader) -> Ino:
    folder = _folder(view)
    if folder is None:
        raise NotFound("there is no saved query")
    return folder


def _is_saved(entry: DirectoryEntry) -> bool:
    if not entry.node.is_directory:
        return False
    try:
        _check_name(entry.name)
    except InvalidName:
        return False
    return True


def _check_name(name: bytes) -> None:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise InvalidName("the name of a saved query is its question: UTF-8") from None
    if text.startswith(".") or not text.strip():
        raise InvalidName("the name of a saved query is neither blank nor begins with a dot")
