"""Looking at one queued file: is it to be indexed, has it changed, which passages does it have now?

Called by the indexer's main thread for one file at a time. Reads the volume in short snapshots; writes the result to
`derived.db` and hands the words to the lexical index. Never waits, never embeds.
"""

import time
from typing import NamedTuple

import blake3

from vexfs.core import content, files
from vexfs.core.errors import DataLoss, NotFound
from vexfs.core.types import Ino, Node, Revision
from vexfs.store.reader import Snapshot
from vexfs.store.volume import Volume
from vexfs.views import derived
from vexfs.views.derived import TEXT_KEY_BYTES, FileState
from vexfs.views.embedding.document_process import CONTENT_MAX_BYTES as DOCUMENT_MAX_BYTES
from vexfs.views.embedding.extract import MAX_CONTENT_BYTES, ExtractedText, Skipped, extract, too_large
from vexfs.views.embedding.languages import document_kind, language_of, may_be_document
from vexfs.views.embedding.split import split
from vexfs.views.indexing.documents import Documents, Key
from vexfs.views.indexing.ignoring import RULE_FILES, Ignoring
from vexfs.views.indexing.writer import BULK_LANE, DerivedWriter, PassageText, PendingFile
from vexfs.views.lexical import LexicalWriter

DIRECTORY_PAGE = 1000
_HEAD_BYTES = 1024


class _Content(NamedTuple):
    """A file that has to be read again, as it was in one snapshot."""

    node: Node
    name: bytes
    data: bytes
    document: str
    """The kind of document it is, empty for all that is text or nothing."""


class _Document(NamedTuple):
    """A document that has been read."""

    node: Node
    document: str
    extracted: ExtractedText | Skipped


