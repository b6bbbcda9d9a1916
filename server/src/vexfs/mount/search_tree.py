"""The tree of `.search`: which nodes are there, where a name leads, and what a directory asks.

Used by `search_directory` and `search_reading`, in the loop's thread. Knows the volume's saved queries and what was found
lately; a name of an answer that is not known any more searches (in a worker), nothing else here does.
"""

import errno
from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from vexfs.core import files, saved_queries
from vexfs.core.errors import InvalidRequest, NotFound, VexfsError
from vexfs.core.types import NAME_MAX_BYTES, Ino, Node
from vexfs.mount import replies, search_questions
from vexfs.mount.engine import Engine
from vexfs.mount.requests import Answer
from vexfs.mount.search_nodes import (
    ASKING,
    DIRECTORIES,
    EXPLAIN,
    LINK,
    META,
    QUERY,
    RESULTS,
    ROOT,
    ROOT_STATUS,
    SAVED,
    SAVED_FOLDER,
    SAVED_STATUS,
    SETTING,
    SHORTCUT,
    STATUS,
    Attributes,
    Place,
    place_of,
)
from vexfs.mount.search_queries import FRESH_S, KEEP_S, Queries, Query
from vexfs.mount.search_questions import Question
from vexfs.mount.search_results import EXPLAIN_NAME, LINK_NAME, RESULTS_NAME, STATUS_NAME, ResultSet

SAVED_NAME = b".saved"
META_NAME = b".meta"
NAMES_MAX = 4096
"""Made-up names whose numbers are remembered."""
_CACHE_SECONDS = 1
"""A name may be saved any time, here or on another mount."""
_NO_CACHE_SECONDS = 0
"""The next answer may have the same name for another file: rank, score and file name are equal when a file has moved."""
_SHORTCUT_TARGET = SAVED_NAME + b"/"
UP, UP_FROM_SAVED = b"../..", b"../../.."
_FACTS = {RESULTS_NAME: RESULTS, EXPLAIN_NAME: EXPLAIN}


class Content(NamedTuple):
    """What stands in a file, and since when."""

    text: bytes
    time_ns: int = 0


def _facts(kind: int, results: ResultSet) -> Content:
    """The content of a file that tells about an answer."""
    return Content(results.explanation if kind == EXPLAIN else results.results, results.time_ns)


