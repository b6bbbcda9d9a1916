"""Which text lay where when, and whether an answer agrees with it: the judge of the races of searches by text.

As with points (`point_history`), an answer shows all that was written up to its revision; what was written later, but sent
before the answer came, may show in it or not. So a hit is a file that had such a text, under such a name, at the answer's
revision or while it was on its way, and its passage is a part of such a text; a word is found in such a text. Each version
of a text has a word that no other has, which tells them apart.
"""

import itertools
import math
import threading
from collections import defaultdict
from typing import NamedTuple

from vexfs.contract.v1 import search_pb2

_EPSILON = 1e-6
LEXICAL, DENSE, HYBRID = search_pb2.SEARCH_MODE_LEXICAL, search_pb2.SEARCH_MODE_DENSE, search_pb2.SEARCH_MODE_HYBRID


class Note(NamedTuple):
    """A version of a file; without a path it was removed."""

    path: str
    text: str
    word: str
    """Which stands in this text and in no other."""


class Asked(NamedTuple):
    """A search for the text, or the word, of a version, and what came back."""

    request: search_pb2.SearchRequest
    file_id: int
    word: str
    acknowledged: int
    """The newest revision that any writer had been told when this was asked."""
    answer: search_pb2.SearchResponse
    ended: float


class Written(NamedTuple):
    sent: float
    revision: int
    note: Note


class NoteHistory:
    """Written by all writers while the load runs. Times are those of time.monotonic()."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.acknowledged = 0
        self.count = 0
        self.versions: dict[int, list[Written]] = defaultdict(list)
        """By file id, in order: a file has one writer."""
        self.latest: list[tuple[int, int, Note]] = []
        """File id, revision and version of what was written last, and what it replaced."""

    def wrote(self, sent: float, revision: int, file_id: int, note: Note) -> None:
        with self._lock:
            self.acknowledged = max(self.acknowledged, revision)
            self.count += 1
            before = self.versions[file_id][-1:]
            self.versions[file_id].append(Written(sent, revision, note))
            replaced = [(file_id, revision, each.note) for each in before]
            self.latest = [*self.latest[-40:], *replaced, *([(file_id, revision, note)] if note.path else [])]


class _Span(NamedTuple):
    """A version from its revision until that of the next one."""

    written: Written
    until: int
    until_sent: float


class NoteJudge:
    """Holds answers against a history that is complete."""

    def __init__(self, history: NoteHistory) -> None:
        self.faults: list[str] = []
        self.found = 0
        """Answers that had to have the file that was asked for, and had it."""
        self.gone = 0
        """Answers by a word that was in no text any more."""
        self._spans: dict[int, list[_Span]] = {}
        end = Written(math.inf, 1 << 62, Note("", "", ""))
        for file_id, versions in history.versions.items():
            pairs = itertools.pairwise([*versions, end])
            self._spans[file_id] = [_Span(one, after.revision, after.sent) for one, after in pairs]

    def judge(self, asked: Asked) -> None:
        request, answer = asked.request, asked.answer
        told = f"revision {answer.revision} ({answer.strategy}, {len(answer.hits)} hits) for {request.text[:30]!r}"
        self.faults += [f"{told}: {fault}" for fault in self._faults(asked)]

    def _faults(self, asked: Asked) -> list[str]:
        answer = asked.answer
        faults = []
        reflected = answer.revision if answer.partial else max(answer.revision, asked.acknowledged)
        if answer.revision < asked.request.min_revision:
            faults.append(f"revision {asked.request.min_revision} was waited for")
        ids = [hit.file.id for hit in answer.hits]
        if len(set(ids)) < len(ids):
            faults.append("a file stands there twice")
        order = [(-hit.score, hit.file.id) for hit in answer.hits]
        if order != sorted(order):
            faults.append("not in order")
        for hit in answer.hits:
            faults += self._faults_of_hit(hit, self._may(hit.file.id, reflected, asked.ended), asked)
        return faults + self._faults_of_absence(asked, reflected, ids)

    def _may(self, file_id: int, reflected: int, ended: float) -> list[Note]:
        """What the answer may show of a file."""
        spans = self._spans.get(file_id, [])
        shown = [span.written.note for span in spans if span.until > reflected and span.written.sent < ended]
        return [note for note in shown if note.path]

    def _faults_of_hit(self, hit: search_pb2.SearchHit, may: list[Note], asked: Asked) -> list[str]:
        if not may:
            return [f"{hit.file.path} was not there"]
        faults = []
        if hit.file.path not in {note.path for note in may}:
            faults.append(f"{hit.file.path}: its name was {[note.path for note in may]}")
        passage = hit.passage
        parts = [note.text.encode()[passage.start_byte : passage.end_byte] for note in may]
        if not passage.text or passage.text.strip() not in [part.decode().strip() for part in parts]:
            faults.append(f"{hit.file.path} with the passage {passage.text!r}")
        if asked.request.mode == LEXICAL and asked.word not in {note.word for note in may}:
            faults.append(f"{hit.file.path} does not have the word")
        return faults

    def _faults_of_absence(self, asked: Asked, reflected: int, ids: list[int]) -> list[str]:
        """The version that was asked for is found if it was there all the time."""
        for span in self._spans[asked.file_id]:
            if span.written.note.word != asked.word or span.written.revision > reflected:
                continue
            if span.until > reflected and span.until_sent > asked.ended and span.written.note.path:
                if asked.file_id not in ids:
                    return [f"{span.written.note.path} is not found"]
                self.found += 1
                best = asked.answer.hits[0].score
                own = next(hit.score for hit in asked.answer.hits if hit.file.id == asked.file_id)
                if asked.request.mode == DENSE and own < best - _EPSILON:
                    return [f"{span.written.note.path} is nearer to another text than to its own"]
        if asked.request.mode == LEXICAL and not ids:
            self.gone += asked.word not in {note.word for note in self._may(asked.file_id, reflected, asked.ended)}
        return []
