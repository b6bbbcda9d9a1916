"""Searches while notes are written, renamed and removed: a hit is a file that was so at the answer's revision or right after.

`make test` asks some hundred questions, `make proofs-long` (VEXFS_PROOFS=long) many thousand.
"""

import random
import string
import threading
import time
from pathlib import Path

import pytest

from tests.end_to_end.running import Server
from tests.end_to_end.test_replicas import Connection, connections
from tests.power.test_power_cut import LONG
from vexfs.contract.v1 import common_pb2, content_pb2, files_pb2, search_pb2

from .note_history import DENSE, HYBRID, LEXICAL, Asked, Note, NoteHistory, NoteJudge
from .point_load import Worker, until

_QUESTIONS = 5_000 if LONG else 120
_WAIT_S = 60.0
"""For a revision; a search that does not wait is far quicker."""
_FOLDER = "/notes"
_NOTES_MAX = 40
_LIMIT = 20
_SENTENCES = (
    "The harbour freezes in january and the ferries stop.",
    "Bread needs flour, water, salt and a warm place to rise.",
    "Every key is rotated once a quarter and the old one revoked.",
    "The choir rehearses on tuesdays in the chapel by the mill.",
    "A train left the valley at noon with forty wagons of timber.",
    "Bees find their way home by the angle of the sun.",
)


class NoteWriter(Worker):
    """Owns some notes."""

    def __init__(self, name: str, connection: Connection, history: NoteHistory, stop: threading.Event, seed: int) -> None:
        super().__init__(name, stop, pause_s=0.05)
        self._connection = connection
        self._history = history
        self._random = random.Random(seed)
        self._notes: dict[int, Note] = {}
        self._made = 0

    def turn(self) -> None:
        kind = self._random.random()
        if (kind < 0.4 and len(self._notes) < _NOTES_MAX) or not self._notes:
            self._write(self._new_path())
        elif kind < 0.7:
            self._write(self._random.choice(list(self._notes.values())).path)
        elif kind < 0.85:
            self._rename(self._random.choice(list(self._notes)))
        else:
            self._remove(self._random.choice(list(self._notes)))

    def _new_path(self) -> str:
        self._made += 1
        return f"{_FOLDER}/{self.name}-{self._made}.md"

    def _write(self, path: str) -> None:
        word = "q" + "".join(self._random.choices(string.ascii_lowercase, k=11))
        text = f"{self._random.choice(_SENTENCES)} It is known as {word} here.\n"
        options = content_pb2.WriteOptions(make_parents=True)
        request = content_pb2.PutContentRequest(file=common_pb2.FileRef(path=path), data=text.encode(), options=options)
        sent = time.monotonic()
        answer = self._connection.call("FilesService/PutContent", request, content_pb2.PutContentResponse)
        self._told(sent, answer.revision, answer.file.id, Note(path, text, word))

    def _rename(self, file_id: int) -> None:
        path, before = self._new_path(), self._notes[file_id]
        request = files_pb2.MoveFileRequest(
            source=common_pb2.FileRef(path=before.path), destination=common_pb2.FileRef(path=path)
        )
        sent = time.monotonic()
        answer = self._connection.call("FilesService/MoveFile", request, files_pb2.MoveFileResponse)
        self._told(sent, answer.revision, file_id, before._replace(path=path))

    def _remove(self, file_id: int) -> None:
        request = files_pb2.RemoveFileRequest(file=common_pb2.FileRef(path=self._notes[file_id].path))
        sent = time.monotonic()
        answer = self._connection.call("FilesService/RemoveFile", request, files_pb2.RemoveFileResponse)
        self._told(sent, answer.revision, file_id, Note("", "", ""))

    def _told(self, sent: float, revision: int, file_id: int, note: Note) -> None:
        self._history.wrote(sent, int(revision), file_id, note)
        self._notes[file_id] = note
        if not note.path:
            del self._notes[file_id]


class Searcher(Worker):
    """Asks for words and texts that were just written, replaced or removed."""

    def __init__(self, connection: Connection, history: NoteHistory, stop: threading.Event, seed: int) -> None:
        super().__init__(f"searcher-{seed}", stop, pause_s=0.01)
        self._connection = connection
        self._history = history
        self._random = random.Random(seed)
        self.asked: list[Asked] = []

    def turn(self) -> None:
        file_id, revision, note = self._random.choice(self._history.latest)
        mode = self._random.choice((LEXICAL, LEXICAL, DENSE, HYBRID))
        request = search_pb2.SearchRequest(
            text=note.text if mode == DENSE else note.word,
            mode=mode,
            limit=_LIMIT,
            exact=mode == DENSE,
            min_revision=revision if self._random.random() < 0.15 else 0,
        )
        if self._random.random() < 0.3:
            request.scope.path = _FOLDER
        acknowledged = self._history.acknowledged
        answer = self._connection.call("SearchService/Search", request, search_pb2.SearchResponse, timeout=_WAIT_S)
        self.asked.append(Asked(request, file_id, note.word, acknowledged, answer, time.monotonic()))


def _until_embedded(connection: Connection) -> None:
    """Views have the first notes, and questions are embedded."""
    request = search_pb2.WaitForViewsRequest()
    connection.call("SearchService/WaitForViews", request, search_pb2.WaitForViewsResponse, timeout=_WAIT_S)
    question = search_pb2.SearchRequest(text="ice on the water", mode=HYBRID)

    def whole() -> bool:
        answer = connection.call("SearchService/Search", question, search_pb2.SearchResponse)
        return not answer.partial and len(answer.hits) > 0

    until(whole, [], _WAIT_S, "the model of questions")


@pytest.mark.timeout(0 if LONG else 300)
def test_a_hit_was_so_at_the_answers_revision_or_right_after(tmp_path: Path) -> None:
    history, stop = NoteHistory(), threading.Event()
    server = Server(tmp_path, arguments=("--api-processes", "2"))
    try:
        with connections(server.start()) as found:
            writers = [NoteWriter(f"w{seed}", found["api"], history, stop, seed) for seed in (1, 2)]
            for _ in range(10):
                for writer in writers:
                    writer.turn()
            _until_embedded(found["api"])
            searchers = [Searcher(connection, history, stop, seed) for seed, connection in enumerate(found.values(), start=10)]
            workers: list[Worker] = [*writers, *searchers]
            for worker in workers:
                worker.start()
            try:
                until(lambda: all(len(each.asked) >= _QUESTIONS for each in searchers), workers, 10 * _WAIT_S, "all questions")
            finally:
                stop.set()
            for worker in workers:
                worker.finish()
    finally:
        server.close()
    judge = NoteJudge(history)
    for searcher in searchers:
        for asked in searcher.asked:
            judge.judge(asked)
    assert not judge.faults, f"{len(judge.faults)} faults:\n" + "\n".join(judge.faults[:20])
    # How many there are of each depends on how fast this machine writes and searches.
    assert judge.found >= 10 and judge.gone >= 5, (judge.found, judge.gone)