class FileReader:
    """Works on `writer` and `lexical`, which are replaced together with it when they are lost."""

    def __init__(
        self, volume: Volume, writer: DerivedWriter, lexical: LexicalWriter, ignoring: Ignoring, documents: Documents
    ) -> None:
        self._volume = volume
        self._writer = writer
        self._lexical = lexical
        self._ignoring = ignoring
        self._documents = documents

    def look_at(self, pending: PendingFile) -> bool:
        """Brings what is stored of the file up to date and takes it off the queue; True when its passages changed.

        A document that has to be read first stays queued for that.
        """
        with self._volume.snapshot() as view:
            found = self._look(view, pending)
        if isinstance(found, bool):
            return found
        if isinstance(found, _Content) and found.document:
            self._documents.begin(_key_of(found.node), found.document, found.data)
            self._writer.await_document(pending)
            return False
        extracted = extract(found.name, found.data) if isinstance(found, _Content) else found.extracted
        if isinstance(extracted, Skipped):
            return self._skip(pending, found.node, extracted.reason, found.document)
        passages = passages_of(extracted)
        state = self._state(found.node, derived.STATE_READY, "", extracted.language)
        self._writer.store_passages(state, passages, str(self._writer.meta("model") or ""), pending)
        self._lexical.replace(pending.ino, [(ordinal, passage.text) for ordinal, passage in enumerate(passages)])
        return True

    def _look(self, view: Snapshot, pending: PendingFile) -> bool | _Content | _Document:
        """Deals with everything that needs no reading; else the content."""
        try:
            node = files.stat(view, pending.ino)
        except NotFound:
            return self._remove(pending)
        if node.is_directory:
            self._look_below(view, pending)
            return False
        verdict = self._ignoring.verdict(view, node.ino) if node.is_regular and node.nlink else None
        if verdict is None:
            return self._remove(pending)
        known = self._writer.file_state(node.ino)
        changed = known is None or known.content_revision != node.content_revision
        if changed and verdict.name in RULE_FILES:
            self._rules_changed(view, pending)
        if verdict.reason:
            return self._skip(pending, node, verdict.reason)
        if known is not None and not changed and self._same_kind(view, known, node, verdict.name):
            self._writer.finish(pending)
            return False
        try:
            return self._read(view, pending, node, verdict.name)
        except DataLoss:
            return self._skip(pending, node, "its content is damaged")

    def _read(self, view: Snapshot, pending: PendingFile, node: Node, name: bytes) -> bool | _Content | _Document:
        """The content, unless the file is too large, or a document that has been read, or has to wait for another."""
        document = _document_kind(view, node, name)
        if document and (read := self._documents.take(_key_of(node))) is not None:
            return _Document(node, document, read)
        large = too_large(node.size_bytes, DOCUMENT_MAX_BYTES if document else MAX_CONTENT_BYTES)
        if large is not None:
            return self._skip(pending, node, large.reason, document)
        if document and self._documents.busy:
            self._writer.await_document(pending)
            return False
        return _Content(node, name, content.read(view, node.ino, 0, node.size_bytes), document)

    def _same_kind(self, view: Snapshot, known: FileState, node: Node, name: bytes) -> bool:
        """Whether what is stored of the unchanged content still holds under the file's name."""
        if known.state != derived.STATE_READY and known.reason.startswith(("ignored", "its collection")):
            return False
        try:
            if known.state != derived.STATE_READY:
                return _document_kind(view, node, name) == known.language
            return language_of(name, content.read(view, node.ino, 0, _HEAD_BYTES)) == known.language
        except DataLoss:
            return False

    def _look_below(self, view: Snapshot, pending: PendingFile) -> None:
        """Queues what a directory holds. Only entries: each directory below is queued in its turn."""
        after = b""
        now = time.time_ns()
        with self._writer.transaction():
            while page := files.list_directory(view, pending.ino, after, DIRECTORY_PAGE):
                self._writer.enqueue(
                    PendingFile(entry.node.ino, BULK_LANE, pending.first_revision, pending.last_revision, now)
                    for entry in page
                    if entry.node.is_directory or entry.node.is_regular
                )
                after = page[-1].name
            self._writer.finish(pending)

    def _rules_changed(self, view: Snapshot, pending: PendingFile) -> None:
        """A rule file has other lines: its directory is looked at again."""
        self._ignoring.forget()
        now = time.time_ns()
        parents = self._ignoring.directories_of(view, pending.ino)
        first, last = pending.first_revision, pending.last_revision
        self._writer.enqueue(PendingFile(parent, BULK_LANE, first, last, now) for parent in parents)

    def _remove(self, pending: PendingFile) -> bool:
        known = self._writer.file_state(pending.ino)
        self._writer.remove(pending.ino, pending)
        return self._forget_words(known)

    def _skip(self, pending: PendingFile, node: Node, reason: str, document: str = "") -> bool:
        known = self._writer.file_state(node.ino)
        state = self._state(node, derived.STATE_SKIPPED, reason, document)
        if known == state:
            self._writer.finish(pending)
            return False
        self._writer.store_skip(state, pending)
        return self._forget_words(known)

    def _forget_words(self, known: FileState | None) -> bool:
        if known is None or known.state != derived.STATE_READY:
            return False
        self._lexical.replace(known.ino, [])
        return True

    def _state(self, node: Node, state: str, reason: str, language: str) -> FileState:
        return FileState(Ino(node.ino), Revision(node.content_revision), state, reason, language, node.size_bytes)


def _document_kind(view: Snapshot, node: Node, name: bytes) -> str:
    """Which kind of document the file is, by its name and its beginning; empty for all others."""
    if not may_be_document(name):
        return ""
    head = content.read(view, node.ino, 0, _HEAD_BYTES)
    return document_kind(language_of(name, head), head)


def _key_of(node: Node) -> Key:
    return Key(node.ino, node.content_revision)


def passages_of(extracted: ExtractedText) -> list[PassageText]:
    """The passages of a text with their places in the file and the keys of their words."""
    result = []
    for start, end in split(extracted.text, extracted.language, extracted.headings):
        text = extracted.text[start:end]
        place = extracted.source.locate(start, end)
        result.append(PassageText(*place, blake3.blake3(text.encode()).digest(TEXT_KEY_BYTES), text))
    return result
