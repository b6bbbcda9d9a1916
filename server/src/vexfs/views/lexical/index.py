"""The word index on disk: its fields, and the one writer.

The indexer is the writer (`LexicalWriter`, made once: it throws away what it cannot open). A document is a passage's words
under its file's ino and its ordinal: no path, no text is stored here. The index follows the change log of `derived.db`; one
marker document says up to which change, in the same commit as the words, so a crash in between repeats work and loses none. It
can be deleted at any time: the indexer notices and fills it again. A writer belongs to one thread.
"""

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import tantivy

from vexfs.core.errors import ViewUnavailable
from vexfs.core.words import fold, identifiers, whole
from vexfs.store.blobs import sync_folder
from vexfs.views.lexical.stems import ENGLISH, language_of, stems

FORMAT = 2
"""Of the index: fields and how words are made. Another one is built again."""
MARKER_INO = 0
"""No file has this ino."""
HEAP_BYTES = 32 << 20
_ATTEMPTS = 8
"""At a commit. One that was cut off leaves files of deletions, whose names the same one wants after a restart; the next attempt
wants others, and finds all there was to commit."""

_SPACES = "spaces"


class Marker(NamedTuple):
    """How far the index is: the incarnation of `derived.db` and the seq of its change log."""

    incarnation: int
    seq: int


def schema() -> tantivy.Schema:
    """Every word of a passage stands in `words` as it is written, but for case and accents, identifiers in their parts; in
    `stems` as its stem; identifiers of several parts also in `wholes`, in one word."""
    builder = tantivy.SchemaBuilder()
    # Signed, because deleting by an unsigned term deletes nothing in this binding.
    builder.add_integer_field("ino", indexed=True, fast=True)
    builder.add_integer_field("ordinal", fast=True)
    builder.add_text_field("words", tokenizer_name=_SPACES, index_option="position")
    builder.add_text_field("stems", tokenizer_name=_SPACES, index_option="freq")
    builder.add_text_field("wholes", tokenizer_name=_SPACES, index_option="freq")
    builder.add_text_field("language", tokenizer_name=_SPACES, index_option="basic")
    for name in ("format", "incarnation", "seq"):  # of the marker document
        builder.add_integer_field(name, fast=True)
    return builder.build()


def register_analyzers(index: tantivy.Index) -> None:
    """What the fields are given is words already, with a space between."""
    index.register_tokenizer(_SPACES, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    index.config_reader("manual")


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
            sync_folder(self.folder.parent)  # else a power cut brings back what was here before
            try:
                self._index = tantivy.Index(schema(), str(self.folder))
                register_analyzers(self._index)
                self._writer = self._index.writer(HEAP_BYTES, 1)
                self.marker = marker_of(self._index.searcher())
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
        passages = [(ordinal, identifiers(text)) for ordinal, text in texts]
        language = language_of(part for _, found in passages for one in found for part in one.parts)
        for ordinal, found in passages:
            parts = [part for one in found for part in one.parts]
            document = tantivy.Document()
            document.add_integer("ino", ino)
            document.add_integer("ordinal", ordinal)
            document.add_text("words", " ".join(map(fold, parts)))
            document.add_text("stems", " ".join(stems(parts, language)))
            document.add_text("wholes", " ".join(filter(None, map(whole, found))))
            if language != ENGLISH:
                document.add_text("language", language)
            self._writer.add_document(document)

    def clear(self) -> None:
        """Removes everything, with the next commit."""
        self._writer.delete_all_documents()

    def commit(self, marker: Marker) -> None:
        """Makes what was done since the last commit visible and durable, with how far that is. Takes about 10 ms.

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
            self._commit()
            sync_folder(self.folder)  # tantivy leaves the new name of its description to the next commit
        except (ValueError, OSError) as error:
            raise ViewUnavailable("the word index cannot be written; it is built again") from error
        self.marker = marker

    def _commit(self) -> None:
        """Raises ValueError when the index is lost, or cannot be written."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._writer.commit()
                return
            except ValueError:
                if attempt == _ATTEMPTS or self.lost():
                    raise

    def close(self) -> None:
        """Ends merging and gives the index free; idempotent. What was not committed is dropped; the marker knows."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(ValueError):  # a thread that wrote into a folder that was removed meanwhile
                self._writer.wait_merging_threads()


def marker_of(searcher: tantivy.Searcher) -> Marker | None:
    """None for a new index, or one of another format."""
    found = searcher.search(tantivy.Query.term_query(schema(), "ino", MARKER_INO), limit=1, count=False).hits
    if not found:
        return None
    addresses = [address for _, address in found]
    values = [searcher.fast_field_values(name, addresses)[0] for name in ("format", "incarnation", "seq")]
    return Marker(int(values[1] or 0), int(values[2] or 0)) if values[0] == FORMAT else None
