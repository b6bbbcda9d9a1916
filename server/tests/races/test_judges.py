"""What judges the races would notice: each wrong answer is a fault, and the right ones are none."""

import copy
from collections.abc import Callable

import numpy as np
import pytest

from vexfs.contract.v1 import common_pb2, points_pb2, search_pb2

from .note_history import LEXICAL, Note, NoteHistory, NoteJudge
from .note_history import Asked as AskedText
from .point_history import DOT, GROUP, Asked, History, Judge, Version, group_below

LIMIT = 3
ROWS = {"a": ((1, 0), 1), "b": ((0.9, 0), 1), "c": ((0.9, 0), 1), "d": ((0.5, 0), 1), "e": ((0.95, 0), 7)}
"""Put at revision 1, in this order; `e` does not pass."""
FILE_IDS = {"a": 11, "b": 12, "c": 13, "d": 14, "e": 15}


def _version(id: str, vector: tuple[float, float], group: int) -> Version:
    return Version(id, np.array(vector, dtype=np.float32), group)


def _hit(id: str, score: float, group: int = 1) -> points_pb2.PointHit:
    hit = points_pb2.PointHit(score=score, point=points_pb2.Point(id=id, file_id=FILE_IDS[id]))
    hit.point.metadata[GROUP] = group
    return hit


def _judged(answer: points_pb2.QueryPointsResponse, *, acknowledged: int = 2) -> list[str]:
    """At revision 2 `a` was replaced; at 3, while the answer was on its way, `d` was deleted."""
    history = History()
    history.wrote(0.0, 1, [_version(id, vector, group) for id, (vector, group) in ROWS.items()])
    history.wrote(1.0, 2, [_version("a", (2, 0), 1)])
    history.wrote(3.0, 3, [Version("d", None, -1)])
    vector = common_pb2.Vector(values=np.array([1, 0], dtype="<f4").tobytes())
    request = points_pb2.QueryPointsRequest(vector=vector, limit=LIMIT, filter=group_below(5), min_revision=1)
    judge = Judge(history, DOT, FILE_IDS)
    judge.judge(Asked("api", request, 2.0, acknowledged, answer, 4.0))
    return judge.verdicts.faults


def _right() -> points_pb2.QueryPointsResponse:
    hits = [_hit("a", 2.0), _hit("b", 0.9), _hit("c", 0.9)]
    return points_pb2.QueryPointsResponse(revision=2, exact=True, strategy="exact", hits=hits)


def test_the_right_answer_has_no_fault() -> None:
    assert _judged(_right()) == []


def test_what_is_written_meanwhile_may_show_or_not() -> None:
    answer = _right()
    answer.hits[2].CopyFrom(_hit("d", 0.5))  # gone at revision 3
    assert _judged(answer) == [f"api, revision 2 (exact, {LIMIT} hits): exact, and without [('c', {float(np.float32(0.9))})]"]


def _without(answer: points_pb2.QueryPointsResponse, place: int) -> None:
    del answer.hits[place]


def _older_score(answer: points_pb2.QueryPointsResponse) -> None:
    answer.hits[0].score = 1.0


def _other_order(answer: points_pb2.QueryPointsResponse) -> None:
    second = copy.deepcopy(answer.hits[1])
    answer.hits[1].CopyFrom(answer.hits[2])
    answer.hits[2].CopyFrom(second)


def _twice(answer: points_pb2.QueryPointsResponse) -> None:
    answer.hits[2].CopyFrom(answer.hits[1])


def _not_passing(answer: points_pb2.QueryPointsResponse) -> None:
    answer.hits[1].CopyFrom(_hit("e", 0.95, group=7))


def _other_metadata(answer: points_pb2.QueryPointsResponse) -> None:
    answer.hits[0].CopyFrom(_hit("a", 2.0, group=2))


def _wrong_tie(answer: points_pb2.QueryPointsResponse) -> None:
    answer.hits[1].CopyFrom(_hit("c", 0.9))
    answer.hits[2].CopyFrom(_hit("d", 0.5))


def _older_revision(answer: points_pb2.QueryPointsResponse) -> None:
    answer.revision = 0


def _too_many(answer: points_pb2.QueryPointsResponse) -> None:
    answer.hits.append(_hit("d", 0.5))


WRONG = [
    *(lambda answer, place=place: _without(answer, place) for place in range(LIMIT)),
    _older_score,
    _other_order,
    _twice,
    _not_passing,
    _other_metadata,
    _wrong_tie,
    _older_revision,
    _too_many,
]


@pytest.mark.parametrize("spoil", WRONG)
def test_a_wrong_answer_is_a_fault(spoil: Callable[[points_pb2.QueryPointsResponse], None]) -> None:
    answer = _right()
    spoil(answer)
    assert _judged(answer)


def test_what_was_acknowledged_shows_unless_the_answer_is_partial() -> None:
    answer = _right()
    answer.revision = 1
    _older_score(answer)
    assert _judged(answer)
    answer.partial = True
    assert _judged(answer) == []


_OLD, _NEW = Note("/a", "An old text with qold.", "qold"), Note("/a", "A new text with qnew.", "qnew")
_MOVED = _NEW._replace(path="/b")


def _shown(note: Note, file_id: int = 2) -> search_pb2.SearchHit:
    hit = search_pb2.SearchHit(score=1.0)
    hit.file.id, hit.file.path = file_id, note.path
    hit.passage.text, hit.passage.end_byte = note.text, len(note.text)
    return hit


def _judged_text(word: str, hits: list[search_pb2.SearchHit], *, partial: bool = False, revision: int = 2) -> list[str]:
    """At revision 1 the file was written, at 2 again; at 3, while the answer was on its way, it got another name."""
    history = NoteHistory()
    for sent, revision_written, note in ((0.0, 1, _OLD), (1.0, 2, _NEW), (3.0, 3, _MOVED)):
        history.wrote(sent, revision_written, 2, note)
    request = search_pb2.SearchRequest(text=word, mode=LEXICAL)
    answer = search_pb2.SearchResponse(revision=revision, hits=hits, partial=partial, strategy="lexical")
    judge = NoteJudge(history)
    judge.judge(AskedText(request, 2, word, 2, answer, 4.0))
    return judge.faults


def test_a_text_is_found_as_it_is_or_becomes() -> None:
    assert _judged_text("qnew", [_shown(_NEW)]) == []
    assert _judged_text("qnew", [_shown(_MOVED)]) == []
    assert _judged_text("qold", []) == []
    assert _judged_text("qold", [_shown(_OLD)], partial=True, revision=1) == []


@pytest.mark.parametrize(
    ("word", "hits"),
    [
        ("qold", [_shown(_OLD)]),
        ("qold", [_shown(_NEW)]),
        ("qnew", [_shown(_OLD)]),
        ("qnew", [_shown(_NEW._replace(path="/c"))]),
        ("qnew", [_shown(_NEW), _shown(_NEW)]),
        ("qnew", [_shown(_NEW), _shown(_NEW, file_id=3)]),
    ],
)
def test_a_text_of_another_time_or_place_is_a_fault(word: str, hits: list[search_pb2.SearchHit]) -> None:
    assert _judged_text(word, hits)


def test_a_text_that_was_there_all_the_time_is_found() -> None:
    history = NoteHistory()
    history.wrote(0.0, 1, 2, _OLD)
    request = search_pb2.SearchRequest(text="qold", mode=LEXICAL)
    judge = NoteJudge(history)
    judge.judge(AskedText(request, 2, "qold", 1, search_pb2.SearchResponse(revision=1), 1.0))
    assert judge.faults
