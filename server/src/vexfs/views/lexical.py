"""The lexical view: finding passages by their words (BM25, on tantivy).

The indexer is the one writer (`LexicalWriter`, made once: it throws away what it cannot open); the API searches
(`LexicalReader`). A document is a passage's words under its file's ino and its ordinal: no path, no text is stored here. The
index follows the change log of `derived.db`; one marker document says up to which change, in the same commit as the words, so a
crash in between repeats work and loses none. It can be deleted at any time: the indexer notices and fills it again.

Threads: a writer belongs to one thread; a reader may be used by several. User text is never parsed as a query language: any
text is a valid search.
"""

import re
import shutil
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import tantivy

from vexfs.core.errors import ViewUnavailable
from vexfs.core.types import Ino

FORMAT = 1
"""Of the index: fields and how words are made. Another one is built again."""
MARKER_INO = 0
"""No file has this ino."""
HEAP_BYTES = 32 << 20
WORD_MAX_BYTES = 60
QUERY_WORDS_MAX = 128
"""Distinct words of a search that count; the rest of a longer text is left out."""
PHRASE_BOOST = 2.0

_ANALYZER = "vexfs"
_HUMP = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_CAMEL = re.compile(r"\b[A-Za-z][A-Za-z0-9]*?(?:[a-z0-9][A-Z]|[A-Z][A-Z][a-z])[A-Za-z0-9]*")
_IDEOGRAPHS = re.compile(r"[぀-ヿ㐀-䶿一-鿿가-힯豈-﫿]")
_COMPOUND = re.compile(r"\w+(?:[._:/-]+\w+)+|\w+")

_FUNCTION_WORDS = (
    "a an and are as at be by can could did do doe for from had has have how i in is it me my of on or our should that the"
    " their them then there these they this those to was we were what when where which who whi will with would you your"
)
_QUESTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""As the analyzer leaves them (it makes "does" and "why" into "doe" and "whi")."""


class LexicalHit(NamedTuple):
    """A passage and its BM25 score; scores compare within one search only."""

    ino: Ino
    ordinal: int
    score: float


class Marker(NamedTuple):
    """How far the index is: the incarnation of `derived.db` and the seq of its change log."""

    incarnation: int
    seq: int


def words_of(text: str) -> str:
    """The text as it is given to the analyzer: camelCase words also in parts, ideographs one by one."""
    if not text.isascii():
        text = _IDEOGRAPHS.sub(r" \g<0> ", text)
    parts = [part for word in dict.fromkeys(_CAMEL.findall(text)) for part in _HUMP.findall(word)]
    return f"{text} {' '.join(parts)}" if parts else text


def _analyzer() -> tantivy.TextAnalyzer:
    """Letters and digits between anything else, lower case, without accents, English word stems."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    filters = tantivy.Filter.remove_long(WORD_MAX_BYTES), tantivy.Filter.lowercase(), tantivy.Filter.ascii_fold()
    for one in (*filters, tantivy.Filter.stemmer("english")):
        builder = builder.filter(one)
    return builder.build()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    # Signed, because deleting by an unsigned term deletes nothing in this binding.
    builder.add_integer_field("ino", indexed=True, fast=True)
    builder.add_integer_field("ordinal", fast=True)
    builder.add_text_field("words", tokenizer_name=_ANALYZER, index_option="position")
    for name in ("format", "incarnation", "seq"):  # of the marker document
        builder.add_integer_field(name, fast=True)
    return builder.build()


