"""Searching the word index: which passages have the words of a question?

Made by the API (and by tests); may be used by several threads. Always sees the last commit, also after the index was lost and
built again.
"""

import threading
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import tantivy

from vexfs.core.errors import ViewUnavailable
from vexfs.core.types import Ino
from vexfs.views.lexical.index import Marker, marker_of, register_analyzers, schema
from vexfs.views.lexical.query import query_of, wanted_of
from vexfs.views.lexical.question import parse
from vexfs.views.lexical.spotting import Spotter
from vexfs.views.lexical.stems import OTHER_LANGUAGES


class LexicalHit(NamedTuple):
    """A passage and its BM25 score; scores compare within one search only."""

    ino: Ino
    ordinal: int
    score: float


class _Commit(NamedTuple):
    """The index as one commit left it."""

    id: object
    searcher: tantivy.Searcher
    languages: tuple[str, ...]
    """Other than English, of passages."""


class LexicalReader:
    """Searches the index in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._schema = schema()
        self._index: tantivy.Index | None = None
        self._folder_identity: tuple[int, int] | None = None
        self._commit: _Commit | None = None

    def search(self, text: str, limit: int, restrict: Collection[int] | None = None) -> list[LexicalHit]:
        """The passages that hold any of the words, and every phrase in quotes, best first, equal scores by (ino, ordinal).

        `restrict`: only passages of these files. A text without words finds nothing. Raises ViewUnavailable while there is no
        index.
        """
        commit = self._current()
        query = query_of(wanted_of(parse(text)), commit.searcher, commit.languages)
        if query is None or limit <= 0 or (restrict is not None and not restrict):
            return []
        if restrict is not None:
            allowed = tantivy.Query.const_score_query(tantivy.Query.term_set_query(self._schema, "ino", list(restrict)), 0.0)
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, allowed)])
        found = commit.searcher.search(query, limit=limit, count=False).hits
        addresses = [address for _, address in found]
        inos = commit.searcher.fast_field_values("ino", addresses)
        ordinals = commit.searcher.fast_field_values("ordinal", addresses)
        hits = [
            LexicalHit(Ino(int(ino or 0)), int(ordinal or 0), float(score))
            for ino, ordinal, (score, _) in zip(inos, ordinals, found, strict=True)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.ino, hit.ordinal))

    def spotter(self, text: str) -> Spotter:
        """What finds the words of a question in passages."""
        try:
            languages = self._current().languages
        except ViewUnavailable:
            languages = ()
        return Spotter(wanted_of(parse(text)), languages)

    def at_one_commit(self) -> "LexicalReader":
        """A reader that goes on seeing what this one would see now, whatever is committed; nothing, if there is nothing."""
        try:
            return _OneCommit(self._folder, self._current(), "")
        except ViewUnavailable as error:
            return _OneCommit(self._folder, None, error.message)

    def commit_id(self) -> object:
        """Equal as long as searches see the same index; None while there is none."""
        try:
            return self._current().id
        except ViewUnavailable:
            return None

    def marker(self) -> Marker | None:
        """How far the index is. Raises ViewUnavailable when there is no index."""
        return marker_of(self._current().searcher)

    def count(self) -> int:
        """Passages in the index."""
        return max(0, self._current().searcher.num_docs - 1)

    def _current(self) -> _Commit:
        """The newest commit: reads its small description, and reloads (0.5 ms) when that is another one."""
        with self._lock:
            try:
                status = self._folder.stat()
                identity = (status.st_dev, status.st_ino)
                # Not the file's times: two commits can fall into one tick of the clock, and inode numbers come again.
                description = (self._folder / "meta.json").read_bytes()
                if self._commit is None or self._commit.id != (identity, description):
                    searcher = self._reload(reopen=identity != self._folder_identity)
                    languages = tuple(one for one in OTHER_LANGUAGES if searcher.doc_freq("language", one))
                    self._commit, self._folder_identity = _Commit((identity, description), searcher, languages), identity
            except (FileNotFoundError, ValueError) as error:
                self._commit, self._folder_identity = None, None
                raise ViewUnavailable("the word index is not there; the indexer builds it again") from error
            return self._commit

    def _reload(self, reopen: bool) -> tantivy.Searcher:
        if reopen or self._index is None:
            self._index = tantivy.Index.open(str(self._folder))
            if self._index.schema != self._schema:
                raise ValueError("the index has another format")
            register_analyzers(self._index)
        self._index.reload()
        searcher = self._index.searcher()
        if marker_of(searcher) is None:
            raise ValueError("nothing was committed yet: what is not found may be about to come")
        return searcher


class _OneCommit(LexicalReader):
    """See `at_one_commit`."""

    def __init__(self, folder: Path, commit: _Commit | None, why_not: str) -> None:
        super().__init__(folder)
        self._commit = commit
        self._why_not = why_not

    def _current(self) -> _Commit:
        if self._commit is None:
            raise ViewUnavailable(self._why_not)
        return self._commit