class SearchTree:
    """See the module."""

    def __init__(self, engine: Engine, queries: Queries, attributes: Attributes) -> None:
        self._writer = engine.writer
        self._queries = queries
        self._attributes = attributes
        self._numbers: OrderedDict[bytes, int] = OrderedDict()
        """Numbers of names in `.search`, made-up ones and shortcuts."""
        self._names: dict[int, bytes] = {}
        self._next_number = count(1)
        self.last_status = Content(b"")
        """Of the server, as it was read last."""

    # -- nodes -----------------------------------------------------------------------------------------

    def describe(self, nodeid: int) -> Node | None:
        """The node of that number, or None when it was forgotten."""
        place = place_of(nodeid)
        if place.kind in DIRECTORIES:
            return None if self._is_gone(place) else self._attributes.directory(place)
        if place.kind == SHORTCUT:
            target = self.target(nodeid)
            return None if target is None else self._attributes.link(place, target)
        if place.kind == LINK:
            results = self._queries.results(place.number)
            return None if results is None else self._link(results, place.place)
        content = self.content(place)
        return None if content is None else self._attributes.file(place, *content)

    def _is_gone(self, place: Place) -> bool:
        if place.kind == QUERY:
            return self._queries.at(place.nodeid) is None
        return place.kind in (SAVED, META) and self._saved_query(place.number) is None

    def _link(self, results: ResultSet, rank: int) -> Node:
        return self._attributes.link(Place(LINK, results.number, rank), results.targets[rank], results.time_ns)

    def content(self, place: Place) -> Content | None:
        """What stands in a file; of `.status` at the top, which asks the server when it is opened, what stood there last."""
        if place.kind == ROOT_STATUS:
            return self.last_status
        if place.kind in (STATUS, SAVED_STATUS):
            query = self._queries.at(place.query)
            return None if query is None else Content(query.status(), query.changed_ns)
        if place.kind == SETTING:
            return self._setting(place)
        results = self._queries.results(place.number)
        return None if results is None else _facts(place.kind, results)

    def _setting(self, place: Place) -> Content | None:
        ino = Ino(place.number)
        if place.place >= len(saved_queries.SETTINGS):
            return None
        try:
            text = saved_queries.show(saved_queries.read(self._writer, ino), saved_queries.SETTINGS[place.place])
        except NotFound:
            return None
        except InvalidRequest:  # somebody wrote nonsense over the API; it can be mended by writing here
            text = "\n"
        return Content(text.encode("utf-8", "surrogateescape"), files.stat(self._writer, ino).ctime_ns)

    def target(self, nodeid: int) -> bytes | None:
        """Where a link leads, or None when it was forgotten or is none."""
        kind, number, rank = place_of(nodeid)
        if kind == SHORTCUT:
            name = self._names.get(number)
            return None if name is None else _SHORTCUT_TARGET + name
        results = self._queries.results(number) if kind == LINK else None
        return None if results is None else results.targets[rank]

    def shortcut(self, name: bytes) -> Place:
        """The link of a saved query's name."""
        return Place(SHORTCUT, self._number(name))

    # -- lookup ----------------------------------------------------------------------------------------

    def lookup(self, unique: int, nodeid: int, name: bytes) -> Answer:
        """The entry of a name."""
        if len(name) > NAME_MAX_BYTES:
            return -errno.ENAMETOOLONG
        place = place_of(nodeid)
        if place.kind == ROOT:
            return self._lookup_in_root(name)
        if place.kind == SAVED_FOLDER:
            ino = saved_queries.find(self._writer, name)
            return -errno.ENOENT if ino is None else self._directory_entry(Place(SAVED, ino))
        if place.kind == META:
            return self._lookup_setting(place, name)
        query = self.query(place)
        if query is None or place.kind not in ASKING:
            return -errno.ESTALE
        return self._lookup_in(unique, place, query, name)

    def _directory_entry(self, place: Place, cache_seconds: int = _NO_CACHE_SECONDS) -> bytes:
        return replies.entry(self._attributes.directory(place), cache_seconds)

    def _file_entry(self, place: Place, content: Content | None) -> Answer:
        if content is None:
            return -errno.ESTALE
        return replies.entry(self._attributes.file(place, *content), _NO_CACHE_SECONDS)

    def _lookup_in_root(self, name: bytes) -> Answer:
        if name == STATUS_NAME:
            return self._file_entry(Place(ROOT_STATUS), self.last_status)
        if name == SAVED_NAME:
            return self._directory_entry(Place(SAVED_FOLDER))
        try:
            text = name.decode()
        except UnicodeDecodeError:
            return -errno.EILSEQ
        if name.startswith(b".") or not text.strip():
            return -errno.ENOENT
        if saved_queries.find(self._writer, name) is not None:
            shortcut = self._attributes.link(self.shortcut(name), _SHORTCUT_TARGET + name)
            return replies.entry(shortcut, _NO_CACHE_SECONDS)
        try:
            search_questions.of_name(self._writer, text)
        except InvalidRequest:
            return -errno.ENOENT  # no path, so no file is there
        place = Place(QUERY, self._number(name))
        self._queries.need(place.nodeid, text, UP)
        return self._directory_entry(place, _CACHE_SECONDS)

    def _number(self, name: bytes) -> int:
        """The number of a name in `.search`, the same as long as it is remembered."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = next(self._next_number)
            self._names[number] = name
            if len(self._numbers) > NAMES_MAX:
                _, forgotten = self._numbers.popitem(last=False)
                del self._names[forgotten]
        self._numbers.move_to_end(name)
        return number

    def _lookup_setting(self, place: Place, name: bytes) -> Answer:
        if name.decode("ascii", "replace") not in saved_queries.SETTINGS:
            return -errno.ENOENT
        setting = Place(SETTING, place.number, saved_queries.SETTINGS.index(name.decode()))
        return self._file_entry(setting, self.content(setting) if self.query(place) is not None else None)

    def _lookup_in(self, unique: int, place: Place, query: Query, name: bytes) -> Answer:
        if name == STATUS_NAME:
            return self._file_entry(place.status, self.content(place.status))
        if name == META_NAME and place.kind == SAVED:
            return self._directory_entry(Place(META, place.number))
        if name in _FACTS:
            return self.with_results(unique, place, query, KEEP_S, lambda results: self._facts_entry(_FACTS[name], results))
        if LINK_NAME.match(name) is None:
            return -errno.ENOENT
        found = query.find(name)
        if found is not None:
            return replies.entry(self._link(*found), _NO_CACHE_SECONDS)
        if query.is_live:
            return -errno.ENOENT
        return self.with_results(unique, place, query, FRESH_S, lambda results: self._link_entry(results, name))

    def _facts_entry(self, kind: int, results: ResultSet) -> Answer:
        return self._file_entry(Place(kind, results.number), _facts(kind, results))

    def _link_entry(self, results: ResultSet, name: bytes) -> Answer:
        rank = results.index.get(name)
        return -errno.ENOENT if rank is None else replies.entry(self._link(results, rank), _NO_CACHE_SECONDS)

    # -- what is asked -----------------------------------------------------------------------------------

    def query(self, place: Place) -> Query | None:
        """What is known of a directory that asks, or of the one that something belongs to."""
        if place.kind in (SAVED, META, SETTING, SAVED_STATUS):
            return self._saved_query(place.number)
        return self._queries.at(place.query)

    def _saved_query(self, ino: int) -> Query | None:
        try:
            name = saved_queries.name_of(self._writer, Ino(ino))
        except NotFound:
            return None
        return self._queries.need(Place(SAVED, ino).nodeid, name.decode("utf-8", "replace"), UP_FROM_SAVED)

    def _question(self, place: Place, query: Query) -> Question:
        """What the directory asks now. Raises NotFound, InvalidRequest."""
        if place.kind == SAVED:
            return search_questions.of_saved(saved_queries.read(self._writer, Ino(place.number)))
        return search_questions.of_name(self._writer, query.name)

    def with_results(self, unique: int, place: Place, query: Query, age_s: float, use: Callable[[ResultSet], Answer]) -> Answer:
        try:
            question = self._question(place, query)
        except VexfsError as error:
            query.fail(error.message)
            return -errno.EIO
        return self._queries.with_results(unique, query, question, age_s, use)