class LexicalWriter:
    """The one writer of the index in `folder`, which is made when it is missing, damaged or of another format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._closed = False
        self._open_or_make()
        status = folder.stat()
        self._identity = (status.st_dev, status.st_ino)

    def _open_or_make(self) -> None:
        for fresh in (False, True):
            if fresh:
                shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                self._index = tantivy.Index(_schema(), str(self.folder))
                self._index.register_tokenizer(_ANALYZER, _analyzer())
                self._index.config_reader("manual")
                self._writer = self._index.writer(HEAP_BYTES, 1)
                self.marker = _marker_of(self._index.searcher())
                return
            except ValueError:  # what tantivy raises for a damaged or different index
                if fresh:
                    raise

    def lost(self) -> bool:
        """Whether the folder at the path is no longer the one that is open, or its content was removed."""
        try:
            status = self.folder.stat()
        except FileNotFoundError:
            return True
        return (status.st_dev, status.st_ino) != self._identity or not (self.folder / "meta.json").exists()

    def replace(self, ino: int, texts: Sequence[tuple[int, str]]) -> None:
        """Makes (ordinal, text) the passages of a file; seen by readers after `commit`. None removes the file."""
        self._writer.delete_documents_by_term("ino", ino)
        for ordinal, text in texts:
            document = tantivy.Document()
            document.add_integer("ino", ino)
            document.add_integer("ordinal", ordinal)
            document.add_text("words", words_of(text))
            self._writer.add_document(document)

    def clear(self) -> None:
        """Removes everything, with the next commit."""
        self._writer.delete_all_documents()

    def commit(self, marker: Marker) -> None:
        """Makes what was done since the last commit visible, with how far that is. Takes about 10 ms.

        Raises ViewUnavailable when the index was removed meanwhile; the owner then makes a new writer.
        """
        document = tantivy.Document()
        document.add_integer("ino", MARKER_INO)
        document.add_integer("format", FORMAT)
        document.add_integer("incarnation", marker.incarnation)
        document.add_integer("seq", marker.seq)
        try:
            self._writer.delete_documents_by_term("ino", MARKER_INO)
            self._writer.add_document(document)
            self._writer.commit()
        except ValueError as error:
            raise ViewUnavailable("the word index cannot be written; it is built again") from error
        self.marker = marker

    def close(self) -> None:
        """Ends merging and gives the index free; idempotent. What was not committed is dropped; the marker knows."""
        if not self._closed:
            self._closed = True
            self._writer.wait_merging_threads()


def _marker_of(searcher: tantivy.Searcher) -> Marker | None:
    """None for a new index, or one of another format."""
    schema = _schema()
    found = searcher.search(tantivy.Query.term_query(schema, "ino", MARKER_INO), limit=1, count=False).hits
    if not found:
        return None
    addresses = [address for _, address in found]
    values = [searcher.fast_field_values(name, addresses)[0] for name in ("format", "incarnation", "seq")]
    return Marker(int(values[1] or 0), int(values[2] or 0)) if values[0] == FORMAT else None


class LexicalReader:
    """Searches the index in `folder`; always sees the last commit, also after the index was lost and built again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._analyzer = _analyzer()
        self._schema = _schema()
        self._index: tantivy.Index | None = None
        self._folder_identity: tuple[int, int] | None = None
        self._commit = b""
        self._searcher: tantivy.Searcher | None = None

    def search(self, text: str, limit: int, restrict: Collection[int] | None = None) -> list[LexicalHit]:
        """The passages that hold any of the words, best first, equal scores by (ino, ordinal).

        `restrict`: only passages of these files. A text without words finds nothing. Raises ViewUnavailable while there is no
        index.
        """
        searcher = self._current()
        query = self._query(text)
        if query is None or limit <= 0 or (restrict is not None and not restrict):
            return []
        if restrict is not None:
            allowed = tantivy.Query.const_score_query(tantivy.Query.term_set_query(self._schema, "ino", list(restrict)), 0.0)
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, allowed)])
        found = searcher.search(query, limit=limit, count=False).hits
        addresses = [address for _, address in found]
        inos = searcher.fast_field_values("ino", addresses)
        ordinals = searcher.fast_field_values("ordinal", addresses)
        hits = [
            LexicalHit(Ino(int(ino or 0)), int(ordinal or 0), float(score))
            for ino, ordinal, (score, _) in zip(inos, ordinals, found, strict=True)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.ino, hit.ordinal))

    def terms(self, text: str) -> list[str]:
        """The distinct words of a text as the index knows them (stems), in order."""
        return list(dict.fromkeys(self._analyzer.analyze(words_of(text))))

    def marker(self) -> Marker | None:
        """How far the index is. Raises ViewUnavailable when there is no index."""
        return _marker_of(self._current())

    def count(self) -> int:
        """Passages in the index."""
        return max(0, self._current().num_docs - 1)

    def _query(self, text: str) -> tantivy.Query | None:
        terms = self._telling(self.terms(text))[:QUERY_WORDS_MAX]
        if not terms:
            return None
        parts = [tantivy.Query.term_query(self._schema, "words", term) for term in terms]
        parts += [
            tantivy.Query.boost_query(tantivy.Query.phrase_query(self._schema, "words", list(phrase)), PHRASE_BOOST)
            for phrase in self._compounds(text)
        ]
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, part) for part in parts])

    @staticmethod
    def _telling(terms: list[str]) -> list[str]:
        """Without the words a question is built of, unless it has no others: in a small volume they are rare, and would win."""
        return [term for term in terms if term not in _QUESTION_WORDS] or terms

    def _compounds(self, text: str) -> list[list[str]]:
        """The words of `snake_case`, `dotted.names`, `a-b` and ideographic runs: together they count more."""
        phrases = []
        for compound in _COMPOUND.findall(text[:2000])[:QUERY_WORDS_MAX]:
            words = self._analyzer.analyze(_IDEOGRAPHS.sub(r" \g<0> ", compound))
            if 2 <= len(words) <= 8:
                phrases.append(words)
        return phrases[:8]

    def _current(self) -> tantivy.Searcher:
        """The searcher of the newest commit: reads its small description, and reloads (0.5 ms) when that is another one."""
        with self._lock:
            try:
                status = self._folder.stat()
                identity = (status.st_dev, status.st_ino)
                # Not the file's times: two commits can fall into one tick of the clock, and inode numbers come again.
                commit = (self._folder / "meta.json").read_bytes()
                if self._searcher is None or identity != self._folder_identity or commit != self._commit:
                    self._reload(reopen=identity != self._folder_identity)
                    self._folder_identity, self._commit = identity, commit
            except (FileNotFoundError, ValueError) as error:
                self._searcher, self._folder_identity = None, None
                raise ViewUnavailable("the word index is not there; the indexer builds it again") from error
            assert self._searcher is not None
            return self._searcher

    def _reload(self, reopen: bool) -> None:
        if reopen or self._index is None:
            self._index = tantivy.Index.open(str(self._folder))
            self._index.register_tokenizer(_ANALYZER, _analyzer())
            self._index.config_reader("manual")
        self._index.reload()
        self._searcher = self._index.searcher()
